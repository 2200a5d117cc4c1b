"""A slow tile server, run as a separate process.

``python -m benchmarks.slow_server MILLISECONDS`` prints its port and serves the same JPEG for
every path, each time after a wait of so many milliseconds.
"""

from __future__ import annotations

import asyncio
import io
import sys

import numpy as np
from PIL import Image


def tile() -> bytes:
    """Return a JPEG of 256 x 256 pixels and 16 kB, similar to a photograph."""
    y, x = np.mgrid[:256, :256]
    grain = np.random.default_rng(0).normal(0, 7.5, (256, 256, 1))
    pixels = (np.stack([x, y, (x * y) // 256], axis=-1) + grain).clip(0, 255).astype("u1")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


async def serve(seconds: float) -> None:
    """Serve until the process is ended."""
    body = tile()
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nCache-Control: max-age=86400\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    ) + body

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(seconds)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1e3))
