"""Films of the maps along an axis of an array."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.adapt import node_of
from biggus.array import Array
from biggus.support.extras import needing
from biggus.viewer.maps.drawing import draw_field, new_figure
from biggus.viewer.maps.labels import label_of
from biggus.viewer.maps.look import Look, colour_bar, map_size

_DOTS_PER_INCH = 100

_FRAMES_PER_SECOND = 8.0

_SAMPLED = 12
"""The number of maps that are read to choose colours."""


def film(path: Path, array: Any, suffix: str) -> int:
    """Write the maps along the first axis of an array as a film.

    One map is read at a time.  All have the same colours, which are chosen from a few of them.

    Parameters
    ----------
    path : Path
        The path of the file.
    array : Array
        The array, with three axes longer than one, and an optional last axis of colours.
    suffix : {".gif", ".mp4"}
        The format.

    Returns
    -------
    int
        The number of maps.

    Raises
    ------
    ValueError
        If the array has other axes.
    MissingDependencyError
        If a package is missing.
    """
    look = Look.of(Array.from_node(node_of(array)))
    if look.array.ndim - look.coloured != 3:
        raise ValueError(
            "a film is made of an array of three axes, such as time, rows and columns, not of "
            f"shape {look.array.shape}"
        )
    write = _write_mp4 if suffix == ".mp4" else _write_gif
    write(path, _frames(look))
    return int(look.array.shape[0])


def _frames(look: Look) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield pictures of the maps: uint8 of shape (rows, columns, 3), both even."""
    length = look.array.shape[0]
    sampled = np.unique(np.linspace(0, length - 1, _SAMPLED).round().astype(int))
    fields, grid = look.fields([int(number) for number in sampled])
    colours = None if look.coloured else look.colours(fields)
    fig = new_figure(map_size(grid, 1, 1), look.title())
    fig.set_dpi(_DOTS_PER_INCH)
    ax = fig.add_subplot()
    drawn = draw_field(ax, fields[0], grid, colours, coasts=True)
    if colours is not None:
        colour_bar(fig, drawn, [ax], colours, label_of(look.meaning))
    ax.set_title(look.name_of(0), fontsize=10, parse_math=False)
    del fields
    canvas: Any = fig.canvas
    canvas.draw()
    fig.set_layout_engine("none")  # the layout is the same for all maps
    for number in range(length):
        drawn.show(look.field(number)[0])
        ax.set_title(look.name_of(number), fontsize=10, parse_math=False)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        rows, columns = (n - n % 2 for n in pixels.shape[:2])
        yield np.ascontiguousarray(pixels[:rows, :columns])


def _write_gif(path: Path, frames: Iterator[npt.NDArray[np.uint8]]) -> None:
    with needing("PIL", "viewer", "writing a film"):
        from PIL import Image
    first = next(frames)
    Image.fromarray(first).save(
        path,
        format="GIF",
        save_all=True,
        append_images=map(Image.fromarray, frames),
        duration=round(1000 / _FRAMES_PER_SECOND),
        loop=0,
    )


def _write_mp4(path: Path, frames: Iterator[npt.NDArray[np.uint8]]) -> None:
    with needing("imageio_ffmpeg", "viewer", "writing a film as .mp4"):
        import imageio_ffmpeg
    first = next(frames)
    rows, columns = first.shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (columns, rows),
        fps=_FRAMES_PER_SECOND,
        macro_block_size=2,
        output_params=["-f", "mp4"],  # whatever the suffix
        ffmpeg_log_level="error",
    )
    writer.send(None)
    try:
        for frame in itertools.chain([first], frames):
            writer.send(frame.tobytes())
    finally:
        writer.close()
