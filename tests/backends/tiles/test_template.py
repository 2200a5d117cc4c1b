"""Tile templates: quadkeys, rows, subdomains and credentials."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biggus.backends.tiles.template import Template, looks_like_template, quadkey
from biggus.errors import OpenError


@st.composite
def tiles(draw):
    z = draw(st.integers(0, 30))
    return z, draw(st.integers(0, 2**z - 1)), draw(st.integers(0, 2**z - 1))


def place_of(key):
    """Walk down the quadtree: an independent reading of a quadkey."""
    x = y = 0
    for digit in key:
        x, y = 2 * x + (digit in "13"), 2 * y + (digit in "23")
    return len(key), x, y


@given(tiles())
def test_quadkey_leads_to_its_tile(tile):
    assert place_of(quadkey(*tile)) == tile


def test_quadkeys_of_a_zoom_are_complete():
    keys = {quadkey(3, x, y) for x in range(8) for y in range(8)}
    assert keys == {f"{a}{b}{c}" for a in range(4) for b in range(4) for c in range(4)}


@given(tiles())
def test_rows_from_north_and_south(tile):
    z, x, y = tile
    template = Template("http://h/{z}/{x}/{y}/{-y}.png")
    *_, a, b = template.url(z, x, y).removesuffix(".png").split("/")
    assert int(a) == y
    assert int(a) + int(b) == 2**z - 1
    assert template.url(z, x, y).startswith(f"http://h/{z}/{x}/")


@given(tiles())
def test_subdomain_of_a_tile_is_constant(tile):
    template = Template("https://{s}.h/{z}/{x}/{y}.png", ["north", "south", "b3"])
    url = template.url(*tile)
    assert url == pickle.loads(pickle.dumps(template)).url(*tile)
    assert url.split("/")[2] in {"north.h", "south.h", "b3.h"}
    assert template.host == "{s}.h"


def test_all_subdomains_are_used():
    template = Template("https://{s}.h/{q}")
    assert {template.url(4, x, 0).split("/")[2] for x in range(16)} == {"a.h", "b.h", "c.h"}


def test_public_url_hides_credentials():
    template = Template("https://me:pw@h/{z}/{x}/{y}.png?api_key=s3cret&style=a")
    assert template.url(1, 0, 1) == "https://me:pw@h/1/0/1.png?api_key=s3cret&style=a"
    assert template.public_url(1, 0, 1) == "https://h/1/0/1.png?style=a"
    assert template.at_zoom(1) == "https://h/1/{x}/{y}.png?style=a"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://h/{z}/{x}/{k}.png", "unknown placeholder {k}; known are {z}"),
        ("https://h/{z}/{x}/{y}{w}.png", "unknown placeholder {w}"),
        ("https://h/{z}/{x}/{}.png", "unknown placeholder {}"),
        ("https://h/{z}/{x}.png", "no placeholders for a tile's position"),
        ("https://h/{z}.png", "no placeholders for a tile's position"),
        ("https://h/a.png", "https://host/{z}/{x}/{y}.png"),
        ("https://h/{z}/{x}/{y.png", "is not closed"),
        ("ftp://h/{z}/{x}/{y}.png", "http:// or https://"),
        ("https:///{z}/{x}/{y}.png", "and a host"),
    ],
)
def test_invalid_templates_raise(text, words):
    with pytest.raises(OpenError) as caught:
        Template(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_subdomains_raise():
    with pytest.raises(OpenError, match="subdomains="):
        Template("https://{s}.h/{q}.png", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://h/{z}/{x}/{y}.png", True),
        ("http://h/{q}", True),
        ("http://h/{z}/{x}/{-y}", True),
        ("http://h/{z}/{s}", False),
        ("http://h/a", False),
    ],
)
def test_looks_like_template(text, expected):
    assert looks_like_template(text) is expected
