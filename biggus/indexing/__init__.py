"""Where things lie: grids of chunks, keys and selections, and their parts a chunk."""
