"""`biggus info` and `biggus cache`."""

import json
import shutil

import numpy as np
import pytest

import biggus
from biggus.cli import main

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")


@pytest.fixture
def folder(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("group/data", (100, 50), "f4", chunks=(10, 50))
        data.attrs["units"] = "m s-1"
        data.attrs["levels"] = np.arange(3)
        data.attrs["name"] = b"bytes"
        file["scalar"] = 1
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        dataset.createDimension("x", 7)
        packed = dataset.createVariable("only", "i2", ("x",), fill_value=-9)
        packed.scale_factor = np.float32(0.5)
    zarr.create_array(tmp_path / "a.zarr", shape=(5, 6), chunks=(2, 3), dtype="u1")
    return tmp_path


@pytest.fixture
def run_info(capsys):
    """Return a function that runs the command and returns its output."""

    def run(*arguments):
        code = main([*map(str, arguments)])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        return captured.out

    return run


def test_lists_several_variables(folder, run_info):
    text = run_info("info", folder / "a.h5")
    assert "2 variables" in text
    (line,) = [line for line in text.splitlines() if "group/data" in line]
    assert "float32" in line
    assert "20 kB" in line
    assert "chunks 10 x 50" in line


def test_lists_the_variables_of_the_first_of_several_files(folder, run_info, tmp_path):
    shutil.copy(folder / "a.h5", tmp_path / "b.h5")
    text = run_info("info", folder / "a.h5", tmp_path / "b.h5")
    assert "2 variables" in text
    assert "and 1 more file: name a variable" in text


def test_shows_attributes_of_one_variable(folder, run_info):
    text = run_info("info", folder / "a.h5", "group/data")
    words = [line.split() for line in text.splitlines()]
    assert ["units", "m", "s-1"] in words
    assert ["name", "bytes"] in words
    assert ["levels", "[0,", "1,", "2]"] in words


def test_shows_the_only_variable(folder, run_info):
    text = run_info("info", folder / "a.nc")
    assert "x: 7" in text
    assert "float32 masked (stored as int16)" in text
    assert "scale_factor" in text


def test_raw(folder, run_info):
    (facts,) = json.loads(run_info("info", folder / "a.nc", "--raw", "--json"))["variables"]
    assert (facts["dtype"], facts["masked"]) == ("int16", False)
    assert "stored_dtype" not in facts


def test_json(folder, run_info):
    report = json.loads(run_info("info", folder / "a.h5", "--json"))
    assert report["location"] == str(folder / "a.h5")
    by_name = {facts["name"]: facts for facts in report["variables"]}
    assert by_name["group/data"] == {
        "name": "group/data",
        "shape": [100, 50],
        "dims": by_name["group/data"]["dims"],
        "dtype": "float32",
        "nbytes": 20_000,
        "chunks": [10, 50],
        "masked": False,
        "attributes": {"units": "m s-1", "levels": [0, 1, 2], "name": "bytes"},
    }
    assert by_name["scalar"]["shape"] == []


def test_json_of_a_packed_variable(folder, run_info):
    (facts,) = json.loads(run_info("info", folder / "a.nc", "only", "--json"))["variables"]
    assert (facts["dtype"], facts["stored_dtype"], facts["masked"]) == ("float32", "int16", True)
    assert facts["dims"] == ["x"]
    assert facts["attributes"]["scale_factor"] == 0.5


def test_shows_decoding_of_hdf5_variables(folder, run_info):
    with h5py.File(folder / "b.h5", "w") as file:
        rain = file.create_dataset("rain", data=np.array([1, -9], "i2"))
        rain.attrs["_FillValue"], rain.attrs["scale_factor"] = np.int16(-9), 0.5
    (facts,) = json.loads(run_info("info", folder / "b.h5", "--json"))["variables"]
    assert (facts["dtype"], facts["stored_dtype"], facts["masked"]) == ("float64", "int16", True)
    assert facts["decoded"] == {"missing": [-9], "scale_factor": 0.5}
    words = [line.split() for line in run_info("info", folder / "b.h5").splitlines()]
    assert ["decoded", "by", "missing", "-9;", "scale_factor", "0.5"] in words
    (facts,) = json.loads(run_info("info", folder / "b.h5", "--json", "--raw"))["variables"]
    assert (facts["dtype"], facts["masked"], "decoded" in facts) == ("int16", False, False)


def test_zarr(folder, run_info):
    (facts,) = json.loads(run_info("info", folder / "a.zarr", "--json"))["variables"]
    assert (facts["shape"], facts["chunks"], facts["dtype"]) == ([5, 6], [2, 3], "uint8")


def test_tile_template_needs_no_requests(run_info, tmp_path):
    pytest.importorskip("urllib3")
    template = "http://127.0.0.1:9/{z}/{x}/{y}.png"
    text = run_info("info", template, "--zoom", 9, "--no-cache")
    assert "131072" in text
    assert "51.54 GB" in text


def test_removed_file_is_described_from_the_cache(folder, run_info, capsys):
    cache = folder / "cache"
    arguments = ["info", folder / "a.nc", "--cache", cache, "--json"]
    before = run_info(*arguments, "only")
    (folder / "a.nc").unlink()
    for name in (["only"], []):
        assert main([*map(str, arguments), *name]) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out) == json.loads(before)
        assert captured.err.startswith("biggus: warning: ")


