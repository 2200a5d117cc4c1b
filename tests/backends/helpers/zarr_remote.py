"""Sample values and helpers for tests of served Zarr stores."""

from __future__ import annotations

import json

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")

DATA = np.random.default_rng(3).normal(size=(20, 30))
BOX = (slice(3, 17, 2), slice(5, 30, 3))


def broken(handler):
    handler.close_connection = True


def age(validator, seconds):
    """Return `validator` with the time of its last check moved back by `seconds`."""
    fields = json.loads(validator)
    fields["checked"] -= seconds
    return json.dumps(fields).encode()
