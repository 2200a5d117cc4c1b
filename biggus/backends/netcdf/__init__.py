"""NetCDF files, through netCDF4-python: `source` reads values, `files` keeps files open."""

from biggus.backends.netcdf.backend import NetCDFBackend

__all__ = ["NetCDFBackend"]
