"""The sources of netCDF variables, in a file or held by the user."""

from __future__ import annotations

import logging
import math
import os
import pickle
from typing import TYPE_CHECKING, Any

from biggus import cf
from biggus.backends.files import Hold, validator_of_file
from biggus.backends.hdf5.descriptors import descriptors
from biggus.backends.hdf5.direct import DirectSource, OpenForRead, Storage
from biggus.backends.hdf5.files import files as hdf5_files
from biggus.backends.native import LibraryLock, hdf5_lock, look_for_interrupts
from biggus.backends.netcdf.files import datasets, is_open, known_in, opened_at, variable_in
from biggus.backends.netcdf.packed import attributes_of, facts_of, read_bytes, read_packed
from biggus.backends.netcdf.refused import check_text
from biggus.backends.netcdf.stored import StoredVariable, stored_variable
from biggus.backends.pieces import opening_named
from biggus.backends.plain import LARGEST
from biggus.backends.settling import look_again
from biggus.backends.siblings import sibling_of
from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import OpenError, SourceError
from biggus.sources.base import Box, Chunks, Source, Values
from biggus.sources.normal import normal_chunks
from biggus.support.watching import see

if TYPE_CHECKING:
    from biggus.backends.netcdf.extents import End
    from biggus.backends.netcdf.packed import PackedFacts

_SMALL_BESIDE = 2**16
"""The most bytes of a variable beside another, such as a coordinate, that its library reads."""


