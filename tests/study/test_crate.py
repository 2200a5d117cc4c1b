"""The RO-Crate metadata of a bundle."""

import json
import zipfile

import numpy as np

import biggus
from biggus.testing import ArraySource


def crate():
    array = biggus.ArrayAdapter(ArraySource(np.arange(6), (2,), token="six"))
    with biggus.record("s.biggus", overwrite=True):
        array[3:].ndarray()
    with zipfile.ZipFile("s.biggus") as file:
        return json.loads(file.read("ro-crate-metadata.json")), file.namelist()


def references(value):
    """Yield the identifiers that an entity refers to."""
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        else:
            for each in value.values():
                yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_crate_meets_the_specification(folder):
    document, names = crate()
    assert document["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(entities) == len(document["@graph"])
    assert all({"@id", "@type"} <= set(entity) for entity in entities.values())
    descriptor = entities["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = entities["./"]
    assert root["@type"] == "Dataset"
    assert {"name", "description", "datePublished", "license"} <= set(root)
    known = {*entities, "https://w3id.org/ro/crate/1.1"}
    assert set(references(document["@graph"])) <= known
    parts = {each["@id"] for each in root["hasPart"]}
    assert {name for name in names if name in parts} == {"manifest.json"}
    assert all(name.startswith("chunks/") for name in names if name not in entities)


def test_date_follows_source_date_epoch(folder, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    for date in ("1980-01-01", "2024-05-06"):
        (root,) = [each for each in crate()[0]["@graph"] if each["@id"] == "./"]
        assert root["datePublished"] == date
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1714953600")
