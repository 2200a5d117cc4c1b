"""The RO-Crate metadata of a bundle (https://w3id.org/ro/crate/1.1)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

_CRATE = "https://w3id.org/ro/crate/1.1"
_NO_DATE = "1980-01-01"


_DESCRIPTOR = {
    "@id": "ro-crate-metadata.json",
    "@type": "CreativeWork",
    "conformsTo": {"@id": _CRATE},
    "about": {"@id": "./"},
}
_PARTS = (
    {
        "@id": "manifest.json",
        "@type": "File",
        "name": "The sources that were read, their locations, and the digests of chunks",
        "encodingFormat": "application/json",
    },
    {
        "@id": "chunks/",
        "@type": "Dataset",
        "name": "The chunks, each under the SHA-256 digest of its bytes",
    },
)
_TERMS = {
    "@id": "#license",
    "@type": "CreativeWork",
    "name": "The licenses of what it was made from",
    "description": "The chunks are under the licenses of the data that they come from.",
}


def crate_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the RO-Crate metadata document of a bundle with this manifest.

    See https://w3id.org/ro/crate/1.1.
    """
    read = [source for source in manifest["sources"] if source["chunks"]]
    software = [
        {
            "@id": f"#{name}",
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version,
        }
        for name, version in sorted(manifest["made_with"].items())
    ]
    origins = [
        {"@id": f"#origin-{number}", "@type": "CreativeWork", "name": name}
        for number, name in enumerate(sorted({source["origin"] for source in read}), start=1)
    ]
    action = {
        "@id": "#recording",
        "@type": "CreateAction",
        "name": "Recording what a program read",
        "instrument": _links(software),
        "object": _links(origins),
        "result": {"@id": "./"},
    }
    root = _root(manifest["receipt"], len(read), _links(origins))
    graph = [_DESCRIPTOR, root, *_PARTS, _TERMS, action, *software, *origins]
    return {"@context": f"{_CRATE}/context", "@graph": graph}


def _root(receipt: str, arrays: int, origins: list[dict[str, str]]) -> dict[str, Any]:
    """Return the entity of the bundle as a whole."""
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": "What a result was made from, recorded by biggus",
        "description": (
            f"The chunks of {arrays} arrays that a program read, as they were stored. With "
            "biggus replay, the program runs again on these chunks alone. Dates are fixed, so "
            "that equal studies are equal files."
        ),
        "datePublished": _date(),
        "license": {"@id": _TERMS["@id"]},
        "identifier": receipt,
        "isBasedOn": origins,
        "hasPart": _links(_PARTS),
        "mentions": [{"@id": "#recording"}],
    }


def _links(entities: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"@id": each["@id"]} for each in entities]


def _date() -> str:
    """Return the date of the variable ``SOURCE_DATE_EPOCH``, else a fixed one."""
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    except (KeyError, ValueError, OverflowError, OSError):
        return _NO_DATE
