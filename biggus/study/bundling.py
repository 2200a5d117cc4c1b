"""Making a bundle from a spool; the file appears as a whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biggus.errors import OutputError
from biggus.sinks.placing import check_place
from biggus.study.manifest import Gathered
from biggus.study.writing import write

if TYPE_CHECKING:
    import os


class Bundling:
    """A spool in a temporary folder beside the future bundle.

    Parameters
    ----------
    path : str or os.PathLike
        The path of the bundle.
    overwrite : bool
        Whether to replace an existing file.
    hint : str
        The argument that allows replacing it, for errors.

    Raises
    ------
    OutputError
        If nothing can be written there.
    """

    def __init__(
        self, path: str | os.PathLike[str], overwrite: bool, hint: str = "overwrite=True"
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self._force, self._hint = overwrite, hint
        check_place(self.path, overwrite, hint)
        if self.path.is_dir():
            raise OutputError(f"cannot write {self.path}: it is a folder")
        try:
            made = tempfile.mkdtemp(".partial", f".{self.path.name}.", self.path.parent)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error
        self.folder = Path(made)

    def finish(self) -> dict[str, Any]:
        """Make the bundle from the spool, and return its manifest.

        Raises
        ------
        OutputError
            If it cannot be written.
        StudyError
            If a source changed while it was recorded.
        """
        temporary = self.folder / "bundle"
        try:
            manifest = write(temporary, Gathered(self.folder))
            check_place(self.path, self._force, self._hint)
            temporary.replace(self.path)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
        return manifest

    def remove(self) -> None:
        """Remove the spool."""
        shutil.rmtree(self.folder, ignore_errors=True)
