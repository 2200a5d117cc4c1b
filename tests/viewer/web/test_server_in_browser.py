"""The page in a browser: its contents and its reactions to a user.

It needs Chromium and its driver, and the package selenium: ``tox -e browser``.
"""

from __future__ import annotations

import io
import re
import shutil
import time

import numpy as np
import pytest

import biggus
from biggus.pyramids import Pyramid, overviews

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")
selenium = pytest.importorskip("selenium", reason="the page is tested by tox -e browser")

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from biggus.viewer.web.server import page_of

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
if not (BROWSER and DRIVER):
    pytest.skip("there is no Chromium with its driver here", allow_module_level=True)

VALUES = np.arange(3 * 300 * 400, dtype="f4").reshape(3, 300, 400)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    folder = tmp_path_factory.mktemp("profile")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1000,800"):
        options.add_argument(f"--{argument}")
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(browser):
    array = biggus.ArrayAdapter(np.ma.masked_equal(VALUES, 5))
    with page_of(Pyramid([(array, (1, 1, 1))], (1, 2)), "a cube").running() as url:
        browser.get(url)
        settled(browser)
        yield browser
        faults = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
        assert not faults


def settled(driver) -> None:
    """Wait until all tiles are loaded."""
    script = (
        "return !!window.biggus && !biggus.layer.isLoading() && "
        "document.querySelectorAll('img.leaflet-tile-loaded').length > 0"
    )
    WebDriverWait(driver, 20).until(lambda d: d.execute_script(script))
    time.sleep(0.4)  # tiles fade in


def text_of(driver, name: str, wanted: str = "") -> str:
    def found(d):
        text = d.find_element(By.ID, name).text
        return text if wanted in text and text else False

    return WebDriverWait(driver, 10).until(found)


def shown(driver, row: float, column: float) -> tuple[int, ...]:
    """Return the colour on the screen at an element of the array."""
    at = driver.execute_script(
        "const p = biggus.map.latLngToContainerPoint([arguments[0], arguments[1]]);"
        "const b = document.getElementById('map').getBoundingClientRect();"
        "return [p.x + b.left, p.y + b.top, window.innerWidth];",
        row,
        column,
    )
    image = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    ratio = image.width / at[2]
    return image.getpixel((int(at[0] * ratio), int(at[1] * ratio)))


def right(driver, value: float) -> np.ndarray:
    """Return the colour of a value, by the limits on the page."""
    from matplotlib import colormaps

    cmap, low, high = (
        driver.find_element(By.ID, name).get_property("value") for name in ("cmap", "vmin", "vmax")
    )
    share = (value - float(low)) / (float(high) - float(low))
    return np.array(colormaps[cmap](np.clip(share, 0, 1))[:3]) * 255


def hover(driver, row: float, column: float, click: bool = False) -> None:
    x, y, width, height = driver.execute_script(
        "const p = biggus.map.latLngToContainerPoint([arguments[0], arguments[1]]);"
        "const b = document.getElementById('map').getBoundingClientRect();"
        "return [p.x, p.y, b.width, b.height];",
        row,
        column,
    )
    element = driver.find_element(By.ID, "map")
    move = ActionChains(driver).move_to_element_with_offset(
        element, round(x - width / 2), round(y - height / 2)
    )
    (move.click() if click else move).perform()


def place_in(text: str) -> tuple[int, int]:
    """Return the row and column shown on the page, at most one off the pointer's position."""
    row, column = re.search(r"row (\d+), column (\d+)", text).groups()
    assert abs(int(row) - 40) <= 1
    assert abs(int(column) - 60) <= 1
    return int(row), int(column)


def test_array_is_shown_in_its_colours(page) -> None:
    assert page.title == "a cube"
    for row, column in ((20.5, 30.5), (150.5, 200.5), (280.5, 390.5)):
        colour = shown(page, row, column)
        assert np.abs(np.array(colour) - right(page, VALUES[0, int(row), int(column)])).max() < 8


def test_zooming_in_shows_single_elements(page) -> None:
    page.execute_script(
        "biggus.map.setView([100.5, 200.5], biggus.map.getMaxZoom(), {animate: false})"
    )
    settled(page)
    assert np.abs(np.array(shown(page, 100.5, 200.5)) - right(page, VALUES[0, 100, 200])).max() < 8
    before = page.execute_script("return biggus.map.getZoom()")
    page.find_element(By.CSS_SELECTOR, ".leaflet-control-zoom-out").click()
    WebDriverWait(page, 10).until(
        lambda d: d.execute_script("return biggus.map.getZoom()") < before
    )


