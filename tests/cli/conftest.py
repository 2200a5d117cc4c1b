"""Fixtures of the tests of `biggus get`."""

import pytest

from biggus.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from get_stores import write_stores  # needs h5py and netCDF4

    made = tmp_path_factory.mktemp("stores")
    write_stores(made)
    return made


@pytest.fixture
def get(folder, tmp_path, capsys):
    """Return a function that runs `biggus get`, checks its output, and returns the written path."""

    def run(store, selection, name="out.npy", *arguments):
        out = tmp_path / name
        code = main(["get", str(folder / store), selection, "-o", str(out), *arguments])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        assert captured.out.startswith(str(out))
        assert list(tmp_path.iterdir()) == [out]
        run.output = captured.out
        return out

    return run


@pytest.fixture
def refused(folder, tmp_path, capsys):
    """Return a function that runs `biggus get`, which must fail and leave no files."""

    def run(store, selection, name="out.npy", *arguments):
        assert (
            main(["get", str(folder / store), selection, "-o", str(tmp_path / name), *arguments])
            == 1
        )
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        return captured.err

    return run
