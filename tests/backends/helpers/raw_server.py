"""A server on the loopback interface that sends given bytes."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading


class RawServer:
    """Answers each request by calling a function with the connection.

    Attributes
    ----------
    answers : dict
        Functions by the first part of the path, called with the connection and the path.
    paths : list of str
        The paths of the requests.
    """

    def __init__(self, context=None):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'http' if context is None else 'https'}://127.0.0.1:{self.port}"
        self.context = context
        self.answers = {}
        self.paths = []
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        self.over.set()
        self.listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.settimeout(60)
            if self.context is not None:
                connection = stack.enter_context(
                    self.context.wrap_socket(connection, server_side=True)
                )
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            path = head.decode("latin-1").split(" ")[1]
            self.paths.append(path)
            self.answers[path.split("/")[1]](connection, path)

    def drip(self, connection, pieces, pause=0.02, most=3000):
        """Send pieces one by one until the client is gone, for a minute at most."""
        for piece in itertools.islice(pieces, most):
            connection.sendall(piece)
            if pause and self.over.wait(pause):
                return


def answer(body, status="200 OK", **headers):
    """Return the bytes of an HTTP response; underscores in header names become hyphens."""
    headers = {"Content_Length": len(body), "Connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


def sending(data):
    """Return a function that sends `data`; the server then closes the connection."""
    return lambda connection, _: connection.sendall(data)
