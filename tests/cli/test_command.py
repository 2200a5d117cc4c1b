"""The command as a process: exit codes, errors, logging and signals."""

import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.cli import command, main

h5py = pytest.importorskip("h5py")

COMMAND = [sys.executable, "-m", "biggus"]


def run(*arguments, **settings):
    return execute([*COMMAND, *map(str, arguments)], **settings)


def execute(command, **settings):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.run(command, check=False, text=True, timeout=60, **streams)


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "store.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(12).reshape(3, 4)
        file["group/others"] = np.arange(5.0)
    return path


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"biggus {biggus.__version__}")


@pytest.mark.machine
def test_script_and_module_print_the_same(store):
    script = Path(sys.executable).with_name("biggus")
    if not script.exists():
        pytest.skip("biggus is not installed as a script here")
    by_script = execute([script, "info", store])
    assert by_script.stdout == run("info", store).stdout
    assert "group/others" in by_script.stdout


def test_error_is_one_line_with_exit_code_1(tmp_path):
    done = run("info", tmp_path / "nothing.nc")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("biggus: error: cannot open")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["record", "python", "study.py"],
        ["info"],
        ["info", "a", "--no-such-option"],
        ["get", "a"],
        ["get", "a", "b[", "-o", "c.npy"],
        ["get", "a", "b[os.system()]", "-o", "c.npy"],
        ["get", "a", "b", "-o", "c.npy", "-O", "zoom"],
        ["get", "a", "b", "-o", "c.npy", "--zoom", "deep"],
        ["get", "a", "b", "-o", "c.npy", "--cache", "d", "--no-cache"],
        ["cache"],
        ["cache", "burn"],
    ],
)
def test_usage_error_is_one_line_with_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("biggus: error: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        [],
        *(["demo"], ["info"], ["get"], ["stats"], ["plan"], ["save"]),
        *(["cache"], ["cache", "list"]),
    ],
)
def test_help(command, capsys):
    assert main([*command, "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: biggus")


@pytest.mark.parametrize("wrong", ["inof", "stat", "GET"])
def test_misspelt_command_suggests_one(wrong, capsys):
    assert main([wrong]) == 2
    near = {"inof": "info", "stat": "stats", "GET": "get"}[wrong]
    assert f"there is no command {wrong!r}; did you mean {near!r}" in capsys.readouterr().err


def test_refusal_of_the_system_names_path_and_reason(capsys, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(13, "long text of a library", "/data/secret")

    monkeypatch.setattr("biggus.cli.caches._cache", refused)
    assert main(["cache", "info"]) == 1
    assert capsys.readouterr().err == "biggus: error: /data/secret: Permission denied\n"


def test_selection_after_options(store, tmp_path, capsys):
    out = tmp_path / "out.npy"
    assert main(["get", str(store), "--backend", "hdf5", "numbers[1]", "-o", str(out)]) == 0
    assert np.load(out).tolist() == [4, 5, 6, 7]


def test_unexpected_exception_is_one_line(store, capsys, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr(biggus, "open", broken)
    assert main(["info", str(store), "numbers"]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "ZeroDivisionError: first line second line" in captured.err


@pytest.mark.machine
def test_verbose_does_not_change_stdout(store):
    quiet, verbose = run("info", store, "numbers"), run("info", store, "numbers", "-vv")
    assert verbose.stdout == quiet.stdout
    assert quiet.stderr == ""


@pytest.mark.machine
def test_warning_is_one_line(store, tmp_path):
    cache = tmp_path / "cache"
    assert run("info", store, "numbers", "--cache", cache).stderr == ""
    store.unlink()
    done = run("info", store, "numbers", "--cache", cache)
    assert done.returncode == 0
    assert done.stderr.startswith("biggus: warning: ")
    assert done.stderr.count("\n") == 1


def test_logging_settings_are_restored(store, capsys):
    log = logging.getLogger("biggus")
    before = log.level, list(log.handlers)
    assert main(["info", str(store), "-vv"]) == 0
    assert (log.level, list(log.handlers)) == before


def test_closed_stdout_is_no_error(store):
    read, write = os.pipe()
    os.close(read)
    done = run("info", store, stdout=write)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


def test_interrupt_while_arguments_are_parsed_is_one_line(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_parser", interrupted)
    assert main(["info", "a.h5"]) == 130
    assert capsys.readouterr().err == "biggus: interrupted\n"


@pytest.fixture
def handled():
    """Have processes that are started end by SIGHUP, which `nohup` makes them ignore."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.machine
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("key", ["[:9, :9]", "[:999, :999]"], ids=["one tile", "many tiles"])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.usefixtures("handled")
def test_interrupted_get_leaves_no_files(tmp_path, name, code, key):
    # A server that never answers keeps the command in the middle of its work.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        template = f"http://127.0.0.1:{silent.getsockname()[1]}/{{z}}/{{x}}/{{y}}.png"
        process = subprocess.Popen(
            [*COMMAND, "get", template, "--zoom", "3", key, "-o", "out.npy", "--no-cache"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(30)
        connection, _ = silent.accept()
        with connection:
            assert len(list(tmp_path.iterdir())) == 1
            process.send_signal(getattr(signal, name))
            # Much less than the timeouts of the pending reads.
            _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
