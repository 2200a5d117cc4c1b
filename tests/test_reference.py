"""The reference names all that is public, and its docstrings say what there is to say."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import biggus

PAGES = Path(__file__).resolve().parents[1] / "docs" / "reference"

PUBLIC = sorted(
    name
    for name in biggus.__all__
    if callable(getattr(biggus, name)) and not name.endswith("Error")
)

NAMED = re.compile(r"^\.\. auto(?:function|class|module):: ([\w.]+)", re.MULTILINE)


def sections(documented: object) -> dict[str, str]:
    """Return the sections of a docstring, by their headings; the summary is that of ""."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.getdoc(documented) or "", flags=re.MULTILINE)
    return {"": parts[0].strip(), **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_every_public_name_is_in_the_reference():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.rst"))
    named = [name.removeprefix("biggus.") for name in NAMED.findall(text)]
    assert len(named) == len(set(named))
    assert set(PUBLIC) <= set(named)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_said_of_it(name):
    documented = getattr(biggus, name)
    said = sections(documented)
    assert said[""].partition("\n")[0].endswith(".")
    assert ">>>" in said.get("Examples", "")
    if inspect.isfunction(documented) and documented is not biggus.save:
        gives = inspect.signature(documented).return_annotation != "None"
        assert said.get("Returns", "").strip() or not gives
    if documented is not biggus.Array:
        told = re.findall(r"^[\w*][\w*, ]*", said.get("Parameters", ""), re.MULTILINE)
        told = {word.strip("* ") for line in told for word in line.split(",")}
        assert set(inspect.signature(documented).parameters) - {"options", "kwargs"} <= told


@pytest.mark.parametrize(
    "name",
    sorted(name for name in dir(biggus.Array) if not name.startswith("_") and name != "node"),
)
def test_every_method_says_what_it_does(name):
    assert sections(getattr(biggus.Array, name))[""]
