"""The identity of options: enough to compare them, without secrets."""

from __future__ import annotations

import json

import numpy as np
import pytest

from biggus.backends.base import Backend
from biggus.backends.identity import without_secrets
from biggus.backends.location import Location

PLAIN = {
    "name": "tos",
    "empty": "",
    "url": "https://host:8080/a;v=2/b?style=a&author=me#part",
    "fraction": 0.1,
    "many": [1, None, True, "x://y"],
    "text": "a; b=c @d ?e",
    "deep": {"region": "eu", "more": {"n": 3}},
}


class WithRepr:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"WithRepr({self.text!r})"


class WithoutRepr:
    pass


def test_plain_options_are_kept() -> None:
    assert without_secrets(PLAIN) == PLAIN
    assert without_secrets({"a": (1, 2), "b": np.dtype("f4"), "c": np.float32}) == {
        "a": [1, 2],
        "b": {"$dtype": "dtype('float32')"},
        "c": {"$type": "numpy.float32"},
    }


@pytest.mark.parametrize(
    "value",
    [
        "https://me:s3cret@host/",
        "https://host/?sig=s3cret&style=a",
        "zip://a::https://s3cret@host/b?a=1;apiKey=s3cret",
        "Protocol=https;AccountName=me;AccountKey=s3cret==;Suffix=windows.net",
        WithRepr("s3cret"),
        {WithRepr("s3cret")},
        {"password": "s3cret"},
    ],
)
def test_secrets_in_values_are_hidden(value) -> None:
    for option in (value, [value], {"deep": (value,)}):
        identity = Backend.identity(Named(), Location("x://y"), "v", option=option)
        assert "s3cret" not in json.dumps(identity)
        assert identity == Backend.identity(Named(), Location("x://y"), "v", option=option)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://me:s3cret@host/a", "https://me:s3cret@host/b"),
        ("https://host/?sig=s3cret&style=a#1", "https://host/?sig=s3cret&style=a#2"),
        ("a;key=1", "a;key=2"),
        (WithRepr("a"), WithRepr("b")),
    ],
)
def test_different_options_have_different_identities(one, other) -> None:
    assert without_secrets({"option": one}) != without_secrets({"option": other})


def test_objects_without_repr_are_never_identical() -> None:
    # A new object may have the address of a deleted one.
    found = [
        json.dumps(without_secrets({"a": made}))
        for made in [WithoutRepr(), [WithoutRepr()], lambda: 0] * 2
    ]
    assert len(set(found)) == 6
    held = WithoutRepr()
    assert without_secrets({"a": held}) != without_secrets({"a": held})


class Named(Backend):
    name = "named"

    def claims(self, location):
        return self.UNCLAIMED

    def variables(self, location, **options):
        return ()

    def open(self, location, variable, **options):
        raise NotImplementedError
