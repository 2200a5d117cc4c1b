"""Lines of long series cover the pixels of a line through all values."""

import numpy as np
import pytest
from figures import new_axes, pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from windows import window

import biggus
from biggus.sources.base import box_shape
from biggus.testing import ArraySource, FaultySource, RecordingSource
from biggus.viewer import series as module
from biggus.viewer.series import Series


def walk(n, seed=0):
    values = np.cumsum(np.random.default_rng(seed).standard_normal(n))
    values[n // 3] += 50
    values[2 * n // 3] -= 80
    return values


def source_of(values, chunk=7000):
    chunks = None if chunk is None else (min(chunk, len(values)),)
    return RecordingSource(ArraySource(values, chunks=chunks))


def both(values, source, zoom=None, **options):
    drawn = []
    for ours in (True, False):
        ax = new_axes(figsize=(5, 3))
        if ours:
            biggus.plot(biggus.ArrayAdapter(source), ax, **options)
        else:
            ax.plot(values, **options)
        if zoom:
            ax.set_xlim(zoom)
        drawn.append((pixels(ax), ax.get_xlim(), ax.get_ylim()))
    return drawn


@pytest.mark.parametrize("n", [1, 2, 100, 1500])
@pytest.mark.parametrize("options", [{}, {"color": "C3", "linewidth": 3}, {"marker": "o"}])
def test_short_series_match_plot(n, options):
    values = walk(n)
    ours, theirs = both(values, source_of(values), **options)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert ours[1:] == theirs[1:]


@pytest.mark.parametrize(
    "zoom", [(50_000, 50_300), (66_000.3, 67_200.8), (-100, 90), (99_950, 1e6)]
)
def test_zoomed_in_series_match_plot(zoom):
    values = walk(100_000)
    ours, theirs = both(values, source_of(values), zoom)
    np.testing.assert_array_equal(ours[0], theirs[0])


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "u1", "bool"])
@pytest.mark.parametrize("chunk", [None, 1000, 200_000])
def test_long_series_cover_the_pixels_of_plot(dtype, chunk):
    values = (walk(200_000) * 3).astype("i4" if dtype == "u1" else dtype).astype(dtype)
    ours, theirs = both(values, source_of(values, chunk), linewidth=1, antialiased=False)
    assert ours[1:] == theirs[1:]
    a, b = ((drawn[0][..., 0] < 128) for drawn in (ours, theirs))
    # Each pixel of either line is next to a pixel of the other.
    for first, second in ((a, b), (b, a)):
        near = np.zeros_like(second)
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                near |= np.roll(second, (down, across), (0, 1))
        assert not (first & ~near).any()


@settings(max_examples=60)
@given(
    st.integers(1, 3000),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.floats(1, 500),
    st.sampled_from([None, 1, 7, 100, 5000]),
)
def test_line_keeps_the_extremes_of_the_view(n, places, pixels, chunk):
    values = walk(n + 3)[3:]
    old, module.PIECE = module.PIECE, 64
    try:
        series = Series(biggus.ArrayAdapter(source_of(values, chunk)), 10**9)
    finally:
        module.PIECE = old
    start, stop = sorted(min(int(place * n), n - 1) for place in places)
    stop = min(max(stop, start + 1), n)
    series.ask(start, stop, pixels, alone=False)
    series.wait(complete=True)
    x, y = series.line()
    assert (np.diff(x) >= 0).all()
    seen = values[start:stop]
    step = series._needed[0].step
    wider = values[max(0, start - 2 * step) : stop + 2 * step]
    assert wider.min() <= y.min() <= seen.min()
    assert wider.max() >= y.max() >= seen.max()
    assert len(x) <= 9 * pixels + 20 + 2 * len(series._needed)


def test_missing_values_are_gaps():
    values = np.ma.MaskedArray(walk(20_000), mask=False)
    values[5000:9000] = np.ma.masked
    values[100] = np.ma.masked
    for shown in (values, values.filled(np.nan)):
        ax = new_axes()
        line = biggus.plot(biggus.ArrayAdapter(ArraySource(shown)), ax)
        x, y = line.get_data()
        assert np.isnan(y[(x > 5100) & (x < 8900)]).all()
        assert not np.isnan(y[(x > 9100) | (x < 4900)]).any()
        ax.set_xlim(90, 110)
        pixels(ax)
        x, y = line.get_data()
        assert list(x[np.isnan(y)]) == [100]


