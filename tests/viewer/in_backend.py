"""A window of a real toolkit: a program whose argument is the name of a matplotlib backend.

It drags, turns the wheel and saves, with events of the toolkit where it can make them, and
prints whether all went well.
"""

import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import matplotlib as mpl
import numpy as np

if sys.argv[1] == "QtAgg":
    from matplotlib.backends.qt_compat import QtWidgets

    application = QtWidgets.QApplication([])  # without one, matplotlib wants a display
mpl.use(sys.argv[1])

import matplotlib.pyplot as plt
from endless import halved, pyramid_of
from figures import new_axes, pixels
from windows import drag, mouse

import biggus

SIDE = 2**16


def is_resized(figure):
    """Return whether the size of the window differs from that of the last drawing."""
    width, height = map(int, figure.bbox.size)
    return shown(figure.canvas).shape[:2] != (height, width)


def settle(*artists):
    until = time.monotonic() + 120
    while (
        any(artist.waiting for artist in artists)
        or artists[0].stale
        or is_resized(artists[0].figure)
    ):
        assert time.monotonic() < until, "something is never complete"
        plt.pause(0.02)
    plt.pause(0.1)


def shown(canvas):
    return np.asarray(canvas.buffer_rgba()).copy()


def check(source, ax, seen=None):
    """Compare pixels, by default those of the window, with those of `Axes.imshow`."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    rows, columns = (
        slice(max(0, int(a) - 12), int(b) + 12, 1) for a, b in ((top, bottom), (left, right))
    )
    figure = ax.figure
    other = new_axes(figsize=figure.get_size_inches(), dpi=figure.dpi)
    other.set_position([0, 0, 1, 1])
    extent = (columns.start - 0.5, columns.stop - 0.5, rows.stop - 0.5, rows.start - 0.5)
    other.imshow(source.values(rows, columns), vmin=-2, vmax=2, extent=extent, aspect="auto")
    other.set_xlim(ax.get_xlim())
    other.set_ylim(ax.get_ylim())
    seen = shown(figure.canvas) if seen is None else seen
    difference = np.abs(seen.astype(int) - pixels(other))
    assert difference.max() <= 3, difference.max()  # rounding errors only


def until_true(condition, message):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, message
        plt.pause(0.02)


def main():
    warnings.simplefilter("error", UserWarning)
    sources = halved(SIDE)
    figure = plt.figure(figsize=(4, 3))
    ax = figure.add_axes([0, 0, 1, 1])
    canvas = figure.canvas
    for source in sources:
        source.gate.clear()
    image = biggus.imshow(pyramid_of(sources), ax, vmin=-2, vmax=2, aspect="auto")
    line = biggus.plot(np.zeros(3), ax, alpha=0)
    ax.set_xlim(5000, 5390)
    ax.set_ylim(3300, 3007)
    plt.show(block=False)
    plt.pause(0.3)
    assert image.waiting
    assert np.ma.getmaskarray(image.get_array()).all()
    for source in sources[1:]:
        source.gate.set()
    until_true(lambda: not np.ma.is_masked(image.get_array()), "no ancestor was drawn")
    assert image.waiting
    sources[0].gate.set()
    settle(image, line)
    check(sources[0], ax)

    canvas.toolbar.pan()
    before = ax.get_xlim()
    drag(canvas, (200, 150), (80, 90))
    assert ax.get_xlim()[0] > before[0] + 50
    settle(image)
    check(sources[0], ax)
    canvas.toolbar.pan()
    canvas.toolbar.zoom()
    drag(canvas, (100, 75), (300, 225))
    settle(image)
    check(sources[0], ax)
    canvas.toolbar.home()
    settle(image)

    def wheel(event):
        low, high = ax.get_xlim()
        grown = (high - low) / 10 * event.step
        ax.set_xlim(low + grown, high - grown)
        canvas.draw_idle()

    canvas.mpl_connect("scroll_event", wheel)
    before = ax.get_xlim()
    if sys.argv[1] == "TkAgg":
        canvas.get_tk_widget().event_generate("<Button-4>", x=200, y=150)
    else:
        mouse(canvas, "scroll_event", 200, 150, step=1)
    until_true(lambda: ax.get_xlim()[0] > before[0], "the wheel does nothing")
    settle(image)

    sources[0].gate.clear()
    ax.set_xlim(20_000, 20_390)
    ax.set_ylim(20_300, 20_007)
    until_true(lambda: image.waiting, "the window was not drawn")
    plt.close(figure)
    assert not image.waiting
    sources[0].gate.set()
    print("all went well")  # noqa: T201 - for the test


if __name__ == "__main__":
    main()
