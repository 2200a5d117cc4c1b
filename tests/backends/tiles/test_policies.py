"""Tile sources: presets by name, policies of operators, and limits shared by processes."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import biggus
from biggus.backends import Location, backend_for
from biggus.backends.http import freshness, shared
from biggus.backends.http.client import HttpClient, HttpError
from biggus.backends.http.freshness import Freshness
from biggus.backends.tiles import TilesBackend
from biggus.backends.tiles.policies import policy_for
from biggus.errors import OpenError, SourceError
from biggus.testing import ArraySource

pytest.importorskip("urllib3")
pytest.importorskip("PIL")


def open_tiles(location: str, **options):
    return TilesBackend().open(Location(location), zoom=options.pop("zoom", 3), **options)


@pytest.fixture
def presets():
    return pytest.importorskip("xyzservices").providers


# -- Servers by name


def test_open_by_preset_name(presets) -> None:
    source = open_tiles("xyz:OpenStreetMap.Mapnik", zoom=9)
    assert source.template.url(9, 3, 4) == "https://tile.openstreetmap.org/9/3/4.png"
    assert "OpenStreetMap" in source.attributes["attribution"]
    same = open_tiles("https://tile.openstreetmap.org/{z}/{x}/{y}.png", zoom=9)
    assert source.token == same.token
    assert backend_for(Location("xyz:OpenStreetMap.Mapnik")).name == "tiles"


def test_preset_names_are_lenient_and_suggested(presets) -> None:
    assert open_tiles("XYZ:openstreetmap mapnik").template.host == "tile.openstreetmap.org"
    with pytest.raises(OpenError, match=r"OpenStreetMap\.Mapnik"):
        open_tiles("xyz:OpenStreetMap.Mapnick")


def test_every_preset_opens_or_raises_a_clear_error(presets, monkeypatch) -> None:
    """All placeholders of the presets are filled, or the error says why not."""
    for variable in list(os.environ):
        if "KEY" in variable or "TOKEN" in variable:
            monkeypatch.delenv(variable)
    opens = 0
    for name, provider in presets.flatten().items():
        least = int(provider.get("min_zoom", 0))
        try:
            source = open_tiles(f"xyz:{name}", zoom=least)
        except OpenError as error:
            problem = str(error)
            known = ("environment", "unknown placeholder", "offset", "brace", "Mercator")
            assert any(word in problem for word in known), (name, problem)
            continue
        url = source.template.url(least, 0, 0)
        assert "{" not in url, name
        assert url.startswith("http"), name
        opens += 1
    assert opens > 100


def test_keys_come_from_the_environment_and_stay_hidden(presets, monkeypatch) -> None:
    with pytest.raises(OpenError, match="THUNDERFOREST_APIKEY"):
        open_tiles("xyz:Thunderforest.Landscape")
    monkeypatch.setenv("THUNDERFOREST_APIKEY", "s3cret-key")
    source = open_tiles("xyz:Thunderforest.Landscape")
    assert "s3cret-key" in source.template.url(3, 1, 2)
    shown = (source.name, source.token, repr(source), source.template.public_url(3, 1, 2))
    assert not any("s3cret-key" in text for text in shown)
    monkeypatch.setenv("THUNDERFOREST_APIKEY", "another")
    assert open_tiles("xyz:Thunderforest.Landscape").token == source.token
    again = pickle.loads(pickle.dumps(source.template))
    assert "s3cret-key" not in again.public


def test_keys_in_the_path_stay_hidden(presets, monkeypatch) -> None:
    monkeypatch.setenv("MAPTILER_KEY", "s3cret-key")
    for name, provider in presets.flatten().items():
        keys = {"apikey", "apiKey", "accessToken", "key", "subscriptionKey"}
        for key in keys & set(provider):
            base = name.partition(".")[0].upper().replace("-", "_")
            monkeypatch.setenv(f"{base}_{key.upper()}", "s3cret-key")
        try:
            source = open_tiles(f"xyz:{name}", zoom=int(provider.get("min_zoom", 0)))
        except OpenError:
            continue
        shown = (source.name, source.token, source.template.public_url(0, 0, 0))
        assert not any("s3cret-key" in text for text in shown), name


def test_zoom_range_of_a_preset(presets) -> None:
    pyramid = biggus.TilePyramid("xyz:OpenStreetMap.Mapnik", cache=False)
    assert pyramid.zooms == tuple(range(20))
    assert "OpenStreetMap" in pyramid.attribution
    with pytest.raises(OpenError, match="0 to 19"):
        open_tiles("xyz:OpenStreetMap.Mapnik", zoom=22)


# -- Templates


def test_retina_doubles_the_tile_size() -> None:
    plain = open_tiles("https://h/{z}/{x}/{y}{r}.png")
    twice = open_tiles("https://h/{z}/{x}/{y}{r}.png", retina=True)
    assert (plain.template.url(1, 0, 1), plain.shape[0]) == ("https://h/1/0/1.png", 2048)
    assert (twice.template.url(1, 0, 1), twice.shape[0]) == ("https://h/1/0/1@2x.png", 4096)
    assert plain.token != twice.token
    with pytest.raises(OpenError, match=r"\{r\}"):
        open_tiles("https://h/{z}/{x}/{y}.png", retina=True)


def test_wmts_templates() -> None:
    text = "https://h/wmts?layer=a&tilematrix={TileMatrix}&tilerow={TileRow}&tilecol={TileCol}"
    source = open_tiles(text)
    assert source.template.url(5, 7, 9) == (
        "https://h/wmts?layer=a&tilematrix=5&tilerow=9&tilecol=7"
    )
    assert source.token != open_tiles(text, zoom=4).token


# -- Policies


def test_policy_limits_override_options() -> None:
    polite = open_tiles(
        "https://a.tile.openstreetmap.org/{z}/{x}/{y}.png", connections=64, fresh_for=1
    )
    policy = policy_for("tile.openstreetmap.org")
    assert polite.client.settings.connections == policy.connections <= 2
    assert polite.client.settings.per_second == policy.per_second
    assert polite.fresh_for >= 7 * 86400
    assert policy.text in polite.no_bulk
    allowed = open_tiles("https://tile.openstreetmap.org/{z}/{x}/{y}.png", permission=True)
    assert (allowed.client.settings.per_second, allowed.no_bulk) == (None, None)
    other = open_tiles("https://tiles.example.org/{z}/{x}/{y}.png")
    assert (other.client.settings.per_second, other.no_bulk) == (None, None)


@pytest.mark.parametrize("permission", [False, True])
def test_hosts_of_an_operator_share_one_limit(monkeypatch, permission) -> None:
    counted = []

    def get(self, url, *args, host, **kwargs):
        counted.append(host)
        raise HttpError(url, "not asked", 1)

    monkeypatch.setattr(HttpClient, "get", get)
    hosts = ["tile.openstreetmap.org", "{s}.tile.openstreetmap.org", "a.tile.openstreetmap.org"]
    hosts += ["TILE.openstreetmap.org:443", "tile.osm.org"]
    for host in hosts:
        source = open_tiles(f"https://{host}/{{z}}/{{x}}/{{y}}.png", permission=permission)
        with pytest.raises(SourceError):
            source[np.s_[0:1:1, 0:1:1, 0:3:1]]
        expired = freshness.pack([Freshness('"tag"', None, 0.0, 1.0)])
        assert source.revalidate(np.s_[0:1:1, 0:1:1, 0:3:1], expired) is not None
    assert len(counted) == 2 * len(hosts)
    assert len(set(counted)) == (len(hosts) if permission else 1)


@pytest.mark.parametrize(
    "host", ["tile.openstreetmap.org", "B.TILE.openstreetmap.org", "me@tile.openstreetmap.org:443"]
)
def test_policies_are_found_by_host(host) -> None:
    assert policy_for(host) is not None


@pytest.mark.parametrize(
    "host", ["tile.openstreetmap.org.evil.example", "notile.openstreetmap.org", "example.org", ""]
)
def test_other_hosts_have_no_policy(host) -> None:
    assert policy_for(host) is None


def test_prefetch_against_the_policy_raises(tmp_path) -> None:
    cache = biggus.Cache(tmp_path / "cache")
    world = biggus.open("https://tile.openstreetmap.org/{z}/{x}/{y}.png", zoom=3, cache=cache)
    with pytest.raises(biggus.errors.PolicyError, match="permission=True"):
        biggus.prefetch(world[:10] + 1)
    grid = biggus.GridMosaic(lambda _: world[:9], (2, 1, 1), (9, *world.shape[1:]), world.dtype)
    with pytest.raises(biggus.errors.PolicyError, match="permission=True"):
        biggus.prefetch(grid)


def test_record_against_the_policy_raises(tmp_path) -> None:
    bundle = tmp_path / "study.biggus"
    with pytest.raises(biggus.errors.PolicyError, match="permission=True"), biggus.record(bundle):
        biggus.open("https://tile.openstreetmap.org/{z}/{x}/{y}.png", zoom=3)[:10].ndarray()
    assert not bundle.exists()


def test_prefetch_of_arrays_in_memory(tmp_path) -> None:
    cache = biggus.Cache(tmp_path / "cache")
    array = biggus.ArrayAdapter(np.arange(6.0), token="six", cache=cache)
    biggus.prefetch(array * np.arange(6.0), biggus.concatenate([array, biggus.zeros(3)]))
    assert cache.stats().entries == 1
    with pytest.raises(biggus.errors.CacheError, match="cache=True"):
        biggus.prefetch(array, biggus.ArrayAdapter(ArraySource(np.arange(3))))


# -- Limits that processes share

WORKER = """
import sys, time
from biggus.backends.http import shared
host, most, per_second, count = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True); sys.stdin.readline()
for _ in range(count):
    with shared.passing(host, most, per_second or None):
        start = time.time(); time.sleep(0.02); print(start, time.time(), flush=True)
