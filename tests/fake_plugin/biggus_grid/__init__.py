"""A backend for ``.grid`` files: a header of text, an empty line, and the values as text."""

import math
from pathlib import Path

import numpy as np

from biggus.backends import Backend
from biggus.backends.files import file_validator
from biggus.errors import GoneError, OpenError, VariableError
from biggus.sources.base import Source
from biggus.sources.normal import normal_dtype

MAGIC = "GRID 1"


class GridBackend(Backend):
    """Opens ``.grid`` files; each holds one variable, called ``values``."""

    name = "grid"

    def claims(self, location):
        if location.scheme or location.is_directory:
            return self.UNCLAIMED
        try:
            marked = location.head.startswith(MAGIC.encode() + b"\n")
        except OpenError:
            marked = False
        return self.BY_MARK if marked else self.UNCLAIMED

    def variables(self, location):
        read_header(str(location.path))
        return ("values",)

    def open(self, location, variable):
        if variable != "values":
            raise VariableError(location.public, f"it has no {variable!r}", ("values",))
        return GridSource(str(location.path))


class GridSource(Source):
    """The values of one file, which is read on each access; pickles by its path."""

    owns_data = True
    io_bound = False

    def __init__(self, path):
        self.path = path
        header = read_header(path)
        try:
            self.dtype = normal_dtype(header.pop("dtype"))
            self.shape = tuple(int(n) for n in header.pop("shape").split())
        except (KeyError, TypeError, ValueError) as error:
            raise OpenError(path, f"its header is damaged: {error}") from error
        self.attributes = header
        self.name = f"{path}::values"
        self.token = f"grid:{path}::values"

    def __repr__(self):
        return f"<GridSource {self.name}>"

    def __getitem__(self, box):
        # Exceptions raised here reach the user as a SourceError with name and box.
        with Path(self.path).open(encoding="utf-8") as file:
            while file.readline().strip():
                pass
            words = file.read().split()
        if len(words) != math.prod(self.shape):
            raise ValueError(f"the file holds {len(words)} values, not {math.prod(self.shape)}")
        convert = float if self.dtype.kind == "f" else int
        values = np.array([convert(word) for word in words], self.dtype).reshape(self.shape)
        return values[(*box, ...)].copy()

    def state(self):
        return file_validator(self.path)


def read_header(path):
    """Return the header of a file as a dict of strings."""
    header = {}
    try:
        with Path(path).open(encoding="utf-8") as file:
            magic = file.readline()
            while line := file.readline().strip():
                name, _, value = line.partition(":")
                header[name.strip()] = value.strip()
    except FileNotFoundError:
        raise GoneError(path, "there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise OpenError(path, str(error)) from error
    if magic != MAGIC + "\n":
        raise OpenError(path, "it is no .grid file")
    return header


def write(path, values, **attributes):
    """Write an array of integers or floats to a file."""
    header = {"dtype": values.dtype.str, "shape": " ".join(map(str, values.shape)), **attributes}
    lines = [MAGIC, *(f"{name}: {value}" for name, value in header.items()), ""]
    text = " ".join(map(repr, values.ravel().tolist()))
    Path(path).write_text("\n".join(lines) + f"\n{text}\n", encoding="utf-8")
