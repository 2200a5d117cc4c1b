"""A Zarr store of one array on a server whose replies can be changed."""

from __future__ import annotations

import json

import numpy as np
from raw_server import RawServer, answer, sending

from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend

VALUES = np.arange(10, dtype="<i4")


def document(**changes):
    fields = {
        "zarr_format": 2,
        "shape": [20],
        "chunks": [10],
        "dtype": "<i4",
        "compressor": None,
        "fill_value": 0,
        "filters": None,
        "order": "C",
    }
    return json.dumps(fields | changes).encode()


class Store(RawServer):
    """A server of one Zarr array; `document` and `chunk` send the replies."""

    def __init__(self):
        super().__init__()
        self.document = sending(answer(document(), Content_Type="application/json"))
        self.chunk = sending(answer(VALUES.tobytes(), Content_Type="application/octet-stream"))
        self.sent = 0
        self.answers["a"] = self.send

    def send(self, connection, path):
        name = path.rpartition("/")[2]
        if name == ".zarray":
            self.document(connection, path)
        elif name.isdigit():
            self.chunk(connection, path)
        else:
            connection.sendall(answer(b"", "404 Not Found"))

    def endlessly(self, head, piece):
        """Return a reply that sends `piece` again and again, up to 1 GB."""

        def send(connection, _):
            connection.sendall(head)
            while self.sent < 10**9:
                connection.sendall(piece)
                self.sent += len(piece)

        return send

    def open(self, **options):
        return ZarrBackend().open(Location(f"{self.url}/a"), "/", retries=0, **options)
