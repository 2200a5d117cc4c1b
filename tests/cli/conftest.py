"""Fixtures of tests of `biggus get`."""

import pytest

from biggus.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from get_stores import write_stores  # which needs libraries of formats

    made = tmp_path_factory.mktemp("stores")
    write_stores(made)
    return made


@pytest.fixture
def get(folder, tmp_path, capsys):
    """Return a function that runs the command and gives the path that it wrote."""

    def run(store, selection, name="out.npy", *arguments):
        out = tmp_path / name
        code = main(["get", str(folder / store), selection, "-o", str(out), *arguments])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        assert captured.out.startswith(str(out))
        assert list(tmp_path.iterdir()) == [out]
        run.said = captured.out
        return out

    return run


@pytest.fixture
def refused(folder, tmp_path, capsys):
    """Return a function that runs the command, which must refuse and leave nothing."""

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
