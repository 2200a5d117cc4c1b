"""Handling Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from biggus.sinks.placing import remove_unfinished

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
TERMINATED = 143

_PATIENCE_SECONDS = 2.0
"""How long the process may take to end after a signal."""


def stop_orderly() -> None:
    """Install signal handlers that unwind the stack, and end the process soon in any case.

    A read that waits for a server that does not answer cannot be cancelled, and
    would delay the end until it times out.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGTERM, _stop)
    # Background jobs may have been started with SIGINT ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def _stop(signum: int, _frame: FrameType | None) -> NoReturn:
    code = INTERRUPTED if signum == signal.SIGINT else TERMINATED
    timer = threading.Timer(_PATIENCE_SECONDS, _end, [code])
    timer.daemon = True
    timer.start()
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    sys.exit(code)


def _end(code: int) -> None:
    remove_unfinished()
    print("biggus: stopped while a read was waiting", file=sys.stderr, flush=True)
    os._exit(code)
