"""Locations: paths and URLs, with what backends need to recognise them, computed once."""

from __future__ import annotations

import glob
import itertools
import os
import re
import stat
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from biggus.errors import GoneError, OpenError
from biggus.support.forks import between_forks
from biggus.support.once import once

# fmt: off
_SECRET_WORDS = frozenset({
    "key", "sig", "passphrase", "passcode", "pwd", "auth", "authorization", "oauth",
    "subscription", "session", "sv", "se", "jwt", "bearer",
})
_SECRET_NAMES = frozenset({"tk", "ak", "sas", "pass", "pw"})
# fmt: on
# Written as one word or as two.
_SECRET_PAIR = re.compile(
    r".*(token|secret|password|passwd|signature|credentials?)"
    r"|(access|account|api|app|auth|client|consumer|dev|developer|license|licence|map|master"
    r"|private|public|sas|secret|server|service|session|shared|subscription|user)keys?(id)?"
    r"|(api|app|auth)(code|id|pass|pwd)|(access|session|secret)id|(db|my|user)(pass|pwd|pw)"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_HEAD_BYTES = 64 * 1024
_HDF5 = b"\x89HDF\r\n\x1a\n"


class Location:
    """A path or a URL.

    Parameters
    ----------
    location : str or os.PathLike
        A local path, a ``file:`` URL, or a URL of another scheme.
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        self.text = os.fspath(location)
        if not isinstance(self.text, str) or not self.text:
            raise OpenError(repr(location), "a location is a non-empty string or a path")
        if "\0" in self.text:
            raise OpenError(repr(self.text), "a location cannot hold a null character")

    def __fspath__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Location({self.public!r})"

    @once
    def scheme(self) -> str:
        """The lower-case URL scheme, or ``""`` for a path (a drive letter is a path)."""
        match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://|([Xx][Yy][Zz]):(?!:)", self.text)
        if match and match.group(2):
            return "xyz"  # such as xyz:OpenStreetMap, the name of a tile server
        scheme = match.group(1).lower() if match else ""
        return "" if scheme == "file" else scheme

    @once
    def path(self) -> Path:
        """The absolute local path; raises an OpenError for a URL."""
        if self.scheme:
            raise OpenError(self.public, "is not a local path")
        text = self.text
        if text.lower().startswith("file://"):
            with between_forks():
                from urllib.request import url2pathname

            parts = urlsplit(text)
            if parts.netloc not in ("", "localhost"):
                raise OpenError(text, "a file URL cannot name another host; write file:///path")
            text = url2pathname(parts.path)
        try:
            return Path(text).expanduser().absolute()
        except RuntimeError as error:  # ~somebody
            raise OpenError(text, str(error)) from None

    @once
    def real_path(self) -> str:
        """The local path without symbolic links, as it was at first use."""
        return os.path.realpath(self.path)

    @once
    def suffix(self) -> str:
        """The lower-case suffix of the last part of the path, with its dot."""
        text = _split(self.text).path if self.scheme else str(self.path)
        return os.path.splitext(text.rstrip("/"))[1].lower()  # noqa: PTH122 - URLs too

    @once
    def public(self) -> str:
        """The location without credentials: for names, tokens, logs and errors."""
        return public_url(self.text) if self.scheme else str(self.path)

    @once
    def is_directory(self) -> bool:
        """Whether it is a local directory."""
        return not self.scheme and os.path.isdir(self.path)  # noqa: PTH112 - never raises

    @once
    def head(self) -> bytes:
        """The first 64 KiB of a local file; empty for anything else.

        Raises
        ------
        GoneError
            If there is no such file.
        OpenError
            If it cannot be read.
        """
        if self.scheme or self.is_directory:
            return b""
        try:
            # Opening a pipe without a writer would wait for ever.
            regular = stat.S_ISREG(self.path.stat().st_mode)
            if regular:
                with self.path.open("rb", buffering=0) as file:
                    return file.read(_HEAD_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise GoneError(self.public, "there is no such file or folder") from None
        except OSError as error:
            raise OpenError(self.public, error.strerror or str(error)) from error
        raise OpenError(self.public, "it is neither a regular file nor a folder")

    @property
    def known_head(self) -> bytes:
        """The same as `head`, but empty if it cannot be read."""
        try:
            return self.head
        except OpenError:
            return b""


def holds_hdf5(head: bytes) -> bool:
    """Return whether HDF5's signature is at the start, or at 512, 1024, 2048 bytes and so on."""
    at = 0
    while at < len(head):
        if head.startswith(_HDF5, at):
            return True
        at = 2 * at or 512
    return False


def split_location(text: str) -> tuple[str, str]:
    """Split ``path::name`` into path and name, which is empty if there is none.

    Examples
    --------
    >>> split_location("out.h5::group/a"), split_location("out.npy")
    (('out.h5', 'group/a'), ('out.npy', ''))
    """
    path, _, name = text.rpartition("::")
    # An IPv6 address is in brackets: http://[fe80::1]/tos.zarr
    whole = not path or path.count("[") != path.count("]")
    # fsspec chains file systems by colons: zip://::/data/a.zip
    whole = whole or path.endswith("://") or "://" in name
    template = "://" in path and "{" in path  # tile templates may have colons, and one variable
    return (text, "") if whole or template else (path, name)


def place_and_variable(text: str) -> tuple[str, str]:
    """Split like `split_location`, but keep the text of an existing path with colons."""
    path, name = split_location(text)
    if path != text:
        whole = Location(text)
        if not whole.scheme and (os.path.lexists(whole.path) or _matches(str(whole.path))):
            return text, ""
    return path, name


def _matches(pattern: str) -> bool:
    return glob.has_magic(pattern) and any(glob.iglob(pattern, recursive=True))  # noqa: PTH207 - as open_many


def public_url(url: str) -> str:
    """Return `url` without user name, password and secret query parameters.

    Examples
    --------
    >>> public_url("https://me:pw@host/{z}/{x}/{y}.png?style=a&api_key=s3cret")
    'https://host/{z}/{x}/{y}.png?style=a'
    """
    parts = _split(url)
    netloc = parts.netloc.rpartition("@")[2]
    query = parts.query
    if query:
        # Some servers separate parameters by semicolons.
        pairs = [pair for part in query.split(";") for pair in parse_qsl(part, True)]
        query = urlencode([(k, v) for k, v in pairs if not is_secret(k)], safe="{}/:,-")
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        # The text is not in the message, for it may hold secrets anywhere.
        scheme = url.partition("://")[0]
        raise OpenError(f"{scheme}://...", f"this is not a valid URL: {error}") from None


def is_secret(name: str) -> bool:
    """Return whether a parameter of that name is likely to be a credential.

    Whole words are compared, for credentials are left out of tokens, and parameters that change
    values must not be: ``auth``, ``apiKey`` and ``pass`` are credentials; ``author``, ``keyword``
    and ``pass_number`` are not.

    Examples
    --------
    >>> [n for n in ("apiKey", "X-Amz-Signature", "author") if is_secret(n)]
    ['apiKey', 'X-Amz-Signature']
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if name.lower() in _SECRET_NAMES or not _SECRET_WORDS.isdisjoint(words):
        return True
    pairs = map("".join, itertools.pairwise(words))
    return any(map(_SECRET_PAIR.fullmatch, (*words, *pairs)))
