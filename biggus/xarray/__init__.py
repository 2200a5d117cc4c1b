"""biggus in xarray: an engine that opens what biggus opens, and keeps it lazy without dask."""
