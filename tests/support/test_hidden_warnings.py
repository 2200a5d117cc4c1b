"""NumPy warnings hidden where an operation is called stay hidden when it is computed."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource

VALUES = np.array([[1.0, np.nan, 0.0], [np.nan, np.nan, np.nan]])

OPERATIONS = {
    "nanmean": lambda a: np.nanmean(a, 1),
    "nanmax": lambda a: np.nanmax(a, 1),
    "nanstd": lambda a: np.nanstd(a, 1),
    "nanmedian": lambda a: np.nanmedian(a, 1),
    "nanmedian of all": lambda a: np.nanmedian(a[1]),
    "divide": lambda a: a / 0,
    "log of a part": lambda a: np.log(a - 2)[:, :2],
    "sum of quotients": lambda a: np.nansum(1 / a, 0),
    "mean less mean": lambda a: a[1:] - np.nanmean(a[1:]),
}


def shown(compute):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compute()
    return {str(warning.message).rstrip(".") for warning in caught}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("chunks", [None, (1, 2)])
def test_warnings_hidden_at_the_call_stay_hidden(name, chunks):
    source = VALUES if chunks is None else ArraySource(VALUES, chunks=chunks)
    array, operate = biggus.ArrayAdapter(source), OPERATIONS[name]
    loud = operate(array)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", "Mean of empty|All-NaN|Degrees of", RuntimeWarning)
        quiet, expected = operate(array), operate(VALUES)
    assert shown(loud.ndarray) == shown(lambda: operate(VALUES))
    assert shown(quiet.ndarray) == set()
    assert shown(pickle.loads(pickle.dumps(quiet)).ndarray) == set()
    assert shown((quiet[::-1] if quiet.ndim else quiet).ndarray) == set()
    np.testing.assert_array_equal(quiet.ndarray(), expected)


def test_filters_for_other_warnings_hide_nothing():
    array = biggus.ArrayAdapter(VALUES)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", "All-NaN", module="elsewhere")
        warnings.filterwarnings("error", "Mean of empty")
        loud = np.nanmean(array, 1), np.nanmax(array, 1)
    assert shown(loud[0].ndarray) == {"Mean of empty slice"}
    assert shown(loud[1].ndarray) == {"All-NaN slice encountered"}
