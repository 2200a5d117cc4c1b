"""Bundles: versions of the format, damage, and hostile files."""

import copy
import hashlib
import io
import json
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import BiggusError, MemoryBudgetError, StudyError
from biggus.study.bundle import Bundle
from biggus.testing import ArraySource

GOLDEN = Path(__file__).parent / "golden" / "version1.biggus"
GOLDEN_RECEIPT = "biggus1-f0f897c81d1ad188509aacd5404c764682dabb019d53799ed8b1f58efd1afaf4"


def values_of(path):
    """Return everything that can be read from a bundle."""
    bundle = Bundle(path)
    bundle.check()
    found = []
    for token, held in sorted(bundle.sources.items()):
        source = held.source()
        found.append((token, source.shape, source.dtype, source.masked, repr(source.attributes)))
        for place in sorted(held.chunks):
            values = bundle.values(held, place, source.dtype)
            found.append(
                (place, np.ma.filled(values, 0).tobytes(), np.ma.getmaskarray(values).tobytes())
            )
    return [*found, bundle.receipt, bundle.manifest]


# --- versions of the format -------------------------------------------------------------------


def test_bundle_of_version_1_is_replayed(folder):
    packed = ArraySource(
        np.zeros(5, "u1"),
        (2,),
        token="packed",
        conventions="CF",
        attributes={"scale_factor": np.float32(0.5), "_FillValue": np.uint8(3)},
    )
    with biggus.replay(GOLDEN) as study:
        plain = biggus.open("plain.npy")
        assert plain.dtype == np.dtype(">i2")
        assert plain[:, 1:].ndarray().tolist() == [[-2, 258], [5, 6]]
        assert biggus.ArrayAdapter(packed)[1:].masked_array().tolist() == [0.5, 1.0, None, 2.0]
        masked = ArraySource(np.ma.masked_less(np.zeros(4), 1), (3,), token="masked")
        assert biggus.ArrayAdapter(masked).masked_array().tolist() == [None, 1.0, 2.0, 3.0]
    assert study.receipt == GOLDEN_RECEIPT


def test_receipt_follows_the_documented_algorithm():
    """The algorithm is written from the docstring of `biggus.study`, without its code."""

    def sha(*pieces):
        return hashlib.sha256(b"".join(pieces)).hexdigest()

    def chunk(dtype, shape, data, masked="false", mask=b""):
        head = f'{{"dtype":"{dtype}","masked":{masked},"shape":[{shape}]}}\n'
        return sha(b"biggus chunk 1\n", head.encode(), data, mask)

    def source(header, *lines):
        text = "".join(f"{edges} {digest}\n" for edges, digest in lines)
        return sha(b"biggus source 1\n", header.encode(), b"\n", text.encode())

    nothing = '{"conventions":null,"packing":{}}'
    plain = source(
        nothing,
        ("[[0,2],[0,3]]", chunk("<i2", "2,3", struct.pack("<6h", 1, -2, 258, 4, 5, 6))),
    )
    masked = source(
        nothing,
        ("[[0,3]]", chunk("<f8", "3", struct.pack("<3d", 0, 1, 2), "true", b"\1\0\0")),
        ("[[3,4]]", chunk("<f8", "1", struct.pack("<d", 3))),
    )
    packed = source(
        '{"conventions":"CF","packing":{"_FillValue":{"dtype":"|u1","hex":"03","shape":[]},'
        '"scale_factor":{"dtype":"<f4","hex":"0000003f","shape":[]}}}',
        ("[[0,2]]", chunk("|u1", "2", b"\0\1")),
        ("[[2,4]]", chunk("|u1", "2", b"\2\3")),
        ("[[4,5]]", chunk("|u1", "1", b"\4")),
    )
    lines = "".join(f"{digest}\n" for digest in sorted([plain, masked, packed]))
    assert "biggus1-" + sha(b"biggus receipt 1\n", lines.encode()) == GOLDEN_RECEIPT


