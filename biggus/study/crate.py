"""What a bundle is, as an RO-Crate says it (https://w3id.org/ro/crate/1.1)."""

from __future__ import annotations

import os
import time
from typing import Any

_CRATE = "https://w3id.org/ro/crate/1.1"
_NO_DATE = "1980-01-01"


def crate_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the RO-Crate metadata document of a bundle with this manifest."""
    sources = manifest["sources"]
    read = [source for source in sources if source["chunks"]]
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
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": "What a result was made from, recorded by biggus",
        "description": (
            f"The chunks of {len(read)} arrays that a program read, as they were stored, and "
            "what it takes to run it again on them alone: biggus replay. Dates are fixed, so "
            "that equal studies are equal files."
        ),
        "datePublished": _date(),
        "license": {"@id": "#license"},
        "identifier": manifest["receipt"],
        "isBasedOn": [{"@id": each["@id"]} for each in origins],
        "hasPart": [{"@id": "manifest.json"}, {"@id": "chunks/"}],
        "mentions": [{"@id": "#recording"}],
    }
    action = {
        "@id": "#recording",
        "@type": "CreateAction",
        "name": "Recording what a program read",
        "instrument": [{"@id": each["@id"]} for each in software],
        "object": [{"@id": each["@id"]} for each in origins],
        "result": {"@id": "./"},
    }
    parts = [
        {
            "@id": "manifest.json",
            "@type": "File",
            "name": "What is in it, where from, and with which digests",
            "encodingFormat": "application/json",
        },
        {
            "@id": "chunks/",
            "@type": "Dataset",
            "name": "The chunks, each under the SHA-256 digest of its bytes",
        },
    ]
    terms = {
        "@id": "#license",
        "@type": "CreativeWork",
        "name": "The licenses of what it was made from",
        "description": "For the chunks in it hold the licenses of where they come from.",
    }
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": _CRATE},
        "about": {"@id": "./"},
    }
    graph = [descriptor, root, *parts, terms, action, *software, *origins]
    return {"@context": f"{_CRATE}/context", "@graph": graph}


def _date() -> str:
    """Return the date that the environment gives for what is built reproducibly, or none."""
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    except (KeyError, ValueError, OverflowError, OSError):
        return _NO_DATE
