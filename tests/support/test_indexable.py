"""Texts of variable length that are indexed by arrays."""

import numpy as np
import pytest

import biggus
from biggus.support.indexable import indexable

TEXTS = ["b", "a\u00e9", "c", "", "zz", "q" * 30, "a", "", "\u00e9", "zy", "", "b"]


@pytest.mark.parametrize("workers", [1, 2])
def test_texts_are_indexed_and_searched_as_objects_are(workers):
    objects = np.array(TEXTS * 20, object).reshape(24, 10)
    texts = objects.astype(np.dtypes.StringDType())
    array = biggus.ArrayAdapter(texts, chunks=(3, 4))
    rows = [5, 0, 23, 5]
    with biggus.set_options(workers=workers):
        for axis in (0, 1):
            for function in (np.argmax, np.argmin, np.max, np.min):
                found = function(array, axis=axis).ndarray()
                assert found.tolist() == function(objects, axis=axis).tolist()
        assert array[rows].ndarray().tolist() == objects[rows].tolist()
        assert array[rows].dtype == array[rows].ndarray().dtype == texts.dtype
        taken = np.take_along_axis(array, np.argmax(array, axis=1)[:, None], axis=1)
        assert taken.ndarray()[:, 0].tolist() == objects.max(axis=1).tolist()
    assert indexable(objects) is objects
