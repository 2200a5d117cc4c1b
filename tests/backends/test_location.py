"""Locations: paths, file URLs, other URLs, and hiding of credentials."""

import os
import socket
from pathlib import Path

import pytest

from biggus.backends.location import Location, is_secret, public_url
from biggus.errors import GoneError, OpenError


@pytest.mark.parametrize(
    ("text", "scheme", "suffix"),
    [
        ("a.h5", "", ".h5"),
        ("/data/A.NC", "", ".nc"),
        ("store.zarr/", "", ".zarr"),
        ("x.zarr.zip", "", ".zip"),
        ("noend", "", ""),
        (".hidden", "", ""),
        ("C://data/a.h5", "", ".h5"),
        ("file:///data/a.h5", "", ".h5"),
        ("FILE://localhost/data/a.h5", "", ".h5"),
        ("https://host/a.h5?key=b.c", "https", ".h5"),
        ("HTTP://host/{z}/{x}/{y}.PNG", "http", ".png"),
        ("s3://bucket/store.zarr/", "s3", ".zarr"),
        ("memory+zip://x", "memory+zip", ""),
    ],
)
def test_scheme_and_suffix(text, scheme, suffix):
    location = Location(text)
    assert location.scheme == scheme
    assert location.suffix == suffix


def test_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Location("a.h5").path == tmp_path / "a.h5"
    assert Location(Path("b") / "a.h5").path == tmp_path / "b" / "a.h5"
    assert Location("a.h5").public == str(tmp_path / "a.h5")
    if os.name != "nt":
        assert Location("~/a.h5").path == tmp_path / "home" / "a.h5"
        assert Location("file:///d%20a/a%23b.h5").path == Path("/d a/a#b.h5")


@pytest.mark.parametrize("text", ["", "a\0b", b"bytes.h5"])
def test_invalid_locations_raise(text):
    with pytest.raises(OpenError) as caught:
        Location(text)
    assert "\n" not in str(caught.value)


def test_invalid_paths_and_urls_raise():
    with pytest.raises(OpenError, match="not a local path"):
        _ = Location("https://host/a").path
    with pytest.raises(OpenError, match="another host"):
        _ = Location("file://server/share/a.h5").path
    with pytest.raises(OpenError, match=r"https://\.\.\.: this is not a valid URL") as caught:
        _ = Location("https://me:hidden@[bad/a").public
    assert "hidden" not in str(caught.value)
    if os.name != "nt":
        with pytest.raises(OpenError, match="home directory"):
            _ = Location("~nobody-of-this-name/a.h5").path
    with pytest.raises(TypeError):
        Location(5)


def test_head(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(256)) * 1000)
    assert Location(tmp_path / "a").head == (bytes(range(256)) * 1000)[: 64 * 1024]
    assert Location(tmp_path).head == b""
    assert Location(tmp_path).is_directory
    assert not Location(tmp_path / "a").is_directory
    assert Location("https://host/a").head == b""
    for missing in (tmp_path / "no", tmp_path / "a" / "below"):
        with pytest.raises(GoneError, match="no such file"):
            _ = Location(missing).head
    with pytest.raises(OpenError, match="too long"):
        _ = Location(tmp_path / ("x" * 5000)).head


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this platform")
def test_pipes_and_sockets_do_not_hang(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OpenError, match="neither a regular file"):
        _ = Location(tmp_path / "pipe").head
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(OpenError, match="neither a regular file"):
            _ = Location("s").head


def test_unreadable_files(tmp_path):
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "a").chmod(0)
    with pytest.raises(OpenError, match="denied"):
        _ = Location(tmp_path / "a").head


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://me:pw@host/a?b=c", "https://host/a?b=c"),
        ("https://me@host:81/a", "https://host:81/a"),
        ("https://host/{z}/{x}/{y}.png?api_key=s", "https://host/{z}/{x}/{y}.png"),
        ("https://host/a?apiKey=s&style=b", "https://host/a?style=b"),
        ("https://host/a?X-Amz-Signature=s&x=1", "https://host/a?x=1"),
        ("https://host/a?AWSAccessKeyId=s", "https://host/a"),
        ("https://host/a?subscription-key=s", "https://host/a"),
        ("https://host/a?sig=s&sv=2020&se=3&layer=4", "https://host/a?layer=4"),
        ("https://host/a?access_token=s#frag", "https://host/a"),
        (
            "https://host/a?author=x&keyword=y&monkey=z",
            "https://host/a?author=x&keyword=y&monkey=z",
        ),
        ("https://host/a?empty=&b=2", "https://host/a?empty=&b=2"),
    ],
)
def test_public_url_leaves_out_credentials_only(url, public):
    assert public_url(url) == public
    location = Location(url)
    assert location.public == public
    assert repr(location) == f"Location({public!r})"


SECRET_NAMES = [
    "key",
    "KEY",
    "token",
    "client_secret",
    "Authorization",
    "password",
    "jwt",
    "tk",
    "AK",
    "authkey",
    "auth-key",
    "apitoken",
    "sessiontoken",
    "clientsecret",
    "secretkey",
    "userkey",
    "app_code",
    "appCode",
    "pass",
    "sas",
    "sasToken",
    "licensekey",
    "licence_key",
    "mapkey",
    "accessToken",
    "AWSAccessKeyId",
    "GoogleAccessId",
    "Key-Pair-Id",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "access_id",
    "app_id",
    "userpass",
    "db_pass",
    "passphrase",
    "mapboxtoken",
    "appsecret",
    "pw",
]

OTHER_NAMES = [
    "style",
    "zoom",
    "author",
    "keyboard",
    "sigma",
    "passage",
    "sessions_year",
    "pass_number",
    "ascending_pass",
    "bypass",
    "compass",
    "monkey",
    "turkey",
    "task",
    "country_code",
    "mapcode",
    "user",
    "username",
    "map_id",
    "tokenize",
    "layers",
    "bands",
    "dtype",
    "missing",
    "absent",
]


def test_names_of_secrets():
    assert [name for name in SECRET_NAMES if not is_secret(name)] == []
    assert [name for name in OTHER_NAMES if is_secret(name)] == []
