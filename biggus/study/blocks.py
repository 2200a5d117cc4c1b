"""``biggus.record`` and ``biggus.replay``, the context managers that record and replay."""

from __future__ import annotations

import contextlib
import os
from typing import Self

from biggus.sources import studying
from biggus.study.bundle import Bundle
from biggus.study.environment import RECORD, REPLAY, handed_down
from biggus.study.recording import recording_in
from biggus.study.replaying import Replaying
from biggus.study.sockets import forbidden
from biggus.study.writing import Bundling


class record:  # noqa: N801 - used as a context manager, as `set_options` is
    """Record all that is read in a ``with`` block, in one file for :func:`replay`.

    The file is a zip archive with a manifest in JSON.  It holds the chunks that are read, as they
    are stored, of every source that is not in memory; the metadata to open the sources again;
    the origin of each; and the versions of the libraries that read them.  Equal contents give
    equal bytes.  Reads of all threads are recorded, and of processes that are started in the
    block on this machine.

    The file appears when the block ends, unless it ends by an exception.

    Parameters
    ----------
    path : str or os.PathLike
        The file, such as ``"study.biggus"``.
    overwrite : bool, optional
        Whether to replace an existing file.

    Attributes
    ----------
    receipt : str or None
        The receipt of all chunks in the file (see :func:`receipt`), once the block has ended.

    Raises
    ------
    OutputError
        If the file cannot be written.
    PolicyError
        If tiles are read whose operator forbids it; see ``permission`` of :func:`biggus.open`.
    StudyError
        If a source is read that has no token or changes meanwhile, or if another study is being
        recorded or replayed.

    Examples
    --------
    >>> import biggus, numpy as np, os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> np.save(f"{folder}/a.npy", np.arange(6.0))
    >>> with biggus.record(f"{folder}/study.biggus"):
    ...     biggus.open(f"{folder}/a.npy").mean().ndarray()
    array(2.5)
    >>> os.unlink(f"{folder}/a.npy")
    >>> with biggus.replay(f"{folder}/study.biggus"):
    ...     biggus.open(f"{folder}/a.npy").mean().ndarray()
    array(2.5)
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self._path, self._overwrite = path, overwrite
        self.receipt: str | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._bundling = Bundling(self._path, self._overwrite)
            stack.callback(self._bundling.remove)
            folder = str(self._bundling.folder)
            self._recording = recording_in(folder)
            self._recording.owner = os.getpid()
            studying.begin(self._recording)
            stack.callback(studying.end, self._recording)
            stack.enter_context(handed_down(RECORD, folder))
            self._leaving = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._leaving:
            self._recording.close()
            if kind is None:
                self._recording.look_again()
                self.receipt = self._bundling.finish()["receipt"]


class replay:  # noqa: N801 - used as a context manager, as `record` is
    """Run a ``with`` block on recorded data, and on nothing else.

    Locations and tokens of adapters refer to what was recorded under them.  A path below the
    working folder may also be recorded under the same relative path. No socket is opened, by
    biggus or by anything else in the process, and no cache is used.  All threads, and processes
    that are started in the block, take part.

    Parameters
    ----------
    path : str or os.PathLike
        A file made by :class:`record`.

    Attributes
    ----------
    receipt : str
        The receipt of all chunks in the file.

    Raises
    ------
    StudyError
        If it is not such a file, or damaged; within the block, if something is read that was
        not recorded, or is damaged; or if another study is being recorded or replayed.

    Examples
    --------
    >>> import biggus
    >>> biggus.replay("no.biggus")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    biggus.errors.StudyError: there is no study ...no.biggus
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._bundle = Bundle(path)
        self.receipt = self._bundle.receipt

    def __enter__(self) -> Self:
        study = Replaying(self._bundle)
        with contextlib.ExitStack() as stack:
            studying.begin(study)
            stack.callback(studying.end, study)
            stack.enter_context(forbidden())
            stack.enter_context(handed_down(REPLAY, str(self._bundle.path)))
            self._leaving = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.close()