def test_later_version_raises(folder):
    rewrite(folder / "new.biggus", lambda manifest: manifest.update(version=2))
    with pytest.raises(StudyError, match="has version 2 of the format"):
        Bundle("new.biggus")


# --- damage -----------------------------------------------------------------------------------


def test_changed_bytes_raise_or_change_nothing(folder):
    np.save("a.npy", np.arange(3, dtype="i2"))
    with biggus.record("s.biggus"):
        biggus.open("a.npy").ndarray()
    wanted = values_of("s.biggus")
    content = Path("s.biggus").read_bytes()
    found = 0
    for at in range(len(content)):
        for change in (0xFF, 1 << at % 8):
            damaged = bytearray(content)
            damaged[at] ^= change
            Path("d.biggus").write_bytes(damaged)
            try:
                assert values_of("d.biggus") == wanted, at
            except StudyError:
                found += 1
    assert found > len(content)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_bundle_raises(folder, share):
    content = GOLDEN.read_bytes()
    Path("d.biggus").write_bytes(content[: int(share * len(content))])
    with pytest.raises(StudyError, match=r"d\.biggus"):
        Bundle("d.biggus")


def test_files_that_are_no_bundles_raise(folder):
    with pytest.raises(StudyError, match=r"there is no study .*no\.biggus"):
        Bundle("no.biggus")
    Path("text").write_text("no zip")
    Path("folder").mkdir()
    with zipfile.ZipFile("zip", "w") as file:
        file.writestr("a.txt", "a")
    with zipfile.ZipFile("empty", "w"):
        pass
    for name in ("text", "folder", "zip", "empty"):
        with pytest.raises(StudyError, match=name):
            Bundle(name)


def test_damaged_chunk_error_names_the_chunk(folder):
    content = GOLDEN.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        member = next(each for each in file.infolist() if each.file_size == 72)
    damaged = bytearray(content)
    damaged[member.header_offset + 30 + len(member.filename) + 5] ^= 1
    Path("d.biggus").write_bytes(damaged)
    with biggus.replay("d.biggus"):
        array = biggus.open("plain.npy")
        with pytest.raises(StudyError, match=r"plain\.npy::values \[0:2, 0:3\] is damaged"):
            array[0].ndarray()


# --- hostile bundles ----------------------------------------------------------------------------