def test_cache_info_list_and_clear(tmp_path, run_info):
    values = np.arange(1000, dtype="f8")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", data=values, chunks=(100,))
    folder = tmp_path / "cache"
    cache = biggus.Cache(folder)
    # The token says that the values do not change.
    biggus.ArrayAdapter(values, chunks=(100,), token="numbers", cache=cache)[:250].ndarray()
    cache.close()
    run_info("info", tmp_path / "a.h5", "v", "--cache", folder)
    words = run_info("cache", "info", "--path", folder).split()
    assert words[0] == str(folder)
    assert words[words.index("chunks") + 1] == "3"
    assert words[words.index("variables") + 1] == "1"
    listed = run_info("cache", "list", "--path", folder).split()
    assert listed[:5] == [str(tmp_path / "a.h5"), "v", "1000", "float64", "8"]
    assert "3 chunks removed" in run_info("cache", "clear", "--path", folder)
    words = run_info("cache", "info", "--path", folder).split()
    assert words[words.index("chunks") + 1] == "0"
    assert "no variables" in run_info("cache", "list", "--path", folder)


def test_default_cache_follows_the_environment(run_info, monkeypatch, tmp_path):
    monkeypatch.setenv("BIGGUS_CACHE_DIR", str(tmp_path / "mine"))
    assert run_info("cache", "info").startswith(str(tmp_path / "mine"))


@pytest.mark.parametrize("action", ["info", "list", "clear"])
def test_cache_commands_refuse_other_folders(action, tmp_path, capsys):
    (tmp_path / "precious").write_text("mine")
    assert main(["cache", action, "--path", str(tmp_path)]) == 1
    assert main(["cache", action, "--path", str(tmp_path / "new")]) == 1
    assert capsys.readouterr().err.count("\n") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("suffix", ["h5", "nc", "zarr"])
def test_file_of_many_variables_is_opened_once(tmp_path, run_info, monkeypatch, suffix):
    from biggus.backends.hdf5 import files as hdf5_files
    from biggus.backends.netcdf import files as netcdf_files
    from biggus.backends.zarr import metadata

    names = [f"v{number}" for number in range(50)]
    path = tmp_path / f"a.{suffix}"
    arrays = [biggus.ArrayAdapter(np.full(4, number)) for number in range(50)]
    biggus.save(arrays, [f"{path}::{name}" for name in names])
    calls = []
    for module, function in (
        (hdf5_files, "_open"),
        (netcdf_files, "_open"),
        (metadata, "_read_json"),
    ):
        plain = getattr(module, function)

        def counted(*given, plain=plain, label=module.__name__):
            calls.append(label)
            return plain(*given)

        monkeypatch.setattr(module, function, counted)
    pools = hdf5_files.files, netcdf_files.datasets
    others = [set(pool.open_keys()) for pool in pools]  # held by arrays not yet collected
    facts_of_all = json.loads(run_info("info", path, "--json"))["variables"]
    assert sorted(facts["name"] for facts in facts_of_all) == sorted(names)
    if suffix == "zarr":  # format, array and attributes of each variable, and the listing
        assert len(calls) <= 3 * len(names) + 2
    else:
        assert len(calls) == len(set(calls)) <= 2
    for pool, before in zip(pools, others, strict=True):
        assert set(pool.open_keys()) <= before


@pytest.mark.parametrize("records", [None, 3])
def test_info_of_netcdf_reads_no_values_and_opens_no_hdf5(tmp_path, run_info, monkeypatch, records):
    import netCDF4

    from biggus.backends.hdf5 import files as hdf5_files
    from biggus.backends.netcdf import dimensions, source, stored

    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("t", records)
        file.createDimension("x", 4)
        for number in range(20):
            variable = file.createVariable(f"v{number}", "i2", ("t", "x"), fill_value=-9)
            variable.scale_factor = 0.5
        file["v7"][:3] = 1  # if t is unlimited, the other variables are shorter

    def refuse(*given):
        raise AssertionError(f"called with {given}")

    created, facts_of = [], dimensions.DimensionFacts
    for module, name in ((hdf5_files, "_open"), (stored, "end_of"), (source, "read_packed")):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(
        dimensions, "DimensionFacts", lambda *args: created.append(args) or facts_of(*args)
    )
    assert run_info("info", tmp_path / "a.nc").count("t: 3, x: 4") == 20
    assert created == [("t", 3, records is None), ("x", 4, False)]
    facts_of_all = json.loads(run_info("info", tmp_path / "a.nc", "--json"))["variables"]
    assert [facts["decoded"]["scale_factor"] for facts in facts_of_all] == [0.5] * 20
    assert len(created) == 4
    assert not dimensions._known


def test_structured_dtype_is_shown_without_offsets(tmp_path, capsys):
    dtype = np.dtype([("a", "i1"), ("b", "f8", (2,))], align=True)
    np.save(tmp_path / "a.npy", np.zeros(3, dtype))
    assert main(["info", str(tmp_path / "a.npy")]) == 0
    assert "{a: int8, b: ('<f8', (2,))}" in capsys.readouterr().out
