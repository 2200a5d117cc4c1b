"""The cells of the tutorial run one after the other, without a notebook."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("xarray")
pytest.importorskip("netCDF4")

NOTEBOOK = Path(__file__).parents[1] / "docs" / "guide" / "tutorial.ipynb"


@pytest.mark.filterwarnings("ignore")  # warnings of xarray
def test_tutorial_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = {"__name__": "tutorial"}
    for number, cell in enumerate(json.loads(NOTEBOOK.read_text("utf-8"))["cells"]):
        assert not cell.get("outputs")
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            exec(compile(text, f"cell {number} of {NOTEBOOK.name}", "exec"), names)
