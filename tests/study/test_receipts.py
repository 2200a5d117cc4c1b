"""Receipts are equal exactly for equal inputs, wherever these are stored."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import StudyError
from biggus.study.bundle import Bundle
from biggus.testing import ArraySource

DATA = np.random.default_rng(5).normal(size=(24, 30)).astype("f4")

EXPRESSIONS = {
    "all": lambda a: a,
    "slice": lambda a: a[3:17:2, 4:9],
    "reversed": lambda a: a[::-3, 5],
    "picked": lambda a: a[[3, 20, 7]][:, [29, 0]],
    "transposed": lambda a: a.T[4:6],
    "reduced": lambda a: a[:7].mean(axis=1),
    "two passes": lambda a: (a - a.mean(axis=0)).std(axis=1)[2:4],
    "median": lambda a: biggus.median(a, axis=0)[::9],
    "mosaic": lambda a: biggus.LinearMosaic([a[:5], a[18:]], axis=0)[2:7],
    "with memory": lambda a: a[2] + np.ones(30),
    "empty": lambda a: a[5:5],
}


def source(data=DATA, chunks=(5, 7), token="t", **capabilities):
    return ArraySource(data, chunks, token=token, **capabilities)


def adapted(*given, **named):
    return biggus.ArrayAdapter(source(*given, **named))


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("chunks", [(5, 7), (24, 30), ((1, 20, 3), (30,)), None])
def test_receipt_matches_the_recorded_study(folder, name, chunks):
    wanted = EXPRESSIONS[name](adapted(chunks=chunks))
    with biggus.record("study.biggus") as study:
        wanted.ndarray()
    assert study.receipt == biggus.receipt([wanted])
    with biggus.replay("study.biggus"):
        assert study.receipt == biggus.receipt([wanted])


def test_receipt_ignores_order_workers_executor_cache_and_location(folder):
    for name in "ab":
        np.save(f"{name}.npy", DATA)
    Path("sub").mkdir()
    wanted = []
    for name in "ab":
        np.save(f"sub/{name}.npy", DATA)
        wanted += [biggus.open(f"{name}.npy")[:5].sum(), biggus.open(f"{name}.npy")[9]]
    wanted += [adapted()[3], adapted()[20:].max()]
    expected = biggus.receipt(wanted)
    shuffled = list(wanted)
    random.Random(3).shuffle(shuffled)
    cache = biggus.Cache("cache")
    elsewhere = [
        *(biggus.open(f"sub/{name}.npy", cache=cache)[2:9] for name in "ba"),
        biggus.ArrayAdapter(source(token="another"), cache=cache)[[3, 21], :],
    ]
    with ThreadPoolExecutor(2) as pool:
        for options in ({"workers": 1}, {"workers": 4}, {"executor": pool}, {"memory": "9 MB"}):
            with biggus.set_options(**options):
                assert biggus.receipt(shuffled) == expected
                # The second time the values come from the cache.
                assert biggus.receipt(elsewhere) == expected


def test_receipt_ignores_memory():
    rows = adapted(np.zeros((64, 60_000), "f4"), (1, 60_000))
    medians = biggus.median(rows, axis=0)
    with biggus.set_options(memory="20 MB"):
        assert any(each.scratch_bytes for each in biggus.plan([medians]).passes)
        assert biggus.receipt([medians]) == biggus.receipt([rows])
    with biggus.set_options(memory="1 MB"):
        assert biggus.receipt([medians]) == biggus.receipt([rows])


def test_receipt_ignores_byte_order_and_masked_values():
    masked = np.ma.masked_less(DATA, 0)
    other = np.ma.MaskedArray(np.where(masked.mask, 7, DATA), masked.mask)
    assert biggus.receipt([adapted(masked)]) == biggus.receipt([adapted(other)])
    assert biggus.receipt([adapted(DATA.astype(">f4"))]) == biggus.receipt([adapted(DATA)])
    gaps = np.zeros(24, np.dtype([("a", "i1"), ("b", ">f8")], align=True))
    gaps["b"] = DATA[:, 0]
    gaps.view("u1")[1::16] = 99
    plain = gaps.astype([("a", "i1"), ("b", "<f8")])
    receipts = {biggus.receipt([adapted(each, (5,))]) for each in (gaps, plain)}
    assert len(receipts) == 1
    mask = np.ma.MaskedArray(DATA, np.zeros(DATA.shape, bool))
    assert biggus.receipt([adapted(mask)]) == biggus.receipt([adapted(DATA)])


def test_receipts_of_different_inputs_differ():
    changed = DATA.copy()
    changed[23, 29] = np.nextafter(changed[23, 29], 1)
    negative = np.where(DATA[0, 0] == DATA, np.float32(-0.0), DATA)
    packing = {"conventions": "CF", "attributes": {"scale_factor": 2.0}}
    arrays = [
        adapted(),
        adapted(changed),
        adapted(negative),
        adapted(np.abs(negative)),
        adapted(DATA.astype("f8")),
        adapted(DATA.view("i4")),
        adapted(DATA.reshape(30, 24)),
        adapted(chunks=(6, 7)),
        adapted()[:23, :5],
        adapted(np.ma.masked_equal(DATA, DATA[3, 3])),
        adapted(**packing),
        adapted(conventions="CF", attributes={"scale_factor": np.float32(2)}),
        adapted(DATA[::-1]),
    ]
    receipts = [biggus.receipt([array]) for array in arrays]
    assert len(set(receipts)) == len(arrays)
    assert biggus.receipt([arrays[0], adapted(changed, token="other")]) not in receipts


def test_receipt_ignores_changes_in_unused_chunks():
    changed = DATA.copy()
    changed[23, 29] = 0
    assert biggus.receipt([adapted()[:20]]) == biggus.receipt([adapted(changed)[:20]])
    assert biggus.receipt([adapted().T[:28]]) == biggus.receipt([adapted(changed).T[:28]])
    assert biggus.receipt([adapted()[20:]]) != biggus.receipt([adapted(changed)[20:]])


def test_receipt_of_a_source_without_a_token():
    class Rows:
        shape, dtype = DATA.shape, DATA.dtype

        def __getitem__(self, box):
            return DATA[box]

    rows = Rows()
    array = biggus.ArrayAdapter(rows)
    one = biggus.receipt([array[:3], array[4]])
    assert one == biggus.receipt([biggus.ArrayAdapter(Rows())])
    assert one == biggus.receipt([adapted(chunks=None)])


def test_values_without_a_receipt_raise():
    objects = np.array([{}, {}], object)
    with pytest.raises(StudyError, match="Python objects such as dict"):
        biggus.receipt([adapted(objects, (1,))])
    with pytest.raises(StudyError, match="differs between machines"):
        biggus.receipt([adapted(np.zeros(3, "longdouble"), (3,))])
    with pytest.raises(TypeError, match="give a list of arrays"):
        biggus.receipt(adapted())


def test_receipt_of_text(folder):
    texts = np.array([["a", ""], ["\u00fc\0", "long" * 9]], object)
    array = adapted(texts, (1, 2))
    kinds = [texts, texts.astype(np.dtypes.StringDType())]
    assert len({biggus.receipt([adapted(each, (1, 2))]) for each in kinds}) == 1
    with biggus.record("study.biggus") as study:
        assert array.ndarray().tolist() == texts.tolist()
    assert Bundle("study.biggus").receipt == study.receipt == biggus.receipt([array])
    with biggus.replay("study.biggus"):
        assert array[1:].ndarray().tolist() == texts[1:].tolist()
