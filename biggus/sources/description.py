"""Descriptions: the metadata of a source, enough to stand in for it once it is gone.

A description is a dict that can be written as JSON, and restores every value exactly.  A NumPy
scalar among the attributes, for example, must not come back as a plain number, for its
dtype decides how packed values are decoded.
"""

from __future__ import annotations

import base64
import logging
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.errors import OfflineError
from biggus.sources.base import Box, Source, Values

if TYPE_CHECKING:
    from biggus.sources.encoding import Encoding

logger = logging.getLogger("biggus.sources.description")

_STRING = "T"
_DECODING = 8
"""The memory that decoding a chunk in several steps takes, as a multiple of its values."""


def describe(source: Source, **extra: Any) -> dict[str, Any]:
    """Return the description of a source, from which a `DescribedSource` can be made.

    No values are read.

    Parameters
    ----------
    source : Source
        The source.
    **extra
        Further entries, such as the location; of any value that an attribute can have.

    Examples
    --------
    >>> from biggus.sources.wrappers import ObjectSource
    >>> described = describe(ObjectSource(np.zeros((2, 3), ">f4"), token="zeros"), backend="x")
    >>> described["shape"], described["dtype"], described["backend"]
    ([2, 3], '>f4', 'x')
    """
    state = source.state()
    return {
        **{name: encode_value(value) for name, value in extra.items()},
        "shape": list(source.shape),
        "dtype": encode_dtype(source.dtype),
        "chunks": encode_value(source.chunks),
        "token": source.token,
        "name": source.name,
        "masked": source.masked,
        "fill_value": encode_value(source.fill_value),
        "attributes": _encode_attributes(source.attributes),
        "dims": None if source.dims is None else list(source.dims),
        "conventions": source.conventions,
        "remote": source.remote,
        "state": None if state is None else state.hex(),
    }


class DescribedSource(Source):
    """A stand-in for a source that is gone, made from its description.

    It has the metadata of the source and no values: those must come from a cache around it,
    whose chunks it declares to be still valid.

    Parameters
    ----------
    description : dict
        The result of `describe`, perhaps written to JSON and read back.
    encoding : Encoding, optional
        The encoding of the source, to decode chunks that a cache holds encoded.

    Examples
    --------
    >>> from biggus.sources.wrappers import ObjectSource
    >>> source = DescribedSource(describe(ObjectSource(np.zeros((2, 3)), token="zeros")))
    >>> source.shape, source.dtype, source.token
    ((2, 3), dtype('float64'), 'zeros')
    """

    def __init__(self, description: Mapping[str, Any], encoding: Encoding | None = None) -> None:
        self.description = dict(description)
        self.encoding = encoding
        self.shape = tuple(description["shape"])
        self.dtype = decode_dtype(description["dtype"])
        self.chunks = decode_value(description["chunks"])
        self.token = description["token"]
        self.name = description["name"]
        self.masked = description["masked"]
        self.fill_value = decode_value(description["fill_value"])
        self.attributes = {k: decode_value(v) for k, v in description["attributes"].items()}
        self.dims = None if description["dims"] is None else tuple(description["dims"])
        self.conventions = description["conventions"]
        self.remote = description["remote"]
        state = description["state"]
        self._state = None if state is None else bytes.fromhex(state)

    def __repr__(self) -> str:
        return f"DescribedSource({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.description, self.encoding)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that decoding a cached chunk takes."""
        values = super().peak_bytes(box)
        return values if self.encoding is None else _DECODING * values

    def __getitem__(self, box: Box) -> Values:
        raise OfflineError(self.name, box, "its source is gone and this chunk is not in the cache")

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        """Raise: there is nothing to read."""
        return self[box], None

    def state(self) -> bytes | None:
        """Return the state of the source when it was described."""
        return self._state

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Accept copies of the described state, and all copies if chunks have own validators."""
        return validator if self._state is None or validator == self._state else None

    def revalidation_waits(self, box: Box, validator: bytes) -> bool:
        """Return False: no server is asked."""
        return False


def encode_dtype(dtype: np.dtype[Any]) -> Any:
    """Return a dtype as a JSON value, byte order, offsets and nesting included.

    Examples
    --------
    >>> encode_dtype(np.dtype("<M8[ns]"))
    '<M8[ns]'
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [encode_dtype(base), list(shape)]
    if dtype.names is not None and dtype.fields is not None:
        fields = [dtype.fields[name] for name in dtype.names]
        return {
            "names": list(dtype.names),
            "formats": [encode_dtype(field[0]) for field in fields],
            "offsets": [int(field[1]) for field in fields],
            "titles": [field[2] if len(field) > 2 else None for field in fields],
            "itemsize": dtype.itemsize,
            "aligned": dtype.isalignedstruct,
        }
    if dtype.kind == _STRING:
        return _STRING
    return dtype.str


