"""Checking that the files of virtual and external datasets exist.

libhdf5 silently reads fill values or zeros for missing files.  So each part
that a box overlaps is searched before the read, in the places where
libhdf5 searches, and a missing part is an error.  The cost of a read is one
pass over the mappings, and one or two calls of ``stat`` for each part in the box.

Everything here is called with `hdf5_lock` held.
"""

# Paths are `str` here, as in h5py.
# ruff: noqa: PTH100, PTH110, PTH117, PTH118, PTH119, PTH120

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from biggus.backends.hdf5.files import datasets, files, h5py, open_dataset
from biggus.backends.settling import settled_signature
from biggus.backends.signature import FileSignature
from biggus.errors import GoneError, OpenError
from biggus.support.watching import see

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.backends.files import Hold
    from biggus.sources.base import Box

Seen: TypeAlias = tuple[tuple[str, FileSignature], ...]
"""The paths and signatures of the files that were checked."""

_DEEPEST = 16
"""The deepest nesting of virtual datasets, which may be circular."""


class FilePart(NamedTuple):
    """One mapping of a virtual dataset, or one file of an external one.

    Attributes
    ----------
    file : str
        The stored name of the file; ``"."`` is the file itself.
    dataset : str
        The dataset in that file; empty for an external file.
    first, last : tuple of int or None
        The corners of the region that it fills; None if they are unknown.
    blocks : tuple of int or None
        For numbered files: axis, start, stride and length of the blocks along it.
    need : tuple of int or None
        The minimum shape of the dataset in that file.
    offset, size : int
        The offset and size in bytes of the values in an external file.
    """

    file: str
    dataset: str
    first: tuple[int, ...] | None = None
    last: tuple[int, ...] | None = None
    blocks: tuple[int, int, int, int] | None = None
    need: tuple[int, ...] | None = None
    offset: int = 0
    size: int = 0


class _Known(NamedTuple):
    signature: FileSignature
    shape: tuple[int, ...]
    parts: Parts | None
    hold: Hold  # keeps the file open for libhdf5 to find


class Parts:
    """The parts of a virtual or external dataset.

    Parameters
    ----------
    path : str
        The file of the dataset.
    parts : list of FilePart
        Its parts.
    shape : tuple of int
        The shape of the dataset.
    itemsize : int
        The size of its elements in bytes.
    """

    def __init__(
        self, path: str, parts: list[FilePart], shape: tuple[int, ...], itemsize: int
    ) -> None:
        self.path = path
        self.parts = parts
        self.shape = shape
        self.itemsize = itemsize
        self._known: dict[tuple[str, str], _Known] = {}

    @classmethod
    def of(cls, dataset: Any, properties: Any) -> Parts | None:
        """Return the parts of an h5py Dataset, or None if it is neither virtual nor external.

        `properties` is its creation property list.
        """
        if properties.get_layout() == h5py().h5d.VIRTUAL:
            parts = [_virtual_part(mapping) for mapping in dataset.virtual_sources()]
        elif properties.get_external_count():
            external = dataset.external
            parts = [
                FilePart(name, "", offset=offset, size=size) for name, offset, size in external
            ]
        else:
            return None
        path = os.path.abspath(dataset.file.filename)
        return cls(path, parts, tuple(dataset.shape), dataset.dtype.itemsize)

    def files(self) -> tuple[str, ...] | None:
        """Return the paths of the files of all parts, or None if any part is missing."""
        try:
            return tuple(dict.fromkeys(path for path, _ in self.check(None)))
        except (OSError, ValueError):
            return None

    def check(self, box: Box | None, depth: int = 0) -> Seen:
        """Check every part that overlaps `box` (None: all parts).

        Raises
        ------
        GoneError
            If a file does not exist.
        OpenError
            If a file does not contain what the dataset needs.
        """
        if depth > _DEEPEST:
            raise OpenError(self.path, f"its virtual datasets are nested more than {_DEEPEST} deep")
        seen: dict[str, FileSignature] = {}
        for part in self._touched(box):
            if part.dataset:
                path = self._find(part.file)
                known = self._look_into(path, part)
                seen[path] = known.signature
                if known.parts is not None:
                    seen.update(known.parts.check(None, depth + 1))
            else:
                path = self._find_external(part.file)
                seen[path] = settled_signature(path)
                there, need = seen[path][2], part.offset + part.size
                if there < need:
                    raise OpenError(
                        path,
                        f"an external dataset needs its first {need} bytes, but has only {there}",
                    )
        for path, signature in seen.items():
            see(path, signature)
        return tuple(seen.items())

    def _touched(self, box: Box | None) -> Iterator[FilePart]:
        if box is not None:
            box = box[: len(self.shape)]
        else:
            box = tuple(slice(0, n, 1) for n in self.shape)
        if any(s.stop <= s.start for s in box):
            return
        wanted = [range(s.start, s.stop, s.step or 1) for s in box]
        if self.parts and not self.parts[0].dataset:
            yield from self._touched_external(wanted)
            return
        for part in self.parts:
            if part.blocks is not None:
                yield from _numbered(part, wanted[part.blocks[0]])
            elif _meets(part, wanted):
                yield part

    def _touched_external(self, wanted: list[range]) -> Iterator[FilePart]:
        """Yield the files with bytes between the first and the last wanted element, clipped."""
        first = last = 0
        for n, along in zip(self.shape, wanted, strict=True):
            first, last = first * n + along[0], last * n + along[-1]
        begin, stop, at = first * self.itemsize, (last + 1) * self.itemsize, 0
        for part in self.parts:
            if begin < at + part.size and stop > at:
                yield part._replace(size=min(stop - at, part.size))
            at += part.size

    def _look_into(self, path: str, part: FilePart) -> _Known:
        signature = settled_signature(path)
        known = self._known.get((path, part.dataset))
        if known is None or known.signature != signature:
            with files.visit(path):
                opened = open_dataset(path, part.dataset.strip("/"))
                shape = tuple(opened.dataset.shape or ())
                parts = Parts.of(opened.dataset, opened.properties)
                known = _Known(signature, shape, parts, files.hold(path))
            self._known[path, part.dataset] = known
        if part.need is not None and (
            len(part.need) != len(known.shape)
            or any(n > m for n, m in zip(part.need, known.shape, strict=True))
        ):
            raise OpenError(
                path,
                f"its dataset {part.dataset!r} has shape {known.shape}, and a virtual dataset "
                f"needs at least {part.need}",
            )
        return known

    def _find(self, name: str) -> str:
        """Return the path of a file of a mapping: the first that exists where libhdf5 searches."""
        if name == ".":
            return self.path
        folder = os.path.dirname(self.path)
        candidates = []
        if os.path.isabs(name):
            candidates.append(name)
            name = os.path.basename(name)
        prefixes = os.environ.get("HDF5_VDS_PREFIX", "")
        if prefixes:
            candidates.append(os.path.join(prefixes.replace("${ORIGIN}", folder), name))
            candidates += [os.path.join(prefix, name) for prefix in prefixes.split(os.pathsep)]
        candidates += [
            os.path.join(folder, name),
            os.path.abspath(name),
            os.path.join(os.path.dirname(os.path.realpath(self.path)), name),
        ]
        for candidate in candidates:
            if os.path.exists(candidate):
                return candidate
        raise GoneError(candidates[0], "a virtual dataset needs this file, but it does not exist")

    def _find_external(self, name: str) -> str:
        prefix = os.environ.get("HDF5_EXTFILE_PREFIX", "")
        prefix = prefix.replace("${ORIGIN}", os.path.dirname(self.path))
        path = os.path.abspath(os.path.join(prefix, name))
        if not os.path.exists(path):
            raise GoneError(
                path,
                "an external dataset needs this file, but it does not exist (a relative name "
                "starts from the working directory, or from HDF5_EXTFILE_PREFIX)",
            )
        return path


