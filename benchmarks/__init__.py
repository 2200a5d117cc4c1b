"""Benchmarks: how long the work takes beside its limit and its peers, in one run.

``python -m benchmarks`` runs all and prints a table; ``python -m benchmarks mosaic
tiles`` runs some.  Each figure is a ratio of the quickest of interleaved rounds, so
that a machine which slows down slows both sides.
"""