"""


def request_times(host: str, most: int, per_second: float, processes: int = 3, count: int = 5):
    """Return the times at which requests of several processes began and ended."""
    arguments = [sys.executable, "-c", WORKER, host, str(most), str(per_second), str(count)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(arguments, **pipes) for _ in range(processes)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    spans = []
    for worker in workers:
        out, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        spans += [tuple(map(float, line.split())) for line in out.splitlines()]
    assert len(spans) == processes * count
    return sorted(spans)


def request_passes(host: str, most: int, per_second: float | None = None) -> bool:
    """Return whether a request passes within 30 seconds, while others hold their places."""
    passed = threading.Event()

    def request() -> None:
        with shared.passing(host, most, per_second):
            passed.set()

    threading.Thread(target=request, daemon=True).start()
    return passed.wait(30)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    clear = shared._folder.cache_clear
    clear()
    yield tmp_path
    clear()


@pytest.mark.machine
def test_concurrent_requests_of_all_processes_are_limited(own_folder) -> None:
    spans = request_times("host", 2, 0)
    for start, _ in spans:
        assert sum(a <= start < b for a, b in spans) <= 2


@pytest.mark.machine
def test_request_rate_of_all_processes_is_limited(own_folder) -> None:
    spans = request_times("host", 8, 50)
    starts = [start for start, _ in spans]
    for number, start in enumerate(starts):
        # 50 per second are ten in a fifth of a second; allow two more for the clock.
        assert sum(start <= other < start + 0.2 for other in starts[number:]) <= 12


def test_limits_are_per_host(own_folder) -> None:
    with shared.passing("one", 1):
        assert request_passes("other", 1)


def test_killed_process_frees_its_place(own_folder) -> None:
    code = WORKER.replace("time.sleep(0.02)", "print('in', flush=True); time.sleep(60)")
    worker = subprocess.Popen(
        [sys.executable, "-c", code, "host", "1", "0", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    worker.stdout.readline()
    worker.stdin.write("\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "in\n"
    worker.kill()
    worker.communicate()
    assert request_passes("host", 1)


def test_clock_set_back_does_not_block_requests(own_folder, monkeypatch) -> None:
    with shared.passing("host", 1, 1000):
        pass
    now = time.time()
    monkeypatch.setattr("biggus.backends.http.shared.time.time", lambda: now - 86400.0)
    assert request_passes("host", 1, 1000)


def test_request_does_not_try_the_places_of_its_own_process(own_folder, monkeypatch) -> None:
    tried, opened = [], shared._opened
    monkeypatch.setattr(shared, "_opened", lambda path: tried.append(path.name) or opened(path))
    with contextlib.ExitStack() as inside:
        for _ in range(8):
            inside.enter_context(shared.passing("host", 8))
    assert len(tried) == len(set(tried)) == 8
    assert request_passes("host", 8)


def test_limits_per_process_without_a_shared_folder(own_folder, monkeypatch) -> None:
    monkeypatch.setattr(shared, "_folder", lambda process: None)
    with shared.passing("host", 1):
        assert request_passes("host", 1)


@pytest.mark.parametrize("shared_over_processes", [False, True])
def test_request_rate_with_and_without_a_shared_folder(
    own_folder, monkeypatch, shared_over_processes
) -> None:
    if not shared_over_processes:
        monkeypatch.setattr(shared, "_folder", lambda process: None)
    sleeps: list[float] = []
    monkeypatch.setattr(shared.time, "sleep", sleeps.append)
    for clock in ("time", "monotonic"):
        monkeypatch.setattr(shared.time, clock, lambda: 1e9)
    for _ in range(4):
        with shared.passing(f"a host, {shared_over_processes}", 8, 10):
            pass
    assert sleeps == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_forked_child_holds_no_place(own_folder) -> None:
    """A forked child has the locked files open as long as it lives."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    code = """
import os, signal, subprocess, sys
from biggus.backends.http import shared
with shared.passing("host", 1, 1000):
    child = os.fork()
    if not child:
        signal.pause()
try:
    again = "from biggus.backends.http import shared\\nwith shared.passing('host', 1): pass"
    subprocess.run([sys.executable, "-c", again], check=True, timeout=120)
finally:
    os.kill(child, signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
