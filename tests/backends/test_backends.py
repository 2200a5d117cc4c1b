"""Files that were changed at random are read, or refused with an error of biggus's."""

import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import mutants
import pytest

NEEDS = {".h5": "h5py", ".nc": "netCDF4", ".zarr": "zarr"}
EACH = 40


def outcomes(folder, names):
    """Return what comes of each mutant; of none that a native library does not survive."""
    found, begin = {}, 0
    for _ in range(4):
        command = [sys.executable, mutants.__file__, str(folder), str(EACH), str(begin), *names]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            said, ended = done.stdout, done.returncode == 0
        except subprocess.TimeoutExpired as error:  # a loop in a library, or a slow machine
            said, ended = (error.stdout or b"").decode(), False
        for line in said.splitlines():
            count, name, number, *outcome = line.split(" ", 3)
            begin = int(count)
            if outcome and outcome[0]:
                found[name, int(number)] = outcome[0]
        if ended:
            break
    return found


@pytest.mark.parametrize("kind", ["NATIVE", "OTHERS"])
def test_only_errors_of_biggus_come_out(tmp_path, kind):
    names = []
    for name in getattr(mutants, kind):
        suffix = Path(name).suffix
        needed = NEEDS.get(suffix, "PIL" if suffix in mutants.IMAGES else "numpy")
        names += [name] if find_spec(needed) else []
    if not names:
        pytest.skip("no library is here")
    found = outcomes(tmp_path, names)
    assert {one: said for one, said in found.items() if said not in {"fine", "refused"}} == {}
    counts = Counter(name for name, _ in found)
    assert set(counts) == set(names)
    # Both come about, so that something is tried.
    assert Counter(found.values()).keys() == {"fine", "refused"}
