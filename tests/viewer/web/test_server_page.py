"""The page of an array: its tiles show the array, and only authorized requests are answered."""

from __future__ import annotations

import http.client
import http.server
import io
import json
import socket
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest

import biggus
from biggus.pyramids import Pyramid, kept_overviews, overviews
from biggus.testing import ArraySource, RecordingSource, UnreadableSource

matplotlib = pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

from biggus.viewer.picture import Picture
from biggus.viewer.web.facts import Facts
from biggus.viewer.web.rendering import Colouring, Renderer, TileOutside
from biggus.viewer.web.server import Answers, page_of

GREY = Colouring("gray", 0.0, 254.0)


def one(array) -> Pyramid:
    array = array if isinstance(array, biggus.Array) else biggus.ArrayAdapter(array)
    axes = (0, 1) if array.ndim == 2 or array.shape[-1] in (3, 4) else (-2, -1)
    return Pyramid([(array, (1,) * array.ndim)], axes)


def renderer(array, sample_bytes: int = 10**9, upward: bool = False) -> Renderer:
    shown = array if isinstance(array, Pyramid) else one(array)
    return Renderer(Picture(shown), sample_bytes, upward)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def ask(url: str, path: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.request("GET", parts.path + path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("upward", [False, True])
def test_greatest_zoom_has_one_pixel_per_element(upward) -> None:
    values = np.random.default_rng(0).integers(0, 254, (300, 700), "u1").astype("f4")
    made = renderer(values, upward=upward)
    assert made.zooms == 2
    seen = values[::-1] if upward else values
    for y in range(2):
        for x in range(3):
            tile = pixels(made.tile(2, x, y, (), GREY))
            right = seen[y * 256 : (y + 1) * 256, x * 256 : (x + 1) * 256]
            rows, columns = right.shape
            assert (tile[:rows, :columns, 3] == 255).all()
            assert np.abs(tile[:rows, :columns, 0].astype(int) - right).max() <= 1
            assert (tile[rows:, :, 3] == 0).all()
            assert (tile[:, columns:, 3] == 0).all()


def test_other_zooms_have_one_pixel_per_element_of_a_level() -> None:
    values = np.random.default_rng(0).integers(0, 254, (1500, 1100), "u1")
    pyramid = overviews(biggus.ArrayAdapter(values))
    made = renderer(pyramid)
    for zoom in range(made.zooms + 1):
        level = pyramid[made.zooms - zoom].ndarray()
        tile = pixels(made.tile(zoom, 0, 0, (), GREY))[..., 0]
        rows, columns = (min(256, n) for n in level.shape)
        difference = np.abs(tile[:rows, :columns].astype(int) - level[:rows, :columns])
        assert difference.max() <= 1


def test_missing_values_are_transparent_and_limits_apply() -> None:
    values = np.ma.masked_array([[0.0, 5, 10], [-7, 99, np.nan]], [[0, 1, 0], [0, 0, 0]])
    tile = pixels(renderer(values).tile(0, 0, 0, (), Colouring("gray", 0.0, 10.0)))[:2, :3]
    assert tile[..., 3].tolist() == [[255, 0, 255], [255, 255, 0]]
    assert tile[0, 0, 0] == tile[1, 0, 0] == 0
    assert tile[0, 2, 0] == tile[1, 1, 0] == 255


FLAGS = {"flag_values": [0, 10, 100, 200], "flag_meanings": "sea open_lake ice land"}


def flagged(values, **attributes) -> Answers:
    source = ArraySource(values)
    source.attributes = attributes or FLAGS
    return Answers(Facts(renderer(biggus.ArrayAdapter(source)), "flags"))


@pytest.mark.parametrize("dtype", ["u1", "i4", "f8"])
def test_flags_have_colours_and_other_values_are_transparent(dtype) -> None:
    values = np.ma.masked_equal(np.array([[0, 10, 100, 200], [200, 50, 0, 7]], dtype), 7)
    answers = flagged(values)
    about = json.loads(answers.answer("about.json")[2])
    assert about["colours"]["cmap"] == "flags"
    named = dict(about["flags"])
    assert list(named) == ["sea", "open lake", "ice", "land"]
    assert len(set(named.values())) == 4
    status, _, body = answers.answer("tile/0/0/0.png?cmap=flags")
    assert status == 200
    seen = pixels(body)
    names = [["sea", "open lake", "ice", "land"], ["land", None, "sea", None]]
    for row, column in np.ndindex(2, 4):
        name = names[row][column]
        colour = None if name is None else named[name]
        *rgb, opacity = seen[row, column].tolist()
        assert opacity == (0 if colour is None else 255)
        assert colour is None or bytes(rgb) == bytes.fromhex(colour[1:])


def test_flags_with_a_continuous_colormap() -> None:
    answers = flagged(np.array([[0, 10, 100, 200]], "u1"))
    colours = json.loads(answers.answer("about.json")[2])["colours"]
    assert (colours["vmin"], colours["vmax"]) == (-0.5, 200.5)
    request = "tile/0/0/0.png?cmap=gray&vmin={vmin}&vmax={vmax}".format(**colours)
    shades = pixels(answers.answer(request)[2])[0, :4, 0].tolist()
    assert shades == sorted(set(shades))


def test_limits_come_from_the_first_index_with_values() -> None:
    values = np.broadcast_to(np.arange(5.0)[:, None, None, None], (5, 1, 8, 9)).copy()
    values[:3] = np.nan
    colours = Facts(renderer(values), "").whole()["colours"]
    assert colours["vmin"] < 4 < colours["vmax"]
    assert colours["vmax"] - colours["vmin"] > 1
    values[3:] = np.nan
    assert Facts(renderer(values), "").whole()["colours"]["vmax"] == 1


def test_variables_without_flag_values_show_no_flags() -> None:
    values = np.arange(12.0).reshape(3, 4) + 300
    for answers in (flagged(values), flagged(values, units="K")):
        about = json.loads(answers.answer("about.json")[2])
        assert about["flags"] == []
        assert about["colours"]["cmap"] == "viridis"
        assert answers.answer("tile/0/0/0.png?cmap=flags&vmin=0&vmax=1")[0] == 400


def test_rgb_values_are_shown_unchanged() -> None:
    values = np.random.default_rng(0).integers(0, 255, (40, 30, 3), "u1")
    tile = pixels(renderer(values).tile(0, 0, 0, (), None))
    assert np.array_equal(tile[:40, :30, :3], values)
    assert (tile[:40, :30, 3] == 255).all()
    assert (tile[40:, :, 3] == 0).all()


def test_tile_reads_only_its_elements_once() -> None:
    source = RecordingSource(ArraySource(np.zeros((2048, 2048), "f4"), (128, 128)))
    made = renderer(biggus.ArrayAdapter(source))
    first = made.tile(3, 2, 5, (), GREY)
    read = sum(np.prod([s.stop - s.start for s in box]) for box in source.boxes)
    assert read == 256 * 256
    assert made.tile(3, 2, 5, (), GREY) is first
    assert sum(np.prod([s.stop - s.start for s in box]) for box in source.boxes) == read


def test_sample_without_overviews_stays_within_its_budget() -> None:
    source = RecordingSource(ArraySource(np.zeros((8192, 8192), "u1"), (64, 64)))
    made = renderer(biggus.ArrayAdapter(source), sample_bytes=400_000)
    made.tile(0, 0, 0, (), GREY)
    chunks = {(s.start // 64, t.start // 64) for s, t in source.boxes}
    assert 0 < len(chunks) * 64 * 64 <= 400_000


def test_other_axes_are_chosen_by_index() -> None:
    values = np.arange(3 * 4 * 5.0).reshape(3, 4, 5)
    made = renderer(values)
    for number in range(3):
        tile = pixels(made.tile(0, 0, 0, (number,), Colouring("gray", 0.0, 60.0)))
        shown = tile[:4, :5, 0].astype(float) / 255 * 60
        assert np.allclose(shown, values[number], atol=0.5)


@pytest.mark.parametrize("place", [(0, 1, 0), (0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, -1, 0)])
def test_tiles_outside_raise(place) -> None:
    with pytest.raises(TileOutside):
        renderer(np.zeros((10, 10))).tile(*place, (), GREY)


@pytest.mark.parametrize("name", ["about.json", "leaflet.js", "nothing"])
def test_connections_have_tcp_nodelay(name, monkeypatch) -> None:
    """Without it, each answer on a connection that stays open takes 40 ms more."""
    sent = []
    answered = threading.Event()
    finish = http.server.ThreadingHTTPServer.finish_request

    def finished(server, request, address) -> None:
        finish(server, request, address)
        sent.append(request.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        answered.set()  # here, as connections of other tests may be shut down meanwhile

    monkeypatch.setattr(http.server.ThreadingHTTPServer, "finish_request", finished)
    with page_of(one(np.zeros((4, 5))), "zeros").running() as url:
        ask(url, name)
        assert answered.wait(120)
    assert all(sent)


@pytest.fixture
def served():
    values = np.ma.masked_less(np.arange(4 * 60 * 90.0).reshape(4, 60, 90) - 5, 0)
    with page_of(one(values), "a cube").running() as url:
        yield url


def test_page_and_its_files_are_served(served) -> None:
    for name in ("", "view.js", "view.css", "leaflet.js", "leaflet.css"):
        status, headers, body = ask(served, name)
        assert (status, len(body) > 400) == (200, True)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    about = json.loads(ask(served, "about.json")[2])
    assert (about["rows"], about["columns"], about["title"]) == (60, 90, "a cube")
    assert [axis["length"] for axis in about["axes"]] == [4]
    status, headers, body = ask(served, "tile/0/0/0.png?index=2&cmap=viridis&vmin=0&vmax=9")
    assert (status, headers["Content-Type"], body[:4]) == (200, "image/png", b"\x89PNG")
    assert ask(served, "ramp.png?cmap=inferno")[0] == 200


def test_values_and_series_match_the_array(served) -> None:
    found = json.loads(ask(served, "value.json?row=3&column=7&index=2")[2])
    assert found["value"] == 2 * 5400 + 3 * 90 + 7 - 5
    assert json.loads(ask(served, "value.json?row=0&column=1&index=0")[2])["value"] is None
    series = json.loads(ask(served, "series.json?row=0&column=1&index=0&axis=0")[2])
    assert series == {"step": 1, "values": [None, 5396.0, 10796.0, 16196.0]}


@pytest.mark.parametrize("upward", [False, True])
def test_position_reads_one_value_of_each_coordinate(upward) -> None:
    source = ArraySource(np.arange(60 * 90.0).reshape(60, 90))
    source.dims = ("lat", "lon")
    named = {
        "lat": RecordingSource(ArraySource(np.linspace(-30, 29, 60))),
        "lon": RecordingSource(ArraySource(np.linspace(10, 99, 90))),
    }
    source.sibling = named.get
    facts = Facts(renderer(biggus.ArrayAdapter(source), upward=upward), "")
    found = facts.value(3, 7, ())
    assert found["where"] == ["17° E", "26° N" if upward else "27° S"]
    row = 56 if upward else 3
    boxes = [[(s.start, s.stop) for s in box] for each in named.values() for box in each.boxes]
    assert boxes == [[(row, row + 1)], [(7, 8)]]


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**53 + 1, 2**53, -7, 2**64 - 1])
def test_large_integers_are_exact(value) -> None:
    """Browsers parse the numbers of JSON as float64."""
    values = np.full((3, 4), value, "u8" if value >= 2**63 else "i8")
    with page_of(one(values), "numbers").running() as url:
        found = json.loads(ask(url, "value.json?row=1&column=2")[2], parse_int=float)["value"]
    assert int(found) == value


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/0.png", "tile/a/0/0.png?cmap=gray&vmin=0&vmax=1", "tile/0/0/0.png?cmap=no"),
        *("tile/0/0/0.png?cmap=gray&vmin=nan&vmax=1", "tile/0/0/0.png?cmap=gray&vmin=0"),
        *("value.json?row=99&column=0", "value.json", "value.json?row=0&column=0&index=9"),
        *("value.json?row=0&column=90", "value.json?row=0&column=-1", "value.json?row=-1&column=0"),
        *("series.json?row=0&column=-1&axis=0", "series.json?row=60&column=0&axis=0"),
        *("series.json?row=0&column=0&axis=7", "tile/0/0/0.png?cmap=gray&vmin=inf&vmax=1"),
        "value.json?row=99999999999999999999&column=0",
    ],
)
def test_invalid_requests_give_status_400_with_a_message(served, path) -> None:
    status, _, body = ask(served, path)
    assert status == 400
    assert json.loads(body)["problem"]


@pytest.mark.parametrize(
    "path",
    [
        "../server.py",
        "page/index.html",
        "/etc/passwd",
        "%2e%2e/server.py",
        "leaflet/leaflet.js",
        "x",
        "/[/",
        "//[x/y",
    ],
)
def test_paths_outside_the_page_are_not_found(served, path) -> None:
    assert ask(served, path)[0] == 404
    assert ask(served, "x" * 5000)[0] in (404, 414)


def test_requests_without_the_token_are_forbidden(served) -> None:
    parts = urlsplit(served)
    root = f"{parts.scheme}://{parts.netloc}/"
    for path in ("", "about.json", "wrong/about.json", parts.path.strip("/")[:-1] + "/about.json"):
        status, _, body = ask(root, path)
        assert (status, body) == (403, b"not for you")


def test_requests_with_another_host_header_are_forbidden(served) -> None:
    port = urlsplit(served).port
    assert ask(served, "about.json", Host=f"localhost:{port}")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", ""):
        assert ask(served, "about.json", Host=host)[0] == 403


def test_server_listens_on_the_loopback_interface_only(served) -> None:
    port = urlsplit(served).port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port)}
    for address in others - {"127.0.0.1", "::1"}:
        with pytest.raises(OSError), socket.create_connection((address, port), timeout=2):
            pass


def test_unreadable_tile_gives_status_502_with_a_message(caplog) -> None:
    broken = biggus.ArrayAdapter(UnreadableSource((40, 40)))
    facts = Facts(renderer(broken), "")
    status, _, body = Answers(facts).answer("tile/0/0/0.png?cmap=gray&vmin=0&vmax=1")
    assert status == 502
    assert json.loads(body)["problem"]


def test_page_of_an_array_with_kept_overviews_does_not_read_it(tmp_path) -> None:
    values = np.random.default_rng(0).random((3000, 2000), dtype="f4")
    source = RecordingSource(ArraySource(values, (500, 500), token="v"))
    array = biggus.ArrayAdapter(source)
    cache = biggus.Cache(tmp_path / "cache")
    assert kept_overviews(array, cache=cache) is None
    overviews(array, cache=cache)
    source.clear()
    made = renderer(kept_overviews(array, cache=cache))
    made.tile(0, 0, 0, (), GREY)
    made.tile(2, 1, 1, (), GREY)
    assert not source.boxes
