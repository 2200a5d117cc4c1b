"""The documents: their examples run, and their links have targets.

In a Markdown file, code fenced as ``python`` that has prompts runs as one doctest per
file, in an empty folder; code without prompts must compile; ``toml`` must parse.  In a
file with such a doctest, lines fenced as ``console`` that begin with ``$ biggus`` are part
of it: the command runs, and must print what follows.  A comment
``<!-- needs: h5py PIL -->`` names the packages that a file's examples need.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from biggus.cli import main

ROOT = Path(__file__).resolve().parents[1]

PACKAGE = ROOT / "biggus"

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HTML_LINK = re.compile(r"<(?:img|a)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")
MODULE = re.compile(r"`([a-z_]+/[a-z0-9_/]+)(?:\.py)?`")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Fence(NamedTuple):
    """A fenced block of code and the number of its first line."""

    language: str
    first: int
    lines: list[str]


def split_fences(text: str) -> tuple[str, list[Fence]]:
    """Return the prose of a document, fences blanked out, and its fences."""
    prose: list[str] = []
    fences: list[Fence] = []
    mark = ""
    for number, line in enumerate(text.splitlines(), start=1):
        opening = re.match(r"\s*(`{3,}|~{3,})\s*([\w+-]*)", line)
        if mark:
            if line.strip() == mark:
                mark = ""
            else:
                fences[-1].lines.append(line)
        elif opening:
            mark = opening[1]
            fences.append(Fence(opening[2], number + 1, []))
        else:
            prose.append(line)
            continue
        prose.append("")
    assert not mark, f"the fence at line {fences[-1].first - 1} is not closed"
    return "\n".join(prose), fences


def slug(heading: str) -> str:
    """Return the anchor that code forges give a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def broken_links(document: Path) -> list[str]:
    """Return the relative links and the modules in `document` that do not exist."""
    prose, _ = split_fences(document.read_text(encoding="utf-8"))
    broken = [
        f"{document.name}: there is no module {name}"
        for name in MODULE.findall(prose)
        if (PACKAGE / name).parent.is_dir()
        and not any((PACKAGE / (name + end)).exists() for end in ("", ".py"))
    ]
    prose = re.sub(r"`[^`\n]*`", "", prose)
    for target in [*LINK.findall(prose), *HTML_LINK.findall(prose)]:
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        if not path.exists():
            broken.append(f"{document.name}: {target}: there is no {name}")
        elif anchor and path.suffix == ".md":
            text, _ = split_fences(path.read_text(encoding="utf-8"))
            anchors = {slug(found) for found in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
            if anchor not in anchors:
                broken.append(f"{document.name}: {target}: no heading gives #{anchor}")
    return broken


def as_doctest(document: Path) -> doctest.DocTest:
    """Return the prompts in `document` as one doctest, lines numbered as in the file."""
    text = document.read_text(encoding="utf-8")
    lines = [""] * (len(text.splitlines()) + 1)
    for fence in split_fences(text)[1]:
        body = fence.lines
        if fence.language == "console":
            body = [re.sub(r"^\$ biggus (.*)", as_call, line) for line in body]
            body = body if body != fence.lines else []
        if fence.language in ("python", "console") and any(">>>" in line for line in body):
            lines[fence.first - 1 : fence.first - 1 + len(body)] = body
    names = {"__name__": "__main__", "run_command": run_command}
    return doctest.DocTestParser().get_doctest(
        "\n".join(lines), names, document.name, str(document), 0
    )


def as_call(found: re.Match[str]) -> str:
    """Return the Python statement that runs a command line."""
    return f">>> run_command({found[1]!r})"


def run_command(line: str) -> None:
    """Run a command line as in the folder /data, and print its output and its errors.

    Times and memory, which differ from run to run, are printed as in the documents.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        main(shlex.split(line))
    text = printed.getvalue().replace(str(Path.cwd()), "/data")
    text = re.sub(r"^(  time  +)\S+ s$", r"\g<1>0.2 s", text, flags=re.MULTILINE)
    sys.stdout.write(re.sub(r"at most \S+ \w+ of memory", "at most 20 MB of memory", text))


def run(test: doctest.DocTest) -> tuple[int, str]:
    """Run a doctest and return how many examples failed, and the report."""
    report: list[str] = []
    results = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=report.append)
    return results.failed, "".join(report)


def named(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links(document: Path) -> None:
    broken = broken_links(document)
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_code_compiles(document: Path) -> None:
    for fence in split_fences(document.read_text(encoding="utf-8"))[1]:
        code = "\n".join(fence.lines)
        if fence.language == "python" and ">>>" not in code:
            compile(code, f"{document.name}, line {fence.first}", "exec")
        elif fence.language == "toml":
            tomllib.loads(code)


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if ">>>" in path.read_text(encoding="utf-8")], ids=named
)
def test_examples(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for needs in re.findall(r"<!-- needs: (.*?) -->", document.read_text(encoding="utf-8")):
        for package in needs.split():
            pytest.importorskip(package, reason=f"the examples need {package}")
    # Files that an example has just written are cached, however quick the machine is.
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIGGUS_CACHE_DIR", str(tmp_path / "default-cache"))
    failed, report = run(as_doctest(document))
    assert not failed, report


def test_documents_are_found() -> None:
    names = {named(document) for document in DOCUMENTS}
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/design/overview.md"} <= names


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A `first` heading\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n[a](there.md) [b](there.md#a-first-heading) [c](#page) ![d](https://x.y/z.png)\n"
        "[e](gone.md) [f](there.md#gone) [![g](gone.png)](there.md) `[h](code)`\n"
        "`engine/gone.py` `engine/running.py` `time/space`\n"
        '<img src="lost.png">\n```\n[i](code)\n```\n',
        encoding="utf-8",
    )
    assert [line.split(": ")[1] for line in broken_links(page)] == [
        "there is no module engine/gone",
        *("gone.md", "there.md#gone", "gone.png", "lost.png"),
    ]


def test_wrong_examples_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# P\n```python\n>>> 1 + 1\n2\n```\n```python\n>>> 1 + 2\n4\n```\n", "utf-8")
    failed, report = run(as_doctest(page))
    assert failed == 1
    assert "line 7" in report


def test_wrong_commands_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# P\n```console\n$ biggus cache info --path gone\n{}\n```\n```console\nls\n```\n"
    message = "biggus: error: there is no cache at gone"
    for output, failures in ((message, 0), ("fine", 1)):
        page.write_text(text.format(output), encoding="utf-8")
        assert run(as_doctest(page))[0] == failures
