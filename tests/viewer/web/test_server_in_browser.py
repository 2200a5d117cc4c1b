"""The page in a browser: its contents and its reactions to a user.

It needs the Chromium of Qt's WebEngine, of the package PySide6: ``tox -e browser``.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import biggus
from biggus.pyramids import Pyramid, overviews

pytest.importorskip("matplotlib")
pytest.importorskip("PIL")
pytest.importorskip(
    "PySide6.QtWebEngineWidgets",
    reason="the page is tested by tox -e browser",
    exc_type=ImportError,
)

from chromium import Browser
from PySide6.QtCore import Qt

from biggus.viewer.web.server import page_of

VALUES = np.arange(3 * 300 * 400, dtype="f4").reshape(3, 300, 400)


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page(browser):
    array = biggus.ArrayAdapter(np.ma.masked_equal(VALUES, 5))
    with page_of(Pyramid([(array, (1, 1, 1))], (1, 2)), "a cube").running() as url:
        browser.open(url)
        settled(browser)
        yield browser
        assert not browser.errors


def settled(browser) -> None:
    """Wait until all tiles are loaded."""
    script = (
        "return !!window.biggus && !biggus.layer.isLoading() && "
        "document.querySelectorAll('img.leaflet-tile-loaded').length > 0"
    )
    browser.wait(lambda: browser.run(script))
    browser.pause(0.4)  # tiles fade in


def text_of(browser, name: str, wanted: str = "") -> str:
    """Return the text of an element once it contains a text."""

    def text():
        text = attribute(browser, name, "innerText")
        return text if wanted in text else ""

    return browser.wait(text)


def attribute(browser, name: str, attribute: str):
    return browser.run(
        "return document.getElementById(arguments[0])[arguments[1]]", name, attribute
    )


def is_displayed(browser, name: str) -> bool:
    return browser.run("return document.getElementById(arguments[0]).offsetHeight", name) > 0


def box_of(browser, name: str) -> dict[str, float]:
    return browser.run("return document.getElementById(arguments[0]).getBoundingClientRect()", name)


def on_screen(browser, row: float, column: float) -> tuple[int, int]:
    """Return where an element of the array is on the screen, as x and y."""
    at = browser.run(
        "const p = biggus.map.latLngToContainerPoint([arguments[0], arguments[1]]);"
        "return [p.x, p.y];",
        row,
        column,
    )
    box = box_of(browser, "map")
    return int(at[0] + box["left"]), int(at[1] + box["top"])


def comes_to(browser, row: float, column: float, colour: object, most: float = 8) -> None:
    """Wait until the screen has nearly this colour at an element of the array."""
    x, y = on_screen(browser, row, column)
    browser.wait(lambda: np.abs(browser.pixels()[y, x] - np.array(colour, float)).max() < most)


def right(browser, value: float) -> np.ndarray:
    """Return the colour of a value, by the limits on the page."""
    from matplotlib import colormaps

    cmap, low, high = (attribute(browser, name, "value") for name in ("cmap", "vmin", "vmax"))
    share = (value - float(low)) / (float(high) - float(low))
    return np.array(colormaps[cmap](np.clip(share, 0, 1))[:3]) * 255


def place_in(text: str) -> tuple[int, int]:
    """Return the row and column shown on the page, at most one off the pointer's position."""
    row, column = re.search(r"row (\d+), column (\d+)", text).groups()
    assert abs(int(row) - 40) <= 1
    assert abs(int(column) - 60) <= 1
    return int(row), int(column)


def test_array_is_shown_in_its_colours(page) -> None:
    assert page.title == "a cube"
    for row, column in ((20.5, 30.5), (150.5, 200.5), (280.5, 390.5)):
        wanted = right(page, VALUES[0, int(row), int(column)])
        comes_to(page, row, column, wanted)


def test_zooming_in_shows_single_elements(page) -> None:
    page.run("biggus.map.setView([100.5, 200.5], biggus.map.getMaxZoom(), {animate: false})")
    settled(page)
    comes_to(page, 100.5, 200.5, right(page, VALUES[0, 100, 200]))
    before = page.run("return biggus.map.getZoom()")
    page.run("document.querySelector('.leaflet-control-zoom-out').click()")
    page.wait(lambda: page.run("return biggus.map.getZoom()") < before)


