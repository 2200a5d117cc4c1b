"""Writers of blocks: assigning to a target, and naming it in errors."""

from __future__ import annotations

import contextlib
import threading
from operator import setitem
from typing import TYPE_CHECKING, Any

from biggus.errors import BiggusError, MaskedValueError, OutputError, format_box
from biggus.support.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.engine import Writer
    from biggus.sources.base import Box, Chunks, Values

_PATIENCE_SECONDS = 10.0
"""How long writes that are under way when a save fails may take to end."""


def unchanged(values: Values) -> Values:
    """Return values unchanged: the conversion of targets that take any."""
    return values


class Assigning:
    """A writer that assigns blocks to an object with ``__setitem__``.

    Parameters
    ----------
    target : object
        The object.
    name : str
        The name of the target in error messages.
    shape : tuple of int
        The shape of the target.
    grid : Chunks or None
        The chunks of the target; blocks consist of whole ones.
    convert : callable
        Converts a block to the values that are assigned.
    lock : context manager, optional
        A lock that is held while assigning.
    concurrent : bool
        Whether several threads may assign at the same time.
    """

    def __init__(
        self,
        target: Any,
        name: str,
        shape: tuple[int, ...],
        grid: Chunks | None,
        convert: Callable[[Values], Any],
        lock: contextlib.AbstractContextManager[Any] | None = None,
        concurrent: bool = False,
    ) -> None:
        self.target = target
        self.name = name
        self.shape = shape
        self.grid = grid
        self.concurrent = concurrent
        self._convert = convert
        self._lock = contextlib.nullcontext() if lock is None else lock

    def write(self, box: Box, values: Values) -> None:
        """Assign a block."""
        converted = self._convert(values)
        with self._lock:
            # A call, after which the interpreter looks for interrupts.  An assignment would leave
            # them to the start of the function that releases the lock, which would stay taken.
            setitem(self.target, box, converted)


class WriteGate:
    """A gate that blocks pass through until it is shut, so that no write is under way afterwards.

    When a save has failed or was interrupted, another thread may still be writing a block,
    while the target is about to be closed and removed.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Count as inside during the ``with`` block."""
        with self._changed:
            if self._shut:
                raise OutputError("the save has ended")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def shut(self) -> None:
        """Admit no more blocks, and wait for those inside."""
        with self._changed:
            self._shut = True
            self._changed.wait_for(lambda: not self._inside, _PATIENCE_SECONDS)


class WriterWrapper:
    """Base class of writers that process blocks and pass them on to another writer."""

    def __init__(self, writer: Writer) -> None:
        self.shape = writer.shape
        self.grid = writer.grid
        self.concurrent = writer.concurrent
        self._writer = writer


class Guarded(WriterWrapper):
    """A writer whose errors name target and box, and which a gate can stop.

    Parameters
    ----------
    writer : Writer
        The writer that blocks are passed on to.
    name : str
        The name of the target in error messages.
    gate : WriteGate
        The gate that blocks pass through.
    """

    def __init__(self, writer: Writer, name: str, gate: WriteGate) -> None:
        super().__init__(writer)
        self._name = name
        self._gate = gate

    def write(self, box: Box, values: Values) -> None:
        """Write a block.

        Raises
        ------
        OutputError
            If writing fails.
        MaskedValueError
            If a value is missing and the target cannot represent it.
        """
        with self._gate.passing():
            try:
                self._writer.write(box, values)
            except MaskedValueError as error:
                raise MaskedValueError(
                    f"{self._where(box)}: {error.problem}", error.remedy
                ) from None
            except Exception as error:  # noqa: BLE001 - targets may raise anything
                cause = None if isinstance(error, BiggusError) else error
                raise OutputError(f"{self._where(box)}: {reason_of(error)}") from cause

    def _where(self, box: Box) -> str:
        return f"cannot write {self._name} {format_box(box)}"
