"""The names of biggus: of its tests, classes and constants; and rules for the text of files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from imports import modules_in, write_package

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "biggus"

OF_NO_MODULE = {
    "test_architecture": "reads the imports of all modules",
    "test_benchmarks": "benchmarks, which lie beside the package",
    "test_contributing": "the example in CONTRIBUTING.md",
    "test_docs": "examples and links in the documents",
    "test_fake_plugin": "a package of somebody else's",
    "fake_plugin/tests/test_grid": "the tests of that package, as its author has them",
    "test_messages": "the texts of all messages",
    "test_names": "names, and rules for the text of files",
    "test_packaging": "what pyproject.toml, tox.ini and the like say of one another",
    "test_reference": "the pages of the reference",
    "test_tutorial": "the notebook in the guide",
}
"""Files of tests that are named after no module, and what they test."""


def unnamed(tests: Path, package: Path) -> list[str]:
    """Return the files of tests that are neither named after a module nor in its folder.

    A file tests a module or a package, and is in the folder that mirrors that of the module, or
    in that of the package itself.  Many tests may be in several files ``test_NAME_something``.
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


def test_files_of_tests_are_named_after_modules() -> None:
    assert set(unnamed(ROOT / "tests", PACKAGE)) == set(OF_NO_MODULE)


RIDDLE = re.compile(
    r"^ *def (test_(?:what|who|whom|whose|which|it|they|them|that|those|of)_\w*)", re.MULTILINE
)
"""Names of tests that do not begin with their subject."""


def test_names_of_tests_begin_with_their_subject() -> None:
    paths = [*(ROOT / "tests").rglob("*.py"), *(PACKAGE / "testing").rglob("*.py")]
    assert not [name for path in paths for name in RIDDLE.findall(path.read_text(encoding="utf-8"))]


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


def test_shared_names_are_found(tmp_path: Path) -> None:
    write_package(
        tmp_path,
        low="class A:\n    pass\n_MOST: int = 2**8\nFEW = 8\nT = 1",
        left="def f():\n    class A:\n        pass\nMOST = 2**8\nFEW = 8\nT = 1",
    )
    classes, constants = defined_in(tmp_path / "bad")
    assert classes == {"A": ["bad.left", "bad.low"]}
    assert constants["MOST", "2 ** 8"] == ["bad.left", "bad.low"]
    assert not [name for name, value in constants if name in ("FEW", "T")]


def test_no_file_is_longer_than_400_lines() -> None:
    paths = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert not [path for path, lines in lengths.items() if lines > 400]


def test_programs_under_a_limit_of_file_sizes_keep_no_bytecode() -> None:
    limit, guards = "RLIMIT_FSIZE", ('"-B"', "PYTHONDONTWRITEBYTECODE")
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")}
    limited = [path for path, text in texts.items() if limit in text]
    assert len(limited) > 1
    assert not [path for path in limited if not any(guard in texts[path] for guard in guards)]
