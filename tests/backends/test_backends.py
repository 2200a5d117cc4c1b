"""Randomly damaged files are read, or raise an error of biggus."""

import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import mutants
import pytest

NEEDS = {".h5": "h5py", ".nc": "netCDF4", ".zarr": "zarr"}
EACH = 40


def mutant_outcomes(folder, names):
    """Return the outcome of each mutant, except those that crash a native library."""
    found, begin = {}, 0
    for _ in range(4):
        command = [sys.executable, mutants.__file__, str(folder), str(EACH), str(begin), *names]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            output, ended = done.stdout, done.returncode == 0
        except subprocess.TimeoutExpired as error:  # a loop in a library, or a slow machine
            output, ended = (error.stdout or b"").decode(), False
        for line in output.splitlines():
            count, name, number, *outcome = line.split(" ", 3)
            begin = int(count)
            if outcome and outcome[0]:
                found[name, int(number)] = outcome[0]
        if ended:
            break
    return found


@pytest.mark.parametrize("kind", ["NATIVE", "OTHERS"])
def test_mutants_are_read_or_raise_biggus_errors(tmp_path, kind):
    names = []
    for name in getattr(mutants, kind):
        suffix = Path(name).suffix
        needed = NEEDS.get(suffix, "PIL" if suffix in mutants.IMAGES else "numpy")
        names += [name] if find_spec(needed) else []
    if not names:
        pytest.skip("no library is installed")
    found = mutant_outcomes(tmp_path, names)
    assert {
        one: outcome for one, outcome in found.items() if outcome not in {"fine", "refused"}
    } == {}
    counts = Counter(name for name, _ in found)
    assert set(counts) == set(names)
    # Some mutants must be read and some refused.
    assert Counter(found.values()).keys() == {"fine", "refused"}