def decode_dtype(encoded: Any) -> np.dtype[Any]:
    """Return the dtype that `encode_dtype` encoded.

    Examples
    --------
    >>> decode_dtype(encode_dtype(np.dtype([("a", ">i2"), ("b", "S3", (2,))])))
    dtype([('a', '>i2'), ('b', 'S3', (2,))])
    """
    if isinstance(encoded, list):
        base, shape = encoded
        return np.dtype((decode_dtype(base), tuple(shape)))
    if isinstance(encoded, dict):
        spec = {key: encoded[key] for key in ("names", "offsets", "titles", "itemsize")}
        spec["formats"] = [decode_dtype(item) for item in encoded["formats"]]
        structured: np.dtype[Any] = np.dtype(spec, align=encoded["aligned"])  # type: ignore[call-overload]
        return structured
    if encoded == _STRING:
        return np.dtypes.StringDType()
    plain: np.dtype[Any] = np.dtype(encoded)
    return plain


def encode_value(value: Any) -> Any:
    """Return an attribute's value as a JSON value.

    None, booleans, numbers, strings, bytes, lists, tuples, dicts, NumPy scalars and arrays are
    restored by `decode_value` with their type and dtype.

    Raises
    ------
    TypeError
        If the value is or holds anything else.
    """
    if isinstance(value, (np.generic, np.ndarray)):
        return _encode_numpy(value)
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if type(value) is complex:
        return {"$complex": [encode_value(value.real), encode_value(value.imag)]}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        items = [encode_value(item) for item in value]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, Mapping):
        pairs = [[encode_value(k), encode_value(v)] for k, v in value.items()]
        return {"$dict": pairs}
    raise TypeError(f"a {type(value).__name__} cannot be put into a description")


def _encode_numpy(value: np.generic | np.ndarray[Any, Any]) -> Any:
    if isinstance(value, np.ma.MaskedArray):
        parts = [_encode_numpy(value.data), _encode_numpy(np.ma.getmaskarray(value))]
        return {"$masked": parts}
    array = np.asarray(value)
    kind = "$array" if isinstance(value, np.ndarray) else "$scalar"
    dtype, shape = encode_dtype(array.dtype), list(array.shape)
    if array.dtype.hasobject:
        return {kind: [dtype, shape, [encode_value(item) for item in array.ravel().tolist()]]}
    return {kind: [dtype, shape, base64.b64encode(array.tobytes()).decode()]}


def decode_value(encoded: Any) -> Any:
    """Return the value that `encode_value` encoded.

    Examples
    --------
    >>> decode_value(encode_value({"scale": np.float32(0.1), "flags": (1, b"x")}))
    {'scale': np.float32(0.1), 'flags': (1, b'x')}
    """
    if isinstance(encoded, list):
        return [decode_value(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    ((tag, content),) = encoded.items()
    if tag not in _DECODERS:
        raise ValueError(f"a description holds an unknown {tag!r}")
    return _DECODERS[tag](content)


def _decode_array(encoded_dtype: Any, shape: list[int], content: Any) -> np.ndarray[Any, Any]:
    dtype = decode_dtype(encoded_dtype)
    array: np.ndarray[Any, Any] = np.ndarray(shape, dtype)  # np.empty makes S1 of S0
    if dtype.hasobject:
        array.reshape(-1)[:] = [decode_value(item) for item in content]
    elif array.nbytes:
        raw = np.frombuffer(base64.b64decode(content), np.uint8)
        array.reshape(-1).view(np.uint8)[:] = raw
    return array


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$complex": lambda parts: complex(*map(decode_value, parts)),
    "$bytes": base64.b64decode,
    "$tuple": lambda items: tuple(map(decode_value, items)),
    "$dict": lambda pairs: {decode_value(k): decode_value(v) for k, v in pairs},
    "$masked": lambda parts: np.ma.MaskedArray(decode_value(parts[0]), decode_value(parts[1])),
    "$scalar": lambda parts: _decode_array(*parts)[()],
    "$array": lambda parts: _decode_array(*parts),
}


def _encode_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    encoded = {}
    for name, value in attributes.items():
        try:
            encoded[name] = encode_value(value)
        except TypeError as error:
            logger.info("attribute %s is not remembered: %s", name, error)
    return encoded
