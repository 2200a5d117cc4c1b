"""The core: the modules that every array needs, imported together on first use of the package.

Threads that import different modules of a package at the same time may deadlock, which Python
reports as an error.  So the first thread imports all of these, and the others wait for it.
"""

from biggus import array_api, functions, together
from biggus.sources import chunk_memory

__all__ = ["array_api", "chunk_memory", "functions", "together"]
