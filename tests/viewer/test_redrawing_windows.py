"""In a window, drawing never waits, arriving tiles are drawn, and the mouse works."""

import time

import numpy as np
import pytest
from endless import Endless, array_of, halved, pyramid_of
from figures import assert_same_pixels, new_axes, pixels
from matplotlib.colors import to_rgba
from windows import Toolbar, drag, mouse, window

import biggus

SIDE = 2**16
WHITE = (255, 255, 255, 255)


def place(ax, top, left, width=390):
    """Show a part.  Its width is not 400 elements, as rounding would decide the smoothing."""
    ax.set_xlim(left - 0.5, left + width - 0.5)
    ax.set_ylim(top + width * 0.75 - 0.5, top - 0.5)


def expected_pixels(source, ax):
    """Return the pixels of `Axes.imshow` of the same part."""
    left, right = (int(x + 0.5) for x in ax.get_xlim())
    bottom, top = (int(y + 0.5) for y in ax.get_ylim())
    reach = 10
    rows, columns = (
        slice(max(0, a - reach), b + reach, 1) for a, b in ((top, bottom), (left, right))
    )
    other = new_axes(figsize=ax.figure.get_size_inches())
    other.set_position([0, 0, 1, 1])
    extent = (columns.start - 0.5, columns.stop - 0.5, rows.stop - 0.5, rows.start - 0.5)
    interpolation = ax.images[0].get_interpolation()
    values = source.values(rows, columns)
    other.imshow(values, vmin=-2, vmax=2, extent=extent, interpolation=interpolation)
    other.set_xlim(ax.get_xlim())
    other.set_ylim(ax.get_ylim())
    return pixels(other)


def shown(ax):
    return np.asarray(ax.figure.canvas.buffer_rgba()).copy()


def test_drawing_does_not_wait_and_arriving_tiles_are_drawn():
    source = Endless(SIDE)
    source.gate.clear()
    ax = window()
    canvas = ax.figure.canvas
    image = biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    canvas.draw()
    assert image.waiting
    assert image.get_array().mask.all()
    canvas.turn()
    assert canvas.drawn == 1
    source.gate.set()
    canvas.settle()
    assert canvas.drawn > 1
    assert not image.waiting
    assert_same_pixels(shown(ax), expected_pixels(source, ax))
    assert not any(timer.running for timer in canvas.timers)


def test_values_in_memory_are_drawn_at_once():
    values = np.random.default_rng(0).random((300, 400))
    ax = window()
    biggus.imshow(values, ax)
    ax.figure.canvas.draw()
    other = new_axes()
    other.set_position([0, 0, 1, 1])
    other.imshow(values)
    for _ in range(100):  # a busy machine may take longer than a drawing waits
        if np.array_equal(shown(ax), pixels(other)):
            break
        ax.figure.canvas.turn()
        time.sleep(0.01)
    else:
        pytest.fail("the image was not drawn")


