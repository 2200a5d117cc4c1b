"""Blocks computed part by part give the same partial results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.engine.fused import FusedBlock
from biggus.graph import Elementwise
from biggus.planning.schedule import FusedStep
from biggus.statistics import layout as layouts
from biggus.statistics import partials, statistic

SHAPES = [(5,), (3, 4), (1, 7, 1, 3), (4, 1, 5, 2), (2, 3, 4, 5), (3, 17, 2), (2, 40, 20)]


class _Tripled:
    dtype, masked, fill_value = np.dtype("f8"), False, None

    def __call__(self, one, other):
        return one * 3.0 + other


def _block(values, other):
    leaf = biggus.ArrayAdapter(values).node
    node = Elementwise(_Tripled(), leaf, leaf)
    return FusedBlock(values.shape, [FusedStep(node, (0, 1))], [values, other])


@pytest.mark.parametrize("name", ["mean", "std", "nanstd", "max", "prod"])
@given(data=st.data())
def test_partials_of_parts_are_the_same_to_the_bit(name, data):
    shape = data.draw(st.sampled_from(SHAPES))
    axes = tuple(sorted(data.draw(st.sets(st.sampled_from(range(len(shape))), min_size=1))))
    run = data.draw(st.integers(1, 40))
    rng = np.random.default_rng(0)
    values = rng.normal(size=shape).astype("f4")
    other = rng.normal(size=tuple([n if n % 2 else 1 for n in shape])).astype("f4")
    block = _block(values, other)
    aggregator = statistic(name, block.dtype, False, shape, axes).aggregator
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(aggregator), "run_length", lambda *_: run)
        patch.setattr(layouts, "_ROW", 3)
        layouts.layout_of.cache_clear()
        found = partials([aggregator], block, axes, (0,) * len(shape), True)
        right = partials([aggregator], block.values(), axes, (0,) * len(shape), True)
        layouts.layout_of.cache_clear()
    for one, another in zip(found, right, strict=True):
        for a, b in zip(one, another, strict=True):
            np.testing.assert_array_equal(a, b, strict=True)
