"""What locations are called in a study, so that they are found on another machine, too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from biggus.backends.identity import said as sayable
from biggus.backends.location import public_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.backends import Location


def names_of(where: Location) -> dict[str, str]:
    """Return what a location is called.

    Returns
    -------
    dict
        ``place``, where it is, without credentials; ``text``, as it was said; and ``below``, its
        path from the working folder, where it lies below that.
    """
    if where.scheme:
        return {"place": where.public, "text": public_url(where.text)}
    names = {"place": where.public, "text": where.text}
    try:
        names["below"] = where.path.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):  # elsewhere; or the folder is gone
        return names
    return names


def said_json(said: Sequence[Any]) -> list[Any]:
    """Return what was said about a location as JSON can say it, without credentials."""
    return [_same_later(each) for each in sayable({"said": list(said)})["said"]]


def _same_later(value: Any) -> Any:
    """Have objects that are known by their addresses alone be taken for one another."""
    if isinstance(value, dict):
        return {
            name: "object" if name == "$object" else _same_later(each)
            for name, each in value.items()
        }
    return [_same_later(each) for each in value] if isinstance(value, list) else value
