"""An engine of xarray's that does nothing: it hands out datasets that are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xarray.backends.common import BackendEntrypoint

if TYPE_CHECKING:
    from xarray import Dataset

datasets: dict[str, Dataset] = {}
"""By the path that they are asked for with."""


class Ready(BackendEntrypoint):
    """What xarray itself takes to open files is what it takes with this engine."""

    def open_dataset(  # type: ignore[override]  # it decodes nothing
        self, filename_or_obj: Any, *, drop_variables: Any = None
    ) -> Dataset:
        """Return the dataset that is ready."""
        del drop_variables
        return datasets[str(filename_or_obj)]
