"""``biggus view``: show an array in a window, on a page, or as a picture."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from biggus.cli.bars import progress_bar
from biggus.cli.joining import LOCATIONS, Selected, add_locations, open_joined, selected
from biggus.cli.opening import backend_options, settings
from biggus.cli.outputs.figures import DOTS_PER_INCH
from biggus.cli.saving import add_overwrite
from biggus.cli.usage import UsageError
from biggus.errors import BiggusError, OutputError
from biggus.options import set_options
from biggus.sinks.placing import replacing

if TYPE_CHECKING:
    from biggus.array import Array
    from biggus.pyramids import Pyramid

EXAMPLES = """\
  biggus view "https://host/{z}/{x}/{y}.png"
  biggus view ocean.nc "tos[0]"
  biggus view era5.zarr t2m --overviews --serve
"""

_WINDOWLESS = {"agg", "pdf", "pgf", "svg", "ps", "cairo", "template"}
"""Backends of matplotlib without windows."""

DESCRIPTION = (
    "Pan and zoom over an array in a window, or with --serve in a browser. Only the part on the "
    "screen is read."
)

USAGE = f"biggus view [OPTIONS] {LOCATIONS}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_locations(parser)
    parser.add_argument(
        "--serve",
        action="store_true",
        help="serve a page to browsers on this machine, instead of opening a window",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        metavar="N",
        help="the port of the page (default: any free one)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write a picture (.png, .pdf, .svg) instead of opening a window",
    )
    add_overwrite(parser, "FILE")
    parser.add_argument(
        "--overviews",
        action="store_true",
        help="first read the whole array once, and keep coarser levels of it in the cache",
    )


def _port(text: str) -> int:
    """Parse the number of a port."""
    if not text.isdecimal() or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text}")
    return int(text)


def run(arguments: argparse.Namespace) -> None:
    """Show an array."""
    if arguments.serve and arguments.output:
        raise UsageError("--serve and -o exclude each other")
    with settings(arguments):
        named = selected(arguments)
        shown = _pyramid(arguments, named)
        place = named.where.public.rstrip("/").rpartition("/")[2]
        title = " ".join(filter(None, [place, named.text, named.and_more]))
        if arguments.serve:
            _serve(shown, title, arguments.port)
        elif arguments.output:
            _save(shown, title, arguments.output.absolute(), arguments.overwrite)
        else:
            _show(shown, title)


def _pyramid(arguments: argparse.Namespace, named: Selected) -> Pyramid:
    """Return the array to show, as a pyramid."""
    from biggus.labels import labels_of
    from biggus.pyramids import Pyramid, kept_overviews, overviews
    from biggus.pyramids.layout import picture_axes
    from biggus.viewer.maps.colours import flags_of
    from biggus.viewer.maps.look import check_drawable

    try:
        shown = _opened(arguments, named)
        check_drawable(shown.levels[0].array if isinstance(shown, Pyramid) else shown)
        if isinstance(shown, Pyramid):
            return shown
        axes = picture_axes(shown.shape)
    except (IndexError, ValueError, TypeError) as error:
        if isinstance(error, BiggusError):
            raise
        raise UsageError(f"{named.where.public} cannot be panned over: {error}") from None
    method = "mode" if flags_of(labels_of(shown.node, coordinates=True).attributes) else "mean"
    if arguments.overviews:
        with progress_bar() as bar, set_options(progress=bar or False):
            return overviews(shown, method=method)
    levels = kept_overviews(shown, method=method)
    return levels or Pyramid([(shown, (1,) * shown.ndim)], axes)


def _opened(arguments: argparse.Namespace, named: Selected) -> Pyramid | Array:
    """Open a multiscale image as a pyramid, or the selected array."""
    from biggus.pyramids import open_pyramid

    if named.key is not ... or arguments.raw or len(named.named) > 1:
        return open_joined(arguments, named).array
    options = backend_options(arguments)
    if "zoom" in options:
        options["zooms"] = range(options.pop("zoom") + 1)
    pyramid = open_pyramid(named.where, named.variable, backend=arguments.backend, **options)
    return pyramid if len(pyramid) > 1 else pyramid.levels[0].array


def _serve(shown: Pyramid, title: str, port: int) -> None:
    from biggus.viewer.web.server import page_of

    try:
        server = page_of(shown, title, port)
    except BiggusError:  # a failed read of a coordinate is an OSError, too
        raise
    except OSError as error:
        raise UsageError(f"the port {port} cannot be used: {error.strerror}") from None
    print(f"{server.url}", flush=True)
    print("  open it in a browser of this machine; Ctrl-C ends it", flush=True)
    server.serve()


def _save(shown: Pyramid, title: str, path: Path, overwrite: bool) -> None:
    from biggus.viewer.maps.drawing import new_figure
    from biggus.viewer.maps.look import map_size
    from biggus.viewer.maps.panned import Panned

    kinds = (".png", ".pdf", ".svg")
    if path.suffix.lower() not in kinds:
        raise OutputError(f"cannot write {path}: name it with one of {', '.join(kinds)}")
    panned = Panned(shown)
    size = (8.0, 6.4) if panned.grid is None else map_size(panned.grid, 1, 1)
    figure = new_figure(size, panned.title(title))
    image = panned.draw(figure)
    with replacing(path, overwrite) as temporary:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "parts of the image are shown as missing")
            figure.savefig(temporary, format=path.suffix.lower()[1:], dpi=DOTS_PER_INCH)
        if image.errors:
            raise image.errors[0]
    print(path)


def _show(shown: Pyramid, title: str) -> None:
    from biggus.support.extras import needing
    from biggus.viewer.maps.panned import Panned

    with needing("matplotlib", "viewer", "a window"):
        import matplotlib.pyplot as plt
    backend = plt.get_backend().lower()
    if backend in _WINDOWLESS:
        raise UsageError(
            f"matplotlib has no window here (its backend is {backend}): --serve makes a page for "
            "a browser, -o FILE a picture"
        )
    panned = Panned(shown)
    figure = plt.figure(layout="constrained")
    figure.suptitle(panned.title(title), parse_math=False)
    panned.draw(figure)
    plt.show()
