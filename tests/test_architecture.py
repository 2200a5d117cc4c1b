"""The imports of biggus: which room may use which, and what must stay unloaded.

The rooms are declared once, in `LEVELS`.  Everything else here reads the source
with `ast`, imports inside functions included, and compares.
"""

from __future__ import annotations

import ast
import graphlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "biggus"

LEVELS: tuple[tuple[str, ...], ...] = (
    ("support",),
    ("forks", "once", "within"),
    ("errors",),
    ("later",),
    ("extras",),
    ("options",),
    ("deadlines",),
    ("flight", "progress", "threads", "watching"),
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
    ("datasets", "many", "prefetching", "pyramids", "study"),
    ("pinning",),
    ("viewer", "xarray"),
    ("__init__",),
    ("cli", "testing"),
    ("__main__",),
)
"""From the bottom up.  A room imports only rooms of the lines before its own:
never one further down, and never its neighbour on the same line."""

LIGHT = frozenset({"numpy"})
"""What may be imported while a module of biggus loads, besides the standard library."""

LIGHT_IN = {
    "testing": frozenset({"numpy", "hypothesis", "pytest"}),
    "viewer": frozenset({"numpy", "matplotlib"}),
    "xarray": frozenset({"numpy", "xarray"}),
}
"""Rooms that are only imported by who has more."""

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
"""What `import biggus` must not load, said outright for a readable message."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "mpl_toolkits": "basemap-data",
    "iris_sample_data": "iris-sample-data",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "netCDF4": "netcdf4",
}
"""Names of packages that differ from what they are imported as."""


OF_ONE_THING = (
    {f"biggus.graph.{name}" for name in ("base", "identifying", "packing", "pieces")},
    {
        f"biggus.array.{name}"
        for name in ("array", "methods", "missing", "operators", "standard", "statistics")
    },
    {"biggus.cache.cache", "biggus.cache.cached"},
)
"""Modules that speak of each other's types: a node and its pieces, the parts of one class, a cache
and what is cached.  There are to be no more of them."""

OF_NO_MODULE = {
    "test_architecture": "reads the imports of all modules",
    "test_benchmarks": "benchmarks, which lie beside the package",
    "test_contributing": "the example in CONTRIBUTING.md",
    "test_docs": "examples and links in the documents",
    "test_fake_plugin": "a package of somebody else's",
    "fake_plugin/tests/test_grid": "the tests of that package, as its author has them",
    "test_packaging": "what pyproject.toml, tox.ini and the like say of one another",
    "test_reference": "the pages of the reference",
    "test_tutorial": "the notebook in the guide",
}
"""Files of tests that are named after no module, and what they are of."""


class Import(NamedTuple):
    """One import statement: who imports what, where, and when."""

    module: str
    target: str
    line: int
    typing_only: bool
    on_load: bool


# -- Reading a tree of modules ------------------------------------------------------


def modules_in(package: Path) -> dict[str, Path]:
    """Return the modules under the folder `package` by dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_in(package: Path) -> list[Import]:
    """Return every import of every module under the folder `package`."""
    modules = modules_in(package)
    found = []
    for module, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        base = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node, typing_only, on_load in walk(tree, typing_only=False, on_load=True):
            for target in targets_of(node, base, modules):
                found.append(Import(module, target, node.lineno, typing_only, on_load))
    return found


