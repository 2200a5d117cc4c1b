"""The peak memory of evaluations, one after the other: a program, which the tests run.

For each evaluation that is named it writes what the process took at most beyond what
it had before, as a line of JSON.  Linux alone tells the peak of a part of a life.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import memory_cases as cases
from peaks import peak_of

import biggus


def measured(name, times):
    with (
        tempfile.TemporaryDirectory() as folder,
        biggus.set_options(memory=cases.MEMORY, workers=2),
    ):
        make, evaluate = cases.case(name, Path(folder))
        evaluate(make(0))  # imports what it takes, and starts threads
        dataset = make(times)
        taken = peak_of(lambda: evaluate(dataset))
    return {"name": name, "times": times, "taken": taken - cases.result_bytes(name, times)}


def main():
    for argument in sys.argv[1:]:
        name, _, times = argument.partition("*")
        sys.stdout.write(json.dumps(measured(name, int(times))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
