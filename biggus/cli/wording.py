"""Error messages in the words of the command line.

Messages mark names of Python by backticks (ADR 58): an argument with or without a value, an
argument of a function, or a function.  Nothing else of a message is changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from biggus.errors import BiggusError, MaskedValueError
from biggus.options import in_environment

MARK = re.compile(
    r"""(?<!`)`(?:
      (?P<function>biggus\.[a-z_.]+)
      |(?:(?P<caller>[a-z_.]+)(?P<call>\())?
      (?P<name>[a-z_]+)=(?P<value>\([^`()]*\)|[^`()\s]*)
      (?(call)\))
    )`(?!`)""",
    re.VERBOSE,
)
"""The notation of names of Python in messages.

``biggus.open_many``, ``zoom=``, ``dtype='u2'``, ``timeout=(connect, read)`` or
``biggus.set_options(memory=...)``, between single backticks.
"""

OPTIONS = {
    "backend": "--backend NAME",
    "cache": "--cache FOLDER",
    "cache=False": "--no-cache",
    "cache=True": "--cache FOLDER",
    "decode": "--raw",
    "decode=False": "--raw",
    "fill": "--fill VALUE",
    "memory": "--memory SIZE",
    "mismatch": "--join-mismatch {raise,ignore}",
    "offline": "--offline",
    "offline=True": "--offline",
    "overwrite": "--overwrite",
    "overwrite=True": "--overwrite",
    "workers": "--workers N",
    "zoom": "--zoom N",
}
"""The options that stand for arguments in Python, as the help writes them.

Other arguments are options of a backend."""

_FUNCTIONS = {"biggus.open_many": "the command"}
"""The words for functions: every command that opens an array can join several."""

_MAPPINGS = frozenset({"headers", "storage_options"})
"""The options of backends that cannot be given on the command line, but only in Python."""


def message_of(error: Exception, names: Collection[str]) -> str:
    """Return the message of an error for the users of a command.

    Parameters
    ----------
    error : Exception
        An error of biggus; the messages of other errors are returned unchanged.
    names : collection of str
        The names of the arguments of the command, as in the result of its parser.
    """
    if not isinstance(error, BiggusError):
        return str(error)
    if isinstance(error, MaskedValueError) and error.remedy and "fill" in names:
        return in_options(f"{error.problem}; pass `fill=`", names)
    return in_options(str(error), names)


def in_options(message: str, names: Collection[str]) -> str:
    """Return a message with the options of a command for marked arguments of Python.

    An argument for which the command has no option stays as it is.

    Examples
    --------
    >>> names = ["zoom", "option", "overwrite"]
    >>> in_options("`zoom=` is a whole number; pass `bands=1`, `dtype='u2'`", names)
    '--zoom N is a whole number; pass -O bands=1, -O dtype=u2'
    >>> in_options("/a=1/x.nc exists; `overwrite=True` replaces it", names)
    '/a=1/x.nc exists; --overwrite replaces it'
    """
    return MARK.sub(lambda mark: _option(mark, names) or mark[0], message)


def _option(mark: re.Match[str], names: Collection[str]) -> str | None:
    """Return what stands for a marked name on the command line; None if nothing does."""
    if mark["function"]:
        return _FUNCTIONS.get(mark["function"])
    from biggus.backends.registry import option_names

    name, value = mark["name"], _written(mark["value"])
    option = OPTIONS.get(f"{name}={value}".rstrip("="), "")
    if not option and " " in OPTIONS.get(name, ""):  # one that takes a value
        option = f"{OPTIONS[name].split()[0]} {value}"
    if option and option.split()[0][2:].replace("-", "_") in names:
        return option
    if mark["caller"] == "biggus.set_options" and in_environment(name):
        return f"BIGGUS_{name.upper()}" + f"={value}" * bool(value)
    if "option" not in names or name not in option_names():
        return None
    return f"`biggus.open({name}=...)`" if name in _MAPPINGS else f"-O {name}={value or 'VALUE'}"


def _written(value: str) -> str:
    """Return a value of Python as it is written on the command line."""
    if value == "...":
        return ""
    return value.strip("'\"").removeprefix("(").removesuffix(")").replace(", ", ",")
