"""Arrays in a notebook."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

import biggus
from biggus.testing import UnreadableSource


def shown(array):
    text = array._repr_html_()
    tree = ET.fromstring(text)
    rows = {row[0].text: row[1].text for row in tree.iter("tr")}
    return rows, [line.attrib for line in tree.iter("line")]


def test_what_is_said_of_an_array():
    source = UnreadableSource(
        (365, 180, 360),
        "f4",
        dims=("time", "lat", "lon"),
        attributes={"units": "K"},
        chunks=(10, 90, 60),
    )
    rows, lines = shown(biggus.ArrayAdapter(source)[:100])
    assert rows == {
        "shape": "time: 100, lat: 180, lon: 360",
        "dtype": "float32",
        "units": "K",
        "size": "24.72 MiB",
        "chunks": "120 of 10 × 90 × 60",
        "source": "unreadable source",
    }
    assert len(lines) == 7 + 3


def test_arrays_that_there_is_little_to_say_of():
    assert shown(biggus.zeros(()))[0] == {"shape": "()", "dtype": "float64", "size": "8 B"}
    rows, _lines = shown(biggus.ArrayAdapter(np.arange(3)))
    assert rows["shape"] == "3"
    assert shown(biggus.zeros((0, 3)))[1] == []
    huge = UnreadableSource((2**40, 2**20), chunks=(64, 64))
    assert len(shown(biggus.ArrayAdapter(huge))[1]) < 200
