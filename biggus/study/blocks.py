"""``biggus.record`` and ``biggus.replay``: blocks of a program that are recorded, or replayed."""

from __future__ import annotations

import contextlib
import os
from typing import Self

from biggus.sources import studying
from biggus.study.bundle import Bundle
from biggus.study.bundling import Bundling
from biggus.study.environment import RECORD, REPLAY, handed_down
from biggus.study.recording import recording_in
from biggus.study.replaying import Replaying
from biggus.study.sockets import forbidden


class record:  # noqa: N801 - used as a context manager, as `set_options` is
    """Record what is read in a ``with`` block, in one file that :func:`replay` runs on.

    It holds the chunks that are read, of every source that is not in memory, as they are
    stored; what it takes to open the sources again; where each comes from; and the versions of
    what read them: a zip file with a manifest in JSON, whose bytes follow from that alone.
    Reads of all threads count, and of processes that are started in the block, on this
    machine.

    The file is there when the block ends, and not if an exception leaves it.

    Parameters
    ----------
    path : str or os.PathLike
        The file, such as ``"study.biggus"``.
    overwrite : bool, optional
        Whether a file that is there is replaced.

    Attributes
    ----------
    receipt : str or None
        That of all that is in it (see :func:`receipt`), once the block has ended.

    Raises
    ------
    OutputError
        If the file cannot be written.
    PolicyError
        If tiles are read whose operator forbids it; see ``permission`` of :func:`biggus.open`.
    StudyError
        If a source is read that has no token, or changes meanwhile; or if another study is
        being recorded or replayed.

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
    """Run a ``with`` block on what was recorded, and on nothing else.

    Locations are opened, and tokens of adapters known, as they were when the program was
    recorded: by what it says, or, below the working folder, by the same path from there. No
    socket is opened, by biggus or by anything else in the process, and no cache is used.
    Threads, and processes that are started in the block, take part.

    Parameters
    ----------
    path : str or os.PathLike
        A file that :class:`record` made.

    Attributes
    ----------
    receipt : str
        That of all that is in it.

    Raises
    ------
    StudyError
        If it is no such file, or damaged; inside the block, where something is asked for that
        is not in it, or is damaged; or if another study is being recorded or replayed.

    Examples
    --------
    >>> import biggus
    >>> biggus.replay("no.biggus")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    biggus.errors.StudyError: there is no bundle ...no.biggus
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