def test_dragging_pans(page) -> None:
    page.run("biggus.map.setView([150, 200], 2, {animate: false})")
    settled(page)
    before = page.run("return biggus.map.getCenter().lng")
    x, y = on_screen(page, 150, 200)
    page.drag(x, y, x - 150, y)
    page.wait(lambda: page.run("return biggus.map.getCenter().lng") > before + 10)
    settled(page)


def test_pointer_shows_the_value(page) -> None:
    page.move(*on_screen(page, 40.5, 60.5))
    text = text_of(page, "value", "row ")
    assert text.endswith(f"{VALUES[(0, *place_in(text))]:.0f}")


def test_slider_selects_along_another_axis(page) -> None:
    page.run("document.getElementById('axis-0').focus()")
    page.press(Qt.Key.Key_End)
    page.wait(lambda: attribute(page, "axis-0", "value") == "2")
    page.pause(0.3)
    settled(page)
    page.move(*on_screen(page, 40.5, 60.5))
    text = text_of(page, "value", "row ")
    assert text.endswith(f"{VALUES[(2, *place_in(text))]:.0f}")
    # These values exceed the limits, which do not change.
    comes_to(page, 150.5, 200.5, right(page, 1e9))


def test_colour_limits_can_be_changed(page) -> None:
    page.run("document.getElementById('vmax').select()")
    page.type("60000")
    page.press(Qt.Key.Key_Tab)
    text_of(page, "high", "60000")
    page.pause(0.3)
    settled(page)
    comes_to(page, 280.5, 390.5, right(page, 1e9))


def test_click_shows_the_values_along_an_axis(page) -> None:
    page.click(*on_screen(page, 40.5, 60.5))
    place_in(text_of(page, "series-title", "row "))
    drawn = (
        "const c = document.getElementById('plot');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    )
    page.wait(lambda: page.run(drawn))
    bar, series, plot, footer = (box_of(page, n) for n in ("bar", "series", "plot", "value"))
    assert bar["bottom"] <= series["top"]
    assert plot["bottom"] <= footer["top"]


def test_failures_are_shown_on_the_page(browser) -> None:
    class Broken:
        shape, dtype = (3000, 3000), np.dtype("f4")
        broken = False

        def __getitem__(self, box):
            if self.broken:
                raise OSError("the disk is gone")
            return np.ones([len(range(s.start, s.stop, s.step)) for s in box], "f4")

    source = Broken()
    array = biggus.ArrayAdapter(source, chunks=(100, 100))
    with page_of(Pyramid([(array, (1, 1))]), "broken").running() as url:
        browser.open(url)
        settled(browser)
        source.broken = True
        browser.run("biggus.map.setView([1500, 1500], 4, {animate: false})")
        text_of(browser, "problem", "the disk is gone")
    assert not browser.errors


def test_rgb_pyramid_has_no_colour_limits(browser) -> None:
    values = np.zeros((900, 700, 3), "u1")
    values[:450, :350], values[450:, 350:] = (200, 30, 40), (20, 60, 220)
    with page_of(overviews(biggus.ArrayAdapter(values)), "colours").running() as url:
        browser.open(url)
        settled(browser)
        assert not is_displayed(browser, "colours")
        comes_to(browser, 100, 100, (200, 30, 40), 4)
        comes_to(browser, 800, 600, (20, 60, 220), 4)


def test_flags_have_colours_with_names(browser) -> None:
    from biggus.testing import ArraySource

    source = ArraySource(np.repeat(np.array([[0, 10, 100, 200]], "u1"), 50, 1).repeat(90, 0))
    source.attributes = {"flag_values": [0, 10, 100, 200], "flag_meanings": "sea lake ice_cap land"}
    array = biggus.ArrayAdapter(source)
    with page_of(Pyramid([(array, (1, 1))]), "flags").running() as url:
        browser.open(url)
        settled(browser)
        assert text_of(browser, "flags").split("\n") == [*("sea", "lake", "ice cap", "land")]
        assert not is_displayed(browser, "bar")
        assert attribute(browser, "vmax", "disabled")
        colours = browser.run(
            "return [...document.querySelectorAll('#flags span')]"
            ".map(patch => getComputedStyle(patch).backgroundColor)"
        )
        for number, colour in enumerate(colours):
            named = np.array(re.findall(r"\d+", colour)[:3], int)
            comes_to(browser, 45, 50 * number + 25, named, 4)
        browser.run("document.getElementById('cmap').focus()")
        browser.type("gray")
        browser.wait(lambda: is_displayed(browser, "bar"))
        settled(browser)
        assert not attribute(browser, "vmax", "disabled")
    assert not browser.errors
