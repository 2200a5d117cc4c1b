"""Imports of optional packages: the error for a missing one names the extra to install."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

from biggus.errors import MissingDependencyError
from biggus.support.forks import between_forks


@contextlib.contextmanager
def needing(package: str, extra: str, purpose: str) -> Iterator[None]:
    """Import an optional package within a with block.

    Parameters
    ----------
    package : str
        The name by which the package is imported.
    extra : str
        The extra of biggus that installs the package.
    purpose : str
        What the package is needed for, as the error says it.

    Raises
    ------
    MissingDependencyError
        If the package is not installed, or its import fails with any error.

    Examples
    --------
    >>> with needing("no_such_package", "hdf5", "reading"):
    ...     import no_such_package
    Traceback (most recent call last):
    ...
    biggus.errors.MissingDependencyError: reading needs the package no_such_package: pip install \
'biggus[hdf5]'
    """
    try:
        with between_forks():
            yield
    except MissingDependencyError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and find_spec(package) is None:
            raise MissingDependencyError(package, extra, purpose) from None
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise MissingDependencyError(package, extra, purpose, reason) from error