def _virtual_part(mapping: Any) -> FilePart:
    h5s = h5py().h5s
    part = FilePart(mapping.file_name, mapping.dset_name)
    vspace = mapping.vspace
    if vspace.get_select_type() == h5s.SEL_HYPERSLABS and vspace.is_regular_hyperslab():
        start, stride, count, block = vspace.get_regular_hyperslab()
        for axis, n in enumerate(count):
            if n == h5s.UNLIMITED:
                if "%b" in part.file or "%b" in part.dataset:
                    part = part._replace(blocks=(axis, start[axis], stride[axis], block[axis]))
                return part
            if block[axis] == h5s.UNLIMITED:
                return part
    first, last = vspace.get_select_bounds()
    part = part._replace(first=tuple(first), last=tuple(last))
    if mapping.src_space.get_select_type() == h5s.SEL_ALL:
        return part  # the mapping does not contain its shape
    _, last = mapping.src_space.get_select_bounds()
    return part._replace(need=tuple(n + 1 for n in last))


def _meets(part: FilePart, wanted: list[range]) -> bool:
    """Return whether a wanted element lies between the corners of `part`."""
    if part.first is None or part.last is None:
        return True
    for along, first, last in zip(wanted, part.first, part.last, strict=True):
        steps = max(0, -(-(first - along.start) // along.step))
        if along.start + steps * along.step > min(last, along[-1]):
            return False
    return True


def _numbered(part: FilePart, along: range) -> Iterator[FilePart]:
    """Yield the files of a numbered mapping with blocks in the range `along`."""
    assert part.blocks is not None
    _, start, stride, block = part.blocks
    first = max(0, (along[0] - start - block) // stride + 1)
    for number in range(first, (along[-1] - start) // stride + 1):
        yield part._replace(
            file=_substitute(part.file, number), dataset=_substitute(part.dataset, number)
        )


def assure_descriptors(count: int) -> None:
    """Make sure that `count` files can be opened.

    When the process is out of file descriptors, libhdf5 treats the parts of a virtual
    dataset as missing, and reads fill values.

    Raises
    ------
    OSError
        If they cannot be opened even after closing all pooled files.
    """
    try:
        _open_and_close(count)
    except OSError:
        datasets.clear()
        files.clear()
        _open_and_close(count)


def _open_and_close(count: int) -> None:
    descriptors: list[int] = []
    try:
        while len(descriptors) < count:
            descriptors.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _substitute(name: str, number: int) -> str:
    return "%".join(piece.replace("%b", str(number)) for piece in name.split("%%"))
