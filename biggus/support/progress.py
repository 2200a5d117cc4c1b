"""Progress of long evaluations: a bar on the terminal, or a callback."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from biggus.support.extras import needing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.options import Progress

PATIENCE_SECONDS = 0.5
"""An evaluation that ends sooner shows no bar."""


@contextlib.contextmanager
def reporting(progress: bool | Progress, total: int) -> Iterator[Callable[[int], None]]:
    """Report progress in bytes while the with block runs.

    Parameters
    ----------
    progress : bool or callable
        The option: False for none, True for a bar, or a callable that takes (done, total).
    total : int
        The number of bytes of the whole evaluation.

    Yields
    ------
    callable
        To be called, from any thread, with the number of bytes that were just done.
    """
    if progress is False:
        yield lambda _nbytes: None
        return
    show, close = _bar(total) if progress is True else (progress, lambda: None)
    lock = threading.Lock()
    done = 0
    over = False  # reads that still run after a failure report nothing

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