class _VariableSource(Source):
    """Base class of the sources of netCDF variables."""

    io_bound = False
    owns_data = True

    @property
    def _behind(self) -> StoredVariable | None:
        """The dataset of the variable; None if only netCDF4-python can open it."""
        return None

    @property
    def storage(self) -> Storage | None:
        """The storage of the values; None if only a library can read them."""
        behind = self._behind
        return None if behind is None else behind.storage

    @property
    def _end(self) -> End | None:
        """The end of the variable, if it is known."""
        behind = self._behind
        return None if behind is None else behind.end

    @property
    def lock(self) -> LibraryLock | None:  # type: ignore[override]
        """The lock of the library, if only that can read the values."""
        return hdf5_lock if self.storage is None else None

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, with compressed chunks."""
        storage = self.storage
        if storage is not None:
            return storage.peak_bytes(box)
        return super().peak_bytes(box) + read_bytes(self.facts, box)

    def _take(self, name: str, facts: PackedFacts) -> None:
        self.name = name
        self.facts = facts
        self.shape = facts.shape
        self.dtype = facts.dtype
        self.dims = facts.dims
        self.attributes = facts.attributes
        self.compression = facts.compression
        grows = zip(facts.dims, facts.unlimited, strict=False)  # joined characters lack an axis
        self.unlimited = tuple([dim for dim, unlimited in grows if unlimited])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class NetCDFSource(_VariableSource, DirectSource):
    """The source of a variable of a netCDF file, with packed values.

    It pickles with the properties of the variable, and opens the file again when a value is read.
    Whether values can be read without the library is found when that is first needed:
    opening takes netCDF4-python alone, except for strings, which h5py checks.

    Parameters
    ----------
    path : str
        The file.
    variable : str
        The name of the variable, with the path of its group: ``"group/name"``.
    decode : bool
        Whether characters with an ``_Encoding``, also in structures, become strings, which removes
        the last axis.

    Raises
    ------
    OpenError
        If the file cannot be opened; GoneError if there is none.
    VariableError
        If it has no such variable.
    """

    log = logging.getLogger("biggus.backends.netcdf")

    def __init__(self, path: str, variable: str, decode: bool = True) -> None:
        self._begin(os.path.realpath(path), variable, decode)
        with hdf5_lock, datasets.visit(self.path), opening_named(self.path):
            opened = opened_at(self.path)
            netcdf_variable = variable_in(opened.dataset, self.path, self.variable)
            self._know(facts_of(netcdf_variable, strings=decode), opened.signature)
            check_text(self.path, self.variable, netcdf_variable)
            self._hold()  # last, so that a failure to open holds nothing

    @classmethod
    def known(cls, path: str, variable: str, decode: bool, facts: PackedFacts) -> NetCDFSource:
        """Return the source of a variable of known properties, without opening the file.

        The path must have no symbolic links.

        Raises
        ------
        GoneError
            If there is no such file.
        """
        source = cls.__new__(cls)
        source._begin(path, variable, decode)  # noqa: SLF001 - its own class
        source._know(facts, signature_of(path))  # noqa: SLF001 - likewise
        return source

    def _begin(self, path: str, variable: str, decode: bool) -> None:
        self.path = path
        self.variable = variable.strip("/")
        self.decode = decode
        self._holds: tuple[Hold, ...] = ()
        self._stored: StoredVariable | None = None
        self._looked = False
        self._begun = False
        """Whether values were read."""

    def _know(self, facts: PackedFacts, signature: FileSignature) -> None:
        self._take(f"{self.path}::{self.variable}", facts)
        self._signature = signature
        self._chunks = _chunks_of(facts)
        decode = self.decode
        # The option only changes the values of characters and structures.
        variant = "" if decode or self.dtype.kind not in "SV" else "?decode=False"
        self.token = f"netcdf:{self.path}::{self.variable}{variant}"
        self.conventions = "CF"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_holds": ()}

    @property
    def chunks(self) -> Chunks | None:  # type: ignore[override]  # found at first use
        """The chunks of the library, cut into parts if they are large and uncompressed."""
        facts = self.facts
        if facts.plain and math.prod(facts.chunks or (0,)) * facts.dtype.itemsize > LARGEST:
            self._look()
        return self._chunks

    @property
    def _behind(self) -> StoredVariable | None:
        self._look()
        return self._stored

    @property
    def signature(self) -> FileSignature:
        """The signature of the file when the variable was last examined."""
        return self._signature

    def store_is(self, stored: StoredVariable) -> None:
        """Set the storage of the values, valid while the file does not change."""
        self._stored, self._looked = stored, True

    def _look(self) -> None:
        """Find out once whether the values can be read without the library."""
        if self._looked:
            return
        with hdf5_lock, datasets.visit(self.path):
            if not self._looked:
                self._look_behind(self._signature)
                if self._stored is not None and self._stored.storage is not None:
                    self._chunks = self._stored.storage.chunks
                self._looked = True
            look_for_interrupts()

    def _look_behind(self, signature: FileSignature) -> None:
        """Find out whether they can, in this state of the file.  The caller holds the lock."""
        self._signature = signature
        self._stored = stored_variable(self.path, signature, self.variable, self.facts, self._found)
        if self._holds:  # an unpickled copy that was not read keeps no file open
            self._hold()

    def _found(self) -> Any:
        opened = opened_at(self.path)
        if opened.signature != self._signature:
            raise OpenError(self.path, "it has changed")
        return variable_in(opened.dataset, self.path, self.variable)

    def _hold(self) -> None:
        stored = self._stored
        past = stored is not None and (stored.storage is not None or self.dtype == object)
        pools = (datasets, hdf5_files, descriptors) if past else (datasets,)
        self._holds = tuple(pool.hold(self.path) for pool in pools)

    def _opening(self) -> tuple[Storage, OpenForRead] | None:
        storage, stored, opening = self.storage, self._stored, None
        if storage is not None and stored is not None and not (self._begun or self._holds):
            # Of many files that are joined each is read once, as a rule.
            opening = stored.opening_once() if storage.streams else None
        self._begun = True
        if opening is None:
            if not self._holds:  # an unpickled copy at its first read
                self._hold()
            opening = None if storage is None or stored is None else stored.opening()
        if storage is None or opening is None:
            return None
        see(self.path, opening.signature)
        return storage, opening

    def _read(self, box: Box) -> Values:
        """Read by the library.  The caller holds the lock."""
        try:
            opened = opened_at(self.path)
            netcdf_variable = variable_in(opened.dataset, self.path, self.variable)
        except OpenError as error:
            raise SourceError(self.name, box, error.problem) from error
        see(self.path, opened.signature)
        self._check_same(netcdf_variable, box)
        if opened.signature != self._signature:
            check_text(self.path, self.variable, netcdf_variable)
            self._look_behind(opened.signature)
        stored = self._stored
        if stored is not None and stored.end.fill is None and self.dtype == object:
            values: Values = stored.objects(box)
        else:
            values = read_packed(netcdf_variable, box, self.facts, self._end)
        look_again([(self.path, opened.signature)])
        return values

    def _check_same(self, netcdf_variable: Any, box: Box) -> None:
        """Raise a SourceError if the variable differs from the one that was opened."""
        shape, stored = tuple(netcdf_variable.shape), self.facts.stored_shape
        limits = zip(shape, stored, self.facts.unlimited, strict=False)
        fits = len(shape) == len(stored) and all(
            n == before or (grows and n > before) for n, before, grows in limits
        )
        then, now = self.facts.stored_dtype, netcdf_variable.dtype
        if not fits:
            problem = f"its shape was {stored}, and is now {shape}; open it again"
            raise SourceError(self.name, box, problem)
        if now != then:
            problem = f"its dtype was {then}, and is now {now}; open it again"
            raise SourceError(self.name, box, problem)

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the file."""
        return sibling_of(self.variable, name, self._beside)

    def _beside(self, place: str) -> Source | None:
        with hdf5_lock, datasets.visit(self.path), opening_named(self.path):
            if known_in(opened_at(self.path).dataset, place) is None:
                return None
            source = NetCDFSource(self.path, place, self.decode)
            facts = source.facts
            small = math.prod(facts.shape) * facts.dtype.itemsize <= _SMALL_BESIDE
            # Opening the file by a second library would take longer than reading a coordinate.
            source._looked = small and facts.dtype != object and not facts.may_end
            return source

    def group_attributes(self) -> dict[str, Any]:
        """Return the attributes of the file and of all groups down to the variable."""
        attributes: dict[str, Any] = {}
        with hdf5_lock, datasets.visit(self.path), opening_named(self.path):
            group = opened_at(self.path).dataset
            for part in self.variable.split("/"):
                attributes.update(attributes_of(group))
                group = group.groups.get(part)
        return attributes

    def state(self) -> bytes | None:
        """Return the state of the file."""
        return validator_of_file(self.path)


