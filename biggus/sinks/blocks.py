"""Blocks on their way into a target."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from biggus.errors import BiggusError, MaskedValueError, OutputError, format_box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.engine import Writer
    from biggus.sources.base import Box, Chunks, Values

_PATIENCE_SECONDS = 10.0
"""How long writes that are under way when a save fails may take to end."""


def as_it_is(values: Values) -> Values:
    """Return values as what is assigned: what takes any."""
    return values


class Assigning:
    """Assigns blocks to what has ``__setitem__``.

    Parameters
    ----------
    target : object
        What is assigned to.
    name : str
        What errors call it.
    shape : tuple of int
        Its shape.
    grid : Chunks or None
        Its chunks: blocks are whole unions of them.
    convert : callable
        What makes of a block that which is assigned.
    lock : context manager, optional
        Held while assigning.
    concurrent : bool
        Whether several threads may assign at once.
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
            self.target[box] = converted


class WriteGate:
    """Lets blocks through until it is shut: then none is on its way any more.

    When a save has failed, or was interrupted, a thread may still be about to
    hand over a block; its target is to be closed and removed.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Be inside while the block runs."""
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
        """Let nothing in any more, and wait for what is inside."""
        with self._changed:
            self._shut = True
            self._changed.wait_for(lambda: not self._inside, _PATIENCE_SECONDS)


class Onward:
    """A writer that hands on, to one that it is before, what it makes of blocks."""

    def __init__(self, writer: Writer) -> None:
        self.shape = writer.shape
        self.grid = writer.grid
        self.concurrent = writer.concurrent
        self._writer = writer


class Guarded(Onward):
    """A writer whose failures name target and box, and which a gate can stop.

    Parameters
    ----------
    writer : Writer
        What takes the blocks.
    name : str
        What errors call its target.
    gate : WriteGate
        What blocks pass through.
    """

    def __init__(self, writer: Writer, name: str, gate: WriteGate) -> None:
        super().__init__(writer)
        self._name = name
        self._gate = gate

    def write(self, box: Box, values: Values) -> None:
        """Hand over a block.

        Raises
        ------
        OutputError
            If the target does not take it.
        MaskedValueError
            If a value is missing and the target has no place for that.
        """
        with self._gate.passing():
            try:
                self._writer.write(box, values)
            except MaskedValueError as error:
                raise MaskedValueError(f"{self._where(box)}: {error}") from None
            except Exception as error:  # noqa: BLE001 - anybody's code
                reason = " ".join(str(error).split()) or type(error).__name__
                cause = None if isinstance(error, BiggusError) else error
                raise OutputError(f"{self._where(box)}: {reason}") from cause

    def _where(self, box: Box) -> str:
        return f"cannot write {self._name} {format_box(box)}"
