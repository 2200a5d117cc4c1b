"""Threads may use names of the package for the first time concurrently."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
import biggus

sys.setswitchinterval(1e-5)
names = sys.argv[1:]
together = threading.Barrier(len(names))
found = []

def use(name):
    together.wait()
    try:
        found.append(getattr(biggus, name))
    except BaseException as error:
        found.append(error)

threads = [threading.Thread(target=use, args=(name,)) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(found) == len(names)
failed = [each for each in found if isinstance(each, BaseException)]
assert not failed, failed
"""


@pytest.mark.parametrize(
    "names",
    [
        ("mean", "round", "stack", "reshape", "ArrayAdapter", "array_api", "where", "plan"),
        ("set_options", "nanmin", "options", "errors", "concatenate", "Array", "zeros", "ndarrays"),
    ],
)
def test_first_use_of_names_in_threads_does_not_deadlock(names):
    command = [sys.executable, "-c", PROGRAM, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
