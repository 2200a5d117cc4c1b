"""The tests of this package are run where it is installed, and nowhere else."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("biggus_grid") else ["*"]
