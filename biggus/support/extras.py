"""Packages that extras bring: where one cannot be imported, it is named."""

from __future__ import annotations

import contextlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

from biggus.errors import MissingDependencyError
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def needing(package: str, extra: str, purpose: str) -> Iterator[None]:
    """Import what an extra brings within a with block.

    Parameters
    ----------
    package : str
        The package, as it is imported.
    extra : str
        The extra of biggus that brings it.
    purpose : str
        What it is needed for.

    Raises
    ------
    MissingDependencyError
        If it is not installed; or is, and its import fails, whatever it raises then.

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
