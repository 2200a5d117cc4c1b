"""What is closed, removed or forgotten is let go: figures, files, threads."""

import gc
import os
import pickle
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
from endless import Endless, array_of
from figures import new_axes, pixels
from matplotlib.artist import Artist
from matplotlib.backend_bases import CloseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from windows import window

import biggus
from biggus.viewer.artist import ArrayImage
from biggus.viewer.line import ArrayLine
from biggus.viewer.tiles import Tiles

pytestmark = pytest.mark.machine

SIDE = 2**14


def closed(canvas):
    canvas.callbacks.process("close_event", CloseEvent("close_event", canvas))


def half_drawn(**options):
    """Return a window that waits for an image, and the source of that."""
    source = Endless(SIDE)
    source.gate.clear()
    ax = window(**options)
    image = biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    ax.set_xlim(0, 700)
    ax.set_ylim(700, 0)
    ax.figure.canvas.draw()
    assert image.waiting
    return ax, image, source


@pytest.mark.parametrize("how", ["closed", "removed", "cleared"])
def test_what_is_closed_asks_for_nothing_more(how):
    ax, image, source = half_drawn()
    canvas = ax.figure.canvas
    if how == "closed":
        closed(canvas)
    elif how == "removed":
        image.remove()
        assert not ax.texts
    else:
        ax.clear()
        del image
        gc.collect()
    begun = len(source.boxes)
    source.gate.set()
    canvas.turn()
    time.sleep(0.1)
    assert len(source.boxes) <= begun + 1
    assert begun <= 16
    if how != "cleared":
        assert not image.waiting
        assert not any(timer.running for timer in canvas.timers)
    canvas.settle()


def test_a_closed_figure_can_be_saved(tmp_path):
    ax, image, source = half_drawn()
    closed(ax.figure.canvas)
    source.gate.set()
    ax.figure.savefig(tmp_path / "a.png")
    assert image.get_array().size != 1
    assert not np.ma.is_masked(image.get_array())


def test_nothing_keeps_a_figure_or_a_source_alive():
    for finish in (True, False):
        ax, image, source = half_drawn()
        gate = source.gate
        if finish:
            gate.set()
            ax.figure.canvas.settle()
        line = biggus.plot(np.arange(10.0), ax)
        gone = [weakref.ref(thing) for thing in (ax.figure, image, image._scene, line, source)]
        del ax, image, line, source
        gate.set()
        until = time.monotonic() + 120
        while any(thing() is not None for thing in gone):
            gc.collect()
            assert time.monotonic() < until, [thing() for thing in gone]
            time.sleep(0.02)


def test_an_image_without_its_axes_goes_with_them():
    source = Endless(SIDE)
    ax = new_axes()
    image = biggus.imshow(array_of(source), ax)
    pixels(ax)
    gone = weakref.ref(image._scene)
    ax.clear()
    del image
    gc.collect()
    assert gone() is None


def test_tiles_that_nobody_has_are_not_read():
    gate = Endless(10).gate
    gate.clear()
    began = []

    def read():
        began.append(1)
        gate.wait(60)
        return np.zeros(1)

    tiles = Tiles()
    for key in range(100):
        tiles.ask(key, read)
    del tiles
    gc.collect()
    gate.set()
    time.sleep(0.1)
    assert len(began) <= 16


def test_reads_have_the_options_of_where_a_picture_was_made_and_show_no_progress():
    told = []
    with biggus.set_options(memory="123 MB", progress=lambda done, total: told.append(done)):
        tiles = Tiles()
    source = Endless(100)
    seen = []

    def read():
        seen.append(biggus.options.current())
        return array_of(source).ndarray()

    tiles.ask("a", read)
    tiles.wait(["a"])
    assert tiles.collect()
    assert "a" in tiles
    assert (seen[0].memory, seen[0].progress) == (123_000_000, False)
    assert not told


def run(script, seconds=120):
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize("end", ["", "import os; os._exit(3)", "raise SystemExit(3)"])
def test_the_program_ends_while_something_is_read(end):
    done = run(
        "from test_artist_lifetime import half_drawn\n"
        "ax, image, source = half_drawn()\n"
        f"print('drawn', flush=True)\n{end}"
    )
    assert done.stdout == "drawn\n"
    assert done.returncode == (3 if end else 0), done.stderr


def test_a_figure_can_be_copied_and_sent():
    ax = new_axes()
    biggus.imshow(array_of(Pickled(SIDE)), ax, vmin=-2, vmax=2)
    ax.set_xlim(0, 390)
    ax.set_ylim(300, 0)
    biggus.plot(np.arange(300.0), ax)
    before = pixels(ax)
    figure = pickle.loads(pickle.dumps(ax.figure))
    FigureCanvasAgg(figure)
    np.testing.assert_array_equal(pixels(figure.axes[0]), before)
    np.testing.assert_array_equal(pixels(ax), before)


class Pickled(Endless):
    def __reduce__(self):
        return Pickled, (self.shape[0],)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_asks_anew():
    done = run(
        "import os, warnings\n"
        "from test_artist_lifetime import half_drawn\n"
        "warnings.simplefilter('ignore')\n"
        "ax, image, source = half_drawn()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    source.gate.set()\n"
        "    ax.figure.savefig(os.devnull, format='png')\n"
        "    os._exit(7 if not image.errors else 1)\n"
        "source.gate.set()\n"
        "_, status = os.waitpid(child, 0)\n"
        "print(os.waitstatus_to_exitcode(status))\n"
    )
    assert done.stdout == "7\n", done.stderr


@pytest.mark.parametrize(("ours", "theirs"), [(ArrayImage, AxesImage), (ArrayLine, Line2D)])
def test_what_is_private_to_matplotlib_is_not_ours(ours, theirs):
    """A name of ours that is also one of theirs would change what theirs does."""
    ax = new_axes()
    image = biggus.imshow(np.zeros((3, 4)), ax) if ours is ArrayImage else None
    artist = image or biggus.plot(np.zeros(3), ax)
    there = AxesImage(ax) if ours is ArrayImage else Line2D([], [])
    private = {name for name in {*dir(theirs), *vars(there)} if name.startswith("_")}
    mine = {name for name in vars(ours) if name.startswith("_") and not name.endswith("__")}
    assert not mine & private
    own = set(vars(artist)) - set(vars(there)) - set(dir(Artist()))
    assert own >= {"_block", "_redrawing"}
