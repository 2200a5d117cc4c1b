"""Error messages in the words of the command line."""

from __future__ import annotations

import re

_OPTIONS = {
    "backend": "--backend",
    "cache": "--cache",
    "cache=False": "--no-cache",
    "decode": "--raw",
    "headers": "biggus.open(headers=...)",
    "decode=False": "--raw",
    "memory": "--memory",
    "mismatch": "--join-mismatch",
    "offline": "--offline",
    "overwrite=True": "--overwrite",
    "storage_options": "biggus.open(storage_options=...)",
    "workers": "--workers",
    "zoom": "--zoom",
}
"""The options that stand for arguments in Python; other arguments are options of a backend.

A mapping cannot be given on the command line."""

_ARGUMENT = re.compile(
    r"""(?<![^\s(])(?P<name>[a-z_]+)=(?P<value>'[^'\s]*'|"[^"\s]*"|[\w.-]*\w)?(?![\w/&{])"""
)

_PHRASES = (
    (re.compile(r"biggus\.set_options\((\w+)=\.\.\.\)"), r"--\1"),
    (re.compile(r"biggus\.open_many or biggus stats"), "biggus stats"),
    (re.compile(r"biggus\.open_many"), "biggus stats"),
    (
        re.compile(r"call \.masked_array\(\), \.ndarray\(fill=\.\.\.\), or \.filled\(\.\.\.\)"),
        "pass --fill VALUE",
    ),
    (re.compile(r"with \.filled\(\.\.\.\)"), "with --fill VALUE"),
)


def in_options(message: str) -> str:
    """Return an error message with options of the command line for arguments in Python.

    Examples
    --------
    >>> in_options("zoom= is a whole number; pass bands=1, dtype='u2'")
    '--zoom is a whole number; pass -O bands=1, -O dtype=u2'
    >>> in_options("x.nc is there already; overwrite=True replaces it")
    'x.nc is there already; --overwrite replaces it'
    """
    for phrase, wording in _PHRASES:
        message = phrase.sub(wording, message)
    return _ARGUMENT.sub(_option, message)


def _option(match: re.Match[str]) -> str:
    name, value = match["name"], (match["value"] or "").strip("'\"")
    if match[0] in _OPTIONS:
        return _OPTIONS[match[0]]
    if name in _OPTIONS:
        return f"{_OPTIONS[name]} {value}".strip()
    return f"-O {name}={value}"