def rewrite(path, change, members=None):
    """Write the golden bundle with a changed manifest and further members."""
    with zipfile.ZipFile(GOLDEN) as file:
        content = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(content["manifest.json"])
    changed = change(manifest)
    text = changed if isinstance(changed, (str, bytes)) else json.dumps(manifest)
    content["manifest.json"] = text if isinstance(text, bytes) else text.encode()
    content.update(members or {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in content.items():
            file.writestr(name, body)


def _set(path, value):
    def change(manifest):
        *parents, last = path
        for name in parents:
            manifest = manifest[name]
        manifest[last] = copy.deepcopy(value)

    return change


NESTED = "[" * 200_000 + "]" * 200_000
DESCRIPTION = ("sources", 1, "description")
HOSTILE = {
    "nested": lambda manifest: NESTED,
    "nested in a place": lambda manifest: json.dumps(manifest)[:-1] + f',"x":{NESTED}}}',
    "no object": lambda manifest: "[]",
    "NaN": lambda manifest: json.dumps(manifest)[:-1] + ',"x":NaN}',
    "long number": lambda manifest: json.dumps(manifest)[:-1] + ',"x":' + "9" * 10_000 + "}",
    "no UTF-8": lambda manifest: b"\xff\xfe{}",
    "another receipt": _set(["receipt"], "biggus1-" + 64 * "0"),
    "no receipt": lambda manifest: manifest.pop("receipt") and None,
    "no sources": _set(["sources"], None),
    "invalid sources": _set(["sources"], [1, 2]),
    "source twice": lambda manifest: manifest["sources"].append(manifest["sources"][0]),
    "no calls": _set(["calls"], None),
    "invalid calls": _set(["calls"], [3]),
    "object": _set([*DESCRIPTION, "dtype"], "|O"),
    "object within": _set(
        [*DESCRIPTION, "dtype"],
        {
            "names": ["a"],
            "formats": ["|O"],
            "offsets": [0],
            "titles": [None],
            "itemsize": 8,
            "aligned": False,
        },
    ),
    "nested dtype": _set([*DESCRIPTION, "dtype"], json.loads("[" * 200 + '"f8"' + ",[1]]" * 200)),
    "no dtype": _set([*DESCRIPTION, "dtype"], "i9; import os"),
    "fields": _set([*DESCRIPTION, "dtype"], "f8," * 10_000 + "f8"),
    "huge": _set([*DESCRIPTION, "shape"], [2**62, 2**62]),
    "negative": _set([*DESCRIPTION, "shape"], [-2, 3]),
    "text for a shape": _set([*DESCRIPTION, "shape"], "23"),
    "chunks": _set([*DESCRIPTION, "chunks"], {"$tuple": [0, 3]}),
    "many attributes": _set([*DESCRIPTION, "attributes"], {"a": {"$array": ["<f8", [2**40], ""]}}),
    "unknown": _set([*DESCRIPTION, "attributes"], {"a": {"$import": "os"}}),
    "token": _set(["sources", 1, "token"], ["x"]),
    "place out of bounds": _set(["sources", 1, "chunks", 0, 0], [[0, 2], [0, 4]]),
    "place reversed": _set(["sources", 1, "chunks", 0, 0], [[2, 0], [0, 3]]),
    "digest": _set(["sources", 1, "chunks", 0, 1], "../../etc/passwd"),
    "length": _set(["sources", 1, "chunks", 0, 2], 2**60),
    "number": _set(["sources", 1, "chunks", 0, 2], "x"),
}


@pytest.mark.parametrize("harm", HOSTILE)
def test_hostile_manifest_raises(folder, harm):
    rewrite("h.biggus", HOSTILE[harm])
    with pytest.raises(BiggusError) as caught, biggus.replay("h.biggus"):
        biggus.open("plain.npy").ndarray()
    message = str(caught.value)
    assert ("h.biggus" in message) != isinstance(caught.value, MemoryBudgetError)
    assert "\n" not in message
    assert len(message) < 1000


@pytest.mark.parametrize("name", ["../x", "/etc/x", "chunks/../x", "chunks/", "x" * 60_000, "a\nb"])
def test_unexpected_members_raise(folder, name):
    rewrite("h.biggus", lambda manifest: None, {name: b""})
    with pytest.raises(StudyError, match="has no place for") as caught:
        Bundle("h.biggus")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in folder.iterdir()) == ["h.biggus"]


def test_unreferenced_chunk_raises(folder):
    rewrite("h.biggus", lambda manifest: None, {"chunks/" + 64 * "0": b"x"})
    with pytest.raises(StudyError, match="has no place for chunks/0"):
        Bundle("h.biggus")


def test_duplicate_members_raise(folder):
    shutil.copy(GOLDEN, "h.biggus")
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile("h.biggus", "a") as file,
    ):
        file.writestr("manifest.json", b"{}")
    with pytest.raises(StudyError, match="several members of one name"):
        Bundle("h.biggus")


@pytest.mark.parametrize("name", ["manifest.json", "chunk"])
def test_zip_bomb_raises(folder, name):
    """A gigabyte of zeros in a megabyte."""
    with zipfile.ZipFile(GOLDEN) as file:
        content = {each: file.read(each) for each in file.namelist()}
        chunk = next(each.filename for each in file.infolist() if each.file_size == 72)
    with zipfile.ZipFile("h.biggus", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for each, body in content.items():
            if each == (chunk if name == "chunk" else name):
                with file.open(each, "w") as member:
                    for _ in range(130):
                        member.write(bytes(2**20))
            else:
                file.writestr(each, body)
    with pytest.raises(StudyError, match=r"too long|another length"):
        Bundle("h.biggus")
