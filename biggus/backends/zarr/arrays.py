"""Arrays of zarr-python's over stores of ours, and the pipeline that undoes their codecs.

A user may have configured another pipeline than zarr-python's own.  It is used
where it can read our store; one that knows only certain stores cannot.
"""

from __future__ import annotations

import copy
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

from biggus.errors import OpenError
from biggus.support.extras import needing
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("biggus.backends.zarr")

_PIPELINE = "codec_pipeline.path"

# What it guards, warning filters and zarr's configuration, is of the whole process.
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
    """Return the ``zarr.AsyncArray`` that the fields of a document describe.

    Parameters
    ----------
    store : zarr.abc.store.Store
        What it reads from.
    path : str
        Where in there the array is.
    fields : mapping
        The document.
    public : str
        What errors call the store.

    Raises
    ------
    OpenError
        If zarr-python cannot read such an array.
    """
    zarr = import_zarr()
    place = zarr.storage.StorePath(store, path)
    default = zarr.config.defaults[0]["codec_pipeline"]["path"]
    # zarr warns of dtypes and codecs that may read differently elsewhere;
    # that concerns whoever writes them.
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
        except Exception as error:  # of any kind: nothing of what is parsed need make sense
            problem = f"zarr-python cannot read this array: {reason(error)}"
            raise OpenError(public, problem) from error


def lend_pipeline(lender: Any, array: Any) -> None:
    """Have an array of ours decode as an array that the user has does, if it can.

    Parameters
    ----------
    lender : zarr.AsyncArray
        The user's.
    array : zarr.AsyncArray
        Of `make_array`, with the same metadata.
    """
    with between_forks():
        from zarr.abc.codec import CodecPipeline

    pipeline = lender.codec_pipeline
    kind = type(pipeline)
    bound = getattr(kind.from_array_metadata_and_store, "__func__", None)
    if bound is not CodecPipeline.from_array_metadata_and_store.__func__:  # type: ignore[attr-defined]
        # It may read from the store that it was made for, past ours.
        try:
            pipeline = kind.from_array_metadata_and_store(
                array_metadata=array.metadata, store=array.store_path.store
            )
        except Exception as error:  # noqa: BLE001 - as above
            log.debug("not decoded by %s: %s", kind.__name__, reason(error))
            return
    object.__setattr__(array, "codec_pipeline", pipeline)  # the class is frozen


def over_store(array: Any, store: Any) -> Any:
    """Return what `make_array` made as an array over another store of ours; nothing is parsed."""
    found = copy.copy(array)
    place = type(array.store_path)(store, array.path)
    object.__setattr__(found, "store_path", place)  # the class is frozen
    lend_pipeline(array, found)
    return found


def reason(error: Exception) -> str:
    """Return the first line of what an exception says, and its type where that helps."""
    while isinstance(error, ExceptionGroup):  # of tasks, of which one is enough to tell
        error = error.exceptions[0]
    text = (str(error).strip().splitlines() or [""])[0]
    return text if isinstance(error, OSError) and text else f"{type(error).__name__}: {text}"
