"""Each broken source fails the conformance suite, in the test for its fault."""

import unittest

import broken_sources as broken
import numpy as np
import pytest

from biggus.testing import SourceTests

BREAKS = {
    "test_attribute_types": [
        broken.ShapeOfNumPyIntegers,
        broken.ShapeIsAList,
        broken.DtypeIsAType,
        broken.TooManyDims,
        broken.ValidatorIsAText,
    ],
    "test_chunks_fit": [broken.ChunksOfAnotherShape, broken.ChunksThatDoNotAddUp],
    "test_reads_every_shape": [
        broken.OtherDtypeFarFromTheOrigin,
        broken.DropsAxesOfLengthOne,
        broken.IgnoresSteps,
        broken.ScalarsForNoAxes,
    ],
    "test_reads_every_dtype": [
        broken.LosesTheSignOfZero,
        broken.LosesTheByteOrder,
        broken.MasksUnannounced,
        broken.Warns,
    ],
    "test_reads_any_box": [broken.OtherDtypeFarFromTheOrigin, broken.IgnoresSteps],
    "test_reads_do_not_share_memory": [
        broken.GivesViews,
        broken.GivesViewsOfFetches,
        broken.CannotBeWritten,
    ],
    "test_token": [broken.TokenOfTheObject, broken.TokenOfTheFormat],
    "test_keeps_secrets": [
        broken.SecretInName,
        broken.SecretInToken,
        broken.SecretInRepr,
        broken.SecretInErrors,
        broken.PasswordInLocation,
        broken.KeyInLocation,
    ],
    "test_can_be_described": [broken.AttributesThatJsonCannotSay],
    "test_fetch_matches_reads": [broken.FetchesFromElsewhere],
    "test_validator": [
        broken.ValidatorOfOnce,
        broken.ValidatorOfThePath,
        broken.ValidatorIsRestless,
        broken.NoValidator,
        broken.TakesAnyCopy,
        broken.TakesNoCopy,
        broken.RemembersTheOldValues,
    ],
    "test_reads_in_many_threads": [broken.NotForTwoThreads],
    "test_pickles": [broken.PicklesItsValues, broken.DoesNotPickle],
    "test_reads_in_other_processes": [broken.LivesInOneProcess, broken.DiesOfAFork],
    "test_missing_store_raises": [
        broken.ZerosForWhatIsGone,
        broken.ZerosForFetchesOfWhatIsGone,
        broken.NamelessErrors,
        broken.LongErrors,
        broken.OpensWhatIsGone,
    ],
    "test_truncated_store_raises": [broken.ZerosForWhatIsCutOff],
}
TESTS = sorted(name for name in vars(SourceTests) if name.startswith("test_"))


class Suite(SourceTests):
    dtypes = ("f8", ">i4")
    secret = broken.Sound.secret
    settles = 0.3
    source = broken.Sound

    def store(self, values, folder):
        np.save(folder / "values.npy", values)

    def open(self, folder):
        return self.source(folder / "values.npy")


class TestSound(Suite):
    """The source from which the broken ones are made passes everything."""


def suite_of(source, **flags):
    return type("BrokenSuite", (Suite,), {"source": source, **flags})()


@pytest.mark.parametrize(
    ("test", "source"), [(test, source) for test in BREAKS for source in BREAKS[test]]
)
def test_broken_source_fails(test, source, tmp_path):
    with pytest.raises(Exception) as caught:
        getattr(suite_of(source), test)(tmp_path)
    assert not isinstance(caught.value, unittest.SkipTest)


def test_every_test_of_the_suite_has_a_broken_source():
    assert sorted(BREAKS) == TESTS


def test_every_broken_source_is_used():
    made = {cls for cls in vars(broken).values() if isinstance(cls, type)}
    made = {cls for cls in made if issubclass(cls, broken.Sound)} - {broken.Sound}
    assert made == {source for sources in BREAKS.values() for source in sources}


def test_surviving_values_must_be_right(tmp_path):
    suite = suite_of(broken.ZerosForWhatIsGone, survives=True)
    with pytest.raises(AssertionError, match="differ"):
        suite.test_missing_store_raises(tmp_path)


def test_unset_flag_skips_the_test(tmp_path):
    with pytest.raises(unittest.SkipTest, match="destroys"):
        suite_of(broken.ZerosForWhatIsGone, destroys=False).test_missing_store_raises(tmp_path)


def test_error_notes_the_case(tmp_path):
    with pytest.raises(AssertionError, match="differ") as caught:
        suite_of(broken.IgnoresSteps).test_reads_every_shape(tmp_path)
    assert "box=(slice(" in caught.value.__notes__[0]
