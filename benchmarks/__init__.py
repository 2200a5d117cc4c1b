"""Benchmarks: the time of pieces of work, compared with limits and other libraries.

``python -m benchmarks`` runs all and prints a table; ``python -m benchmarks mosaic
tiles`` runs some.  Each ratio compares the quickest of interleaved rounds, so that a
machine that slows down affects both sides.
"""
