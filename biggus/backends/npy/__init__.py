"""NumPy's own ``.npy`` files: `header` tells what is in one, `source` reads it."""

from biggus.backends.npy.backend import NpyBackend

__all__ = ["NpyBackend"]
