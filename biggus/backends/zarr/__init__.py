"""Zarr, formats 2 and 3, through zarr-python: folders, zip files, and stores behind a URL."""

from biggus.backends.zarr.backend import ZarrBackend

__all__ = ["ZarrBackend"]
