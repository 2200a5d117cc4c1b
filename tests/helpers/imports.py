"""The imports of a package, read from its source with `ast`, imports inside functions included."""

from __future__ import annotations

import ast
import graphlib
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Import(NamedTuple):
    """One import statement: importing module, imported module, line, and when it runs."""

    module: str
    target: str
    line: int
    typing_only: bool
    on_load: bool


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
    """Yield the import statements under `node`, with flags that say when they run."""
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


def forbidden_imports(
    imports: Iterable[Import], levels: tuple[tuple[str, ...], ...], root: str
) -> list[str]:
    """Return a message for each import that contradicts `levels`.

    Imports for type checkers count too.
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


def import_circles(imports: Iterable[Import], root: str) -> list[set[str]]:
    """Return the sets of modules that import one another, by imports of any kind.

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


def runtime_cycle(imports: Iterable[Import], root: str) -> list[str] | None:
    """Return the modules along one circle of imports that run, or None if there is none.

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


def third_party_root(item: Import, root: str) -> str | None:
    """Return the root of the third-party package that is imported, or None."""
    name = item.target.partition(".")[0]
    return None if name == root or name in sys.stdlib_module_names else name


def write_package(folder: Path, **modules: str) -> list[Import]:
    """Write a package with one file per room, and return its imports."""
    package = folder / "bad"
    package.mkdir()
    for name in ("__init__", "low", "left", "right", "high"):
        (package / f"{name}.py").write_text(modules.get(name, ""), encoding="utf-8")
    return imports_in(package)
