"""Waiting until files are trusted, and until a count stands still."""

import contextvars
import time

from biggus.backends.files import file_validator


def settle(path):
    """Wait until a file, or each file of a folder, has a validator outside of an evaluation."""
    outside = contextvars.Context()
    for file in [path, *path.rglob("*")]:
        while file.is_file() and outside.run(file_validator, file) is None:
            time.sleep(0.002)


def steady(count):
    """Return a count once it no longer changes."""
    last = None
    while last != (last := count()):
        time.sleep(0.1)
    return last
