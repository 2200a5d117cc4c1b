"""Arrays of zarr-python over our stores, and the codec pipeline that decodes them.

The user may have configured another pipeline than that of zarr-python.  It is used if it can
read our store; a pipeline for certain stores only cannot.
"""

from __future__ import annotations

import copy
import logging
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from biggus.errors import OpenError
from biggus.support.extras import needing
from biggus.support.forks import between_forks

log = logging.getLogger("biggus.backends.zarr")

_PIPELINE = "codec_pipeline.path"

# Guards warning filters and the configuration of zarr, which are global.
_lock = threading.Lock()


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


def make_array(store: Any, path: str, fields: Mapping[str, Any], public: str) -> Any:
    """Return the ``zarr.AsyncArray`` of a metadata document.

    Parameters
    ----------
    store : zarr.abc.store.Store
        The store to read from.
    path : str
        The path of the array in the store.
    fields : mapping
        The fields of the document.
    public : str
        The name of the store in errors.

    Raises
    ------
    OpenError
        If zarr-python cannot read such an array.
    """
    zarr = import_zarr()
    place = zarr.storage.StorePath(store, path)
    default = zarr.config.defaults[0]["codec_pipeline"]["path"]
    # zarr warns of dtypes and codecs that other libraries may not read, which concerns writers.
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = zarr.config.get(_PIPELINE)
        try:
            try:
                return zarr.AsyncArray.from_dict(place, dict(fields))
            except Exception as error:
                if chosen == default:
                    raise
                log.debug("%s: not decoded by %s: %s", public, chosen, reason(error))
            with zarr.config.set({_PIPELINE: default}):
                return zarr.AsyncArray.from_dict(place, dict(fields))
        except Exception as error:  # any kind, as the document may be invalid in any way
            problem = f"zarr-python cannot read this array: {reason(error)}"
            raise OpenError(public, problem) from error


def lend_pipeline(lender: Any, array: Any) -> None:
    """Make an array of ours decode by the codec pipeline of the user's array, if possible.

    Parameters
    ----------
    lender : zarr.AsyncArray
        The user's array.
    array : zarr.AsyncArray
        An array from `make_array` with the same metadata.
    """
    with between_forks():
        from zarr.abc.codec import CodecPipeline

    pipeline = lender.codec_pipeline
    kind = type(pipeline)
    bound = getattr(kind.from_array_metadata_and_store, "__func__", None)
    if bound is not CodecPipeline.from_array_metadata_and_store.__func__:  # type: ignore[attr-defined]
        # The pipeline may read from its own store instead of ours.
        try:
            pipeline = kind.from_array_metadata_and_store(
                array_metadata=array.metadata, store=array.store_path.store
            )
        except Exception as error:  # noqa: BLE001 - as above
            log.debug("not decoded by %s: %s", kind.__name__, reason(error))
            return
    object.__setattr__(array, "codec_pipeline", pipeline)  # the class is frozen


def over_store(array: Any, store: Any) -> Any:
    """Return a copy of an array from `make_array` over another store, without parsing again."""
    found = copy.copy(array)
    place = type(array.store_path)(store, array.path)
    object.__setattr__(found, "store_path", place)  # the class is frozen
    lend_pipeline(array, found)
    return found


def reason(error: Exception) -> str:
    """Return the first line of an exception's message, with its type unless it is an OSError."""
    while isinstance(error, ExceptionGroup):  # of several tasks; one error is enough
        error = error.exceptions[0]
    text = (str(error).strip().splitlines() or [""])[0]
    return text if isinstance(error, OSError) and text else f"{type(error).__name__}: {text}"
