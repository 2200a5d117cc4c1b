"""Converting the dtypes, values and attributes of h5py to plain NumPy.

h5py adds metadata to dtypes (of strings, enumerations, references), and returns
scalars for scalar dataspaces and bytes for variable-length strings.  Here
they become plain dtypes, arrays and `str`; an object reference becomes the path of
its target.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.backends.hdf5.attribute_checks import check_attributes
from biggus.backends.hdf5.files import h5py
from biggus.backends.hdf5.heaps import HeapError
from biggus.backends.hdf5.unwritten import read_chunk_by_chunk
from biggus.backends.pieces import one_line
from biggus.backends.strided import read_box
from biggus.cf import KEPT_DTYPE, PACKING
from biggus.sources.base import Box, Chunks

log = logging.getLogger("biggus.backends.hdf5")

STRING_ERRORS = "surrogateescape"
"""The error handler for bytes that are not UTF-8: each becomes a lone surrogate, which
``text.encode("utf-8", "surrogateescape")`` converts back, so nothing is lost."""

ATTACHING = frozenset(["DIMENSION_LIST", "REFERENCE_LIST"])
"""Attributes that connect datasets with their dimension scales."""

SCALE = "DIMENSION_SCALE"
"""The value of the attribute ``CLASS`` of a dimension scale."""


def plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return `dtype` without h5py's metadata, at any depth.

    Raises
    ------
    TypeError
        If it holds region references, which have no path, or arrays of references.
    """
    metadata: Mapping[str, Any] = dtype.metadata or {}
    if metadata.get("ref") is h5py().RegionReference:
        raise TypeError(
            "it holds region references (to parts of other datasets), which biggus does not read"
        )
    vlen = metadata.get("vlen")
    if isinstance(vlen, np.dtype):
        plain_dtype(vlen)  # raises for region references in it
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        if _refers(base):
            # h5py has crashed on these.
            raise TypeError("it holds arrays of references as elements, which biggus does not read")
        return np.dtype((plain_dtype(base), shape))
    if dtype.fields is not None:
        names = list(dtype.names or ())
        return np.dtype(
            {
                "names": names,
                "formats": [plain_dtype(dtype.fields[name][0]) for name in names],
                "offsets": [dtype.fields[name][1] for name in names],
                "itemsize": dtype.itemsize,
            }
        )
    if dtype.hasobject:
        return np.dtype(object)
    return np.dtype(dtype.str) if metadata else dtype


def _refers(dtype: np.dtype[Any]) -> bool:
    """Return whether a dtype is one of references, or has a field of references."""
    fields = (dtype.fields or {}).values()
    return "ref" in (dtype.metadata or {}) or any(_refers(field[0]) for field in fields)


def layout_of(
    dataset: Any, properties: Any
) -> tuple[tuple[int, ...], np.dtype[Any], Chunks | None]:
    """Return the shape, dtype and chunks of a dataset; an array type appends axes to the shape.

    `properties` is its creation property list.

    Raises
    ------
    TypeError
        If NumPy has no such type, or biggus does not read it.
    ValueError
        If the dataspace is null, without a shape and values, or if the type is damaged.
    """
    dtype, shape = plain_dtype(dataset.dtype), dataset.shape
    if dtype.kind == "O":
        _check_sequence(dataset.id.get_type())
    chunked = properties.get_layout() == h5py().h5d.CHUNKED
    chunks = properties.get_chunk() if chunked else None
    if shape is None:
        raise ValueError(
            f"it is empty: its dataspace is null, so it has no shape and no values ({dtype})"
        )
    if dtype.subdtype is not None:
        dtype, more = dtype.subdtype
        shape += more
        chunks = None if chunks is None else chunks + more
    return shape, dtype, chunks