def test_coarser_level_is_drawn_until_tiles_arrive():
    sources = halved(SIDE)
    sources[0].gate.clear()
    ax = window()
    canvas = ax.figure.canvas
    image = biggus.imshow(pyramid_of(sources), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    canvas.draw()
    until = time.monotonic() + 120
    while np.ma.getmaskarray(image.get_array()).any():
        assert time.monotonic() < until
        canvas.turn()
        time.sleep(0.005)
    difference = np.abs(shown(ax).astype(int) - expected_pixels(sources[0], ax))
    assert 0 < difference.max() < 60  # coarse, at the right position
    assert image.waiting
    sources[0].gate.set()
    canvas.settle()
    assert_same_pixels(shown(ax), expected_pixels(sources[0], ax))


def test_tiles_seen_before_are_drawn_when_zooming():
    sources = halved(SIDE)
    ax = window()
    canvas = ax.figure.canvas
    image = biggus.imshow(pyramid_of(sources), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    canvas.draw_all()
    for source in sources:
        source.gate.clear()
    for width in (800, 200, 1600):
        place(ax, 3000 + 150 - width * 3 / 8, 5000 + 200 - width / 2, width)
        canvas.draw()
        middle = np.ma.getmaskarray(image.get_array())
        rows, columns = middle.shape
        assert not middle[rows // 2 - 20 : rows // 2 + 20, columns // 2 - 20 : columns // 2].any()
    for source in sources:
        source.gate.set()
    canvas.settle()


def test_tiles_panned_out_of_view_are_not_read():
    source = Endless(SIDE)
    source.gate.clear()
    ax = window(figsize=(16, 12))
    canvas = ax.figure.canvas
    image = biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    for step in range(10):
        place(ax, 2000 + 4000 * step, 3000, 1600)
        canvas.draw()
    source.gate.set()
    canvas.settle()
    rows = {box[0].start // 256 for box in source.boxes}
    last = (2000 + 4000 * 9) // 256
    behind = [row for row in rows if row < last - 1]
    tiles = len(image._scene._needed)
    assert len(source.boxes) <= tiles + 32  # reads under way are not cancelled
    assert len(behind) <= 32
    place(ax, 2000, 3000, 1600)
    canvas.draw_all()
    assert not image.errors


def test_failed_tile_is_missing_and_read_again_in_the_next_view():
    source = Endless(SIDE)
    source.fails = lambda box: box[0].start == 256 and box[1].start == 512
    ax = window()
    canvas = ax.figure.canvas
    image = biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    image.cmap = image.cmap.with_extremes(bad="red")
    place(ax, 100, 300, 800)
    with pytest.warns(UserWarning, match="unplugged"):
        canvas.draw_all()
    red = np.all(shown(ax) == np.multiply(255, to_rgba("red")), axis=-1)
    assert abs(red.sum() - 128 * 128) < 5 * 128
    (error,) = image.errors
    assert isinstance(error, biggus.SourceError)
    reads = len(source.boxes)
    canvas.draw()  # the same view: no second read, no second warning
    canvas.settle()
    assert len(source.boxes) == reads
    source.fails = lambda box: False
    place(ax, 104, 300, 800)
    canvas.draw_all()
    assert len(source.boxes) == reads + 1
    assert not image.errors
    assert_same_pixels(shown(ax), expected_pixels(source, ax))


def test_failed_tile_is_not_replaced_by_a_coarser_one():
    sources = halved(SIDE)
    sources[0].fails = lambda box: True
    ax = window()
    image = biggus.imshow(pyramid_of(sources), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    with pytest.warns(UserWarning, match="unplugged"):
        ax.figure.canvas.draw_all()
    assert image.get_array().mask.all()
    assert len(image.errors) > 1


def test_saved_figure_is_complete(tmp_path):
    from threading import Timer as Later

    from matplotlib.image import imread

    source = Endless(SIDE)
    source.gate.clear()
    ax = window()
    biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    ax.figure.canvas.draw()
    Later(0.2, source.gate.set).start()
    ax.figure.savefig(tmp_path / "a.png")
    assert_same_pixels(
        (imread(tmp_path / "a.png") * 255).round().astype("u1"), expected_pixels(source, ax)
    )
    ax.figure.savefig(tmp_path / "b.png", dpi=37)
    ax.figure.canvas.draw_all()
    assert_same_pixels(shown(ax), expected_pixels(source, ax))


def test_block_waits_for_all_tiles():
    source = Endless(SIDE)
    ax = window()
    biggus.imshow(array_of(source), ax, vmin=-2, vmax=2, block=True)
    place(ax, 3000, 5000)
    ax.figure.canvas.draw()
    assert_same_pixels(shown(ax), expected_pixels(source, ax))


def test_toolbar_and_wheel():
    source = Endless(SIDE)
    ax = window()
    canvas = ax.figure.canvas
    biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    toolbar = Toolbar(canvas)
    toolbar.push_current()

    def check():
        canvas.draw_all()
        assert_same_pixels(shown(ax), expected_pixels(source, ax))

    check()
    toolbar.pan()
    drag(canvas, (200, 150), (80, 90))
    assert ax.get_xlim()[0] == pytest.approx(5000 - 0.5 + 120 * 390 / 400)
    assert ax.get_ylim()[1] == pytest.approx(3000 - 0.5 - 60 * 390 / 400)
    check()
    toolbar.pan()
    toolbar.zoom()
    drag(canvas, (100, 75), (300, 225))
    assert np.diff(ax.get_xlim())[0] == pytest.approx(195)
    check()
    toolbar.back()
    check()
    toolbar.home()
    assert ax.get_xlim()[0] == pytest.approx(5000 - 0.5)
    check()

    def wheel(event):
        middle = np.mean(ax.get_xlim())
        half = np.diff(ax.get_xlim())[0] / 2 * 0.8**event.step
        ax.set_xlim(middle - half, middle + half)
        canvas.draw_idle()

    canvas.mpl_connect("scroll_event", wheel)
    mouse(canvas, "scroll_event", 200, 150, step=1)
    check()


def test_cursor_data_is_the_value_drawn():
    sources = halved(SIDE)
    sources[0].gate.clear()
    ax = window()
    canvas = ax.figure.canvas
    image = biggus.imshow(pyramid_of(sources), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    toolbar = Toolbar(canvas)
    reads = [len(source.boxes) for source in sources]
    mouse(canvas, "motion_notify_event", 200, 150)
    assert "[" not in toolbar.message
    assert [len(source.boxes) for source in sources] == reads
    canvas.draw()
    until = time.monotonic() + 120
    while np.ma.getmaskarray(image.get_array()).any():
        assert time.monotonic() < until
        canvas.turn()
        time.sleep(0.005)
    column, row = (int(n + 0.5) for n in ax.transData.inverted().transform((200, 150)))
    exact = sources[0].values(slice(row, row + 1, 1), slice(column, column + 1, 1))[0, 0]

    def value():
        return image.get_cursor_data(mouse_at(canvas, 200, 150))

    assert value() == pytest.approx(exact, abs=0.05)
    assert value() != exact
    sources[0].gate.set()
    canvas.settle()
    assert value() == exact
    mouse(canvas, "motion_notify_event", 200, 150)
    assert "[" in toolbar.message
    ax.set_xlim(-50, 50)
    assert image.get_cursor_data(mouse_at(canvas, 10, 150)) is None


def mouse_at(canvas, x, y):
    from matplotlib.backend_bases import MouseEvent

    return MouseEvent("motion_notify_event", canvas, x, y)


def test_canvas_may_change():
    source = Endless(SIDE)
    ax = window()
    biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    place(ax, 3000, 5000)
    ax.figure.canvas.draw_all()
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(ax.figure)
    place(ax, 9000, 9000)
    ax.figure.canvas.draw()
    assert_same_pixels(shown(ax), expected_pixels(source, ax))
