"""Studies: recording exactly what a result was made from in one file, and replaying it.

`record` writes all chunks that a program reads to a bundle, and `replay` runs the program on
that bundle alone.  `canonical` defines the bytes of a chunk, and `receipts` how their digests
are combined to one, the `receipt`.
"""

from biggus.study.blocks import record, replay
from biggus.study.needed import receipt

__all__ = ["receipt", "record", "replay"]
