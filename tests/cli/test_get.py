"""`biggus get`: keys select like NumPy, and an output file is complete or absent."""

import os
import subprocess
import sys

import numpy as np
import pytest
from file_size import file_size_limit
from get_stores import NUMBERS
from hypothesis import given, settings
from hypothesis import strategies as st

from biggus.cli import main
from biggus.indexing.keys import numpy_selection
from biggus.labels.rules import names_through

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")
image_module = pytest.importorskip("PIL.Image")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ...),
        ("[...]", ...),
        ("[3]", 3),
        ("[-1, ::-1]", np.s_[-1, ::-1]),
        ("[1:5:2, ..., -1]", np.s_[1:5:2, ..., -1]),
        ("[[0, 5], :, [1, 2]]", np.s_[[0, 5], :, [1, 2]]),
        ("[:, None, 2]", np.s_[:, None, 2]),
        (
            "[[True, False, True, False, False, True]]",
            np.s_[[True, False, True, False, False, True]],
        ),
        ("[2, 2, 2]", np.s_[2, 2, 2]),
        ("[3:3]", np.s_[3:3]),
        ("[5:0:-2, 1]", np.s_[5:0:-2, 1]),
    ],
)
def test_key_selects_like_numpy(text, key, get):
    values = np.load(get("a.h5", f"numbers{text}"))
    expected = NUMBERS[key]
    assert values.dtype == expected.dtype
    assert values.shape == expected.shape
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("words", [("a.h5::numbers[3]",), ("a.h5::numbers", "[3]")])
def test_variable_and_key_after_the_location(words, folder, tmp_path):
    location, *selection = words
    out = tmp_path / "out.npy"
    assert main(["get", str(folder / location), *selection, "-o", str(out)]) == 0
    assert np.array_equal(np.load(out), NUMBERS[3])


def test_naming_a_variable_twice_fails(refused):
    assert "named twice" in refused("a.h5::numbers[3]", "numbers[3]")


def test_existing_output_needs_force(folder, tmp_path, capsys):
    out = tmp_path / "out.npy"
    out.write_text("mine")
    arguments = ["get", str(folder / "a.h5"), "grey", "-o", str(out)]
    assert main(arguments) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert np.load(out).shape == (6, 5)


def test_force_replaces_a_whole_store(folder, tmp_path):
    out = tmp_path / "out.zarr"
    for key in ("[0]", "[:2]"):
        arguments = ["get", str(folder / "a.h5"), f"numbers{key}", "-o", str(out), "--force"]
        assert main(arguments) == 0
    assert zarr.open_group(out, mode="r")["numbers"].shape[0] == 2
    assert main(["get", str(folder / "a.h5"), "grey", "-o", str(out), "--force"]) == 1
    assert list(tmp_path.iterdir()) == [out]


def test_folder_that_is_not_a_store_is_never_replaced(folder, tmp_path, capsys):
    out = tmp_path / "out.zarr"
    out.mkdir()
    (out / "precious").write_text("mine")
    assert main(["get", str(folder / "a.h5"), "grey", "-o", str(out), "--force"]) == 1
    assert (out / "precious").read_text() == "mine"


def test_existing_output_stays_after_an_error(folder, tmp_path, capsys):
    out = tmp_path / "out.npy"
    out.write_text("mine")
    assert main(["get", str(folder / "a.nc"), "counts", "-o", str(out), "--force"]) == 1
    assert out.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


def test_input_is_never_replaced(tmp_path, capsys):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("x", 3)
        dataset.createVariable("v", "i4", ("x",))[:] = 1
    before = path.read_bytes()
    assert main(["get", str(path), "v", "-o", str(path), "--force"]) == 1
    link = tmp_path / "link.nc"
    link.symlink_to(path)
    assert main(["get", str(link), "v", "-o", str(path), "--force"]) == 1
    assert path.read_bytes() == before


def test_failed_write_leaves_no_files(folder, tmp_path, capsys, monkeypatch):
    def fail_without_space(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_2_0", fail_without_space)
    assert main(["get", str(folder / "a.h5"), "grey", "-o", str(tmp_path / "out.npy")]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.machine
@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
@pytest.mark.parametrize("name", ["out.npy", "out.png", "out.nc", "out.zarr"])
def test_file_size_limit_leaves_no_files(name, tmp_path):
    store = tmp_path / "in.h5"
    with h5py.File(store, "w") as file:
        file["noise"] = np.random.default_rng(0).integers(0, 256, (1000, 1000), dtype="u1")
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "biggus", "get", store, "noise", "-o", name],
        check=False,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=60,
        **file_size_limit(50_000),
    )
    assert done.returncode == 1
    # Old versions of other packages may warn of each other.
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("biggus")]
    assert message.startswith("biggus: error: cannot write")
    assert "Traceback" not in done.stderr
    assert list(work.iterdir()) == []


def test_tilde_is_expanded(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(folder))
    assert main(["get", "~/a.h5", "grey", "-o", str(tmp_path / "out.npy")]) == 0
    assert (tmp_path / "out.npy").exists()


keys = st.lists(
    st.one_of(
        st.integers(0, 1),
        st.just(slice(None)),
        st.just(slice(None, None, -1)),
        st.none(),
        st.just([0, 1]),
    ),
    max_size=4,
).filter(lambda key: sum(k is not None for k in key) <= 3)


@settings(max_examples=2 * settings.default.max_examples)
@given(keys)
def test_dims_keep_names_through_selections(key):
    shape = (2, 3, 4)
    named = names_through(numpy_selection(tuple(key), shape), ("a", "b", "c"))
    # The positions along an axis change along the dim that has its name, and no other.
    selected = [np.broadcast_to(i, shape)[tuple(key)] for i in np.ogrid[:2, :3, :4]]
    assert len(named) == selected[0].ndim
    for dim, name in enumerate(named):
        if name is not None:
            positions = np.moveaxis(selected["abc".index(name)], dim, 0)
            assert len(positions) < 2 or (positions[0] != positions[1]).all()
    lists = sum(isinstance(k, list) for k in key)
    if not lists:
        kept = [
            "abc"[i] for i, k in enumerate(k for k in key if k is not None) if isinstance(k, slice)
        ]
        rest = 3 - sum(k is not None for k in key)
        assert [n for n in named if n is not None] == kept + list("abc")[3 - rest :]
