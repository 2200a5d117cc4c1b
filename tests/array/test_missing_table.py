"""The table of differences from numpy.ma is true, row by row, and says nothing that is none."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import biggus

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "missing-values.md").read_text("utf-8")
TEXT = PAGE.partition("## Where biggus differs from numpy.ma")[2]
MASKED = {}
exec(re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1], MASKED)
LAZY = {
    name: biggus.ArrayAdapter(value) if isinstance(value, np.ndarray) else value
    for name, value in MASKED.items()
}
ROWS = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \| .+ \|$", TEXT, re.MULTILINE)


def shown(expression, names):
    """Return what a cell says: a dtype and values, a number, or the name of an error."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = eval(expression, dict(names))
            if isinstance(result, biggus.Array):
                result = result.masked_array() if result.masked else result.ndarray()
    except Exception as error:
        return type(error).__name__
    if result is np.ma.masked:
        return "masked"
    if type(result) in (bool, float):
        return str(result)
    found = np.ma.asanyarray(result)
    values = np.ma.getdata(found).ravel().tolist()
    gone = np.ma.getmaskarray(found).ravel()
    return " ".join(
        [str(found.dtype), *["--" if m else f"{v:g}" for v, m in zip(values, gone, strict=True)]]
    )


def test_there_are_rows():
    assert len(ROWS) > 15


@pytest.mark.parametrize(("expression", "numpys", "ours"), ROWS, ids=[row[0] for row in ROWS])
def test_row(expression, numpys, ours):
    assert shown(expression, MASKED) == numpys
    assert shown(expression, LAZY) == ours
    assert numpys != ours


@pytest.mark.parametrize(
    "expression",
    [
        *("x / x", "x // 0", "x % 2", "1 / x", "x ** 0.5", "-x", "abs(x)", "x > 1", "x == x"),
        *("np.exp(x)", "np.sin(x)", "np.floor(x)", "np.isfinite(x)", "np.hypot(x, x)", "i // i"),
        *("np.arcsin(x)", "np.arctanh(x)", "np.maximum(x, 2)", "x.clip(0, 2)", "np.fmod(x, 0)"),
        *("np.divide(x, 0)", "np.power(x, -1.0)", "np.nan_to_num(x)", "n * n", "f * f", "f[::-1]"),
        *("x.sum()", "x.max()", "n.sum()", "n.mean()", "n.min()", "i.sum()", "i.mean()", "x.ptp()"),
        *("none.argmin()", "x.argmax()", "i.prod()", "n.any()", "n.all()", "i.std()", "x.count()"),
        *(
            "none.count()",
            "x.astype('f4')",
            "i.astype('f8')",
            "(-f).fill_value",
            "f[:1].fill_value",
        ),
    ],
)
def test_what_is_not_in_the_table_is_the_same(expression):
    assert shown(expression, LAZY) == shown(expression, MASKED)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "u1", "?", "c8"])
@pytest.mark.parametrize("what", ["- 273.15", "/ 2", "+ 1", "** 2", "> 1", "* 1.5"])
def test_a_dtype_does_not_hang_on_a_mask(dtype, what):
    values = np.ones(2, dtype)
    plain = shown(f"a {what}", {"a": values})
    assert shown(f"a {what}", {"a": biggus.ArrayAdapter(values)}) == plain
    masked = biggus.ArrayAdapter(np.ma.masked_array(values, False))
    assert shown(f"a {what}", {"a": masked}) == plain


def test_a_structured_masked_array_is_refused():
    with pytest.raises(TypeError, match="fields one by one"):
        biggus.ArrayAdapter(np.ma.masked_array(np.zeros(2, "i2,f4")))
