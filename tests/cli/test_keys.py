"""Parsing of keys: the meaning is Python's, and all other text is refused."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biggus.cli.keys import KeySyntaxError, parse_key, split_selection

integers = st.integers(-(10**18), 10**18)
small = st.integers(-20, 20)
spaces = st.sampled_from(["", "", " ", "  ", "\t", "\n "])


def python_key(text):
    """Return the key that Python makes of `text` between brackets."""
    return eval(f"np.s_[{text}]", {"np": np, "newaxis": np.newaxis})


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@st.composite
def integer_texts(draw):
    value = draw(st.one_of(small, integers))
    text = draw(st.sampled_from([str, lambda n: f"{n:_}", lambda n: f"{n:+}"]))(value)
    return draw(spaces) + text + draw(spaces)


@st.composite
def slice_texts(draw):
    part = st.one_of(st.just(""), integer_texts())
    return ":".join(draw(st.lists(part, min_size=2, max_size=3)))


@st.composite
def list_texts(draw, depth=2):
    entry = st.one_of(integer_texts(), st.sampled_from(["True", "False"]))
    if depth:
        entry = st.one_of(entry, list_texts(depth=depth - 1))
    entries = draw(st.lists(entry, max_size=4))
    comma = draw(st.sampled_from(["", ","])) if entries else ""
    return draw(spaces) + "[" + ",".join(entries) + comma + draw(spaces) + "]"


items = st.one_of(
    integer_texts(),
    slice_texts(),
    list_texts(),
    st.sampled_from(["...", " ... ", "None", "newaxis", "True", "False"]),
)


@st.composite
def key_texts(draw):
    parts = draw(st.lists(items, min_size=1, max_size=5))
    return ",".join(parts) + draw(st.sampled_from(["", ",", " , "]))


@given(key_texts())
def test_keys_mean_the_same_as_in_python(text):
    assert same(parse_key(text), python_key(text.replace("\n", " ")))


@given(st.text(alphabet="0123:,.-+[]()_ NoneTruewax", max_size=24))
def test_accepted_texts_mean_the_same_as_in_python(text):
    try:
        key = parse_key(text)
    except KeySyntaxError:
        return
    assert same(key, python_key(text))


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_is_a_key_or_raises_one_line(text):
    problem = ""
    try:
        parse_key(text)
    except KeySyntaxError as error:
        problem = str(error)
    assert "\n" not in problem


HOSTILE = [
    "",
    " ",
    ",",
    "1,,2",
    "1 2",
    "1:2:3:4",
    "--1",
    "- 1",
    "1.5",
    "1e3",
    "0x10",
    "007",
    "1__0",
    "_1",
    "1_",
    "....",
    ". . .",
    "x",
    "__import__('os').system('true')",
    "(1, 2)",
    "((",
    "[",
    "]",
    "[1",
    "1]",
    "[1:2]",
    "[...]",
    "[None]",
    "True:2",
    "1:None",
    "lambda: 0",
    "9" * 20,
    "9" * 100_000,
    "[" * 100_000,
    "[" * 40 + "]" * 40,
    "\u0661",
    "\uff11",
    "1\u0661",
    "1;2",
    "#",
    "1 if 1 else 2",
    "1][2",
    "1],[2",
    "1] #",
    "[1][0]",
    "1+2",
    "newaxisnewaxis",
    "np.newaxis",
    "\0",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_text_is_refused(text):
    with pytest.raises(KeySyntaxError) as caught:
        parse_key(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "name", "key"),
    [
        ("sst", "sst", ...),
        ("", "", ...),
        ("[3]", "", 3),
        ("a/b[0:10, 5]", "a/b", (slice(0, 10), 5)),
        ("a[[1, 2], ::-1]", "a", ([1, 2], slice(None, None, -1))),
        ("speed [m/s][...]", "speed [m/s]", ...),
        (" a [ () ] ", "a", ()),
    ],
)
def test_selection(text, name, key):
    assert split_selection(text) == (name, key)


@pytest.mark.parametrize("text", ["a[0", "a]", "a[0]]", "a[]", "a[0]b[", "a[x]", "speed [m/s]"])
def test_invalid_selections_raise(text):
    with pytest.raises(KeySyntaxError):
        split_selection(text)
