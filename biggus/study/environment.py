"""Studies of whole programs: what a process finds in its environment when it imports biggus.

``BIGGUS_RECORD`` names a spool, into which the process records all that it reads;
``BIGGUS_REPLAY`` a bundle, on which alone it runs.  Both are handed down to the processes that
it starts, and to theirs, as environments are; one that is given an environment of its own
without them takes no part.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from biggus.errors import StudyError
from biggus.sources import studying
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = "BIGGUS_RECORD"
REPLAY = "BIGGUS_REPLAY"


@contextlib.contextmanager
def handed_down(name: str, value: str) -> Iterator[None]:
    """Have processes that are started in a with block find a value in their environment."""
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
    """Put the study in force that the environment names, for as long as this process runs.

    Raises
    ------
    StudyError
        If there are two; or if it is not there, or no bundle.
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
