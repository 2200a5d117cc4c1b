"""Fingerprints identify the values of an expression, however it is read."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.engine.fingerprint import fingerprint
from biggus.indexing.selection import Selection
from biggus.testing import ArraySource

VALUES = np.random.default_rng(0).normal(size=(30, 200, 80))


def adapter(values=VALUES):
    return biggus.ArrayAdapter(ArraySource(values, (3, 200, 80)))


def mosaic(tiles):
    return biggus.LinearMosaic(tiles, axis=0)


EXPRESSIONS = {
    "leaf": lambda a: a,
    "steps": lambda a: np.sqrt(a * a) + 1,
    "view": lambda a: a[5:20, ::-2, 3],
    "several operands": lambda a: a - a[:, ::-1],
    "along axes": lambda a: biggus.median(a, axis=0),
    "a part along axes": lambda a: biggus.median(a, axis=0)[::3],
    "cumulative": lambda a: a.cumsum(axis=0),
    "reshaped": lambda a: a.reshape(300, 20, 80),
    "mosaic": lambda a: mosaic([a, a[::-1], a]),
    "mosaic of functions along axes": lambda a: mosaic([np.sort(a, axis=0), np.sort(-a, axis=0)]),
    "rolled": lambda a: np.roll(a, 7, axis=1),
}


def identity(array):
    node = array.node
    return fingerprint(node, Selection.identity(node.shape)).identity


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_fingerprint_does_not_depend_on_the_memory(name):
    make = EXPRESSIONS[name]
    found = set()
    for memory in ("200 kB", "1 MB", "1 GB"):
        with biggus.set_options(memory=memory):
            found.add(identity(make(adapter())))
    assert len(found) == 1


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_other_values_have_another_fingerprint(name):
    make = EXPRESSIONS[name]
    assert identity(make(adapter())) != identity(make(adapter(VALUES + 1)))


def test_expressions_have_different_fingerprints():
    found = {identity(make(adapter())) for make in EXPRESSIONS.values()}
    assert len(found) == len(EXPRESSIONS)


def test_tile_of_many_chunks_is_one_read():
    array = mosaic([adapter(), adapter(VALUES + 1), adapter(VALUES + 2)])
    reads = fingerprint(array.node, Selection.identity(array.shape)).reads
    assert [box[0] for _, box in reads] == [slice(0, 30, 1)] * 3