def test_only_visible_chunks_are_read():
    values = walk(2_000_000)
    source = source_of(values, 20_000)
    ax = new_axes()
    line = biggus.plot(biggus.ArrayAdapter(source), ax)
    pixels(ax)
    assert sum(box_shape(box)[0] for box in source.boxes) == len(values)
    pixels(ax)
    source.clear()
    ax.set_xlim(500_000, 500_400)
    pixels(ax)
    assert 0 < sum(box_shape(box)[0] for box in source.boxes) <= 4 * 20_000
    source.clear()
    ax.set_xlim(0, 2_000_000)  # the first view is kept
    pixels(ax)
    assert not source.boxes
    assert line.sampled is None


def test_sample_stays_within_its_budget_and_has_a_note():
    values = walk(2_000_000)
    source = source_of(values, 20_000)
    line = biggus.plot(biggus.ArrayAdapter(source), new_axes(), sample_bytes=2_000_000)
    assert sum(box_shape(box)[0] for box in source.boxes) * 8 <= 2_000_000
    assert line.sampled == "sampled 1 in 9"


def test_extent_sets_the_positions():
    values = walk(5000)
    ax = new_axes()
    line = biggus.plot(values, ax, extent=(1950.0, 2000.0), label="walk")
    assert line.get_label() == "walk"
    x = line.get_xdata()
    assert 1950 <= x[0] < 1950.2
    assert 1999.8 < x[-1] <= 2000
    other = new_axes()
    other.plot(np.linspace(1950, 2000, 5000), values)
    assert ax.get_xlim() == pytest.approx(other.get_xlim())


def test_lines_use_the_colour_cycle_of_the_axes():
    ax = new_axes()
    ax.plot([1, 2])
    line = biggus.plot(np.arange(3), ax)
    (after,) = ax.plot([1, 2])
    assert [to_hex(one.get_color()) for one in (line, after)] == [to_hex("C1"), to_hex("C2")]
    assert len(ax.lines) == 3


def test_window_shows_a_line_while_it_is_read():
    import threading

    gate = threading.Event()

    class Slow(ArraySource):
        def __getitem__(self, box):
            assert gate.wait(60)
            return super().__getitem__(box)

    values = walk(400_000)
    ax = window()
    canvas = ax.figure.canvas
    line = biggus.plot(biggus.ArrayAdapter(Slow(values, chunks=(50_000,))), ax)
    canvas.draw()
    assert line.waiting
    assert ax.get_xlim()[0] < 0
    assert ax.get_xlim()[1] > len(values)
    gate.set()
    canvas.draw_all()
    assert not line.waiting
    other = new_axes()
    other.plot(values)
    assert ax.get_ylim() == pytest.approx(other.get_ylim())
    line.remove()
    assert not ax.lines


def test_failed_reads_are_gaps_and_read_again():
    values = walk(400_000)
    source = FaultySource(
        ArraySource(values, chunks=(50_000,)), OSError("unplugged"), on=lambda box: False
    )
    source.on = lambda box: box[0].start == 100_000
    ax = new_axes()
    with pytest.warns(UserWarning, match="unplugged"):
        line = biggus.plot(biggus.ArrayAdapter(source), ax)
    assert len(line.errors) == 1
    x, y = line.get_data()
    assert np.isnan(y[(x > 100_000) & (x < 150_000)]).all()
    source.on = lambda box: False
    ax.set_xlim(1, 399_000)
    pixels(ax)
    assert not np.isnan(line.get_ydata()).any()


def test_invalid_series_raise():
    ax = new_axes()
    for wrong in (np.zeros((3, 4)), np.zeros(3, complex), np.zeros(3, "S2")):
        with pytest.raises(TypeError, match="series"):
            biggus.plot(wrong, ax)
    assert not ax.lines
    line = biggus.plot(np.zeros(0), ax)
    assert len(line.get_xdata()) == 0
    pixels(ax)


@pytest.mark.parametrize("options", [{}, {"bins": 30, "range": (-5, 20)}, {"bins": [0, 1, 5, 9]}])
@pytest.mark.parametrize(
    "more", [{}, {"density": True}, {"histtype": "step", "log": True}], ids=str
)
def test_hist_matches_matplotlib(options, more):
    values = walk(30_000).reshape(100, 300)
    drawn = []
    for ours in (True, False):
        ax = new_axes()
        if ours:
            array = biggus.ArrayAdapter(ArraySource(values, chunks=(10, 100)))
            counts, edges, _ = biggus.hist(array, ax=ax, **options, **more)
        else:
            counts, edges, _ = ax.hist(values.ravel(), **options, **more)
        drawn.append((pixels(ax), counts, edges))
    for ours, theirs in zip(*drawn, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
