"""Options: set globally or for a block, per thread and context."""

from __future__ import annotations

import contextvars
import gc
import subprocess
import sys
import threading

import pytest

import biggus
from biggus import options
from biggus.errors import OptionError
from biggus.options import Options, current, format_bytes, parse_size, set_options


@pytest.fixture(autouse=True)
def _own_options(monkeypatch):
    monkeypatch.setattr(options, "_process", options._Process())


def test_call_sets_globally_and_block_temporarily():
    set_options(memory=5)
    with set_options(offline=True) as inside:
        assert inside == current() == Options(memory=5, offline=True)
        set_options(memory=6)  # of the block
        with set_options(memory="2 KB"):
            assert current() == Options(memory=2000, offline=True)
        assert current() == Options(memory=6, offline=True)
    assert current() == Options(memory=5)


def test_exception_restores_options():
    with pytest.raises(KeyError), set_options(memory=5):
        raise KeyError
    assert current() == Options()


def test_block_may_be_reentered_and_nested():
    chosen = set_options(memory=7)
    for _ in range(2):
        with chosen:
            with chosen:
                assert current().memory == 7
            assert current().memory == 7
        assert current() == Options()


def test_entering_later_keeps_options_set_meanwhile():
    chosen = set_options(memory=7)
    set_options(offline=True)
    with chosen:
        assert current() == Options(memory=7, offline=True)
    assert current() == Options(offline=True)


def test_repeated_calls_do_not_accumulate():
    for i in range(1, 1000):
        set_options(memory=i)
    gc.collect()
    set_options(offline=True)
    assert current() == Options(memory=999, offline=True)
    assert len(options._process._calls) <= 2


def test_overlapping_blocks_of_threads():
    together = threading.Barrier(8)
    wrong = []

    def work(number):
        for i in range(200):
            together.wait(timeout=60)
            with set_options(memory=1000 * number + i + 1):
                if current().memory != 1000 * number + i + 1:
                    wrong.append((number, i))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert current() == Options()


def test_block_holds_in_its_own_context_only():
    elsewhere = contextvars.copy_context()
    with set_options(memory=7):
        assert elsewhere.run(current) == Options()
        assert contextvars.copy_context().run(current).memory == 7


def test_closed_generator_restores_options():
    def numbers():
        with set_options(memory=7):
            yield 1

    steps = numbers()
    next(steps)
    steps.close()
    assert current() == Options()


@pytest.mark.parametrize(
    "wrong",
    [
        *({"memory": value} for value in (0, -1, "x", None, [1], float("nan"), True, 2**63)),
        *({"offline": value} for value in ("maybe", None, 2)),
        *({"cache": value} for value in (5, "yes")),
        *({"progress": value} for value in (3, "x")),
        {"memmory": 3},
    ],
)
def test_invalid_options_raise_and_change_nothing(wrong):
    with pytest.raises(OptionError) as caught:
        set_options(offline=True, **wrong) if "offline" not in wrong else set_options(**wrong)
    assert "\n" not in str(caught.value)
    assert current() == Options()


def test_misspelled_option_error_suggests_the_name():
    with pytest.raises(OptionError, match="did you mean 'memory'"):
        set_options(memmory=3)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [("MEMORY", "plenty", "BIGGUS_MEMORY.*plenty"), ("OFFLINE", "perhaps", "BIGGUS_OFFLINE")],
)
def test_invalid_environment_error_names_the_variable(name, text, message, monkeypatch):
    options._from_environment.cache_clear()
    monkeypatch.setenv(f"BIGGUS_{name}", text)
    with pytest.raises(OptionError, match=message):
        current()
    monkeypatch.delenv(f"BIGGUS_{name}")
    options._from_environment.cache_clear()
    assert current() == Options()


def test_environment_sets_options():
    code = "import biggus; o = biggus.options.current(); print(o.memory, o.offline)"
    environment = {"BIGGUS_MEMORY": "2 MB", "BIGGUS_OFFLINE": "yes", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2000000", "True"]


def test_parse_size():
    assert parse_size("1.5 GB") == 1_500_000_000
    assert parse_size(" 2kib ") == 2048
    assert parse_size(10) == 10
    assert biggus.set_options is set_options


@pytest.mark.parametrize("size", ["1 B", "999 B", "1 kB", "100 MB", "1.5 GB", "20 GB", "4.2 PB"])
def test_sizes_are_shown_as_they_are_given(size):
    number, unit = size.split()
    nbytes = round(float(number) * 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit))
    assert format_bytes(nbytes) == size
    if unit != "PB":
        assert parse_size(format_bytes(nbytes)) == nbytes
