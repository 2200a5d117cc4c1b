"""The packages that the demo needs."""

from __future__ import annotations

import importlib
import importlib.util

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
"""The modules, and the packages that install them."""


def require_packages() -> None:
    """Import all packages that the demo needs, before it starts.

    Raises
    ------
    MissingDependencyError
        If a package is missing, or its import fails.
    """
    for module, package in _PACKAGES.items():
        with needing(package, "demo", "the demo"):
            importlib.import_module(module)
