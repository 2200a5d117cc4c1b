"""Studies: exactly what a result was made from, in one file, to run on it again.

`record` writes down what a program reads, and `replay` has it run on that alone.  `canonical`
says which bytes stand for a chunk, and `receipts` how digests of these become one.
"""

from biggus.study.blocks import record, replay

__all__ = ["record", "replay"]
