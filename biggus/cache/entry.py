"""The format of an entry: the values of one chunk as bytes, with a checked header.

An entry consists of the following, in this order, little-endian::

    magic      6 bytes   b"biggus"
    format     u2        the format version, `FORMAT`
    checksum   u4        of everything below, see `checksum`
    key        20 bytes  the key of the entry
    kind       u1        `PLAIN`, `MASKED` or `UNMASKED`
    stored     u1        how the values are stored: `RAW`, `BLOSC` or `ENCODED`
    reserved   2 bytes   zeros
    lengths    u4 u4 u8 u8   of validator, identity, values, validity
    validator  the state of the source that the values are from
    identity   dtype and shape of the values as text; if `ENCODED`, the name of their encoding too
    padding    zeros up to a multiple of 64 bytes from the start
    values     in C order, raw or compressed; or as their source stores them (`ENCODED`)
    validity   one bit for each element, 1 if it is not missing (`MASKED` only)

Raw values are decoded without a copy, as a view of the buffer that was read.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.cache.checksum import checksum
from biggus.cache.compression import BLOSC, ENCODED, RAW, compressed, decompressed, gains
from biggus.errors import BiggusError, MissingDependencyError
from biggus.sources.base import Values
from biggus.sources.description import encode_dtype

FORMAT = 2
"""The format version."""

MAGIC = b"biggus"
PLAIN, MASKED, UNMASKED = 0, 1, 2
"""An ndarray; a MaskedArray with a mask; a MaskedArray whose mask is ``nomask``."""

_ALIGNMENT = 64
_PREFIX = struct.Struct("<6sHI")
_REST = struct.Struct("<20sBB2xIIQQ")
_HEADER = struct.Struct(_PREFIX.format + _REST.format.removeprefix("<"))
HEAD = _HEADER.size
"""The number of bytes before the validator."""
_TEXT_MOST = 1 << 26

Buffer = npt.NDArray[np.uint8]


class Encoded(NamedTuple):
    """The stored bytes of values, and the name of their encoding."""

    data: bytes | memoryview
    name: bytes


class EntryDecoder(NamedTuple):
    """Decodes the stored bytes of one chunk, of one encoding."""

    name: bytes
    decode: Callable[[memoryview], Values]


class EntryError(BiggusError):
    """Bytes that are not an entry, not the expected one, or damaged."""


class _EntryHeader(NamedTuple):
    """The fields of the fixed header of an entry."""

    magic: bytes
    form: int
    checked: int
    key: bytes
    kind: int
    stored: int
    n_validator: int
    n_name: int
    n_values: int
    n_validity: int

    @classmethod
    def of(cls, head: bytes | memoryview) -> _EntryHeader:
        """Return the header at the start of `head`; raise an EntryError if there is none."""
        if len(head) < HEAD:
            raise EntryError("damaged: truncated")
        header = cls(*_HEADER.unpack_from(head))
        if header.magic != MAGIC:
            raise EntryError("damaged: not an entry of a biggus cache")
        if header.form != FORMAT:
            raise EntryError(f"other format: {header.form} instead of {FORMAT}")
        return header

    @property
    def values_at(self) -> int:
        """The offset of the values."""
        return -(-(HEAD + self.n_validator + self.n_name) // _ALIGNMENT) * _ALIGNMENT

    @property
    def size(self) -> int:
        """The size of the whole entry."""
        return self.values_at + self.n_values + self.n_validity


class Entry(NamedTuple):
    """The contents of an entry."""

    values: Values
    validator: bytes
    encoded: Encoded | None = None
    """The stored bytes of the values, if the entry holds these."""


def identity(dtype: np.dtype[Any], shape: Sequence[int]) -> bytes:
    """Return the text of a dtype and shape.

    Examples
    --------
    >>> identity(np.dtype(">f4"), (2, 3))
    b'">f4" (2, 3)'
    """
    return f"{dtype_text(dtype)} {tuple(shape)}".encode()


@lru_cache(maxsize=256)
def dtype_text(dtype: np.dtype[Any]) -> str:
    """Return the text of a dtype, which is equal for equal dtypes only."""
    return json.dumps(encode_dtype(dtype), separators=(",", ":"))


def encode(
    values: Values,
    validator: bytes,
    key: bytes,
    compression: str | None = None,
    encoded: Encoded | None = None,
) -> list[bytes | memoryview]:
    """Return the pieces of the entry of `values`, to be written one after the other.

    Parameters
    ----------
    values : ndarray or MaskedArray
        Of any dtype without objects, any shape, any memory order.
    validator : bytes
        The state of the source that the values are from.
    key : bytes
        The 20 bytes of the key.
    compression : str, optional
        The compression of the values, used if it saves enough.
    encoded : Encoded, optional
        The stored bytes of the values, used in their place if that saves enough.

    Examples
    --------
    >>> pieces = encode(np.arange(3), b"v1", bytes(20))
    >>> buffer = np.frombuffer(b"".join(pieces), np.uint8)
    >>> decode(buffer, bytes(20), np.dtype(int), (3,))
    Entry(values=array([0, 1, 2]), validator=b'v1', encoded=None)
    """
    kind, validity, name = PLAIN, b"", identity(values.dtype, values.shape)
    if encoded is not None and gains(len(encoded.data), values.nbytes):
        name += encoded.name
        return _pieces(key, kind, ENCODED, validator, name, encoded.data, validity)
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmask(values)
        kind = UNMASKED
        if mask is not np.ma.nomask:
            kind = MASKED
            validity = np.packbits(_as_bytes(np.asarray(mask)) ^ 1).tobytes()
        values = values.data
    plain = _as_bytes(values).data
    less = compressed(plain, values.dtype.itemsize, compression) if compression else None
    if less is None:
        return _pieces(key, kind, RAW, validator, name, plain, validity)
    return _pieces(key, kind, BLOSC, validator, name, less, validity)


def _pieces(
    key: bytes,
    kind: int,
    stored: int,
    validator: bytes,
    name: bytes,
    raw: bytes | memoryview,
    validity: bytes,
) -> list[bytes | memoryview]:
    end = HEAD + len(validator) + len(name)
    padding = bytes(-end % _ALIGNMENT)
    header = _REST.pack(key, kind, stored, len(validator), len(name), len(raw), len(validity))
    head = header + validator + name + padding
    checked = checksum([head, raw, validity])
    return [_PREFIX.pack(MAGIC, FORMAT, checked), head, raw, validity]


def decode(
    buffer: Buffer,
    key: bytes,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    decoder: EntryDecoder | None = None,
) -> Entry:
    """Return the values and validator of the entry in `buffer`.

    Parameters
    ----------
    buffer : ndarray of uint8
        The whole entry; raw values are returned as a view of it.
    key, dtype, shape
        The key, and the dtype and shape of the values, that the entry must have.
    decoder : EntryDecoder, optional
        Decodes an `ENCODED` entry, which cannot be used without it.

    Raises
    ------
    EntryError
        If it is not the expected entry, or it is damaged or of another format.
    """
    view = buffer.data
    header = _EntryHeader.of(view)
    if header.size != len(buffer) or header.key != key:
        raise EntryError("damaged: not the entry that was stored here")
    name_at, values_at = HEAD + header.n_validator, header.values_at
    validity_at = values_at + header.n_values
    parts = view[_PREFIX.size : values_at], view[values_at:validity_at], view[validity_at:]
    if checksum(parts) != header.checked:
        raise EntryError("damaged: wrong checksum")
    name = identity(dtype, shape)
    if header.stored == ENCODED and decoder is not None:
        name += decoder.name
    if buffer[name_at : name_at + header.n_name].tobytes() != name:
        raise EntryError("stale: of another dtype, shape or encoding")
    validator = buffer[HEAD:name_at].tobytes()
    if header.stored == ENCODED and decoder is not None:
        encoded = Encoded(parts[1], decoder.name)
        return Entry(_decoded(parts[1], decoder, dtype, shape), validator, encoded)
    values = _as_values(
        _raw(buffer[values_at:validity_at], header.stored, dtype, shape), dtype, shape
    )
    if header.kind == PLAIN:
        return Entry(values, validator)
    mask: Any = np.ma.nomask
    if header.kind == MASKED:
        mask_dtype = np.ma.make_mask_descr(dtype)
        count = values.size * mask_dtype.itemsize
        bits = np.unpackbits(buffer[validity_at:], count=count)
        mask = _as_values(bits ^ np.uint8(1), mask_dtype, shape)
    return Entry(np.ma.MaskedArray(values, mask=mask), validator)


def announced(key: bytes, nbytes: int | None, head: bytes) -> int:
    """Return the size of an entry as its header says.

    Parameters
    ----------
    key : bytes
        The 20 bytes of the key that the entry must have.
    nbytes : int or None
        The bytes of values that the entry must have, if known.
    head : bytes
        The first `HEAD` bytes of the entry; their checksum is not verified.

    Raises
    ------
    EntryError
        If it is not the expected entry.
    """
    header = _EntryHeader.of(head)
    n_values, raw = header.n_values, header.stored == RAW
    if header.key != key:
        raise EntryError("damaged: not the entry that was stored here")
    if nbytes is not None and (n_values > nbytes or (n_values < nbytes and raw)):
        raise EntryError("stale: of another dtype or shape")
    texts = max(header.n_validator, header.n_name)
    if texts > _TEXT_MOST or (header.n_validity > n_values and raw):
        raise EntryError("damaged: invalid header")
    return header.size


def decode_bytes(buffer: Buffer, key: bytes) -> tuple[bytes, bytes]:
    """Return the bytes and the validator of an entry of bytes, of any number.

    Raises
    ------
    EntryError
        As `decode`.
    """
    count = _EntryHeader.of(buffer.data).n_values
    entry = decode(buffer, key, np.dtype(np.uint8), (count,))
    return entry.values.tobytes(), entry.validator


def peek(head: bytes, key: bytes) -> bytes | None:
    """Return the validator in the first bytes of an entry, unverified; None if there is none.

    Examples
    --------
    >>> peek(b"".join(encode(np.arange(3), b"v1", bytes(20)))[:100], bytes(20))
    b'v1'
    """
    try:
        header = _EntryHeader.of(head)
    except EntryError:
        return None
    validator = head[HEAD : HEAD + header.n_validator]
    return validator if (header.key, header.n_validator) == (key, len(validator)) else None


def peek_size(head: bytes) -> int:
    """Return how many bytes `peek` needs, as the header in `head` says."""
    if len(head) < HEAD:
        return HEAD
    n_validator = _EntryHeader(*_HEADER.unpack_from(head)).n_validator
    return HEAD + min(n_validator, _TEXT_MOST)


def _raw(data: Buffer, stored: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Buffer:
    """Return the bytes of values that are stored raw or compressed."""
    if stored == RAW:
        return data
    if stored != BLOSC:
        raise EntryError("other format: values stored in an unknown way")
    try:
        return decompressed(data, math.prod(shape) * dtype.itemsize)
    except (ValueError, MissingDependencyError) as error:
        raise EntryError(f"cannot be decompressed: {error}") from None


def _decoded(
    data: memoryview, decoder: EntryDecoder, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Values:
    """Return the values of an `ENCODED` entry."""
    try:
        values = decoder.decode(data)
    except Exception as error:
        raise EntryError(f"cannot be decoded: {error}") from error
    if (values.dtype, values.shape) != (dtype, shape):
        raise EntryError("stale: decoded to another dtype or shape")
    return values


def _as_bytes(array: npt.NDArray[Any]) -> Buffer:
    """Return the bytes of an array in C order, copied only if it is in another order."""
    if not array.nbytes:
        return np.empty(0, np.uint8)
    return np.asarray(array, order="C").reshape(-1).view(np.uint8)


def _as_values(raw: Buffer, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if not len(raw):
        return np.ndarray(shape, dtype)  # np.empty makes S1 of S0
    return raw.view(dtype).reshape(shape)
