"""The imports of biggus: which room may use which, and which packages must stay unloaded.

The rooms are declared once, in `LEVELS`.  Everything else here reads the source
with `ast`, imports inside functions included, and compares.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from imports import (
    Import,
    forbidden_imports,
    import_circles,
    imports_in,
    modules_in,
    room_of,
    runtime_cycle,
    third_party_root,
    write_package,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "biggus"

LEVELS: tuple[tuple[str, ...], ...] = (
    ("support",),
    ("file_locks", "forks", "indexable", "once", "reasons", "within"),
    ("similar",),
    ("errors", "hidden_warnings"),
    ("lazy_imports",),
    ("extras",),
    ("options",),
    ("deadlines",),
    ("progress", "recent", "single_flight", "threads", "watching"),
    ("indexing",),
    ("sources",),
    ("cf", "codecs", "statistics"),
    ("cache", "backends", "graph"),
    ("caching",),
    ("adapt",),
    ("expressions",),
    ("reductions",),
    ("planning",),
    ("engine",),
    ("labels",),
    ("array",),
    ("construct", "together"),
    ("array_api", "functions"),
    ("core",),
    ("sinks",),
    ("remembering",),
    ("api",),
    ("datasets", "prefetching", "pyramids", "study"),
    ("many",),
    ("pinning",),
    ("viewer", "xarray"),
    ("__init__",),
    ("cli", "testing"),
    ("__main__",),
)
"""From the bottom up.  A room imports only rooms of the lines before its own:
never one further down, and never its neighbour on the same line."""

LIGHT = frozenset({"numpy"})
"""Packages that modules of biggus may import on loading, besides the standard library."""

LIGHT_IN = {
    "testing": frozenset({"numpy", "hypothesis", "pytest"}),
    "viewer": frozenset({"numpy", "matplotlib"}),
    "xarray": frozenset({"numpy", "xarray"}),
}
"""Rooms that users import only with further packages installed."""

HEAVY = frozenset(
    {
        *("PIL", "cftime", "dask", "diskcache", "fsspec", "h5py", "hypothesis", "imageio_ffmpeg"),
        *("iris_sample_data",),
        *(
            "matplotlib",
            "mercantile",
            "mpl_toolkits",
            "netCDF4",
            "numcodecs",
            "pandas",
            "platformdirs",
            "xxhash",
            "pytest",
        ),
        *("scipy", "tensorstore", "tqdm", "urllib3", "xarray", "zarr"),
    }
)
"""Packages that `import biggus` must not load, listed for a readable message."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "mpl_toolkits": "basemap-data",
    "iris_sample_data": "iris-sample-data",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "netCDF4": "netcdf4",
}
"""Names of distributions that differ from their import names."""


OF_ONE_THING = (
    {f"biggus.graph.{name}" for name in ("base", "identifying", "pickling", "pieces")},
    {f"biggus.array.{name}" for name in ("array", "methods", "missing", "operators", "statistics")},
    {"biggus.cache.cache", "biggus.cache.cached"},
)
"""Modules that refer to each other's types: a node and its pieces, the parts of one class, a cache
and its entries.  Add no others."""

# -- What must hold -------------------------------------------------------------------


def loaded_early(imports: Iterable[Import], root: str) -> list[str]:
    """Return a sentence for each third-party import that runs when its module loads."""
    return [
        f"{item.module}, line {item.line}: imports {name} on loading; "
        "import it inside the function that uses it"
        for item in imports
        if item.on_load
        and (name := third_party_root(item, root))
        and name not in LIGHT_IN.get(room_of(item.module), LIGHT)
    ]


def undeclared(imports: Iterable[Import], root: str, declared: Iterable[str]) -> list[str]:
    """Return a sentence for each third-party import that no requirement covers."""
    names = {normal(name) for name in declared}
    return [
        f"{item.module}, line {item.line}: imports {name}, which neither the core "
        "dependencies nor an extra in pyproject.toml brings"
        for item in imports
        if not item.typing_only
        and (name := third_party_root(item, root))
        and normal(DISTRIBUTIONS.get(name, name)) not in names
    ]


