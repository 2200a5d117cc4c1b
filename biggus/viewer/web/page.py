"""`page_of`: the server of a page that shows an array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.viewer.picture import Picture
from biggus.viewer.web.facts import Facts, grows_upward
from biggus.viewer.web.rendering import Renderer
from biggus.viewer.web.server import PageServer

if TYPE_CHECKING:
    from biggus.pyramids import Pyramid

SAMPLE_BYTES = 16_000_000
"""The most bytes to read for a tile that shows a sample; a screen has about twelve tiles."""


def page_of(shown: Pyramid, title: str, port: int = 0) -> PageServer:
    """Return the server of a page that shows a pyramid, on the loopback interface.

    Parameters
    ----------
    shown : Pyramid
        What is shown.
    title : str
        What the page is called.
    port : int, optional
        0: any that is free.

    Raises
    ------
    OSError
        If the port cannot be used.
    """
    picture = Picture(shown)
    renderer = Renderer(picture, SAMPLE_BYTES, upward=grows_upward(picture))
    return PageServer(Facts(renderer, title), port)
