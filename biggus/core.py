"""The core: what all arrays need, loaded as one when a name of the package is first used.

Threads that import different modules of a package at once may wait for one another in a ring,
which Python ends with an error.  So whoever is first loads all of this, and the others wait for it.
"""

from biggus import array_api, functions, together
from biggus.sources import chunk_memory

__all__ = ["array_api", "chunk_memory", "functions", "together"]
