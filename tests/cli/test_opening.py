"""All commands parse locations, variables and keys alike, and explain errors in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import biggus
from biggus.cli import main

netCDF4 = pytest.importorskip("netCDF4")

VALUES = np.arange(24.0).reshape(2, 3, 4)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Make files of two variables in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.nc", "b.nc"):
        with netCDF4.Dataset(name, "w") as file:
            for dim, n in {"time": None, "y": 3, "x": 4}.items():
                file.createDimension(dim, n)
            place = file.createGroup("ocean")
            for variable, factor in {"tos": 1, "sos": 2}.items():
                place.createVariable(variable, "f8", ("time", "y", "x"))[:] = VALUES * factor
    (tmp_path / "text.txt").write_text("no array")
    (tmp_path / "folder").mkdir()


COMMANDS = {
    "info": ("info", "--json"),
    "get": ("get", "-o", "out.nc"),
    "view": ("view", "-o", "out.png"),
    "stats": ("stats", "--json"),
    "plan": ("plan", "--json"),
    "save": ("save",),
}


def run(command, *words):
    name, *options = COMMANDS[command]
    return main([name, *words, *(["out.nc"] if command == "save" else []), *options])


def assert_means(command, out, expected, name):
    """Check that a command with this output read the expected values of a variable."""
    if command in ("get", "save"):
        found = biggus.open("out.nc")
        assert found.name == name
        np.testing.assert_array_equal(found.ndarray(), expected)
    elif command == "info":
        [facts] = json.loads(out)["variables"]
        assert facts["shape"] == list(np.shape(expected))
        assert len(facts["dims"]) == np.ndim(expected)
    elif command in ("stats", "plan"):
        assert json.loads(out)["shape"] == list(np.shape(expected))
        if command == "stats":
            assert json.loads(out)["statistics"]["max"] == np.max(expected)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("text", "key"), [("", ...), ("[1]", 1), ("[:, ::2, [0, 3]]", np.s_[:, ::2, [0, 3]])]
)
@pytest.mark.parametrize(
    "words",
    [("a.nc", "ocean/sos"), ("a.nc::ocean/sos",), ("a.nc::ocean/sos", "")],
    ids=["variable apart", "variable in location", "key apart"],
)
def test_every_command_takes_a_variable_and_a_key(command, text, key, words, capsys):
    words = [*words[:-1], words[-1] + text] if text else [word for word in words if word]
    expected = (2 * VALUES)[key]
    code = run(command, *words)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert_means(command, out, expected, "sos")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "words",
    [
        ("a.nc", "b.nc", "ocean/tos[1:3]"),
        ("[ab].nc", "ocean/tos[1:3]"),
        ("?.nc::ocean/tos[1:3]",),
        ("a.nc::ocean/tos", "b.nc", "[1:3]"),
    ],
)
def test_every_command_joins_files_and_then_selects(command, words, capsys):
    expected = np.concatenate([VALUES, VALUES])[1:3]
    code = run(command, *words)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert_means(command, out, expected, "tos")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_joins_along_another_axis(command, capsys):
    expected = np.concatenate([VALUES, VALUES], axis=2)
    words = ("a.nc", "b.nc", "ocean/tos", "--join-axis", "x", "--join-mismatch", "ignore")
    code = run(command, *words)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert_means(command, out, expected, "tos")


@pytest.mark.parametrize("command", COMMANDS)
def test_variable_may_have_the_name_of_a_file(command, tmp_path, capsys):
    (tmp_path / "ocean").mkdir()
    (tmp_path / "ocean" / "sos").write_text("no array")
    code = run(command, "a.nc", "ocean/sos")
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert_means(command, out, 2 * VALUES, "sos")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("a.nc", "ocean/toss"), 1, "did you mean 'ocean/tos'"),
        (("a.nc", "TOS"), 1, "did you mean 'ocean/tos'"),
        (("a.nc::tos",), 1, "did you mean 'ocean/tos'"),
        (("a.nc::ocean/tos", "ocean/tos"), 1, "named twice"),
        (("none.nc", "tos"), 1, "none.nc: there is no such file"),
        (("folder", "tos"), 1, "folder: the folder holds no store"),
        (("text.txt", "tos"), 1, "text.txt"),
        (("a.nc", "ocean/tos[9]"), 1, "out of bounds"),
        (("a.nc", "ocean/tos[0"), 2, "bracket"),
        (("a.nc", "ocean/tos[x]"), 2, "is not a key"),
        (("a.nc[0, 1:]",), 2, "a key is an argument of its own: a.nc '[0, 1:]'"),
        (("a.nc", "ocean/tos", "ocean/sos"), (1, 2), ""),
    ],
)
def test_every_command_explains_errors(command, words, code, problem, capsys):
    assert run(command, *words) in (code if isinstance(code, tuple) else (code,))
    err = capsys.readouterr().err
    assert err.startswith("biggus: error: ")
    assert err.count("\n") == 1
    assert problem in err
