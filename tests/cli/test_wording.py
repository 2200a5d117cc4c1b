"""Errors on the command line name options where they name arguments in Python."""

import re

import pytest

from biggus.cli import main
from biggus.cli.wording import in_options

TILES = "http://127.0.0.1:9/{z}/{x}/{y}.png"


@pytest.mark.parametrize(
    ("message", "wording"),
    [
        ("it needs zoom=, a number", "it needs --zoom, a number"),
        ("did you mean zoom= or backend=?", "did you mean --zoom or --backend?"),
        ('backend="hdf5" reads it', "--backend hdf5 reads it"),
        ("mismatch='ignore' joins", "--join-mismatch ignore joins"),
        ("allow more with biggus.set_options(memory=...), or", "allow more with --memory, or"),
        ("biggus.open_many opens them", "biggus stats opens them"),
        ("pass absent=404 and missing=", "pass -O absent=404 and -O missing="),
        ("(with dtype='u2')", "(with -O dtype=u2)"),
        ("fill them first, with .filled(...), or", "fill them first, with --fill VALUE, or"),
        ("https://host/a?b=1&c=2 /data/x=1/y=2 gives 404", None),
    ],
)
def test_arguments_become_options(message, wording):
    assert in_options(message) == (wording or message)


def test_options_of_numbers_refuse_text(capsys):
    assert main(["info", TILES, "--zoom", "a"]) == 2
    assert "--zoom: not a whole number: 'a'" in capsys.readouterr().err
    assert main(["stats", TILES, "--workers", "a"]) == 2
    assert "argument --workers: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--zoom", "99"],
        *(
            ["--zoom", "3", "-O", option]
            for option in ("bands=2", "dtype=f4", "band=1", "missing=900", "timeout=x")
        ),
    ],
)
def test_errors_of_opening_name_options(options, capsys):
    assert main(["info", TILES, *options]) == 1
    error = capsys.readouterr().err.replace(TILES, "")
    assert re.search("--zoom|-O [a-z]+=", error)
    assert not re.search(r"(?<!-O )\b[a-z_]+=", error)
