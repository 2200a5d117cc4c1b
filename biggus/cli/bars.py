"""The progress bar on the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from biggus.errors import MissingDependencyError
from biggus.support.extras import needing
from biggus.support.progress import PATIENCE_SECONDS


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int], object] | None]:
    """Yield a progress callback, which takes the bytes read so far and the total number of bytes.

    It is None if standard error is no terminal, or tqdm cannot be imported.
    The bar appears after half a second.
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        with needing("tqdm", "progress", "a progress bar"):
            from tqdm import tqdm
    except MissingDependencyError:
        yield None
        return
    with tqdm(unit="B", unit_scale=True, delay=PATIENCE_SECONDS, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
