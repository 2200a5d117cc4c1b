"""Makes the modules of this folder importable by the tests in it."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

# The tests of a backend need the library that it stands on.
LIBRARIES = {"netCDF4": "test_netcdf*.py"}
collect_ignore_glob = [tests for library, tests in LIBRARIES.items() if find_spec(library) is None]
