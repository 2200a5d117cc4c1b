"""A function for worker processes, which import it by name."""

import biggus


def mean_of(name):
    """Return the mean of a file, computed in the calling process."""
    with biggus.set_options(executor=None):  # a forked child inherits its parent's executor
        return biggus.open(name).mean().ndarray()
