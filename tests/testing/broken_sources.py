"""A sound source of one file, and sources that break one promise each."""

import hashlib
import os
import time
import warnings
from pathlib import Path

import numpy as np

from biggus.errors import BiggusError, GoneError, OpenError
from biggus.sources.base import Source

LOADED = {}
"""Values by path, held in this process alone."""


class Sound(Source):
    owns_data = True
    secret = "hunter2"

    def __init__(self, path):
        self.path = str(path)
        values = self.load()
        self.shape = values.shape
        self.dtype = values.dtype
        self.name = f"{self.path}::values"
        self.token = f"npy:{self.path}"
        self.chunks = tuple(max(1, n // 2) for n in self.shape)
        self.attributes = {"units": "m"}
        self.dims = tuple(f"dim{axis}" for axis in range(len(self.shape)))

    def __repr__(self):
        return f"<{type(self).__name__} {self.name}>"

    def load(self):
        try:
            return np.load(self.path)
        except FileNotFoundError:
            if hasattr(self, "shape"):
                raise
            raise GoneError(self.path, "there is no such file") from None
        except ValueError as error:
            if hasattr(self, "shape"):
                raise
            raise OpenError(self.path, str(error)) from error

    def __getitem__(self, box):
        return self.load()[(*box, ...)].copy()

    def state(self):
        # By content, so that no test has to wait until a file is old enough.
        try:
            return hashlib.sha256(Path(self.path).read_bytes()).digest()
        except FileNotFoundError:
            return None


class OtherDtypeFarFromTheOrigin(Sound):
    def __getitem__(self, box):
        values = super().__getitem__(box)
        return values.astype("f4") if box and box[0].start > 1 else values


class DropsAxesOfLengthOne(Sound):
    def __getitem__(self, box):
        return super().__getitem__(box).squeeze()


class IgnoresSteps(Sound):
    def __getitem__(self, box):
        dense = [slice(s.start, s.start + len(range(s.start, s.stop, s.step)), 1) for s in box]
        return super().__getitem__(tuple(dense))


class ScalarsForNoAxes(Sound):
    def __getitem__(self, box):
        return self.load()[box]


class LosesTheSignOfZero(Sound):
    def __getitem__(self, box):
        values = super().__getitem__(box)
        return values + 0.0 if values.dtype.kind == "f" else values


class LosesTheByteOrder(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.dtype = self.dtype.newbyteorder("=")

    def __getitem__(self, box):
        return super().__getitem__(box).astype(self.dtype)


class MasksUnannounced(Sound):
    def __getitem__(self, box):
        return np.ma.masked_invalid(super().__getitem__(box))


class Warns(Sound):
    def __getitem__(self, box):
        warnings.warn("something is odd", stacklevel=1)
        return super().__getitem__(box)


class GivesViews(Sound):
    def load(self):
        if not hasattr(self, "values"):
            self.values = super().load()
        return self.values

    def __getitem__(self, box):
        return self.load()[(*box, ...)]


class GivesViewsOfFetches(Sound):
    def fetch(self, box):
        if not hasattr(self, "values"):
            self.values = self.load()
        return self.values[(*box, ...)], self.state()


class CannotBeWritten(Sound):
    def __getitem__(self, box):
        values = super().__getitem__(box)
        values.flags.writeable = False
        return values


class NotForTwoThreads(Sound):
    def __getitem__(self, box):
        self.wanted = box
        time.sleep(0.001)
        return super().__getitem__(self.wanted)


class FetchesFromElsewhere(Sound):
    def fetch(self, box):
        values, validator = super().fetch(box)
        return values[..., ::-1] if values.ndim else values, validator


class ValidatorOfOnce(Sound):
    def state(self):
        if not hasattr(self, "once"):
            self.once = super().state()
        return self.once


class ValidatorOfThePath(Sound):
    def state(self):
        return self.path.encode()


class ValidatorIsRestless(Sound):
    def state(self):
        return os.urandom(8)


class ValidatorIsAText(Sound):
    def validator(self, box):
        return (super().validator(box) or b"").hex()


class NoValidator(Sound):
    def state(self):
        return None


class TakesAnyCopy(Sound):
    def revalidate(self, box, held):
        return held


class TakesNoCopy(Sound):
    def revalidate(self, box, held):
        return None


class RemembersTheOldValues(Sound):
    def load(self):
        if not hasattr(self, "values"):
            self.values = super().load()
        return self.values


class ZerosForWhatIsGone(Sound):
    def __getitem__(self, box):
        try:
            return super().__getitem__(box)
        except FileNotFoundError:
            return np.zeros(self.shape, self.dtype)[(*box, ...)]


class ZerosForFetchesOfWhatIsGone(Sound):
    def fetch(self, box):
        try:
            return super().fetch(box)
        except BiggusError:
            return np.zeros(self.shape, self.dtype)[(*box, ...)], None


class NamelessErrors(Sound):
    def __getitem__(self, box):
        try:
            return super().__getitem__(box)
        except FileNotFoundError:
            raise BiggusError("something went wrong") from None


class LongErrors(Sound):
    def __init__(self, path):
        try:
            super().__init__(path)
        except GoneError:
            problem = "no such file\nand here is a whole page of HTML"
            raise GoneError(self.path, problem) from None


class OpensWhatIsGone(Sound):
    def load(self):
        try:
            return super().load()
        except (FileNotFoundError, GoneError):
            return np.zeros(getattr(self, "shape", (3, 4, 5)), getattr(self, "dtype", "f8"))


class SecretInName(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.name += f" as {self.secret}"


class SecretInToken(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.token += f" as {self.secret}"


class SecretInRepr(Sound):
    def __repr__(self):
        return f"{type(self).__name__}(password={self.secret!r})"


class PasswordInLocation(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.token = f"https://me:pw@example.org{path}"


class KeyInLocation(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.token = f"https://example.org{path}?api_key=123"


class SecretInErrors(Sound):
    def __getitem__(self, box):
        try:
            return super().__getitem__(box)
        except FileNotFoundError:
            raise OSError(f"no file for {self.secret}") from None


class TokenOfTheObject(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.token = f"object {id(self)}"


class TokenOfTheFormat(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.token = "npy"


class PicklesItsValues(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.values = self.load()


class DoesNotPickle(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.convert = lambda text: float(text) + 1


class LivesInOneProcess(Sound):
    """As a pool of handles that does not check the process."""

    def __init__(self, path):
        super().__init__(path)
        LOADED[self.path] = super().load()

    def load(self):
        return LOADED[self.path] if hasattr(self, "shape") else super().load()


class DiesOfAFork(Sound):
    def __getitem__(self, box):
        LOADED.setdefault("pid", os.getpid())
        if LOADED["pid"] != os.getpid():
            raise OSError("a handle of another process")
        return super().__getitem__(box)


class ChunksOfAnotherShape(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.chunks = (*self.chunks, 1)


class ChunksThatDoNotAddUp(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.chunks = tuple((n + 1,) for n in self.shape)


class ShapeOfNumPyIntegers(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.shape = tuple(np.array(self.shape, int))


class ShapeIsAList(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.shape = list(self.shape)


class DtypeIsAType(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.dtype = float


class TooManyDims(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.dims = (*self.dims, "more")


class AttributesThatJsonCannotSay(Sound):
    def __init__(self, path):
        super().__init__(path)
        self.attributes = {"file": self.load}


class ZerosForWhatIsCutOff(Sound):
    def load(self):
        try:
            return super().load()
        except ValueError:
            return np.zeros(self.shape, self.dtype)
