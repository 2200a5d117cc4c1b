"""Studies of whole programs, started by environment variables when biggus is imported.

``BIGGUS_RECORD`` names a spool, into which the process records all that it reads.
``BIGGUS_REPLAY`` names a bundle, on which it runs.  Child processes inherit the variables, unless
they are started with an environment of their own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from biggus.errors import StudyError
from biggus.sources import studying
from biggus.support.forks import between_forks

RECORD = "BIGGUS_RECORD"
REPLAY = "BIGGUS_REPLAY"


@contextlib.contextmanager
def handed_down(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for processes that are started in a with block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def take_part() -> None:
    """Activate the study that the environment names, until this process ends.

    Raises
    ------
    StudyError
        If both variables are set, or the study does not exist, or is not a bundle.
    """
    spool, bundle = os.environ.get(RECORD), os.environ.get(REPLAY)
    if spool and bundle:
        raise StudyError(f"{RECORD} and {REPLAY} are both set: a program records or is replayed")
    if spool:
        with between_forks():
            from biggus.study.recording import recording_in

        studying.begin(recording_in(spool))
    elif bundle:
        with between_forks():
            from biggus.study.bundle import Bundle
            from biggus.study.replaying import Replaying
            from biggus.study.sockets import forbid

        studying.begin(Replaying(Bundle(bundle)))
        forbid()
