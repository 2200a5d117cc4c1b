"""The canonical form of a chunk: the bytes that a study keeps, and that its digest is of.

Equal values have equal bytes, wherever and in whichever byte order they were stored:

1. the line ``biggus chunk 1``;
2. a line of JSON, ``{"dtype":...,"masked":...,"shape":[...]}``, keys sorted, without spaces;
3. the elements in C order, little-endian, fields without gaps; booleans as 0 or 1; text as the
   length of its UTF-8 form (8 bytes, little-endian), then that form; missing elements as zeros;
4. if ``masked``, one byte for each element in C order: 1 if it is missing, else 0.

Lines end in one line feed.  ``masked`` is true if, and only if, at least one value is missing.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.errors import StudyError
from biggus.sources.base import Values

_MARK = b"biggus chunk 1\n"
_TEXT = "text"
_LENGTH = struct.Struct("<Q")
_LARGEST_FLOATS = {"f": 8, "c": 16}


def plain_json(value: Any) -> str:
    """Return a value as JSON in a unique form: keys sorted, without spaces, in ASCII.

    Examples
    --------
    >>> plain_json({"b": [1, 2], "a": None})
    '{"a":null,"b":[1,2]}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def dtype_json(dtype: np.dtype[Any]) -> Any:
    """Return a dtype as the canonical form writes it.

    Raises
    ------
    StudyError
        If its values have no canonical form.

    Examples
    --------
    >>> dtype_json(np.dtype(">f4")), dtype_json(np.dtype([("a", ">i2"), ("b", "S3", (2,))]))
    ('<f4', {'fields': [['a', '<i2'], ['b', {'item': '|S3', 'shape': [2]}]]})
    """
    if dtype.kind in "OT":
        return _TEXT
    return _json_of(_packed(dtype))


def _json_of(packed: np.dtype[Any]) -> Any:
    if packed.subdtype is not None:
        base, shape = packed.subdtype
        return {"item": _json_of(base), "shape": list(shape)}
    if packed.names is not None and packed.fields is not None:
        return {"fields": [[name, _json_of(packed.fields[name][0])] for name in packed.names]}
    return packed.str


def _packed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the canonical bytes: little-endian, without gaps."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.dtype((_packed(base), shape))
    if dtype.names is not None and dtype.fields is not None:
        fields = [(name, _packed(dtype.fields[name][0])) for name in dtype.names]
        packed: np.dtype[Any] = np.dtype(fields)
        if packed.itemsize > dtype.itemsize:
            raise StudyError(f"fields of {dtype} overlap: a study cannot hold them")
        return packed
    if dtype.hasobject or dtype.kind == "T":
        raise StudyError(f"a study cannot hold values of {dtype}")
    if dtype.itemsize > _LARGEST_FLOATS.get(dtype.kind, dtype.itemsize):
        raise StudyError(f"{dtype} differs between machines: a study cannot hold it")
    return dtype.newbyteorder("<")


def encoded(values: Values) -> list[bytes | memoryview]:
    r"""Return the canonical form of values, in pieces.

    Raises
    ------
    StudyError
        If they have none: objects other than text.

    Examples
    --------
    >>> b"".join(encoded(np.array([[1, 258]], ">i2")))
    b'biggus chunk 1\n{"dtype":"<i2","masked":false,"shape":[1,2]}\n\x01\x00\x02\x01'
    """
    mask = np.ma.getmaskarray(values) if np.ma.is_masked(values) else None
    data: npt.NDArray[Any] = np.ma.getdata(values)
    head = _head(data.dtype, data.shape, mask is not None)
    if data.dtype.kind in "OT":
        body: bytes | memoryview = _text_bytes(data, mask)
    else:
        body = _bytes_of(_canonical(data, mask))
    return [head, body] if mask is None else [head, body, _bytes_of(np.array(mask, np.uint8))]


def _head(dtype: np.dtype[Any], shape: Sequence[int], masked: bool) -> bytes:
    fields = {"dtype": dtype_json(dtype), "shape": list(shape), "masked": masked}
    return _MARK + plain_json(fields).encode() + b"\n"


def _canonical(data: npt.NDArray[Any], mask: Any) -> npt.NDArray[Any]:
    packed = _packed(data.dtype)
    if data.dtype.kind == "b":
        return np.where(data.view(np.uint8) if mask is None else data & ~mask, np.uint8(1), 0)
    if mask is None:
        return np.ascontiguousarray(data, packed)
    own = np.array(data, packed, order="C")
    own[mask] = np.zeros((), packed)
    return own


def _bytes_of(array: npt.NDArray[Any]) -> bytes | memoryview:
    if array.nbytes == 0:
        return b""
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))  # type: ignore[arg-type] # NumPy's arrays are buffers


def _text_bytes(data: npt.NDArray[Any], mask: Any) -> bytes:
    pieces = []
    missing = np.zeros(data.shape, bool) if mask is None else mask
    for element, is_missing in zip(data.ravel().tolist(), missing.ravel().tolist(), strict=True):
        if not isinstance(element, str) and not is_missing:
            kind = type(element).__name__
            raise StudyError(f"a study holds numbers and text, not Python objects such as {kind}")
        text = b"" if is_missing else element.encode("utf-8", "surrogatepass")
        pieces += [_LENGTH.pack(len(text)), text]
    return b"".join(pieces)


def most_bytes(dtype: np.dtype[Any], shape: Sequence[int]) -> int | None:
    """Return the largest size of the canonical form in bytes; None if it is unknown."""
    if dtype.kind in "OT":
        return None
    size = math.prod(shape)
    return len(_head(dtype, shape, True)) + 2 + size * (_packed(dtype).itemsize + 1)


def decoded(buffer: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Values:
    """Return the values of the canonical form in `buffer`, as a new array.

    Raises
    ------
    ValueError
        If it is not the canonical form of such values.
    """
    for masked in (False, True):
        head = _head(dtype, shape, masked)
        if buffer.startswith(head):
            break
    else:
        raise ValueError("it is not a chunk of such values")
    size = math.prod(shape)
    at = len(buffer) - size if masked else len(buffer)
    if at < len(head):
        raise ValueError("it is truncated")
    if dtype.kind in "OT":
        data = _text(memoryview(buffer)[len(head) : at], dtype, shape)
    else:
        packed = _packed(dtype)
        if at - len(head) != size * packed.itemsize:
            raise ValueError("it is truncated")
        raw: npt.NDArray[Any] = np.ndarray(shape, packed, buffer, len(head))
        data = np.ndarray(shape, dtype)  # np.empty makes S1 of S0
        data[...] = raw
    if not masked:
        return data
    mask = np.frombuffer(buffer, np.uint8, size, at).reshape(shape)
    return np.ma.MaskedArray(data, mask=mask.astype(bool))


def _text(body: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    texts = []
    at = 0
    for _ in range(math.prod(shape)):
        stop = at + _LENGTH.size
        if stop > len(body):
            raise ValueError("it is truncated")
        (length,) = _LENGTH.unpack(body[at:stop])
        at = stop + length
        if at > len(body):
            raise ValueError("it is truncated")
        texts.append(str(body[stop:at], "utf-8", "surrogatepass"))
    if at != len(body):
        raise ValueError("it has bytes after its end")
    data: npt.NDArray[Any] = np.empty(len(texts), dtype)
    data[:] = texts
    return data.reshape(shape)