def normal(name: str) -> str:
    """Return the normal form of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> dict[str, set[str]]:
    """Return the distributions of each extra; those of the core are under ``""``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}

    def brought(extra: str) -> set[str]:
        names: set[str] = set()
        for line in groups[extra]:
            if inner := re.fullmatch(r"biggus\[([\w,-]+)\]", line):
                names.update(*map(brought, inner[1].split(",")))
            else:
                names.add(normal(re.match(r"[\w.-]+", line)[0]))
        return names

    return {extra: brought(extra) for extra in groups}


# -- biggus as it is --------------------------------------------------------------------


@pytest.fixture(scope="module")
def biggus_imports() -> list[Import]:
    imports = imports_in(PACKAGE)
    assert len({item.module for item in imports}) > 10, "the checker has lost sight of biggus"
    return imports


@pytest.mark.machine
def test_rooms_import_only_rooms_below(biggus_imports: list[Import]) -> None:
    wrong = forbidden_imports(biggus_imports, LEVELS, "biggus")
    assert not wrong, "\n".join(wrong)


def test_declared_rooms_exist() -> None:
    there = {room_of(module) for module in modules_in(PACKAGE)}
    declared = {room for level in LEVELS for room in level}
    assert declared == there


def test_overview_lists_the_same_rooms() -> None:
    text = (ROOT / "docs" / "design" / "overview.md").read_text(encoding="utf-8")
    table = text.partition("<!-- rooms -->")[2].lstrip().partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    rooms = [tuple(re.findall(r"`(\w+)`", cell)) for cell in cells]
    assert rooms == [level for level in LEVELS if not level[0].startswith("__")]


@pytest.mark.machine
def test_no_circular_imports(biggus_imports: list[Import]) -> None:
    cycle = runtime_cycle(biggus_imports, "biggus")
    assert cycle is None, "a circle of imports: " + " -> ".join(cycle or ())


@pytest.mark.machine
def test_circular_type_imports_are_declared(biggus_imports: list[Import]) -> None:
    circles = import_circles(biggus_imports, "biggus")
    assert [circle for circle in circles if not any(circle <= one for one in OF_ONE_THING)] == []


@pytest.mark.machine
def test_modules_load_only_numpy(biggus_imports: list[Import]) -> None:
    early = loaded_early(biggus_imports, "biggus")
    assert not early, "\n".join(early)


@pytest.mark.machine
def test_imports_are_declared_dependencies(biggus_imports: list[Import]) -> None:
    declared = set().union(*requirements().values())
    missing = undeclared(biggus_imports, "biggus", declared)
    assert not missing, "\n".join(missing)


@pytest.mark.machine
def test_missing_dependency_errors_name_the_right_extra() -> None:
    brought = requirements()
    seen = 0
    for module, path in modules_in(PACKAGE).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and len(node.args) == 3):
                continue
            if ast.unparse(node.func) not in {"needing", "MissingDependencyError"}:
                continue
            package, extra = node.args[:2]
            if isinstance(package, ast.Constant) and isinstance(extra, ast.Constant):
                seen += 1
                name = normal(DISTRIBUTIONS.get(package.value, package.value))
                assert name in brought.get(extra.value, ()), (
                    f"{module}, line {node.lineno}: the extra {extra.value!r} brings no {name}"
                )
    assert seen, "no package is needed by a name that can be read"


