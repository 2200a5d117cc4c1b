"""Importing zarr-python, and parsing metadata documents by it."""

from __future__ import annotations

import contextlib
import json
import threading
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from biggus.codecs.pipeline import DamagedChunkError
from biggus.errors import BiggusError, GoneError, OpenError
from biggus.support.extras import needing
from biggus.support.forks import between_forks

_filters = threading.Lock()
"""Guards warning filters, which are global.  Forks wait, so that no child inherits changed ones."""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Ignore warnings of dtypes and codecs that other libraries may not read.

    They concern those who write an array.
    """
    with between_forks(), _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def import_zarr() -> Any:
    """Import zarr-python.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    with needing("zarr", "zarr", "reading Zarr stores"):
        import zarr
        import zarr.storage
    return zarr


def parse_metadata(fields: Mapping[str, Any], public: str) -> Any:
    """Return the metadata of an array as an object of zarr-python, without its attributes.

    Arrays of many stores have the same metadata, which is parsed once.

    Parameters
    ----------
    fields : mapping
        The fields of the metadata document.
    public : str
        The name of the store in errors.

    Returns
    -------
    metadata : ArrayV2Metadata or ArrayV3Metadata

    Raises
    ------
    OpenError
        If zarr-python cannot read such an array.
    """
    with opening_of(public, "zarr-python cannot read this array: "):
        return _parsed(json.dumps({**fields, "attributes": {}}))


@lru_cache(maxsize=2**8)
def _parsed(fields: str) -> Any:
    with between_forks():
        from zarr.core.array import parse_array_metadata

    with quietly():
        return parse_array_metadata(json.loads(fields))


def reason(error: Exception) -> str:
    """Return the first line of an exception's message, with its type unless it is one of ours."""
    while isinstance(error, ExceptionGroup):  # of several tasks; one error is enough
        error = error.exceptions[0]
    text = (str(error).strip().splitlines() or [""])[0]
    ours = isinstance(error, (OSError, DamagedChunkError)) and text
    return text if ours else f"{type(error).__name__}: {text}"


@contextlib.contextmanager
def opening_of(public: str, problem: str = "") -> Iterator[None]:
    """Turn errors within a with block into errors of opening the store `public`.

    `problem` is put before the reason.
    """
    try:
        yield
    except BiggusError:
        raise
    except FileNotFoundError:
        raise GoneError(public, "there is no such store") from None
    except ConnectionError as error:
        raise GoneError(public, str(error)) from None
    except Exception as error:
        raise OpenError(public, problem + reason(error)) from error
