"""Indexing: grids of chunks, keys, selections, and their parts in each chunk."""
