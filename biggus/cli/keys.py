"""Keys as they are written in brackets: ``[0:10, ..., ::-1, [1, 5], None]``.

They are parsed, never evaluated: what is not in this grammar is an error.

    key   = item { "," item } [ "," ] | "()"
    item  = "..." | "None" | "newaxis" | index | slice | list
    slice = [ int ] ":" [ int ] [ ":" [ int ] ]
    list  = "[" [ entry { "," entry } [ "," ] ] "]"
    entry = index | list
    index = int | "True" | "False"

What is accepted means what it means to NumPy.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from biggus.cli.usage import UsageError

Key: TypeAlias = Any
"""What stands between brackets, as ``__getitem__`` gets it."""

_TOKEN = re.compile(r"\s*(?:(\.\.\.)|([+-]?\d+(?:_\d+)*)|([A-Za-z_]+)|([\[\](),:]))", re.ASCII)
_INTEGER = re.compile(r"[+-]?(0(_?0)*|[1-9](_?\d)*)", re.ASCII)
_WORDS: dict[str, Any] = {"None": None, "newaxis": None, "True": True, "False": False}
_MOST_DIGITS = 19
_MOST_NESTED = 32
_MOST_CHARACTERS = 10**6


class KeySyntaxError(UsageError):
    """Text is no key."""


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
    text = text.strip()
    if not text.endswith("]"):
        if "[" in text:
            raise KeySyntaxError(f"{_shown(text)} has no closing bracket at its end")
        return text, ...
    depth = 0
    for position in reversed(range(len(text))):
        depth += (text[position] == "]") - (text[position] == "[")
        if depth == 0:
            return text[:position].strip(), parse_key(text[position + 1 : -1])
    raise KeySyntaxError(f"{_shown(text)} has a closing bracket without an opening one")


def parse_key(text: str) -> Key:
    """Parse what stands between the brackets of a key.

    Returns
    -------
    int, bool, slice, None, Ellipsis, list, or a tuple of them
        What Python would hand to ``__getitem__``.

    Raises
    ------
    KeySyntaxError
        If it is no key.

    Examples
    --------
    >>> parse_key("..., ::-1, [0, 5]")
    (Ellipsis, slice(None, None, -1), [0, 5])
    >>> parse_key("7")
    7
    """
    return _KeyParser(text).key()


class _KeyParser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.symbols = self._symbols()
        self.next = 0

    def _symbols(self) -> list[str]:
        text = self.text
        if len(text) > _MOST_CHARACTERS:
            raise KeySyntaxError(f"a key of {len(text)} characters is too long")
        symbols, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error(f"{text[position:].strip()[:1]!r} has no place in a key")
            symbols.append(match[0].strip())
            position = match.end()
        return symbols

    def _error(self, problem: str) -> KeySyntaxError:
        return KeySyntaxError(
            f"[{_shown(self.text)}] is no key: {problem}; "
            "write it as in [0, 10:20, ::-1, ..., [1, 5]]"
        )

    def _peek(self) -> str:
        return self.symbols[self.next] if self.next < len(self.symbols) else ""

    def _take(self, wanted: str = "") -> str:
        symbol = self._peek()
        if not symbol or (wanted and symbol != wanted):
            found = repr(symbol) if symbol else "its end"
            raise self._error(
                f"{found} stands where {repr(wanted) if wanted else 'an index'} should"
            )
        self.next += 1
        return symbol

    def key(self) -> Key:
        if not self.symbols:
            raise self._error("it is empty")
        if self.symbols == ["(", ")"]:
            return ()
        items = [self._item()]
        if not self._peek():
            return items[0]
        while self._peek():
            self._take(",")
            if self._peek():
                items.append(self._item())
        return tuple(items)

    def _item(self) -> Any:
        symbol = self._peek()
        if symbol == "...":
            self._take()
            return ...
        if symbol == "[":
            return self._list(1)
        if symbol in ("None", "newaxis"):
            self._take()
            return None
        return self._index_or_slice()

    def _index_or_slice(self) -> Any:
        parts: list[int | None] = [None]
        colons = 0
        while True:
            symbol = self._peek()
            if symbol == ":" and colons < 2:
                self._take()
                colons += 1
                parts.append(None)
            elif symbol not in ("", ",", ":", "]") and parts[-1] is None:
                value = self._index()
                if isinstance(value, bool) and not colons and self._peek() != ":":
                    return value
                if isinstance(value, bool):
                    raise self._error("a slice is of integers")
                parts[-1] = value
            else:
                break
        if not colons:
            if parts[0] is None:
                found = repr(symbol) if symbol else "its end"
                raise self._error(f"{found} stands where an index should")
            return parts[0]
        return slice(*parts)

    def _index(self) -> int | bool:
        symbol = self._take()
        if symbol in ("True", "False"):
            return bool(_WORDS[symbol])
        if symbol in _WORDS:
            raise self._error(f"{symbol!r} has no place there")
        if not _INTEGER.fullmatch(symbol):
            raise self._error(f"{_shown(symbol)!r} is no integer")
        if len(symbol.strip("+-").replace("_", "")) > _MOST_DIGITS:
            raise self._error(f"{_shown(symbol)} is too large")
        return int(symbol)

    def _list(self, depth: int) -> list[Any]:
        if depth > _MOST_NESTED:
            raise self._error("its lists are nested too deeply")
        self._take("[")
        entries: list[Any] = []
        while self._peek() != "]":
            entries.append(self._list(depth + 1) if self._peek() == "[" else self._index())
            if self._peek() != "]":
                self._take(",")
        self._take("]")
        return entries


def _shown(text: str, most: int = 60) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 3] + "..."
