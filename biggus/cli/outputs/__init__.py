"""Writers of pictures and films, by suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from biggus.cli.outputs.figures import write_figure, write_film

Writer: TypeAlias = Callable[[Path, Any, str, bool, str], str | None]
"""Writes an array to a path that does not exist yet; returns what to tell the user.

The arguments are the path, the array, the name of the output for error messages, whether a
picture has one pixel for each value and no axes, and the suffix.
"""

PICTURES: dict[str, Writer] = {
    **dict.fromkeys((".png", ".pdf", ".svg"), write_figure),
    **dict.fromkeys((".gif", ".mp4"), write_film),
}
