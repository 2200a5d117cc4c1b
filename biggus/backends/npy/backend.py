"""The backend of NumPy's ``.npy`` files, each of which holds one array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from biggus.backends.base import Backend
from biggus.backends.npy.header import MARK
from biggus.backends.npy.source import VARIABLE, NpySource
from biggus.errors import VariableError

if TYPE_CHECKING:
    from biggus.backends.location import Location


class NpyBackend(Backend):
    """Reads ``.npy`` files of any version, except those with Python objects."""

    name: ClassVar[str] = "npy"

    def claims(self, location: Location) -> int:
        """Claim files with the signature or the suffix of the format."""
        if location.scheme or location.is_directory:
            return self.UNCLAIMED
        if location.known_head.startswith(MARK):
            return self.BY_MARK
        return self.BY_SUFFIX if location.suffix == ".npy" else self.UNCLAIMED

    def variables(self, location: Location) -> tuple[str, ...]:  # type: ignore[override]
        """Return the name of the only variable, ``"values"``.

        Raises
        ------
        OpenError
            If it is not a readable ``.npy`` file; `GoneError` if it does not exist.
        """
        NpySource(str(location.path))
        return (VARIABLE,)

    def open(self, location: Location, variable: str) -> NpySource:  # type: ignore[override]
        """Return the source of the array.

        Parameters
        ----------
        location : Location
            A local file.
        variable : str
            ``"values"``.

        Raises
        ------
        OpenError
            If it is not a ``.npy`` file, is damaged or cut short, or holds Python objects;
            `GoneError` if it does not exist.
        VariableError
            If another variable is named.
        """
        source = NpySource(str(location.path))
        if variable != VARIABLE:
            problem = f"there is no variable {variable!r} in it"
            raise VariableError(location.public, problem, (VARIABLE,))
        return source

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return the identity of the values; the variable need not be named."""
        return super().identity(location, variable or VARIABLE, **options)
