"""Messages mark arguments by backticks, and the marked arguments exist."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import pytest

import biggus
from biggus.backends.registry import option_names
from biggus.cli.wording import MARK, OPTIONS
from biggus.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(biggus.__file__).parent

OTHER_TEXTS = (
    "array/dispatch.py",  # a program
    "array/html.py",  # HTML
    "cache/evicting.py",  # SQL, as the next four
    "cache/layout.py",
    "cache/ledger.py",
    "cache/pins.py",
    "cache/sweep.py",
    "cli/demo/",  # programs
    "viewer/web/server.py",  # headers of HTTP
)
"""Modules with texts in other languages that look like arguments."""

BARE = re.compile(r"(?<![^\s(\[])(?<!-O )[a-z_]+=(?![/&])")
"""An argument that is not marked."""

ATTEMPT = re.compile(r"`[^`\s]*=[^`]*`")
"""An argument in backticks, perhaps not in the notation."""

INSERTED = "x"
"""Stands for what an f-string inserts."""

SOURCES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}


def texts_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string that may be part of a message.

    Documentation and reprs are left out, and so are texts without a space.
    """
    passed: set[int] = set()
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.FunctionDef) and node.name == "__repr__":
            passed.update(map(id, ast.walk(node)))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        elif isinstance(node, ast.JoinedStr) and id(node) not in passed:
            passed.update(map(id, node.values))
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else INSERTED
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in passed:
            text = str(node.value)
        if " " in text and ">>>" not in text:
            yield node.lineno, text  # type: ignore[attr-defined]


MESSAGES = [
    (f"{name}:{line}", text)
    for name, tree in SOURCES.items()
    if not name.startswith(OTHER_TEXTS)
    for line, text in texts_in(tree)
]


def unmarked(text: str) -> list[str]:
    """Return the arguments in a text that are not marked, or not in the notation."""
    rest = MARK.sub("", text)
    return ATTEMPT.findall(rest) + BARE.findall(rest)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("it needs `zoom=`, or `x=x`", 0),
        ("it needs zoom=", 1),
        ("pass x=", 1),
        ("it is there already (overwrite=True replaces it)", 1),
        ("allow more with `set_options (memory=...)`", 1),
        ("https://host/a?b=1 or -O bands=3", 0),
    ],
)
def test_unmarked_arguments_are_found(text: str, found: int) -> None:
    assert len(unmarked(text)) == found


def test_messages_mark_arguments() -> None:
    assert not {place: bad for place, text in MESSAGES if (bad := unmarked(text))}


def parameters() -> set[str]:
    """Return the parameters of the public functions, and of those of NumPy that are lazy."""
    found = set()
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                handles = any("implements" in ast.unparse(each) for each in node.decorator_list)
                if handles or node.name == "__init__" or not node.name.startswith("_"):
                    own = node.args
                    found |= {each.arg for each in (*own.posonlyargs, *own.args, *own.kwonlyargs)}
    return found


def test_marked_arguments_exist() -> None:
    known = parameters() | {field.name for field in fields(Options)} | option_names()
    marked = {mark["name"]: place for place, text in MESSAGES for mark in MARK.finditer(text)}
    assert {"zoom", "overwrite", "memory"} <= marked.keys()
    names = {name: place for name, place in marked.items() if name not in (None, INSERTED)}
    assert not {name: place for name, place in names.items() if name not in known}
    assert {argument.partition("=")[0] for argument in OPTIONS} <= known


def test_marked_functions_exist() -> None:
    pytest.importorskip("xarray")  # for those of `biggus.xarray`
    marks = [mark for _, text in MESSAGES for mark in MARK.finditer(text)]
    functions = {mark["function"] or mark["caller"] for mark in marks}
    functions -= {None, f"biggus.{INSERTED}"}
    assert functions >= {"biggus.open_many", "biggus.set_options"}
    for function in functions:
        if function.startswith("."):
            assert hasattr(biggus.Array, function[1:])
        else:
            assert callable(resolve_name(function))
