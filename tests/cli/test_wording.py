"""Errors on the command line name options where they name arguments in Python."""

import logging
import pickle
import re

import pytest

from biggus.cli import main
from biggus.cli.wording import OPTIONS, in_options, message_of
from biggus.errors import MaskedValueError

TILES = "http://127.0.0.1:9/{z}/{x}/{y}.png"

ALL = {option.split()[0][2:].replace("-", "_") for option in OPTIONS.values()} | {"option"}


@pytest.mark.parametrize(
    ("message", "wording"),
    [
        ("it needs `zoom=`, a number", "it needs --zoom N, a number"),
        ("did you mean `zoom=` or `backend=`?", "did you mean --zoom N or --backend NAME?"),
        ("`backend='hdf5'` reads it", "--backend hdf5 reads it"),
        ("`mismatch='ignore'` joins", "--join-mismatch ignore joins"),
        ("`overwrite=True` replaces it", "--overwrite replaces it"),
        ("with `decode=False`, `cache=False`", "with --raw, --no-cache"),
        ("more with `biggus.set_options(memory=...)`, or", "more with --memory SIZE, or"),
        ("with `biggus.set_options(retry_changed=3)`", "with BIGGUS_RETRY_CHANGED=3"),
        ("with `biggus.set_options(deadline=...)`", "with BIGGUS_DEADLINE"),
        ("give `biggus.open_many` a pattern", "give the command a pattern"),
        ("pass `absent=404` and `missing=`", "pass -O absent=404 and -O missing=VALUE"),
        ("`timeout=(connect, read, total)`", "-O timeout=connect,read,total"),
        ("(with `dtype='u2'`)", "(with -O dtype=u2)"),
        ("credentials with `headers=`", "credentials with `biggus.open(headers=...)`"),
    ],
)
def test_marked_arguments_become_options(message, wording):
    assert in_options(message, ALL) == wording


@pytest.mark.parametrize(
    "message",
    [
        "/data/ zoom=3/a.nc (overwrite=True) memory=, fill='a'",
        "https://host/a?b=1&zoom=2 gives 404",
        "`decode_times=False` of another library, `zoom` and ``zoom=``x",
        "give it a `token=`, or `biggus.set_options(executor=...)`",
        "`biggus.xarray.open` opens all",
        "`offline=False`, `overwrite=1`",
        "`zoom=3 4` `zoom= 3`",
    ],
)
def test_other_texts_stay(message):
    assert in_options(message, ALL) == message


def test_options_that_a_command_lacks_are_not_named():
    message = "`zoom=`, `memory=`, `bands=1`, `biggus.set_options(memory='1GB')`"
    assert in_options(message, []) == "`zoom=`, `memory=`, `bands=1`, BIGGUS_MEMORY=1GB"


def test_options_in_the_table_exist(capsys):
    for command in ("get", "stats"):
        assert main([command, "--help"]) == 0
    helps = capsys.readouterr().out
    assert not [option for option in OPTIONS.values() if option not in helps]


def test_missing_values_are_filled_by_an_option():
    error = pickle.loads(pickle.dumps(MaskedValueError("a value is missing", "call .filled(9)")))
    assert str(error) == "a value is missing; call .filled(9)"
    assert message_of(error, ALL) == "a value is missing; pass --fill VALUE"
    assert message_of(error, []) == str(error)
    assert message_of(MaskedValueError("`zoom=`"), ALL) == "--zoom N"


def test_log_messages_name_options(monkeypatch, capsys):
    def run(arguments):
        logging.getLogger("biggus.sources").warning("allow more with `zoom=%d`", 3)

    monkeypatch.setattr("biggus.cli.info.run", run)
    assert main(["info", TILES]) == 0
    assert capsys.readouterr().err == "biggus: warning: allow more with --zoom 3\n"


def test_errors_of_other_libraries_stay():
    assert message_of(ValueError("`zoom=`"), ALL) == "`zoom=`"


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
