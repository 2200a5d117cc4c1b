"""Opening tile servers: options, claims, tokens and imports."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")


from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend
from biggus.errors import MissingDependencyError, OpenError, VariableError

U1 = np.dtype("u1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "it needs `zoom=`"),
        ({"zoom": -1}, "`zoom=` is a whole number, 0 to 30, not -1"),
        ({"zoom": 31}, "not 31"),
        ({"zoom": 10**30}, "zoom="),
        ({"zoom": 2.0}, "zoom="),
        ({"zoom": "3"}, "zoom="),
        ({"zoom": True}, "zoom="),
        ({"zoom": 1, "tile_size": 0}, "tile_size="),
        ({"zoom": 1, "bands": 2}, "`bands=` is 1, 3 or 4"),
        ({"zoom": 1, "bands": 5}, "bands="),
        ({"zoom": 1, "dtype": "f4"}, "dtype="),
        ({"zoom": 1, "dtype": "u2"}, "with `bands=3`"),
        ({"zoom": 1, "dtype": "nonsense"}, "dtype="),
        ({"zoom": 1, "connections": 0}, "connections="),
        ({"zoom": 1, "timeout": 0}, "timeout="),
        ({"zoom": 1, "timeout": (1, 2, 3, 4)}, "timeout="),
        ({"zoom": 1, "timeout": "soon"}, "timeout="),
        ({"zoom": 1, "retries": -1}, "retries="),
        ({"zoom": 1, "missing": "grey"}, "missing="),
        ({"zoom": 1, "missing": 256}, "missing="),
        ({"zoom": 1, "missing": (1, 2)}, "missing="),
        ({"zoom": 1, "missing": True}, "missing="),
        ({"zoom": 1, "headers": {"a": "secret\nb"}}, "headers="),
        ({"zoom": 1, "headers": "secret"}, "headers="),
        ({"zoom": 1, "fresh_for": -1}, "fresh_for="),
    ],
)
def test_invalid_options_raise(options, words):
    with pytest.raises(OpenError) as caught:
        TilesBackend().open(Location("https://me:secret@h/{z}/{x}/{y}.png"), "tiles", **options)
    message = str(caught.value)
    assert words in message
    assert "https://h/{z}/{x}/{y}.png" in message
    assert "secret" not in message
    assert "\n" not in message


def test_other_locations_are_declined_or_raise():
    backend = TilesBackend()
    for text in [
        "https://h/a.zarr",
        "https://h/{time}.nc",
        "/a/{z}/{x}/{y}.png",
        "s3://b/{z}/{x}/{y}",
    ]:
        assert backend.claims(Location(text)) == backend.UNCLAIMED
    assert backend.claims(Location("http://h/{z}/{x}/{y}")) > backend.UNCLAIMED
    with pytest.raises(OpenError, match="http://"):
        backend.open(Location("s3://b/{z}/{x}/{y}"), "tiles", zoom=1)
    with pytest.raises(VariableError, match="it has: tiles"):
        backend.open(Location("http://h/{z}/{x}/{y}"), "sst", zoom=1)
    with pytest.raises(TypeError):
        backend.open(Location("http://h/{z}/{x}/{y}"), "tiles", zoom=1, zum=2)


@pytest.mark.parametrize("package", ["urllib3", "PIL"])
def test_missing_package_names_the_extra(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"package {package}: .*biggus\[tiles\]"):
        TilesBackend().open(Location("http://h/{z}/{x}/{y}"), "tiles", zoom=1)


def test_token_depends_on_options_that_change_values_only():
    def token(template="https://h/{z}/{x}/{y}.png", **options):
        return TilesBackend().open(Location(template), "tiles", **{"zoom": 2, **options}).token

    same = [
        token(),
        token("https://me:pw@h/{z}/{x}/{y}.png?api_key=k"),
        token(connections=3, timeout=1, retries=0, headers={"X": "y"}, user_agent="me"),
        token(subdomains="xy", fresh_for=1),
        token(absent=403, missing="raise"),
        token(absent=(404, 410, 204)),
    ]
    other = [
        token("https://h2/{z}/{x}/{y}.png"),
        token(zoom=3),
        token(tile_size=512),
        token(bands=4),
        token(bands=1),
        token(bands=1, dtype="u2"),
        token(missing=0),
        token(missing=(1, 2, 3)),
        token(missing=0, absent=403),
        token(missing=0, absent=(403, 200)),
    ]
    assert len(set(same)) == 1
    assert token(missing=0, absent=(403, 404)) == token(missing=(0, 0, 0), absent=[403, 403])
    assert len({*same, *other}) == 1 + len(other)
    assert "pw" not in same[1]


def test_opening_does_not_import_pillow_or_urllib3():
    code = (
        "import sys; from biggus.backends.tiles.backend import TilesBackend as B;"
        "from biggus.backends.location import Location as L;"
        "B().open(L('http://h/{z}/{x}/{y}'), 'tiles', zoom=9);"
        "assert not {'PIL', 'urllib3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
