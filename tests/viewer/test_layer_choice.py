"""The layer chosen for a view, over many screens, pyramids and chunks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.testing import UnreadableSource
from biggus.viewer.layer_choice import FEW_TILES, MOST_ELEMENTS, ScreenView, ancestor, chosen
from biggus.viewer.layers import Layers
from biggus.viewer.picture import Picture

PLENTY = 10**30


def layers_of(side, factors=(1,), chunks=(256, 256), budget=PLENTY):
    levels = []
    for f in factors:
        n = max(1, -(-side // f))
        source = UnreadableSource((n, n), "f4", chunks=tuple(min(c, n) for c in chunks))
        levels.append((biggus.ArrayAdapter(source), (f, f)))
    return Layers(Picture(biggus.Pyramid(levels)).planes(()), (), budget)


def view_of(side, pixels, zoom, at=(0.3, 0.6)):
    """Return a view of `pixels` a side on an image that is magnified `zoom` times."""
    extent = side / zoom
    window = []
    for share in at:
        start = share * (side - extent)
        window += [start, start + extent]
    return ScreenView(tuple(window), (extent / pixels,) * 2)


@given(
    st.integers(1, 2**27),
    st.integers(50, 4000),
    st.floats(0, 1),
    st.sampled_from([2, 3, 4, 8]),
    st.integers(0, 20),
    st.integers(10**4, 10**9),
)
def test_chosen_layer_bounds_elements_per_pixel_and_sample_bytes(
    side, pixels, depth, base, count, budget
):
    factors = [base**n for n in range(count + 1) if base**n <= side]
    layers = layers_of(side, factors, budget=budget)
    view = view_of(side, pixels, side**depth)
    layer = chosen(layers, view)
    span = layer.span(view.window)
    shown = math.prod(d / f for d, f in zip(view.density, layer.factors, strict=True))
    level = layer.key[-3]
    if layer.steps == (1, 1):
        assert shown <= MOST_ELEMENTS * 1.001
    else:  # a sample of the coarsest level, which has too many elements
        assert level == len(layers.planes) - 1
        assert math.prod(d / factors[level] for d in view.density) > MOST_ELEMENTS
        assert shown <= MOST_ELEMENTS * 1.001
        assert layer.cost(span) <= budget or max(layer.chunks_in(span)) <= 1
    if level and math.prod(d / factors[level - 1] for d in view.density) <= 1:
        pytest.fail("a finer level would have done")


@given(st.integers(2**16, 2**27), st.integers(100, 2000), st.floats(0, 1))
def test_pyramid_of_halves_has_an_element_per_pixel(side, pixels, depth):
    layers = layers_of(side, [2**n for n in range(30) if 2**n <= side])
    view = view_of(side, pixels, side**depth)
    layer = chosen(layers, view)
    assert layer.steps == (1, 1)
    sparse = view.density[0] / layer.factors[0]
    assert sparse >= 0.999 or layer.factors[0] == 1


def test_view_of_a_planet_has_few_tiles():
    layers = layers_of(256 * 2**19, [2**n for n in range(20)])
    layer = chosen(layers, view_of(256 * 2**19, 800, 1))
    tiles = list(layer.tiles(layer.span((0, layers.planes[0].array.shape[0]) * 2)))
    above = ancestor(layers, view_of(256 * 2**19, 800, 1), layer)
    assert len(tiles) == 16
    assert len(list(above.tiles(above.span((0, 256 * 2**19) * 2)))) <= FEW_TILES


def test_ancestor_is_the_finest_with_few_tiles():
    side = 256 * 2**10
    layers = layers_of(side, [2**n for n in range(11)])
    view = view_of(side, 1000, 100)
    layer = chosen(layers, view)
    above = ancestor(layers, view, layer)
    number = above.key[-3]
    assert sum(1 for _ in above.tiles(above.span(view.window))) <= FEW_TILES
    nearer = layers.at(number - 1)
    assert nearer is layer or sum(1 for _ in nearer.tiles(nearer.span(view.window))) > FEW_TILES
    assert ancestor(layers_of(side), view, layers_of(side).at(0)) is None


@pytest.mark.parametrize("chunks", [(1, 2**14), (2**14, 1), (4, 4096), (100, 100)])
def test_sample_of_skewed_chunks_stays_within_its_budget(chunks):
    view = view_of(2**14, 500, 1)
    for budget in (10**5, 10**6, 10**8):
        layers = layers_of(2**14, chunks=chunks, budget=budget)
        layer = chosen(layers, view)
        assert layer.cost(layer.span(view.window)) <= budget
        assert min(layer.shape) >= 1
