"""Studies: exactly what a result was made from, in one file, to run on it again.

`record` writes down what a program reads, and `replay` has it run on that alone.  `canonical`
says which bytes stand for a chunk, and `receipts` how digests of these become one: a `receipt`.
"""

from biggus.study.blocks import record, replay
from biggus.study.needed import receipt

__all__ = ["receipt", "record", "replay"]
