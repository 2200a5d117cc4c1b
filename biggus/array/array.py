"""`Array`: its attributes, indexing, and evaluation; mixins add operators and methods."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Self, SupportsIndex

import numpy as np
import numpy.typing as npt

from biggus import engine
from biggus.array import filling
from biggus.array.callers import asked_by
from biggus.array.dispatch import Dispatch
from biggus.array.keys import in_memory, is_large_mask
from biggus.array.labelled import Labelled
from biggus.array.methods import Methods
from biggus.array.missing import Missing
from biggus.array.operators import Operators
from biggus.array.scalars import Refusals, Scalars
from biggus.array.statistics import Statistics
from biggus.graph import Cast, Elementwise, Field, Node, completed, rechunked, select
from biggus.indexing.keys import basic_selection, numpy_selection, orthogonal_selection
from biggus.indexing.selection import Selection
from biggus.labels import numbered
from biggus.options import format_bytes
from biggus.sources.normal import given_chunks, normal_axes
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.sources.base import Chunks

    Casting = Literal["no", "equiv", "safe", "same_kind", "unsafe"]


_new = object.__new__  # looked up once, because a mosaic may join 2^18 arrays


class Array(Operators, Statistics, Methods, Labelled, Missing, Scalars, Dispatch, Refusals):
    """A lazy n-dimensional array.

    Indexing, arithmetic, and NumPy's functions and methods return lazy arrays and read no
    values.  :meth:`ndarray` and :meth:`masked_array` read and compute them.

    Arrays are made by :func:`biggus.open`, :class:`biggus.ArrayAdapter`,
    :class:`biggus.LinearMosaic` and similar functions.  They are immutable.  The values are
    those that the sources hold at the time of reading.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12).reshape(3, 4))
    >>> a[::-1, 1]
    <biggus.Array shape=(3,) dtype=int64 24 B>
    >>> a[::-1, 1].ndarray()
    array([9, 5, 1])
    """

    __slots__ = ()

    def __init__(self) -> None:
        raise TypeError("make an Array with biggus.open, ArrayAdapter, LinearMosaic, ...")

    @staticmethod
    def from_node(node: Node) -> Array:
        """Return the array of a node."""
        array: Array = _new(Array)
        array.node = node
        return array

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return self.node.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.node.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.node.shape)

    @property
    def itemsize(self) -> int:
        """The number of bytes of one element."""
        return self.node.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The number of bytes that all elements take in memory."""
        return self.size * self.itemsize

    @property
    def masked(self) -> bool:
        """Whether values can be missing.  This is known without reading any."""
        return self.node.masked

    @property
    def fill_value(self) -> Any:
        """The value that stands for missing ones, as in :class:`numpy.ma.MaskedArray`."""
        own = self.node.fill_value
        return np.ma.default_fill_value(self.dtype) if own is None else own

    @property
    def grid(self) -> Chunks | None:
        """The chunks of the sources: for each axis one length, or all lengths.

        None if the array has no chunks, or they are unknown.
        """
        return self.node.grid

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """One chunk along each axis, for xarray.  The chunks of the sources are `grid`."""
        for module in ("xarray.core.utils", "xarray.core.groupby", "xarray.groupers"):
            # xarray asks whether to use flox, which would treat it as an array in memory; and
            # refuses labels of groups that are lazy, which are read like any other labels.
            if asked_by(module, through="xarray.namedarray"):
                raise AttributeError("chunks")
        return tuple([(n,) for n in self.shape])

    def __repr__(self) -> str:
        name, units, dims = self.name, self.units, self._labels.dims
        words = ["biggus.Array"]
        if name is not None:
            words.append(repr(name))
        words.append(f"({self._sizes_text()})" if any(dims) else f"shape={self.shape}")
        words.append(f"dtype={self.dtype}{' masked' if self.masked else ''}")
        if units is not None:
            words.append(f"units={units!r}")
        return f"<{' '.join(words)} {format_bytes(self.nbytes)}>"

    def _repr_inline_(self, max_width: int) -> str:
        """Return the text in the table of a dataset of xarray, which shows shape and dtype."""
        del max_width  # xarray shortens the text
        return "biggus.Array" if self.grid is None else f"biggus.Array<chunks={self.grid}>"

    def _repr_html_(self) -> str:
        with between_forks():
            from biggus.array.html import html_of  # needed in notebooks only
        return html_of(self)

    # Selecting

    def __getitem__(self, key: Any) -> Array:
        node = self.node
        selection = basic_selection(key if type(key) is tuple else (key,), node.shape)
        if selection is None:
            if isinstance(key, str) or (isinstance(key, list) and key and isinstance(key[0], str)):
                return self._field(key)
            if is_large_mask(key, node.shape):
                return np.extract(key, self)  # type: ignore[return-value]  # dispatches to biggus
            selection = numpy_selection(in_memory(key), node.shape)
        selected = Array.from_node(select(node, selection))
        if asked_by("dask.array"):  # dask expects the values of a block
            return selected.masked_array() if self.masked else selected.ndarray()  # type: ignore[return-value]
        return selected

    def _field(self, names: str | list[str]) -> Array:
        dtype = self.dtype
        if dtype.names is None:
            hint = "; biggus.open_dataset has coordinates" if names in self.dims else ""
            raise IndexError(f"an array of dtype {dtype} has no fields: {names!r}{hint}")
        for name in [names] if isinstance(names, str) else names:
            if name not in dtype.names:
                problem = f"no field of name {name}; there are {', '.join(dtype.names)}"
                raise ValueError(problem) if name is names else KeyError(problem)
        field = Field(dtype, names)
        if field.dtype.subdtype is not None:
            raise TypeError(
                f"the field {names!r} is an array in each element; "
                f"read it with .ndarray()[{names!r}]"
            )
        return Array.from_node(Elementwise(field, self.node))

    @property
    def oindex(self) -> OrthogonalIndexer:
        """Orthogonal indexing: in ``a.oindex[...]`` each index array applies to its own axis.

        Examples
        --------
        >>> import biggus, numpy as np
        >>> a = biggus.ArrayAdapter(np.arange(12).reshape(3, 4))
        >>> a.oindex[[0, 2], [1, 3]].ndarray()
        array([[ 1,  3],
               [ 9, 11]])
        """
        return OrthogonalIndexer(self)

    def transpose(self, *axes: SupportsIndex | str | Sequence[SupportsIndex | str] | None) -> Array:
        """Permute the axes, as :meth:`numpy.ndarray.transpose`.

        Parameters
        ----------
        *axes : int or str, or tuple of them
            The axes in their new order, by number or name; by default they are reversed.

        Returns
        -------
        Array
            A lazy view.
        """
        ndim = self.ndim
        if not axes or (len(axes) == 1 and axes[0] is None):
            order = tuple(reversed(range(ndim)))
        else:
            numbers: Any = axes
            if len(axes) == 1 and np.ndim(axes[0]):  # type: ignore[arg-type]
                numbers = axes[0]
            numbers = numbered(self.node, tuple(numbers))
            if len(numbers) != ndim:
                raise ValueError("axes don't match array")
            if any(isinstance(axis, bool) for axis in numbers):
                raise TypeError("an axis is an integer, not a bool")
            order = normal_axes(numbers, ndim)
        return Array.from_node(select(self.node, Selection.permuted(self.shape, order)))

    @property
    def T(self) -> Array:  # noqa: N802 - NumPy's name
        """The array with its axes reversed."""
        return self.transpose()

    def rechunk(self, chunks: Any) -> Array:
        """Return the array with other chunks, which :func:`biggus.save` uses for a new store.

        Values are still read in the chunks that they are stored in.

        Parameters
        ----------
        chunks : int or tuple
            One length for all axes, or for each axis one length or all lengths.  -1 stands for
            the length of the axis.

        Returns
        -------
        Array
            A lazy array of the same values.

        Examples
        --------
        >>> import biggus
        >>> biggus.zeros((100, 60)).rechunk((10, -1)).grid
        (10, 60)
        """
        return Array.from_node(rechunked(self.node, given_chunks(chunks, self.shape)))

    def astype(
        self,
        dtype: npt.DTypeLike,
        order: str = "K",  # noqa: ARG002 - part of NumPy's signature
        casting: Casting = "unsafe",
        subok: bool = True,  # noqa: ARG002 - likewise
        copy: bool = True,  # noqa: ARG002 - likewise
    ) -> Array:
        """Cast to another dtype, as :meth:`numpy.ndarray.astype`.

        Parameters
        ----------
        dtype : dtype
            The new dtype.  For strings without a length, and times without a unit, the length
            or unit is chosen that holds all values of the present dtype.
        casting : str, optional
            Which casts are allowed, as in :func:`numpy.can_cast`.
        order, subok, copy : optional
            Ignored.  Values are always read into a new ndarray in C order.

        Returns
        -------
        Array
            A lazy array.

        Raises
        ------
        TypeError
            If the cast is not allowed, or the length of strings or the unit of times would
            depend on the values.

        Examples
        --------
        >>> import biggus, numpy as np
        >>> biggus.ArrayAdapter(np.array([1.5, 2.5])).astype("i2").ndarray()
        array([1, 2], dtype=int16)
        """
        new = np.dtype(dtype)
        if new == self.dtype:
            return self
        if not np.can_cast(self.dtype, new, casting=casting):
            raise TypeError(
                f"cannot cast an array of dtype {self.dtype} to {new} by the rule {casting!r}"
            )
        if self.masked and new.names is not None:
            raise TypeError("missing values have no structured dtype: call .masked_array() first")
        new = completed(new, self.dtype)
        return Array.from_node(Elementwise(Cast(new), self.node))

    # Reading

    def ndarray(self, *, fill: Any = None) -> npt.NDArray[Any]:
        """Read and compute the values, as an ndarray.

        Parameters
        ----------
        fill : scalar, optional
            The value to replace missing values with.  By default they become NaN or NaT.

        Returns
        -------
        ndarray
            A new, writable array of the same shape and dtype.

        Raises
        ------
        SourceError
            If a read fails.
        MaskedValueError
            If a value is missing, `fill` is not given, and the dtype has neither NaN nor NaT.
        ValueError
            If a value is missing and the dtype cannot hold `fill`.

        See Also
        --------
        masked_array : The values with a mask.
        biggus.ndarrays : Evaluate several arrays together.

        Examples
        --------
        >>> import biggus, numpy as np
        >>> a = biggus.ArrayAdapter(np.ma.masked_equal([1.0, 2.0, 3.0], 2.0), masked=True)
        >>> a.ndarray()
        array([ 1., nan,  3.])
        >>> a.ndarray(fill=0)
        array([1., 0., 3.])
        """
        return filling.filled(engine.evaluate(self.node), fill)

    def masked_array(self) -> np.ma.MaskedArray[Any, Any]:
        """Read and compute the values, as a MaskedArray.

        Returns
        -------
        MaskedArray
            A new array, whose mask is a full array.

        Raises
        ------
        SourceError
            If a read fails.

        Examples
        --------
        >>> import biggus, numpy as np
        >>> a = biggus.ArrayAdapter(np.ma.masked_equal([1, 2, 3], 2), masked=True)
        >>> a.masked_array().mask
        array([False,  True, False])
        """
        return filling.masked(engine.evaluate(self.node))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __copy__(self) -> Self:
        return self  # it never changes, so copies share its node and its sources

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class OrthogonalIndexer:
    """The orthogonal indexer of an array, ``a.oindex``."""

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self._array = array

    def __getitem__(self, key: Any) -> Array:
        node = self._array.node
        return Array.from_node(select(node, orthogonal_selection(in_memory(key), node.shape)))

    def __repr__(self) -> str:
        return f"{self._array!r}.oindex"
