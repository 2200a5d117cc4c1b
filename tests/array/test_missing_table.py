"""The documented table of differences from numpy.ma: each row is true and is a difference."""

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


def cell_text(expression, names):
    """Return a cell's text for `expression`: a dtype and values, a number, or an error's name."""
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
    missing = np.ma.getmaskarray(found).ravel()
    return " ".join(
        [str(found.dtype), *["--" if m else f"{v:g}" for v, m in zip(values, missing, strict=True)]]
    )


def test_table_is_parsed():
    assert len(ROWS) > 15


@pytest.mark.parametrize(("expression", "numpys", "ours"), ROWS, ids=[row[0] for row in ROWS])
def test_table_row_is_true(expression, numpys, ours):
    assert cell_text(expression, MASKED) == numpys
    assert cell_text(expression, LAZY) == ours
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
def test_unlisted_expressions_match_numpy_ma(expression):
    assert cell_text(expression, LAZY) == cell_text(expression, MASKED)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "u1", "?", "c8"])
@pytest.mark.parametrize("operation", ["- 273.15", "/ 2", "+ 1", "** 2", "> 1", "* 1.5"])
def test_result_dtype_does_not_depend_on_a_mask(dtype, operation):
    values = np.ones(2, dtype)
    plain = cell_text(f"a {operation}", {"a": values})
    assert cell_text(f"a {operation}", {"a": biggus.ArrayAdapter(values)}) == plain
    masked = biggus.ArrayAdapter(np.ma.masked_array(values, False))
    assert cell_text(f"a {operation}", {"a": masked}) == plain


def test_structured_masked_array_raises():
    with pytest.raises(TypeError, match="fields one by one"):
        biggus.ArrayAdapter(np.ma.masked_array(np.zeros(2, "i2,f4")))
