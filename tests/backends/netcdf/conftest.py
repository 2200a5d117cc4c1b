"""Skip the tests of this folder if netCDF4 is not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("netCDF4") else ["test_*.py"]
