"""The reference lists all public names, and their docstrings are complete."""

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
    """Return the sections of a docstring by heading; the summary has the heading ""."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.getdoc(documented) or "", flags=re.MULTILINE)
    return {"": parts[0].strip(), **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_every_public_name_is_in_the_reference():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.rst"))
    named = [name.removeprefix("biggus.") for name in NAMED.findall(text)]
    assert len(named) == len(set(named))
    assert set(PUBLIC) <= set(named)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_has_parameters_returns_and_examples(name):
    documented = getattr(biggus, name)
    found = sections(documented)
    assert found[""].partition("\n")[0].endswith(".")
    assert ">>>" in found.get("Examples", "")
    if inspect.isfunction(documented) and documented is not biggus.save:
        gives = inspect.signature(documented).return_annotation != "None"
        assert found.get("Returns", "").strip() or not gives
    if documented is not biggus.Array:
        lines = re.findall(r"^[\w*][\w*, ]*", found.get("Parameters", ""), re.MULTILINE)
        names = {word.strip("* ") for line in lines for word in line.split(",")}
        assert set(inspect.signature(documented).parameters) - {"options", "kwargs"} <= names


@pytest.mark.parametrize(
    "name",
    sorted(name for name in dir(biggus.Array) if not name.startswith("_") and name != "node"),
)
def test_every_method_has_a_summary(name):
    assert sections(getattr(biggus.Array, name))[""]
