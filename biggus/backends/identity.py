"""Options as JSON values without secrets, to compare them later in any process."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np

from biggus.backends.http.redaction import redacted
from biggus.backends.location import is_secret
from biggus.sources.description import encode_value

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")


def without_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as JSON values, without those that are credentials by their names.

    Secrets are removed from URLs.  Other text with secrets, and objects that JSON cannot hold,
    are replaced by a digest.  An object whose repr holds its address gets a unique value, for
    another object may have that address later; so unequal options never compare equal.

    Examples
    --------
    >>> without_secrets({"fill": (9, 0), "api_key": "s3cret", "dtype": np.uint8, "d": {"sig": 1}})
    {'fill': [9, 0], 'dtype': {'$type': 'numpy.uint8'}, 'd': {}}
    >>> without_secrets({"endpoint_url": "https://me:pw@host/?sig=abc"})
    {'endpoint_url': 'https://***@host/?sig=***'}
    """
    return {
        str(name): _json_value(value) for name, value in options.items() if not is_secret(str(name))
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, str):
        shown = redacted(value)
        return shown if shown == value or "://" in value else _digest(value)
    if isinstance(value, type):
        return {"$type": f"{value.__module__}.{value.__qualname__}"}
    if isinstance(value, np.dtype):
        return {"$dtype": repr(value)}
    try:
        return encode_value(value)
    except TypeError:
        text = repr(value)
        return {"$object": uuid.uuid4().hex} if ADDRESS.search(text) else _digest(text)


def _digest(text: str) -> dict[str, str]:
    return {"$digest": hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}
