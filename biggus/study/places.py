"""The names of locations in a study, by which they are found on other machines too."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biggus.backends.identity import without_secrets
from biggus.backends.location import public_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.backends import Location


def names_of(where: Location) -> dict[str, str]:
    """Return the names of a location.

    Returns
    -------
    dict
        ``location``, absolute and without credentials; ``as_written``, in the program; and
        ``relative_path``, from the working folder if it is below that.
    """
    if where.scheme:
        return {"location": where.public, "as_written": public_url(where.text)}
    names = {"location": where.public, "as_written": where.text}
    with contextlib.suppress(ValueError, OSError):  # elsewhere, or the working folder is gone
        names["relative_path"] = where.path.relative_to(Path.cwd()).as_posix()
    return names


def arguments_json(arguments: Sequence[Any]) -> list[Any]:
    """Return the other arguments of a call as JSON values, without credentials."""
    return [
        _same_later(each) for each in without_secrets({"arguments": list(arguments)})["arguments"]
    ]


def _same_later(value: Any) -> Any:
    """Make objects that are known only by their addresses equal to one another."""
    if isinstance(value, dict):
        return {
            name: "object" if name == "$object" else _same_later(each)
            for name, each in value.items()
        }
    return [_same_later(each) for each in value] if isinstance(value, list) else value
