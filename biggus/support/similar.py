"""Suggestions for misspelt names, in error messages."""

from __future__ import annotations

from collections.abc import Iterable

from biggus.support.forks import between_forks


def did_you_mean(wanted: str, known: Iterable[str], written: str = "{!r}") -> str:
    """Return a suggestion of at most two names that are similar to `wanted`.

    Names are similar if they differ in case, in their group or in a few letters.

    Parameters
    ----------
    wanted : str
        The unknown name.
    known : iterable of str
        The names that exist.
    written : str
        The format of a suggested name.

    Returns
    -------
    str
        The end of a message; empty if no name is similar.

    Examples
    --------
    >>> did_you_mean("tso", ["tos", "time", "lat"])
    "; did you mean 'tos'?"
    >>> did_you_mean("zom", ["zoom"], "`{}=`")
    '; did you mean `zoom=`?'
    >>> did_you_mean("abc", ["tos"])
    ''
    """
    with between_forks():
        import difflib
    known = list(dict.fromkeys(known))
    plain = wanted.strip("/").lower()
    found = [name for name in known if plain in (name.lower(), name.lower().rpartition("/")[2])]
    if not found:
        spelled: dict[str, list[str]] = {}
        for name in known:
            spelled.setdefault(name.lower(), []).append(name)
        for match in difflib.get_close_matches(plain, spelled, n=2):
            found += spelled[match]
    return f"; did you mean {' or '.join(map(written.format, found[:2]))}?" if found else ""
