"""Collects the tests of this package only where it is installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("biggus_grid") else ["*"]
