"""An evaluation sees one state of each file, whoever writes to it meanwhile.

The writer is a hook here that changes a file after the n-th read of an evaluation, so that
what must come of it is exact.  In `tests/backends/test_torn_reads.py` it is another process.
"""

import numpy as np
import pytest
from written import FORMATS, NEW, OLD, overwrite

import biggus
from biggus import source
from biggus.errors import SourceChangedError, SourceError


@pytest.fixture(params=list(FORMATS))
def path(request, tmp_path):
    path = tmp_path / request.param
    FORMATS[request.param](path)
    return path


@pytest.fixture
def meanwhile(monkeypatch):
    """What is to happen after a read, by its number from one on; and how many there were."""
    todo = {"reads": 0}
    asked = source.asked

    def then(*given):
        answer = asked(*given)
        todo["reads"] += 1
        todo.get(todo["reads"], lambda: None)()
        return answer

    monkeypatch.setattr(source, "asked", then)
    return todo


def opened(path):
    return biggus.open(path) if path.suffix in (".npy", ".zarr") else biggus.open(path, "v")


def test_what_changes_between_two_reads_is_an_error(path, meanwhile):
    a = opened(path)
    meanwhile[1] = lambda: overwrite(path)
    with pytest.raises(
        SourceChangedError, match=rf"{path.name}.*changed during the read"
    ) as caught:
        biggus.ndarrays([a[0], a[2]])
    assert isinstance(caught.value, SourceError)
    assert path.name in caught.value.source
    first, second = biggus.ndarrays([a[0], a[2]])  # another evaluation, another state
    np.testing.assert_array_equal(first, NEW[0])
    np.testing.assert_array_equal(second, NEW[2])


def test_what_changes_between_two_passes_is_an_error(path, meanwhile):
    a = opened(path)
    array = (a - (a + 0).mean()).max()  # what is computed is not streamed: reads are counted
    meanwhile[1] = lambda: overwrite(path)
    with pytest.raises(SourceChangedError, match=path.name):
        array.ndarray()
    assert array.ndarray() == (NEW - NEW.mean()).max()


def test_it_is_read_again_as_often_as_is_said(path, meanwhile):
    a = opened(path)
    meanwhile[1] = lambda: overwrite(path)
    with biggus.set_options(retry_changed=1):
        first, second = biggus.ndarrays([a[0], a[2]])
    np.testing.assert_array_equal(first, NEW[0])
    np.testing.assert_array_equal(second, NEW[2])


def test_what_changes_every_time_is_given_up(path, meanwhile):
    a = opened(path)
    begun = []

    def change():
        begun.append(meanwhile["reads"])
        overwrite(path, NEW if len(begun) % 2 else OLD)
        meanwhile["reads"] = 0  # the next read is the first of the next attempt

    def attempts(retries):
        begun.clear()
        meanwhile["reads"] = 0
        with biggus.set_options(retry_changed=retries), pytest.raises(SourceChangedError):
            biggus.ndarrays([a[0], a[2]])
        return len(begun)

    meanwhile[1] = change
    assert attempts(0) == 1
    assert attempts(2) == 3


def test_two_evaluations_may_see_two_states(path):
    a = opened(path)
    np.testing.assert_array_equal(a.ndarray(), OLD)
    overwrite(path)
    np.testing.assert_array_equal(a.ndarray(), NEW)


def test_an_evaluation_within_another_is_a_part_of_it(path, meanwhile):
    a = opened(path)

    class Lazy:
        shape, dtype = OLD.shape[1:], OLD.dtype

        def __getitem__(self, box):
            return a[0][box].ndarray()

    lazy = biggus.ArrayAdapter(Lazy())
    meanwhile[2] = lambda: overwrite(path)  # the first within, and the one around it
    with pytest.raises(SourceChangedError, match=path.name):
        biggus.ndarrays([lazy, a[2]])