def walk(
    node: ast.AST, *, typing_only: bool, on_load: bool
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    """Yield the import statements under `node`, and when they are run."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, typing_only, on_load
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.body:
            yield from walk(child, typing_only=True, on_load=False)
        for child in node.orelse:
            yield from walk(child, typing_only=typing_only, on_load=on_load)
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        on_load = False
    for child in ast.iter_child_nodes(node):
        yield from walk(child, typing_only=typing_only, on_load=on_load)


def targets_of(
    node: ast.Import | ast.ImportFrom, base: str, modules: Iterable[str]
) -> Iterator[str]:
    """Yield the absolute names of the modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    origin = node.module or ""
    if node.level:
        parent = base.split(".")[: len(base.split(".")) - node.level + 1]
        origin = ".".join([*parent, origin] if origin else parent)
    for alias in node.names:
        submodule = f"{origin}.{alias.name}"
        yield submodule if submodule in modules else origin


def room_of(module: str) -> str:
    """Return the room of a module: the name after ``biggus.``; those in ``support`` are rooms."""
    parts = module.split(".")
    if parts[1:2] == ["support"]:
        parts = ["", *(parts[2:] or parts[1:])]
    return parts[1] if len(parts) > 1 else "__init__"


# -- What must hold -------------------------------------------------------------------


def wrong_arrows(
    imports: Iterable[Import], levels: tuple[tuple[str, ...], ...], root: str
) -> list[str]:
    """Return a sentence for each import that runs against `levels`.

    Imports for type checkers count too: what a room's signatures speak of, it knows.
    """
    level_of = {room: number for number, level in enumerate(levels) for room in level}
    wrong = []
    for item in imports:
        room = room_of(item.module)
        where = f"{item.module}, line {item.line}"
        if room not in level_of:
            wrong.append(f"{where}: the room {room!r} is not in LEVELS; give it a place there")
        elif item.target == root or item.target.startswith(f"{root}."):
            other = room_of(item.target)
            if other == room:
                continue
            if other not in level_of:
                wrong.append(f"{where}: imports {item.target}, whose room is not in LEVELS")
            elif level_of[other] == level_of[room]:
                wrong.append(f"{where}: {room} imports {other}, its neighbour on the same level")
            elif level_of[other] > level_of[room]:
                wrong.append(f"{where}: {room} imports {other}, which stands on it (wrong way)")
    return wrong


def circles_in(imports: Iterable[Import], root: str) -> list[set[str]]:
    """Return the sets of modules that stand on one another, by imports of whatever kind.

    Imports inside functions count, and those for type checkers.
    """
    on: dict[str, set[str]] = {}
    for item in imports:
        if item.target.partition(".")[0] == root:
            on.setdefault(item.module, set()).add(item.target)
            on.setdefault(item.target, set())
    reached = {module: set(targets) for module, targets in on.items()}
    for between in on:
        for targets in reached.values():
            if between in targets:
                targets.update(reached[between])
    circles: list[set[str]] = []
    for module, targets in reached.items():
        circle = {other for other in targets if module in reached[other]}
        if circle and circle not in circles:
            circles.append(circle)
    return circles


def cycle_in(imports: Iterable[Import], root: str) -> list[str] | None:
    """Return the modules along one circle of imports that are run, or None if there is none.

    Imports inside functions count; those for type checkers do not.
    """
    graph: dict[str, set[str]] = {}
    for item in imports:
        if not item.typing_only and item.target.partition(".")[0] == root:
            graph.setdefault(item.module, set()).add(item.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return None


def foreign(item: Import, root: str) -> str | None:
    """Return the root of the third-party package that is imported, or None."""
    name = item.target.partition(".")[0]
    return None if name == root or name in sys.stdlib_module_names else name


def loaded_early(imports: Iterable[Import], root: str) -> list[str]:
    """Return a sentence for each third-party import that runs when its module loads."""
    return [
        f"{item.module}, line {item.line}: imports {name} on loading; "
        "import it inside the function that uses it"
        for item in imports
        if item.on_load
        and (name := foreign(item, root))
        and name not in LIGHT_IN.get(room_of(item.module), LIGHT)
    ]


def undeclared(imports: Iterable[Import], root: str, declared: Iterable[str]) -> list[str]:
    """Return a sentence for each third-party import that no requirement brings."""
    names = {normal(name) for name in declared}
    return [
        f"{item.module}, line {item.line}: imports {name}, which neither the core "
        "dependencies nor an extra in pyproject.toml brings"
        for item in imports
        if not item.typing_only
        and (name := foreign(item, root))
        and normal(DISTRIBUTIONS.get(name, name)) not in names
    ]


def normal(name: str) -> str:
    """Return the normal form of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> dict[str, set[str]]:
    """Return the distributions that each extra brings; the core's are under ``""``."""
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
def test_every_room_imports_only_what_is_below_it(biggus_imports: list[Import]) -> None:
    wrong = wrong_arrows(biggus_imports, LEVELS, "biggus")
    assert not wrong, "\n".join(wrong)


def test_every_room_that_is_declared_exists() -> None:
    there = {room_of(module) for module in modules_in(PACKAGE)}
    declared = {room for level in LEVELS for room in level}
    assert declared == there


def test_the_overview_lists_the_same_rooms() -> None:
    text = (ROOT / "docs" / "design" / "overview.md").read_text(encoding="utf-8")
    table = text.partition("<!-- rooms -->")[2].lstrip().partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    rooms = [tuple(re.findall(r"`(\w+)`", cell)) for cell in cells]
    assert rooms == [level for level in LEVELS if not level[0].startswith("__")]


def unnamed(tests: Path, package: Path) -> list[str]:
    """Return the files of tests that are not named after what they are of, nor lie where it does.

    A file is of a module or a package, in the folder that mirrors where that lies, or in that
    of the package itself; what are many tests may be several files, ``test_NAME_of_something``.
    """
    found = []
    for path in sorted(tests.rglob("test_*.py")):
        there = path.relative_to(tests)
        folder = package / there.parent
        names = [each.stem for each in folder.glob("*.py") if each.stem != "__init__"]
        names += [each.parent.name for each in folder.glob("*/__init__.py")]
        names += [folder.name] if folder != package and (folder / "__init__.py").is_file() else []
        of = there.stem.removeprefix("test_")
        if not any(of == name or of.startswith(f"{name}_") for name in names):
            found.append(there.with_suffix("").as_posix())
    return found


def test_each_file_of_tests_is_named_after_what_it_is_of() -> None:
    assert set(unnamed(ROOT / "tests", PACKAGE)) == set(OF_NO_MODULE)


@pytest.mark.machine
def test_no_modules_import_each_other(biggus_imports: list[Import]) -> None:
    cycle = cycle_in(biggus_imports, "biggus")
    assert cycle is None, "a circle of imports: " + " -> ".join(cycle or ())


@pytest.mark.machine
def test_no_modules_know_each_other_but_those_of_one_thing(biggus_imports: list[Import]) -> None:
    circles = circles_in(biggus_imports, "biggus")
    assert [circle for circle in circles if not any(circle <= one for one in OF_ONE_THING)] == []


@pytest.mark.machine
def test_no_module_loads_more_than_numpy(biggus_imports: list[Import]) -> None:
    early = loaded_early(biggus_imports, "biggus")
    assert not early, "\n".join(early)


@pytest.mark.machine
def test_every_import_is_declared(biggus_imports: list[Import]) -> None:
    declared = set().union(*requirements().values())
    missing = undeclared(biggus_imports, "biggus", declared)
    assert not missing, "\n".join(missing)


@pytest.mark.machine
def test_every_missing_dependency_names_an_extra_that_brings_it() -> None:
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
    """Return the roots of the modules that a fresh interpreter holds after `statement`."""
    script = (
        f"{statement}\nimport sys, json\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_importing_biggus_loads_nothing_before_it_is_used() -> None:
    assert loaded_by("import biggus") - loaded_by("import sys") - sys.stdlib_module_names == {
        "biggus"
    }
    script = "import biggus, sys; print([m for m in sys.modules if m.startswith('biggus')])"
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == [
        *("biggus.support", "biggus.support.forks", "biggus.support.later", "biggus"),
    ]


def test_the_first_array_loads_numpy_and_nothing_heavier() -> None:
    loaded = loaded_by("import biggus; biggus.ArrayAdapter")
    assert loaded - loaded_by("import numpy") - sys.stdlib_module_names == {"biggus"}


def test_the_first_array_loads_no_more_of_numpy() -> None:
    """NumPy's masked arrays take an eighth of its own time, and newer ones load them late."""
    found = []
    for statement in ("import numpy", "import biggus; biggus.ArrayAdapter"):
        script = f"{statement}; import sys; print('numpy.ma' in sys.modules)"
        command = [sys.executable, "-P", "-c", script]
        found.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found[0] == found[1]


def test_importing_all_modules_loads_numpy_and_nothing_heavier() -> None:
    modules = [name for name in modules_in(PACKAGE) if room_of(name) not in LIGHT_IN]
    runnable = [name for name in modules if not name.endswith(".__main__")]
    loaded = loaded_by("\n".join(f"import {name}" for name in runnable))
    assert not loaded & HEAVY
    assert loaded - loaded_by("import numpy") - sys.stdlib_module_names == {"biggus"}


# -- The checkers can fail ----------------------------------------------------------------


BAD_LEVELS = (("low",), ("left", "right"), ("high",), ("__init__",))


def tree(folder: Path, **modules: str) -> list[Import]:
    """Write a package of one file a room, and return its imports."""
    package = folder / "bad"
    package.mkdir()
    for name in ("__init__", "low", "left", "right", "high"):
        (package / f"{name}.py").write_text(modules.get(name, ""), encoding="utf-8")
    return imports_in(package)


def test_an_import_upwards_is_found_in_every_disguise(tmp_path: Path) -> None:
    imports = tree(
        tmp_path,
        low="import bad.high\nfrom bad import high\nfrom bad.high import x\nfrom . import high\n"
        "from .high import x\n"
        "def f():\n    import bad.high\n"
        "class C:\n    async def f(self):\n        from .high import x\n"
        "try:\n    import bad.high\nexcept ImportError:\n    pass\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from bad.high import x\n",
    )
    wrong = wrong_arrows(imports, BAD_LEVELS, "bad")
    assert [re.search(r"line (\d+)", sentence)[1] for sentence in wrong] == [
        *"12345",
        *("7", "10", "12", "17"),
    ]
    assert all("low imports high" in sentence for sentence in wrong)


def test_an_import_of_a_neighbour_and_of_the_front_is_found(tmp_path: Path) -> None:
    imports = tree(tmp_path, left="import bad.right", high="import bad.left", right="import bad")
    assert wrong_arrows(imports, BAD_LEVELS, "bad") == [
        "bad.left, line 1: left imports right, its neighbour on the same level",
        "bad.right, line 1: right imports __init__, which stands on it (wrong way)",
    ]


def test_a_room_without_a_place_is_found(tmp_path: Path) -> None:
    imports = tree(tmp_path, high="import bad.low", left="import bad.high")
    wrong = wrong_arrows(imports, (("low",), ("left",)), "bad")
    assert len(wrong) == 2
    assert all("LEVELS" in sentence for sentence in wrong)


def test_a_circle_is_found_and_one_for_types_as_well(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    late = "def f():\n    from bad import left\n"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from bad import left\n"
    circle = cycle_in(tree(tmp_path / "a", left="import bad.right", right=late), "bad")
    assert circle is not None
    assert set(circle) == {"bad.left", "bad.right"}
    known = tree(tmp_path / "b", left="import bad.right", right=typed, high="import bad.left")
    assert cycle_in(known, "bad") is None
    assert circles_in(known, "bad") == [{"bad.left", "bad.right"}]
    (tmp_path / "c").mkdir()
    one_way = tree(tmp_path / "c", left="import bad.right", right="import bad.low", high=typed)
    assert circles_in(one_way, "bad") == []


def test_an_early_and_an_undeclared_import_are_found(tmp_path: Path) -> None:
    imports = tree(
        tmp_path,
        low="import numpy\nimport PIL.Image\nfrom collections import deque",
        high="def f():\n    import PIL\n    import strange",
    )
    (early,) = loaded_early(imports, "bad")
    assert early.startswith("bad.low, line 2: imports PIL")
    (missing,) = undeclared(imports, "bad", {"numpy", "Pillow"})
    assert missing.startswith("bad.high, line 3: imports strange")


def defined_in(package: Path) -> tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]:
    """Return where each class is defined, by its name, and each constant, by name and value."""
    classes: dict[str, list[str]] = {}
    constants: dict[tuple[str, str], list[str]] = {}
    for module, path in modules_in(package).items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(module)
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                targets = [node.target]
            for target in targets:
                name, value = ast.unparse(target).lstrip("_"), ast.unparse(node.value)
                # Small numbers are the same by chance.
                if name.isupper() and len(name) > 1 and not re.fullmatch(r"\d\d?", value):
                    constants.setdefault((name, value), []).append(module)
    return classes, constants


@pytest.mark.machine
def test_no_two_classes_share_a_name_and_no_constant_is_defined_twice() -> None:
    for found in defined_in(PACKAGE):
        twice = {name: modules for name, modules in found.items() if len(modules) > 1}
        assert not twice


def test_names_that_are_shared_are_found(tmp_path: Path) -> None:
    tree(
        tmp_path,
        low="class A:\n    pass\n_MOST: int = 2**8\nFEW = 8\nT = 1",
        left="def f():\n    class A:\n        pass\nMOST = 2**8\nFEW = 8\nT = 1",
    )
    classes, constants = defined_in(tmp_path / "bad")
    assert classes == {"A": ["bad.left", "bad.low"]}
    assert constants["MOST", "2 ** 8"] == ["bad.left", "bad.low"]
    assert not [name for name, value in constants if name in ("FEW", "T")]


def test_no_file_is_longer_than_is_read_in_one_go() -> None:
    long = {
        name: lines
        for name, path in modules_in(PACKAGE).items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
