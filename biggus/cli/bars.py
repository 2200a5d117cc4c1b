"""A progress bar on the terminal, where there is one."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from biggus.errors import MissingDependencyError
from biggus.support.extras import needing
from biggus.support.progress import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int], object] | None]:
    """Yield what is to be called with the bytes done and the bytes in all.

    None if there is no terminal to show a bar on, or tqdm cannot be imported.
    Work that takes less than half a second shows none.
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
