"""Options as something that can be compared later, in any process, and holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from biggus.backends.location import is_secret
from biggus.description import encode_value


def said(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` as JSON can say them, without those whose names tell of credentials.

    What cannot be said is taken by its ``repr``: if that is another one in another process,
    nothing is taken for the same that is not.

    Examples
    --------
    >>> said({"fill": (255, 0, 0), "api_key": "s3cret", "dtype": np.uint8, "deep": {"sig": "x"}})
    {'fill': [255, 0, 0], 'dtype': {'$type': 'numpy.uint8'}, 'deep': {}}
    """
    return {str(name): _said(value) for name, value in options.items() if not is_secret(str(name))}


def _said(value: Any) -> Any:
    if isinstance(value, Mapping):
        return said(value)
    if isinstance(value, (list, tuple)):
        return [_said(item) for item in value]
    if isinstance(value, type):
        return {"$type": f"{value.__module__}.{value.__qualname__}"}
    if isinstance(value, np.dtype):
        return {"$dtype": repr(value)}
    try:
        return encode_value(value)
    except TypeError:
        return {"$repr": repr(value)}
