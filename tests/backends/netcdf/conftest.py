"""The tests of this folder need the library that the backend stands on."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("netCDF4") else ["test_*.py"]
