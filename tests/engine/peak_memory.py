"""A program, run by the tests, that measures the peak memory of evaluations one by one.

For each named evaluation it writes a line of JSON: by how many bytes the resident memory of
the process grew at most.  Only Linux reports the peak of a part of a process's life.
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
        evaluate(make(0))  # imports modules and starts threads
        dataset = make(times)
        taken = peak_of(lambda: evaluate(dataset))
    return {"name": name, "times": times, "taken": taken - cases.result_bytes(name, times)}


def main():
    for spec in sys.argv[1:]:
        name, _, times = spec.partition("*")
        sys.stdout.write(json.dumps(measured(name, int(times))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
