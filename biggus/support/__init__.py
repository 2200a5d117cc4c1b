"""Helpers that every room uses and that know nothing of arrays: forks, threads, deadlines."""
