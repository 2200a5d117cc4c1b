"""The bytes read for a frame depend on the screen, not on the size of the image."""

import math

import numpy as np
import pytest
from endless import Endless, array_of, halved, pyramid_of
from figures import new_axes, pixels
from hypothesis import given, settings
from hypothesis import strategies as st

import biggus
from biggus.sources.base import box_shape

WIDTH, HEIGHT = 400, 300


def filled_axes():
    """Return axes that fill a figure of 400 by 300 pixels."""
    ax = new_axes()
    ax.set_position([0, 0, 1, 1])
    ax.set_axis_off()
    return ax


def show(shown, window, **options):
    """Draw the part of an image at a window of (top, left, width), and return the artist."""
    ax = filled_axes()
    image = biggus.imshow(shown, ax, **options)
    look_at(ax, window)
    pixels(ax)
    return image


def look_at(ax, window):
    top, left, width = window
    ax.set_xlim(left - 0.5, left + width - 0.5)
    ax.set_ylim(top + width * HEIGHT / WIDTH - 0.5, top - 0.5)


def most_bytes(source, elements_a_pixel):
    """Return the bytes of 4 elements per pixel, and of the rest of the chunks that hold them."""
    down, across = (min(math.sqrt(4), elements_a_pixel) * n for n in (HEIGHT, WIDTH))
    chunk = source.chunks[0] if source.chunks else 128
    rim = (down + 16 + 2 * chunk) * (across + 16 + 2 * chunk) - down * across
    return (4 * HEIGHT * WIDTH + rim) * math.prod(source.shape[2:]) * source.dtype.itemsize


SIDE = 2**22


@pytest.mark.parametrize("width", [2**n for n in range(3, 23)] + [1500, 799, 801, 2**21 + 1])
@pytest.mark.parametrize("colours", [0, 3])
def test_reads_at_every_zoom_of_a_pyramid(width, colours):
    sources = halved(SIDE, colours=colours, dtype="u1" if colours else "f4")
    image = show(pyramid_of(sources), (SIDE // 3, SIDE // 5, width))
    assert image.sampled is None
    coarsest = 256 * 256 * sources[0].dtype.itemsize * max(colours, 1)
    read = sum(source.nbytes_read for source in sources)
    assert 0 < read <= most_bytes(sources[0], 2) + coarsest
    boxes = [(source.factor, str(box)) for source in sources for box in source.boxes]
    assert len(set(boxes)) == len(boxes), "something was read twice"


@pytest.mark.parametrize("chunk", [None, 64, 256, 700])
@pytest.mark.parametrize("width", [1, 10, 300, 401, 799, 800])
def test_reads_of_an_array_with_few_elements_per_pixel(chunk, width):
    source = Endless(SIDE, chunk=chunk)
    image = show(array_of(source), (SIDE // 3, SIDE // 5, width))
    assert image.sampled is None
    assert 0 < source.nbytes_read <= most_bytes(source, width / WIDTH)


@settings(max_examples=25)
@given(
    st.integers(1, 900),
    st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    st.sampled_from([None, 100, 256]),
)
def test_reads_of_random_views(width, place, chunk):
    source = Endless(SIDE, chunk=chunk)
    top, left = (share * SIDE for share in place)
    show(array_of(source), (top, left, min(width, 800)))
    assert source.nbytes_read <= most_bytes(source, width / WIDTH)


@pytest.mark.parametrize("budget", [10**6, 10**7, "40 MB"])
@pytest.mark.parametrize("width", [1601, 20_000, SIDE])
def test_sample_stays_within_its_budget_and_has_a_note(budget, width):
    source = Endless(SIDE)
    image = show(array_of(source), (0, 0, width), sample_bytes=budget)
    touched = set()
    for box in source.boxes:
        rows, columns = (
            range(s.start // 256, (s.stop - 1) // 256 + 1, max(1, s.step // 256)) for s in box
        )
        touched |= {(row, column) for row in rows for column in columns}
    nbytes = biggus.options.parse_size(budget)
    assert 0 < len(touched) * 256 * 256 * 4 <= nbytes
    one_in = int(image.sampled.removeprefix("sampled 1 in ").replace(",", ""))
    assert one_in >= 4
    assert image.note.get_text() == image.sampled
    shown = math.prod(image.get_array().shape)
    assert shown <= 4 * WIDTH * HEIGHT
    if shown > 10_000:
        assert math.isclose(shown * one_in, width * width * HEIGHT / WIDTH, rel_tol=0.1)


def test_sample_is_at_the_right_position():
    ours, theirs = filled_axes(), filled_axes()
    source = Endless(4096)
    whole = source.values(slice(0, 4096, 1), slice(0, 4096, 1))
    image = biggus.imshow(array_of(source), ours, vmin=-2, vmax=2)
    theirs.imshow(whole, vmin=-2, vmax=2)
    image.note.set_visible(False)
    difference = np.abs(pixels(ours).astype(int) - pixels(theirs))
    assert image.sampled
    assert difference.max() <= 6  # the image is smooth: the middle of 8 elements is near their mean


def test_panning_reads_each_tile_once():
    source = Endless(SIDE)
    ax = filled_axes()
    image = biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    for step in range(12):
        look_at(ax, (1000 + 40 * step, 2000 + 100 * step, 400))
        pixels(ax)
    for step in range(11, -1, -1):
        look_at(ax, (1000 + 40 * step, 2000 + 100 * step, 400))
        pixels(ax)
    boxes = [str(box) for box in source.boxes]
    assert len(set(boxes)) == len(boxes)
    assert all(box_shape(box) == (256, 256) for box in source.boxes)
    assert not image.errors


def test_kept_tiles_stay_within_their_limit():
    source = Endless(SIDE)
    ax = filled_axes()
    image = biggus.imshow(array_of(source), ax, vmin=-2, vmax=2)
    tile = 256 * 256 * 4
    from biggus.viewer.tiles import KEPT_BYTES

    for step in range(45):
        look_at(ax, (1000, 2000 + 800 * step, 800))
        pixels(ax)
    kept = [image._scene.tiles[key].nbytes for key in image._scene.tiles]
    assert sum(kept) <= KEPT_BYTES + 30 * tile
    assert sum(kept) > KEPT_BYTES / 2
    assert len(source.boxes) * tile > 2 * KEPT_BYTES


def test_imshow_reads_nothing_before_drawing():
    source = Endless(SIDE)
    ax = filled_axes()
    image = biggus.imshow(array_of(source), ax)
    image.set_cmap("RdBu")
    image.set_interpolation("nearest")
    ax.set_xlim(0, 100)
    assert image.get_size() == (SIDE, SIDE)
    assert str(image).startswith("ArrayImage")
    assert not source.boxes
    image.set_visible(False)
    pixels(ax)
    ax.set_xlim(-500, -100)
    image.set_visible(True)
    pixels(ax)
    assert not source.boxes


def test_planet_takes_few_requests():
    sources = halved(256 * 2**19, colours=3, dtype="u1")
    ax = new_axes(figsize=(10, 8))
    ax.set_position([0, 0, 1, 1])
    biggus.imshow(pyramid_of(sources), ax)
    pixels(ax)
    assert sum(len(source.boxes) for source in sources) <= 32


def test_matplotlib_imshow_reads_the_whole_array():
    source = Endless(600)
    ax = new_axes()
    image = ax.imshow(array_of(source))
    np.testing.assert_array_equal(
        image.get_array(), source.values(slice(0, 600, 1), slice(0, 600, 1))
    )
    with pytest.raises(biggus.errors.MemoryBudgetError, match="slice it first"):
        ax.imshow(array_of(Endless(SIDE)))
