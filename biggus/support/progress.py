"""Progress of long work: a bar on the terminal, or a call back."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from biggus.support.extras import needing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.options import Progress

PATIENCE_SECONDS = 0.5
"""Work that is done sooner shows no bar."""


@contextlib.contextmanager
def reporting(progress: bool | Progress, total: int) -> Iterator[Callable[[int], None]]:
    """Report progress in bytes while the block runs.

    Parameters
    ----------
    progress : bool or callable
        What the option says: no, a bar, or what to call with (done, total).
    total : int
        The bytes in all.

    Yields
    ------
    callable
        To be called with the bytes that have come; from any thread.
    """
    if progress is False:
        yield _ignore
        return
    show, close = _bar(total) if progress is True else (progress, _nothing)
    lock = threading.Lock()
    done = 0
    over = False  # reads that a failure has left behind report to nobody

    def advance(nbytes: int) -> None:
        nonlocal done
        with lock:
            done += nbytes
            if not over:
                show(done, total)

    try:
        yield advance
    finally:
        over = True
        close()


def _ignore(nbytes: int) -> None:
    pass


def _nothing() -> None:
    pass


def _bar(total: int) -> tuple[Progress, Callable[[], None]]:
    with needing("tqdm", "progress", "a progress bar"):
        from tqdm.auto import tqdm
    bar = tqdm(
        total=total, unit="B", unit_scale=True, delay=PATIENCE_SECONDS, leave=False, desc="biggus"
    )

    blocks = 0

    def show(done: int, _total: int) -> None:
        nonlocal blocks
        blocks += 1
        bar.set_postfix_str(f"{blocks:,} blocks", refresh=False)
        bar.update(done - bar.n)

    return show, bar.close
