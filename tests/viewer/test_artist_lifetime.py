"""Closed, removed and unreferenced images are freed, with their figures, files and threads."""

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
    """Return the axes of a window that waits for an image, the image, and its source."""
    source = Endless(SIDE)
    source.gate.clear()
    ax = window(**options)
    image = biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    ax.set_xlim(0, 700)
    ax.set_ylim(700, 0)
    ax.figure.canvas.draw()
    assert image.waiting
    return ax, image, source


@pytest.mark.parametrize("way", ["closed", "removed", "cleared"])
def test_closed_image_starts_no_more_reads(way):
    ax, image, source = half_drawn()
    canvas = ax.figure.canvas
    if way == "closed":
        closed(canvas)
    elif way == "removed":
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
    if way != "cleared":
        assert not image.waiting
        assert not any(timer.running for timer in canvas.timers)
    canvas.settle()


def test_closed_figure_can_be_saved(tmp_path):
    ax, image, source = half_drawn()
    closed(ax.figure.canvas)
    source.gate.set()
    ax.figure.savefig(tmp_path / "a.png")
    assert image.get_array().size != 1
    assert not np.ma.is_masked(image.get_array())


def test_figure_and_source_are_garbage_collected():
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


def test_image_is_freed_with_its_axes():
    source = Endless(SIDE)
    ax = new_axes()
    image = biggus.imshow(array_of(source), ax)
    pixels(ax)
    gone = weakref.ref(image._scene)
    ax.clear()
    del image
    gc.collect()
    assert gone() is None


def test_tiles_of_a_freed_scene_are_not_read():
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


def test_reads_have_the_options_at_creation_but_no_progress():
    calls = []
    with biggus.set_options(memory="123 MB", progress=lambda done, total: calls.append(done)):
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
    assert not calls


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
def test_program_ends_while_tiles_are_read(end):
    done = run(
        "from test_artist_lifetime import half_drawn\n"
        "ax, image, source = half_drawn()\n"
        f"print('drawn', flush=True)\n{end}"
    )
    assert done.stdout == "drawn\n"
    assert done.returncode == (3 if end else 0), done.stderr


def test_figure_pickles():
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_reads_tiles_again():
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
def test_private_names_do_not_collide_with_matplotlib(ours, theirs):
    """A private name that matplotlib uses too would change matplotlib's behaviour."""
    ax = new_axes()
    image = biggus.imshow(np.zeros((3, 4)), ax) if ours is ArrayImage else None
    artist = image or biggus.plot(np.zeros(3), ax)
    there = AxesImage(ax) if ours is ArrayImage else Line2D([], [])
    private = {name for name in {*dir(theirs), *vars(there)} if name.startswith("_")}
    mine = {name for name in vars(ours) if name.startswith("_") and not name.endswith("__")}
    assert not mine & private
    own = set(vars(artist)) - set(vars(there)) - set(dir(Artist()))
    assert own >= {"_block", "_redrawing"}