def test_dragging_pans(page) -> None:
    page.execute_script("biggus.map.setView([150, 200], 2, {animate: false})")
    settled(page)
    before = page.execute_script("return biggus.map.getCenter().lng")
    element = page.find_element(By.ID, "map")
    ActionChains(page).drag_and_drop_by_offset(element, -150, 0).perform()
    WebDriverWait(page, 10).until(
        lambda d: d.execute_script("return biggus.map.getCenter().lng") > before + 10
    )
    settled(page)


def test_pointer_shows_the_value(page) -> None:
    hover(page, 40.5, 60.5)
    text = text_of(page, "value", "row ")
    assert text.endswith(f"{VALUES[(0, *place_in(text))]:.0f}")


def test_slider_selects_along_another_axis(page) -> None:
    slider = page.find_element(By.ID, "axis-0")
    slider.send_keys(Keys.END)
    time.sleep(0.3)
    settled(page)
    hover(page, 40.5, 60.5)
    text = text_of(page, "value", "row ")
    assert text.endswith(f"{VALUES[(2, *place_in(text))]:.0f}")
    # These values exceed the limits, which do not change.
    assert np.abs(np.array(shown(page, 150.5, 200.5)) - right(page, 1e9)).max() < 8


def test_colour_limits_can_be_changed(page) -> None:
    low = page.find_element(By.ID, "vmax")
    low.clear()
    low.send_keys("60000", Keys.TAB)
    time.sleep(0.3)
    settled(page)
    assert text_of(page, "high") == "60000"
    assert np.abs(np.array(shown(page, 280.5, 390.5)) - right(page, 1e9)).max() < 8


def test_click_shows_the_values_along_an_axis(page) -> None:
    hover(page, 40.5, 60.5, click=True)
    place_in(text_of(page, "series-title", "row "))
    drawn = page.execute_script(
        "const c = document.getElementById('plot');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    )
    assert drawn
    boxes = [
        page.execute_script(f"return document.getElementById('{name}').getBoundingClientRect()")
        for name in ("bar", "series", "plot", "value")
    ]
    bar, series, plot, footer = boxes
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
        browser.get(url)
        settled(browser)
        source.broken = True
        browser.execute_script("biggus.map.setView([1500, 1500], 4, {animate: false})")
        assert "the disk is gone" in text_of(browser, "problem")
    browser.get_log("browser")


def test_rgb_pyramid_has_no_colour_limits(browser) -> None:
    values = np.zeros((900, 700, 3), "u1")
    values[:450, :350], values[450:, 350:] = (200, 30, 40), (20, 60, 220)
    with page_of(overviews(biggus.ArrayAdapter(values)), "colours").running() as url:
        browser.get(url)
        settled(browser)
        assert not browser.find_element(By.ID, "colours").is_displayed()
        assert np.abs(np.array(shown(browser, 100, 100)) - (200, 30, 40)).max() < 4
        assert np.abs(np.array(shown(browser, 800, 600)) - (20, 60, 220)).max() < 4


def test_flags_have_colours_with_names(browser) -> None:
    from biggus.testing import ArraySource

    source = ArraySource(np.repeat(np.array([[0, 10, 100, 200]], "u1"), 50, 1).repeat(90, 0))
    source.attributes = {"flag_values": [0, 10, 100, 200], "flag_meanings": "sea lake ice_cap land"}
    array = biggus.ArrayAdapter(source)
    with page_of(Pyramid([(array, (1, 1))]), "flags").running() as url:
        browser.get(url)
        settled(browser)
        assert browser.find_element(By.ID, "flags").text.split("\n") == [
            *("sea", "lake", "ice cap", "land")
        ]
        assert not browser.find_element(By.ID, "bar").is_displayed()
        assert not browser.find_element(By.ID, "vmax").is_enabled()
        patches = browser.find_elements(By.CSS_SELECTOR, "#flags span")
        for number, patch in enumerate(patches):
            named = re.findall(r"\d+", patch.value_of_css_property("background-color"))[:3]
            seen = np.array(shown(browser, 45, 50 * number + 25))
            assert np.abs(seen - np.array(named, int)).max() < 4
        browser.find_element(By.ID, "cmap").send_keys("gray")
        settled(browser)
        assert browser.find_element(By.ID, "bar").is_displayed()
        assert browser.find_element(By.ID, "vmax").is_enabled()
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