def loaded_by(statement: str) -> set[str]:
    """Return the root packages that a fresh interpreter has loaded after `statement`."""
    script = (
        f"{statement}\nimport sys, json\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_import_biggus_loads_only_itself() -> None:
    assert loaded_by("import biggus") - loaded_by("import sys") - sys.stdlib_module_names == {
        "biggus"
    }
    script = "import biggus, sys; print([m for m in sys.modules if m.startswith('biggus')])"
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == [
        *("biggus.support", "biggus.support.forks", "biggus.support.lazy_imports", "biggus"),
    ]


def test_first_array_loads_only_numpy() -> None:
    loaded = loaded_by("import biggus; biggus.ArrayAdapter")
    assert loaded - loaded_by("import numpy") - sys.stdlib_module_names == {"biggus"}


def test_first_array_does_not_load_numpy_ma() -> None:
    """numpy.ma takes an eighth of NumPy's import time; newer NumPy loads it late."""
    found = []
    for statement in ("import numpy", "import biggus; biggus.ArrayAdapter"):
        script = f"{statement}; import sys; print('numpy.ma' in sys.modules)"
        command = [sys.executable, "-P", "-c", script]
        found.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found[0] == found[1]


def test_all_modules_load_only_numpy() -> None:
    modules = [name for name in modules_in(PACKAGE) if room_of(name) not in LIGHT_IN]
    runnable = [name for name in modules if not name.endswith(".__main__")]
    loaded = loaded_by("\n".join(f"import {name}" for name in runnable))
    assert not loaded & HEAVY
    assert loaded - loaded_by("import numpy") - sys.stdlib_module_names == {"biggus"}


# -- The checkers can fail ----------------------------------------------------------------


BAD_LEVELS = (("low",), ("left", "right"), ("high",), ("__init__",))


def test_upward_imports_of_every_form_are_found(tmp_path: Path) -> None:
    imports = write_package(
        tmp_path,
        low="import bad.high\nfrom bad import high\nfrom bad.high import x\nfrom . import high\n"
        "from .high import x\n"
        "def f():\n    import bad.high\n"
        "class C:\n    async def f(self):\n        from .high import x\n"
        "try:\n    import bad.high\nexcept ImportError:\n    pass\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from bad.high import x\n",
    )
    wrong = forbidden_imports(imports, BAD_LEVELS, "bad")
    assert [re.search(r"line (\d+)", sentence)[1] for sentence in wrong] == [
        *"12345",
        *("7", "10", "12", "17"),
    ]
    assert all("low imports high" in sentence for sentence in wrong)


def test_imports_of_neighbours_and_of_the_package_are_found(tmp_path: Path) -> None:
    imports = write_package(
        tmp_path, left="import bad.right", high="import bad.left", right="import bad"
    )
    assert forbidden_imports(imports, BAD_LEVELS, "bad") == [
        "bad.left, line 1: left imports right, its neighbour on the same level",
        "bad.right, line 1: right imports __init__, which stands on it (wrong way)",
    ]


def test_undeclared_rooms_are_found(tmp_path: Path) -> None:
    imports = write_package(tmp_path, high="import bad.low", left="import bad.high")
    wrong = forbidden_imports(imports, (("low",), ("left",)), "bad")
    assert len(wrong) == 2
    assert all("LEVELS" in sentence for sentence in wrong)


def test_circular_imports_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    late = "def f():\n    from bad import left\n"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from bad import left\n"
    circle = runtime_cycle(
        write_package(tmp_path / "a", left="import bad.right", right=late), "bad"
    )
    assert circle is not None
    assert set(circle) == {"bad.left", "bad.right"}
    known = write_package(
        tmp_path / "b", left="import bad.right", right=typed, high="import bad.left"
    )
    assert runtime_cycle(known, "bad") is None
    assert import_circles(known, "bad") == [{"bad.left", "bad.right"}]
    (tmp_path / "c").mkdir()
    one_way = write_package(
        tmp_path / "c", left="import bad.right", right="import bad.low", high=typed
    )
    assert import_circles(one_way, "bad") == []


def test_early_and_undeclared_imports_are_found(tmp_path: Path) -> None:
    imports = write_package(
        tmp_path,
        low="import numpy\nimport PIL.Image\nfrom collections import deque",
        high="def f():\n    import PIL\n    import strange",
    )
    (early,) = loaded_early(imports, "bad")
    assert early.startswith("bad.low, line 2: imports PIL")
    (missing,) = undeclared(imports, "bad", {"numpy", "Pillow"})
    assert missing.startswith("bad.high, line 3: imports strange")
