"""The HTML representation of arrays in a notebook."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

import biggus
from biggus.testing import UnreadableSource


def table_and_lines(array):
    text = array._repr_html_()
    tree = ET.fromstring(text)
    rows = {row[0].text: row[1].text for row in tree.iter("tr")}
    return rows, [line.attrib for line in tree.iter("line")]


def test_table_and_picture_of_an_array():
    source = UnreadableSource(
        (365, 180, 360),
        "f4",
        dims=("time", "lat", "lon"),
        attributes={"units": "K"},
        chunks=(10, 90, 60),
    )
    rows, lines = table_and_lines(biggus.ArrayAdapter(source)[:100])
    assert rows == {
        "shape": "time: 100, lat: 180, lon: 360",
        "dtype": "float32",
        "units": "K",
        "size": "25.92 MB",
        "chunks": "120 of 10 × 90 × 60",
        "source": "unreadable source",
    }
    assert len(lines) == 7 + 3


def test_drawing_tells_the_lengths_of_the_last_two_axes():
    source = UnreadableSource((9, 1800, 3600), chunks=(1, 900, 600))
    tree = ET.fromstring(biggus.ArrayAdapter(source)._repr_html_())
    assert [text.text for text in tree.iter("text")] == ["3,600", "1,800"]
    line = ET.fromstring(biggus.ArrayAdapter(source)[0, 0]._repr_html_())
    assert [text.text for text in line.iter("text")] == ["3,600"]


def test_scalar_plain_empty_and_huge_arrays():
    assert table_and_lines(biggus.zeros(()))[0] == {
        "shape": "()",
        "dtype": "float64",
        "size": "8 B",
    }
    rows, _lines = table_and_lines(biggus.ArrayAdapter(np.arange(3)))
    assert rows["shape"] == "3"
    assert table_and_lines(biggus.zeros((0, 3)))[1] == []
    huge = UnreadableSource((2**40, 2**20), chunks=(64, 64))
    assert len(table_and_lines(biggus.ArrayAdapter(huge))[1]) < 200
