"""A figure of ipympl, with a fake browser in place of a notebook: run as a program.

The fake browser decodes the messages of the canvas into a picture, as ipympl's JavaScript does,
and sends mouse events.  No kernel is needed, as messages are passed in an event loop.
"""

import asyncio
import io
import json
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from endless import halved, pyramid_of
from in_backend import SIDE, check  # which chooses the backend
from PIL import Image

import biggus


class Browser:
    """The receiver of the messages of a canvas."""

    def __init__(self, canvas):
        self.canvas = canvas
        self.pixels = None
        self.frames = 0
        self.to_draw = 0
        canvas.send = self.receive
        for name in ("initialized", "send_image_mode", "refresh"):
            self.say(name)

    def say(self, kind, /, **more):
        self.canvas._handle_message(self.canvas, {"type": kind, **more}, [])

    def receive(self, content, buffers=None):
        name = json.loads(content["data"])["type"]
        if name == "draw":
            self.to_draw += 1
            asyncio.get_running_loop().call_soon(self.draw)
        elif name == "binary":
            frame = np.asarray(Image.open(io.BytesIO(buffers[0])).convert("RGBA"))
            if self.canvas._image_mode == "full":
                self.pixels = frame.copy()
            else:
                changed = frame[..., 3] != 0
                self.pixels[changed] = frame[changed]
            self.frames += 1

    def draw(self):
        self.to_draw -= 1
        self.say("draw")

    def mouse(self, name, x, y, buttons=0, **more):
        height = self.canvas.figure.bbox.height
        self.say(name, x=x, y=height - y, button=0, buttons=buttons, modifiers=[], **more)

    def drag(self, start, stop):
        self.mouse("button_press", *start, buttons=1)
        for share in (0.5, 1.0):
            x, y = (a + (b - a) * share for a, b in zip(start, stop, strict=True))
            self.mouse("motion_notify", x, y, buttons=1)
        self.mouse("button_release", *stop)


async def until_true(condition, message):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, message
        await asyncio.sleep(0.02)


async def main():
    warnings.simplefilter("error", UserWarning)
    sources = halved(SIDE)
    figure = plt.figure(figsize=(4, 3))
    ax = figure.add_axes([0, 0, 1, 1])
    browser = Browser(figure.canvas)
    for source in sources:
        source.gate.clear()
    image = biggus.imshow(pyramid_of(sources), ax, vmin=-2, vmax=2, aspect="auto")
    ax.set_xlim(5000, 5390)
    ax.set_ylim(3300, 3007)

    async def settle():
        def complete():
            return not (browser.to_draw or image.waiting or image.stale)

        await until_true(complete, "something is never complete")

    browser.say("draw")
    assert image.waiting
    assert browser.frames
    assert np.ma.getmaskarray(image.get_array()).all()
    for source in sources[1:]:
        source.gate.set()
    await until_true(lambda: not np.ma.is_masked(image.get_array()), "no ancestor was drawn")
    assert image.waiting
    sources[0].gate.set()
    await settle()
    check(sources[0], ax, browser.pixels)

    before = ax.get_xlim()
    browser.say("toolbar_button", name="pan")
    browser.drag((200, 150), (80, 90))
    assert ax.get_xlim()[0] > before[0] + 50
    await settle()
    check(sources[0], ax, browser.pixels)
    browser.say("toolbar_button", name="pan")
    browser.say("toolbar_button", name="zoom")
    browser.drag((100, 75), (300, 225))
    await settle()
    check(sources[0], ax, browser.pixels)
    browser.say("toolbar_button", name="home")
    await settle()

    steps = []
    figure.canvas.mpl_connect("scroll_event", lambda event: steps.append(event.step))
    browser.mouse("scroll", 200, 150, step=1)
    assert steps == [1]

    sources[0].gate.clear()
    ax.set_xlim(20_000, 20_390)
    ax.set_ylim(20_300, 20_007)
    figure.canvas.draw_idle()
    await until_true(lambda: image.waiting, "the figure was not drawn")
    plt.close(figure)  # ipympl reports no close event, so requested tiles may still arrive
    sources[0].gate.set()
    await until_true(lambda: not image.waiting, "a closed figure is never complete")
    print("all went well")  # noqa: T201 - for the test


asyncio.run(main())