def read_values(dataset: Any, box: Box, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Read `box` and return a plain array of its shape and of `dtype`.

    `box` may have the axes of an array type at its end.

    Raises
    ------
    OSError
        If the read fails; it names the filters that are not installed.
    """
    stored = box[: len(dataset.shape)]
    values: Any
    try:
        values = read_box(dataset, stored, dataset.dtype, dataset.chunks) if stored else dataset[()]
    except OSError as error:
        if missing := _missing_filters(dataset):
            raise OSError(
                f"it is stored with filters that are not installed: {', '.join(missing)}; the "
                "package hdf5plugin has many filters, and `import hdf5plugin` makes them known"
            ) from error
        values = read_chunk_by_chunk(dataset, stored) if stored else None
        if values is None:
            raise
    marked = dataset.dtype if dtype.hasobject else dtype
    if not box:  # a scalar, or the single row of variable length in a scalar dataspace
        scalar = np.empty(1, marked)
        scalar[0] = values
        values = scalar.reshape(())
    if len(stored) < len(box):
        values = np.ascontiguousarray(values[(..., *box[len(stored) :])])
        marked = marked if marked.subdtype is None else marked.subdtype[0]
    if dtype.hasobject:
        _decode(values, marked, dataset.id)
    if values.dtype.metadata or values.dtype.names:
        values = _unmarked(values, dtype)
    array: npt.NDArray[Any] = values
    return array


def _missing_filters(dataset: Any) -> list[str]:
    """Return the names and numbers of the filters of a dataset that libhdf5 does not find."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number) for number in range(properties.get_nfilters())]
    return [
        f"{name.decode('utf-8', 'replace') or 'unnamed'} ({code})"
        for code, _, _, name in filters
        if not h5py().h5z.filter_avail(code)
    ]


def _decode(values: npt.NDArray[Any], dtype: np.dtype[Any], place: Any) -> None:
    """Convert the bytes of variable-length strings, and references, to `str`, in place.

    `place` is an h5py id of the file, in which references are resolved.
    """
    if dtype.subdtype is not None:
        dtype = dtype.subdtype[0]
    if dtype.names is not None and dtype.fields is not None:
        for name in dtype.names:
            if dtype.fields[name][0].hasobject:
                _decode(values[name], dtype.fields[name][0], place)
        return
    metadata: Mapping[str, Any] = dtype.metadata or {}
    vlen = metadata.get("vlen")
    if vlen in (str, bytes):
        texts = [
            item.decode("utf-8", STRING_ERRORS) if isinstance(item, bytes) else item
            for item in values.ravel().tolist()
        ]
        values[...] = np.array(texts, dtype=object).reshape(values.shape)
    elif "ref" in metadata:
        paths = [_path_of(reference, place) for reference in values.ravel().tolist()]
        values[...] = np.array(paths, dtype=object).reshape(values.shape)
    elif isinstance(vlen, np.dtype):
        _decode_rows(values, vlen, place)


def _decode_rows(values: npt.NDArray[Any], dtype: np.dtype[Any], place: Any) -> None:
    """Convert ragged rows with elements of `dtype` in the same way, in place."""
    plain = plain_dtype(dtype)
    for index in np.ndindex(values.shape):
        row = values[index]
        if isinstance(row, np.ndarray):
            if dtype.hasobject:
                _decode(row, dtype, place)
            values[index] = _unmarked(row, plain)


def _path_of(reference: Any, place: Any) -> str:
    """Return the path of the target of an object reference; it is empty for a null reference.

    Raises
    ------
    ValueError
        If the target does not exist, or has no name.
    """
    if not reference:
        return ""
    try:
        name = h5py().h5r.get_name(reference, place)
    except (ValueError, RuntimeError, OSError) as error:
        raise ValueError(f"an object reference has no target: {one_line(error)}") from error
    if not name:
        raise ValueError("an object reference has a target without a name")
    return str(name.decode("utf-8", STRING_ERRORS))


def _unmarked(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return `values` with the plain dtype that equals their dtype."""
    if values.dtype != dtype:
        return values  # the checks of the reader raise the error
    if dtype.hasobject and dtype.names is not None:
        return values.astype(dtype)
    return values.view(dtype)


def fill_value_of(dataset: Any, dtype: np.dtype[Any], properties: Any) -> Any:
    """Return the fill value that the dataset was created with, or None.

    `properties` is its creation property list.
    """
    if dtype.hasobject or properties.fill_value_defined() != h5py().h5d.FILL_VALUE_USER_DEFINED:
        return None
    value = dataset.fillvalue
    return value if np.ndim(value) == 0 else None


def attributes_of(dataset: Any, properties: Any) -> dict[str, Any]:
    """Return the attributes: text as `str`, numbers as NumPy values, empty ones as None.

    Arrays of one element are given as this element, as by the libraries of netCDF: many programs
    write all attributes as arrays.  Attributes that attach dimension scales are None.  Attributes
    that cannot be read are left out; for those that determine the values, this is an error.

    Raises
    ------
    HeapError
        If libhdf5 would never return from reading them.
    """
    attributes: dict[str, Any] = {}
    for encoded, name in _names(dataset.id, properties):
        if name in ATTACHING:
            if name == "DIMENSION_LIST":  # `dims_of` lets libhdf5 follow it
                check_attributes(dataset.id)
            attributes[name] = None
            continue
        try:
            attributes[name] = _attribute(_read_attribute(dataset, encoded, name), dataset.id)
        except HeapError:
            raise
        except Exception as error:
            if name in PACKING or name == KEPT_DTYPE:
                raise  # the values depend on it
            log.warning("attribute %r of %s is left out: %s", name, dataset.name, one_line(error))
    return attributes


def _names(place: Any, properties: Any) -> list[tuple[bytes, str]]:
    """Return the names of all attributes, encoded and decoded, in the order of the file."""
    library = h5py()
    tracked = properties.get_attr_creation_order() & library.h5p.CRT_ORDER_TRACKED
    order = library.h5.INDEX_CRT_ORDER if tracked else library.h5.INDEX_NAME
    encoded: list[bytes] = []
    library.h5a.iterate(place, lambda name, *_: encoded.append(name), index_type=order)
    return [(name, _decoded(name)) for name in encoded]


def _decoded(name: bytes) -> Any:
    """Return a name as h5py does: `str`, or bytes if it is not UTF-8."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name


def _read_attribute(dataset: Any, encoded: bytes, name: str) -> Any:
    """Return ``dataset.attrs[name]``; the most common types take a third of the time."""
    attribute = h5py().h5a.open(dataset.id, encoded)
    dtype, shape = attribute.dtype, attribute.shape
    if dtype.kind == "O":
        _check_sequence(attribute.get_type())
    if dtype.hasobject:
        check_attributes(dataset.id)
    text = dtype.kind == "O" and shape == () and (dtype.metadata or {}).get("vlen") is str
    number = dtype.kind in "iuf" and dtype.metadata is None and shape is not None
    if not (text or number):
        return dataset.attrs[name]
    values = np.zeros(shape, dtype)
    attribute.read(values)
    return values if shape else values[()]


def _check_sequence(kind: Any) -> None:
    """Check that a type of variable length is text or a sequence: libhdf5 crashes on others.

    Raises
    ------
    ValueError
        If it is neither; only damaged files have such types.
    """
    if kind.get_class() == h5py().h5t.VLEN and kind.encode()[3] & 0x0F > 1:
        raise ValueError("it is of variable length, and neither text nor a sequence")


def _attribute(value: Any, place: Any) -> Any:
    if isinstance(value, np.ndarray) and value.shape == (1,):
        value = value[0]
    if isinstance(value, h5py().Empty):
        # netCDF-C stores empty text like this.
        return "" if h5py().check_string_dtype(value.dtype) is not None else None
    if isinstance(value, bytes):
        return value.decode("utf-8", STRING_ERRORS)
    if isinstance(value, h5py().RegionReference):
        plain_dtype(h5py().regionref_dtype)  # raises an error
    if isinstance(value, h5py().Reference):
        return _path_of(value, place)
    if isinstance(value, (np.ndarray, np.void)):
        plain = plain_dtype(value.dtype)
        array = np.array(value)
        if plain.hasobject:
            _decode(array, value.dtype, place)
        array = _unmarked(array, plain)
        return array if array.shape else array[()]
    return value


def dims_of(dataset: Any, attributes: Mapping[str, Any]) -> tuple[str | None, ...] | None:
    """Return the names of the axes, from labels or attached dimension scales.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    attributes : dict
        All its attributes, including those that attach scales.

    Returns
    -------
    tuple of (str or None), or None
        None for an axis without a name; None in place of the tuple if no axis has a name.
    """
    kind = np.asarray(attributes.get("CLASS"))
    if kind.size == 1 and kind.item() == SCALE and dataset.ndim == 1:
        return (str(dataset.name).rpartition("/")[2],)
    if "DIMENSION_LIST" not in attributes and "DIMENSION_LABELS" not in attributes:
        return None
    names = []
    for axis in dataset.dims:
        name = axis.label
        if not name and len(axis):
            name = str(axis[0].name).rpartition("/")[2]
        names.append(name or None)
    return tuple(names) if any(names) else None
