"""Errors about packages of extras that are missing or broken."""

import pickle
import subprocess
import sys
from importlib.util import find_spec

import pytest

from biggus.errors import MissingDependencyError
from biggus.support.extras import needing

USES = {
    "h5py": "biggus.open('a.h5', 'v')",
    "netCDF4": "biggus.open('a.nc', 'v')",
    "zarr": "biggus.open('a.zarr', 'v')",
    "fsspec": "biggus.open('s3://bucket/a.zarr', 'v', cache=False)",
    "urllib3": ("biggus.open('http://127.0.0.1:9/{z}/{x}/{y}.png', zoom=0, cache=False).ndarray()"),
    "PIL": (
        "from biggus.backends.tiles.image import decode_image; "
        "decode_image(b'', 256, 3, np.dtype('u1'))"
    ),
    "tqdm": "biggus.set_options(progress=True); a.mean().ndarray()",
    "hypothesis": "from biggus.testing.strategies import boxes; boxes((3,))",
    "xarray": "import biggus.xarray",
    "matplotlib": "from biggus.cli.demo.story import require_packages as r; r()",
}
SAVES = {
    "h5py": "biggus.save([a], ['out.h5::v'])",
    "netCDF4": "biggus.save([a], ['out.nc::v'])",
    "zarr": "biggus.save([a], ['out.zarr'])",
}
BROKEN = [
    "ImportError('libsomething.so.7: cannot open shared object file')",
    "ValueError('numpy.dtype size changed,\\n may indicate binary incompatibility')",
    "AttributeError('no attribute that it wants')",
    "ModuleNotFoundError('no module that it stands on', name='numcodecs')",
    "OSError('a library is cut short')",
]
SCRIPT = """
import importlib.abc, importlib.util, sys
import numpy as np
import biggus
from biggus.errors import MissingDependencyError

class Breaks(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == {package!r} else None

    def exec_module(self, module):
        raise failure

sys.meta_path.insert(0, Breaks())
a = biggus.ArrayAdapter(np.zeros(3))
for failure in [{broken}]:
    for name in [name for name in sys.modules if name.partition(".")[0] == {package!r}]:
        del sys.modules[name]
    try:
        {use}
    except MissingDependencyError as error:
        assert error.failure is not None
        print(error)
"""


def run(folder, package, use):
    (folder / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (folder / "a.nc").write_bytes(b"CDF\x01" + bytes(28))
    (folder / "a.zarr").mkdir()
    (folder / "a.zarr/.zgroup").write_text('{"zarr_format": 2}')
    (folder / "a.zarr/v").mkdir()
    (folder / "a.zarr/v/.zarray").write_text(
        '{"zarr_format": 2, "shape": [3], "chunks": [3], "dtype": "<f8", "compressor": null,'
        ' "fill_value": 0, "order": "C", "filters": null}'
    )
    code = SCRIPT.format(package=package, broken=", ".join(BROKEN), use=use)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.machine
@pytest.mark.parametrize(
    ("package", "use"),
    [*USES.items(), *SAVES.items()],
)
def test_broken_package_error_names_the_package(tmp_path, package, use):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    lines = run(tmp_path, package, use)
    assert len(lines) == len(BROKEN)
    for line, failure in zip(lines, BROKEN, strict=True):
        assert f"the package {package}, which is installed and cannot be imported: " in line
        assert failure.partition("(")[0] in line


def test_missing_package_error_suggests_the_extra():
    with (
        pytest.raises(MissingDependencyError, match=r"pip install 'biggus\[zarr\]'") as caught,
        needing("no_such_package", "zarr", "this"),
    ):
        import no_such_package  # noqa: F401
    assert caught.value.failure is None


def test_missing_dependency_error_pickles():
    for failure in (None, "ValueError: why"):
        error = MissingDependencyError("zarr", "zarr", "this", failure)
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), copy.failure) == (str(error), failure)


@pytest.mark.machine
@pytest.mark.parametrize("package", ["deflate", "tqdm"])
def test_broken_optional_packages_are_ignored(tmp_path, package):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    use = {
        "deflate": "import zlib; from biggus.codecs.deflate import inflate, _inflater; "
        "_inflater.cache_clear(); print(bytes(inflate(zlib.compress(b'x'), 1)))",
        "tqdm": "from biggus.cli.bars import progress_bar; sys.stderr.isatty = lambda: True; "
        "bar = progress_bar(); print(bar.__enter__())",
    }[package]
    expected = {"deflate": "b'x'", "tqdm": "None"}[package]
    assert run(tmp_path, package, use) == [expected] * len(BROKEN)
