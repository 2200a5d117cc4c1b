"""`biggus view`: a picture, a page or a window of a selection."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

import biggus
from biggus.cli import main
from biggus.pyramids import kept_overviews

pytest.importorskip("matplotlib")
h5py = pytest.importorskip("h5py")
image_module = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("view") / "a.h5"
    with h5py.File(found, "w") as file:
        file["field"] = np.hypot(*np.mgrid[-300:300, -200:200]).astype("f4")
        file["cube"] = np.arange(3 * 40 * 50.0).reshape(3, 40, 50)
        file["line"] = np.arange(9.0)
        file["empty"] = np.zeros((0, 5))
        file["complex"] = np.ones((4, 5), "c16")
        kinds = file.create_dataset("kinds", data=np.tile(np.array([1, 3], "i1"), (900, 600)))
        kinds.attrs["flag_values"] = np.array([1, 2, 3], "i1")
        kinds.attrs["flag_meanings"] = "a b c"
        file["words"] = np.array([["a", "b"]], dtype=h5py.string_dtype())
    return found


def run(path, *arguments):
    return main(["view", str(path), *map(str, arguments)])


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_writes_a_picture(path, tmp_path, suffix, capsys) -> None:
    out = tmp_path / f"out{suffix}"
    assert run(path, "field", "-o", out) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert out.stat().st_size > 1000
    assert list(tmp_path.iterdir()) == [out]
    assert run(path, "field", "-o", out) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run(path, "field", "-o", out, "--force") == 0


def test_picture_shows_the_selection(path, tmp_path) -> None:
    out = tmp_path / "out.png"
    assert run(path, "field[:300, :200]", "-o", out) == 0
    with image_module.open(out) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
    assert np.ptp(middle) > 20  # a colour, not the grey and white around it


@pytest.mark.parametrize("key", [(), ("[0]",)])
def test_variable_after_the_location(path, tmp_path, key) -> None:
    outs = [tmp_path / "one.png", tmp_path / "other.png"]
    assert run(f"{path}::cube", *key, "-o", outs[0]) == 0
    assert run(path, "".join(("cube", *key)), "-o", outs[1]) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()  # the title too


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("line", "-o", "x.png"), 2, "two axes or more"),
        (("cube[9]", "-o", "x.png"), 1, "out of bounds"),
        (("nothing", "-o", "x.png"), 1, "nothing"),
        (("words", "-o", "x.png"), 2, "real numbers"),
        (("complex", "-o", "x.png"), 2, "real numbers"),
        (("complex", "--serve"), 2, "real numbers"),
        (("empty", "-o", "x.png"), 2, "nothing to draw"),
        (("field", "-o", "x.doc"), 1, ".png"),
        (("field", "--serve", "-o", "x.png"), 2, "exclude"),
        (("field[", "-o", "x.png"), 2, "bracket"),
        (("field",), 2, "--serve"),
    ],
)
def test_invalid_arguments(path, tmp_path, monkeypatch, capsys, arguments, code, problem):
    monkeypatch.chdir(tmp_path)
    assert run(path, *arguments) == code
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def broken(tmp_path):
    """Write a file in which a chunk of ``field`` and the latitudes of ``mapped`` are damaged."""
    path = tmp_path / "broken.h5"
    checked = {"chunks": True, "fletcher32": True}
    with h5py.File(path, "w") as file:
        field = file.create_dataset("field", data=np.ones((40, 50)), **checked)
        lat = file.create_dataset("lat", data=np.arange(40.0), **checked)
        lat.attrs["units"] = "degrees_north"
        lat.make_scale("lat")
        mapped = file.create_dataset("mapped", data=np.ones((40, 50)))
        file["lon"] = np.arange(50.0)
        file["lon"].make_scale("lon")
        mapped.dims[0].attach_scale(lat)
        mapped.dims[1].attach_scale(file["lon"])
        places = [each.id.get_chunk_info(0).byte_offset for each in (field, lat)]
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            file.write(b"spoilt")
    return path


@pytest.mark.filterwarnings("default:parts of the image")  # as outside of tests
def test_unreadable_values_make_no_picture(broken, tmp_path, capsys) -> None:
    assert run(broken, "field", "-o", tmp_path / "out.png") == 1
    error = capsys.readouterr().err
    assert "field" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [broken]


def test_unreadable_coordinate_is_named(broken, monkeypatch, capsys) -> None:
    monkeypatch.setattr("biggus.viewer.web.server.PageServer.serve", lambda server: None)
    assert run(broken, "mapped", "--serve") == 1
    error = capsys.readouterr().err
    assert "lat" in error
    assert "port" not in error


def test_overviews_are_built_once(path, tmp_path, monkeypatch, settled_soon_after_writing) -> None:
    cache = biggus.Cache(tmp_path / "cache")
    out = tmp_path / "out.png"
    arguments = ("field", "--cache", tmp_path / "cache", "-o", out)
    assert run(path, *arguments, "--overviews") == 0
    assert kept_overviews(biggus.open(path, "field"), cache=cache) is not None
    monkeypatch.setattr("biggus.pyramids.of_array.build", None)  # nothing is built again
    assert run(path, *arguments, "--overviews", "--force") == 0
    assert run(path, *arguments, "--force") == 0


def test_overviews_of_flags_keep_flag_values(path, tmp_path, settled_soon_after_writing) -> None:
    cache = biggus.Cache(tmp_path / "cache")
    arguments = ("kinds", "--cache", tmp_path / "cache", "--overviews", "-o", tmp_path / "o.png")
    assert run(path, *arguments) == 0
    kept = kept_overviews(biggus.open(path, "kinds"), cache=cache, method="mode")
    assert {int(value) for value in np.unique(kept[1].ndarray())} <= {1, 3}


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_invalid_port(path, capsys, port) -> None:
    assert run(path, "cube", "--serve", f"--port={port}") == 2
    assert "--port" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_serves_a_page_until_interrupted(path, tmp_path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "biggus", "view", str(path), "cube", "--serve"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = re.search(r"http://127\.0\.0\.1:\d+/\S+/", process.stdout.readline())[0]
        with urllib.request.urlopen(url + "about.json", timeout=20) as answer:
            assert b'"rows": 40' in answer.read()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, error) == (130, "biggus: interrupted\n")


def test_occupied_port(path, capsys) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(path, "cube", "--serve", "--port", taken.getsockname()[1]) == 2
    assert "port" in capsys.readouterr().err
