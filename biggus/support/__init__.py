"""What all rooms stand on, and nothing of arrays: forks, threads, lazy imports, deadlines."""
