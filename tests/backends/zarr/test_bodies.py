"""Responses to range requests for parts of a shard: correct ones and wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")

from shard_samples import (
    DATA,
    create,
    shard_file,
    sharding,
)

import biggus
from biggus.errors import SourceError


def another_part(handler, body, first, last):
    return 206, body[first + 16 : last + 17], f"bytes {first + 16}-{last + 16}/{len(body)}"


def too_few_bytes(handler, body, first, last):
    return 206, body[first:last], f"bytes {first}-{last - 1}/{len(body)}"


def mislabelled_range(handler, body, first, last):
    return 206, body[first : last - 3], f"bytes {first}-{last}/{len(body)}"


def unlabelled(handler, body, first, last):
    return 206, body[first : last + 1], None


def multipart(handler, body, first, last):
    part = body[first : last + 1]
    text = b"--x\r\nContent-Range: bytes 0-1/2\r\n\r\n" + part + b"\r\n--x--"
    handler.wrong_type = "multipart/byteranges; boundary=x"
    return 206, text, None


def not_satisfiable(handler, body, first, last):
    return 416, b"", f"bytes */{len(body)}"


def with_another_unit(handler, body, first, last):
    return 206, body[first : last + 1], f"items {first}-{last}/{len(body)}"


WRONG = [
    another_part,
    too_few_bytes,
    mislabelled_range,
    unlabelled,
    multipart,
    not_satisfiable,
    with_another_unit,
]


def answer_ranges(path, wrong):
    body = path.read_bytes()

    def answer(handler):
        text = handler.headers["Range"].removeprefix("bytes=")
        first, _, last = text.partition("-")
        start = int(first) if first else len(body) - int(last)
        stop = int(last) if first and last else len(body) - 1
        status, part, label = wrong(handler, body, start, stop)
        headers = {"ETag": '"same"', "Content-Type": getattr(handler, "wrong_type", "image/x")}
        if label is not None:
            headers["Content-Range"] = label
        handler.answer(status, part, headers)

    return answer


@pytest.mark.in_pairs
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("correct_first", [0, 1])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_ranges_raise(server, tmp_path, wrong, correct_first, cached):
    data = DATA.astype("u1")
    create(tmp_path / "a.zarr", data, sharding(compressed=False))
    path, requests = "/a.zarr/c/0/0", []

    def answer(handler):
        requests.append(None)
        if len(requests) <= correct_first:
            return answer_ranges(shard_file(server), exact_range)(handler)
        return answer_ranges(shard_file(server), wrong)(handler)

    with biggus.Cache(tmp_path / "cache") as cache:
        server.failures[path] = [10**6, answer]
        for key in (np.s_[:, :256], np.s_[3:5, 7:9]):
            requests.clear()
            array = biggus.open(f"{server.url}/a.zarr", cache=cache if cached else False)
            with pytest.raises(SourceError):
                array[key].ndarray()
        server.failures.clear()
        np.testing.assert_array_equal(array[:].ndarray(), data)


def exact_range(handler, body, first, last):
    return 206, body[first : last + 1], f"bytes {first}-{last}/{len(body)}"


def wider_range(handler, body, first, last):
    first = max(0, first - 5)
    return (
        206,
        body[first : last + 100],
        f"bytes {first}-{min(last + 99, len(body) - 1)}/{len(body)}",
    )


def range_of_unknown_length(handler, body, first, last):
    return 206, body[first : last + 1], f"bytes {first}-{last}/*"


@pytest.mark.parametrize("answer", [exact_range, range_of_unknown_length])
def test_correct_ranges(server, tmp_path, answer):
    create(tmp_path / "a.zarr", DATA)
    server.failures["/a.zarr/c/0/0"] = [10**6, answer_ranges(shard_file(server), answer)]
    array = biggus.open(f"{server.url}/a.zarr", cache=False)
    np.testing.assert_array_equal(array[:].ndarray(), DATA)


def test_wider_ranges_are_cut(server, tmp_path):
    create(tmp_path / "a.zarr", DATA, sharding("start"))
    server.failures["/a.zarr/c/0/0"] = [10**6, answer_ranges(shard_file(server), wider_range)]
    array = biggus.open(f"{server.url}/a.zarr", cache=False)
    np.testing.assert_array_equal(array[:].ndarray(), DATA)


def test_truncated_shard_raises(server, tmp_path):
    create(tmp_path / "a.zarr", DATA, sharding("start"))
    path = shard_file(server)
    path.write_bytes(path.read_bytes()[:-5000])
    for knows_ranges in (True, False):
        server.ranges = knows_ranges
        array = biggus.open(f"{server.url}/a.zarr", cache=False)
        with pytest.raises(SourceError):
            array.ndarray()
        np.testing.assert_array_equal(array[:, 256:].ndarray(), DATA[:, 256:])
