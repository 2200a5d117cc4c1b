"""NumPy's ``.npy`` files: `header` parses the header, `source` reads the values."""

from biggus.backends.npy.backend import NpyBackend

__all__ = ["NpyBackend"]
