"""Options: set for good or for a block, and nobody else's."""

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
from biggus.options import Options, current, parse_size, set_options


@pytest.fixture(autouse=True)
def _own_options(monkeypatch):
    monkeypatch.setattr(options, "_process", options._Process())


def test_a_call_sets_for_good_and_a_block_for_its_length():
    set_options(memory=5)
    with set_options(offline=True) as inside:
        assert inside == current() == Options(memory=5, offline=True)
        set_options(memory=6)  # of the block
        with set_options(memory="2 KB"):
            assert current() == Options(memory=2000, offline=True)
        assert current() == Options(memory=6, offline=True)
    assert current() == Options(memory=5)


def test_a_block_ends_with_an_exception_too():
    with pytest.raises(KeyError), set_options(memory=5):
        raise KeyError
    assert current() == Options()


def test_an_object_may_be_entered_again_and_within_itself():
    chosen = set_options(memory=7)
    for _ in range(2):
        with chosen:
            with chosen:
                assert current().memory == 7
            assert current().memory == 7
        assert current() == Options()


def test_entering_late_takes_back_nothing_of_others():
    chosen = set_options(memory=7)
    set_options(offline=True)
    with chosen:
        assert current() == Options(memory=7, offline=True)
    assert current() == Options(offline=True)


def test_calls_leave_nothing_behind():
    for i in range(1, 1000):
        set_options(memory=i)
    gc.collect()
    set_options(offline=True)
    assert current() == Options(memory=999, offline=True)
    assert len(options._process._calls) <= 2


def test_blocks_of_threads_that_overlap():
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


def test_a_block_holds_in_its_own_context_alone():
    elsewhere = contextvars.copy_context()
    with set_options(memory=7):
        assert elsewhere.run(current) == Options()
        assert contextvars.copy_context().run(current).memory == 7


def test_a_generator_that_is_thrown_away_gives_its_options_back():
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
def test_what_is_refused_changes_nothing(wrong):
    with pytest.raises(OptionError) as caught:
        set_options(offline=True, **wrong) if "offline" not in wrong else set_options(**wrong)
    assert "\n" not in str(caught.value)
    assert current() == Options()


def test_a_slip_of_the_pen_is_told():
    with pytest.raises(OptionError, match="did you mean 'memory'"):
        set_options(memmory=3)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("MEMORY", "plenty", "BIGGUS_MEMORY.*plenty"), ("OFFLINE", "perhaps", "BIGGUS_OFFLINE")],
)
def test_an_environment_that_is_wrong_says_which_variable(name, text, said, monkeypatch):
    options._from_environment.cache_clear()
    monkeypatch.setenv(f"BIGGUS_{name}", text)
    with pytest.raises(OptionError, match=said):
        current()
    monkeypatch.delenv(f"BIGGUS_{name}")
    options._from_environment.cache_clear()
    assert current() == Options()


def test_the_environment_sets_options():
    code = "import biggus; o = biggus.options.current(); print(o.memory, o.offline)"
    environment = {"BIGGUS_MEMORY": "2 MB", "BIGGUS_OFFLINE": "yes", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2000000", "True"]


def test_sizes():
    assert parse_size("1.5 GB") == 1_500_000_000
    assert parse_size(" 2kib ") == 2048
    assert parse_size(10) == 10
    assert biggus.set_options is set_options
