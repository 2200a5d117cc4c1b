"""A browser for tests: the Chromium of Qt's WebEngine, without a window on the screen."""

from __future__ import annotations

import json
import os
import time

import numpy as np

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--no-sandbox --disable-gpu"

from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

ERROR = QWebEnginePage.JavaScriptConsoleMessageLevel.ErrorMessageLevel


class _Page(QWebEnginePage):
    def __init__(self, profile, view):
        super().__init__(profile, view)
        self.errors = []

    def javaScriptConsoleMessage(self, level, message, line, source):
        if level == ERROR:
            self.errors.append(f"{source}:{line}: {message}")


class Browser:
    """A browser with one page.  Positions are pixels from the upper left corner."""

    def __init__(self):
        self._application = QApplication.instance() or QApplication([])
        self._view = QWebEngineView()
        self._profile = QWebEngineProfile(self._view)  # keeps nothing on disk
        self._page = _Page(self._profile, None)
        self._view.setPage(self._page)
        self._view.resize(1000, 800)
        self._view.show()

    def close(self):
        self._page.deleteLater()  # before its profile
        self.pause(0.1)

    @property
    def errors(self):
        """Return the errors of scripts, once."""
        errors, self._page.errors = self._page.errors, []
        return errors

    @property
    def title(self):
        return self._page.title()

    def wait(self, condition, seconds=20):
        """Process events until a condition holds; return what it returned."""
        until = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < until, "the page never comes to this"
            self._application.processEvents()
            time.sleep(0.005)
        return value

    def pause(self, seconds):
        QTest.qWait(int(seconds * 1000))

    def open(self, url):
        loaded = []
        self._page.loadFinished.connect(loaded.append)
        self._page.load(QUrl(url))
        self.wait(lambda: loaded)
        self._page.loadFinished.disconnect(loaded.append)
        assert loaded[0]

    def run(self, script, *arguments):
        """Return the value of the body of a function in JavaScript."""
        values = []
        call = f"(function() {{{script}}}).apply(null, {json.dumps(arguments)})"
        self._page.runJavaScript(f"JSON.stringify({call}) || 'null'", 0, values.append)
        return json.loads(self.wait(lambda: values)[0])

    def pixels(self):
        """Return the picture of the page, of shape (rows, columns, 3)."""
        image = self._view.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        flat = np.frombuffer(image.constBits(), "u1").reshape(image.height(), -1)
        return flat[:, : 3 * image.width()].reshape(image.height(), -1, 3).copy()

    @property
    def _target(self):
        return self._view.focusProxy()

    def move(self, x, y):
        for at in (QPoint(x + 1, y), QPoint(x, y)):  # also if the pointer is there already
            QTest.mouseMove(self._target, at)
            self.pause(0.02)

    def click(self, x, y):
        self.move(x, y)
        QTest.mouseClick(
            self._target, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(x, y)
        )

    def drag(self, x, y, to_x, to_y, steps=10):
        left, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        self.move(x, y)
        QTest.mousePress(self._target, left, plain, QPoint(x, y))
        for step in range(1, steps + 1):
            self.move(x + (to_x - x) * step // steps, y + (to_y - y) * step // steps)
        QTest.mouseRelease(self._target, left, plain, QPoint(to_x, to_y))

    def press(self, key):
        QTest.keyClick(self._target, key)

    def type(self, text):
        QTest.keyClicks(self._target, text)