def _chunks_of(facts: PackedFacts) -> Chunks | None:
    """Return the chunks of the library in normal form."""
    return None if facts.chunks is None else normal_chunks(facts.chunks, facts.shape)


class HeldSource(_VariableSource):
    """The source of a user's netCDF variable, read through the user's own handle.

    It has no token, as its dataset may be in memory or be written to.  The user's settings of
    automatic conversions are kept: with masking and scaling on, ``conventions`` is ``"CF"`` and
    values are packed; with both off, values are packed and are not decoded; with one of them on,
    the source decodes values in this way.

    Parameters
    ----------
    variable : netCDF4.Variable
        The variable, whose dataset must stay open.
    """

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.name = "the netCDF4 variable"
        self._decoder: cf.Decoder | None = None
        with hdf5_lock:
            self._check_open(None)
            facts = facts_of(variable, strings=bool(variable.chartostring))
            group = variable.group()
            place = "/".join(part for part in (group.path.strip("/"), variable.name) if part)
            self._take(f"{group.filepath()}::{place}", facts)
            self.chunks = _chunks_of(facts)
            check_text(os.path.realpath(group.filepath()), place, variable)
            mask, scale = bool(variable.mask), bool(variable.scale)
        # The library returns values, such as booleans, in their stored dtype.
        as_stored = cf.kept_dtype(self.dtype, facts.attributes) is None
        if mask and scale and as_stored:
            self.conventions = "CF"
        elif mask or scale:
            self._decoder = cf.decoder(
                self.dtype, facts.attributes, mask=mask, scale=scale, restore=False
            )
        if self._decoder is not None:
            self.dtype = self._decoder.dtype
            self.masked = self._decoder.masked
            self.fill_value = self._decoder.fill_value

    def __getitem__(self, box: Box) -> Values:
        with hdf5_lock:
            self._check_open(box)
            variable = self.variable
            mask, scale, strings = variable.mask, variable.scale, variable.chartostring
            try:
                variable.set_auto_maskandscale(False)
                variable.set_auto_chartostring(False)
                values = read_packed(variable, box, self.facts, end=None)
            finally:
                variable.set_auto_mask(mask)
                variable.set_auto_scale(scale)
                variable.set_auto_chartostring(strings)
        return values if self._decoder is None else self._decoder(values)

    def _check_open(self, box: Box | None) -> None:
        if not is_open(self.variable):
            raise SourceError(
                self.name, box, "its dataset was closed; keep it open, or use biggus.open"
            )

    def __reduce__(self) -> Any:
        raise pickle.PicklingError(
            f"{self.name} is read through an open dataset, which cannot be sent to another "
            "process; use biggus.open"
        )
