"""Limits on the size of files that a child process writes."""

import os


def file_size_limit(nbytes):
    """Return options of `subprocess.run` with which no file may grow beyond `nbytes`.

    Modules that Python compiles under the limit would be cut off at it, and kept: none are.
    """
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, nbytes))

    return {"preexec_fn": limit, "env": {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}}
