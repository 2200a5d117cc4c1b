"""Parsing of keys such as ``[0:10, ..., ::-1, [1, 5], None]``.

Keys are parsed and never evaluated.  The grammar is:

    key   = item { "," item } [ "," ] | "()"
    item  = "..." | "None" | "newaxis" | index | slice | list
    slice = [ int ] ":" [ int ] [ ":" [ int ] ]
    list  = "[" [ entry { "," entry } [ "," ] ] "]"
    entry = index | list
    index = int | "True" | "False"

Keys have the same meaning as in NumPy.
"""

from __future__ import annotations

import ast
import re
from typing import Any, TypeAlias

from biggus.cli.usage import UsageError

Key: TypeAlias = Any
"""The argument of ``__getitem__``."""

_TOKENS = re.compile(
    r"(?:\s|\.\.\.|[+-]?\d++(?:_\d++)*+|None|newaxis|True|False|[\[\],:])*+", re.ASCII
)
"""The texts that are passed to Python's parser."""

_MOST = 10**19
_MOST_NESTED = 32
_MOST_CHARACTERS = 10**6


class KeySyntaxError(UsageError):
    """A text is not a key."""


def split_selection(text: str) -> tuple[str, Key]:
    """Split ``VARIABLE[KEY]`` into the variable's name and the parsed key.

    Parameters
    ----------
    text : str
        A name, a key in brackets, or both.  Only the last pair of brackets is
        the key, so a name that holds brackets is followed by ``[...]``.

    Returns
    -------
    name : str
        May be empty.
    key
        ``...`` if there are no brackets.

    Raises
    ------
    KeySyntaxError
        If the brackets do not match, or hold no key.

    Examples
    --------
    >>> split_selection("sst[0, 10:20]")
    ('sst', (0, slice(10, 20, None)))
    >>> split_selection("sst")
    ('sst', Ellipsis)
    """
    name, key = cut_key(text)
    return name, parse_key(key[1:-1]) if key else ...


def cut_key(text: str) -> tuple[str, str]:
    """Split ``VARIABLE[KEY]`` into the variable's name and the key with its brackets, unparsed.

    Raises
    ------
    KeySyntaxError
        If the brackets do not match.
    """
    text = text.strip()
    if not text.endswith("]"):
        if "[" in text:
            raise KeySyntaxError(f"{_shown(text)} has no closing bracket at its end")
        return text, ""
    depth = 0
    for position in reversed(range(len(text))):
        depth += (text[position] == "]") - (text[position] == "[")
        if depth == 0:
            return text[:position].strip(), text[position:]
    raise KeySyntaxError(f"{_shown(text)} has a closing bracket without an opening one")


def parse_key(text: str) -> Key:
    """Parse the text between the brackets of a key.

    Returns
    -------
    int, bool, slice, None, Ellipsis, list, or a tuple of them
        The argument of ``__getitem__``.

    Raises
    ------
    KeySyntaxError
        If the text is not a key.

    Examples
    --------
    >>> parse_key("..., ::-1, [0, 5]")
    (Ellipsis, slice(None, None, -1), [0, 5])
    >>> parse_key("7")
    7
    """
    if "".join(text.split()) == "()":
        return ()
    try:
        return _parsed(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise KeySyntaxError(
            f"[{_shown(text)}] is not a key: write it as in [0, 10:20, ::-1, ..., [1, 5]]"
        ) from None


def _parsed(text: str) -> Key:
    if len(text) > _MOST_CHARACTERS or not _TOKENS.fullmatch(text):
        raise ValueError(text)
    match ast.parse(f"_[{text}]", mode="eval").body:
        case ast.Subscript(value=ast.Name(), slice=ast.Tuple(elts=items)):
            return tuple(map(_item, items))
        case ast.Subscript(value=ast.Name(), slice=item):
            return _item(item)
        case _:
            raise ValueError(text)


def _item(node: ast.expr) -> Any:
    if isinstance(node, ast.Slice):
        ends = (node.lower, node.upper, node.step)
        return slice(*[None if end is None else _end(ast.literal_eval(end)) for end in ends])
    if isinstance(node, ast.Name) and node.id == "newaxis":
        return None
    value = ast.literal_eval(node)
    if value is not None and value is not ...:
        _check(value)
    return value


def _end(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(value)
    _check(value)
    return value


def _check(value: Any, depth: int = 0) -> None:
    """Raise a ValueError if a value is neither an index nor a nested list of indices."""
    if isinstance(value, list) and depth < _MOST_NESTED:
        for each in value:
            _check(each, depth + 1)
    elif not isinstance(value, int) or abs(value) >= _MOST:
        raise ValueError(value)


def _shown(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 60 else f"{plain[:57]}..."
