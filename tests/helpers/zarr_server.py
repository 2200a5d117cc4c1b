"""A web server on the loopback interface for a folder of Zarr stores; it can also misbehave."""

from __future__ import annotations

import contextlib
import http.server
import threading
from email.utils import formatdate, parsedate_to_datetime


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, with ranges, ETags and dates if the server has these options."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        path = self.path.partition("?")[0]
        failure = self.server.record_request(self, path)
        if failure:
            return failure(self)
        return self.send_file(path)

    def send_file(self, path):
        server = self.server
        file = server.folder / path.lstrip("/")
        if not file.is_file():
            return self.answer(*server.missing, {"Content-Type": "text/html"})
        body = file.read_bytes()
        state = file.stat()
        headers = {"Content-Type": "application/octet-stream"}
        if server.etags:
            headers["ETag"] = f'"{state.st_mtime_ns}-{state.st_ino}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                return self.answer(304, b"", headers)
        if server.dates:
            headers["Last-Modified"] = formatdate(state.st_mtime, usegmt=True)
            since = self.headers.get("If-Modified-Since")
            if since and parsedate_to_datetime(since).timestamp() >= int(state.st_mtime):
                return self.answer(304, b"", headers)
        if server.ranges and "Range" in self.headers:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(body) - int(last))
            stop = int(last) + 1 if first and last else len(body)
            if start >= len(body):
                return self.answer(416, b"", {})
            part = body[start:stop]
            end = start + len(part) - 1
            headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
            return self.answer(206, part, headers)
        return self.answer(200, body, headers)

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with self.server.lock:
            self.server.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.lock = threading.Lock()
        self.requests = []
        self.sent = 0
        self.before = []
        self.failures = {}
        self.etags = self.ranges = True
        self.dates = False
        self.missing = 404, b"<html>not found</html>"
        self.url = f"http://127.0.0.1:{self.server_port}"

    def record_request(self, handler, path):
        """Record a request; return the function that answers it, or None to send the file."""
        with self.lock:
            if self.before:
                self.before.pop(0)()
            self.requests.append((handler.path, dict(handler.headers)))
            failure = self.failures.get(path)
            if not failure or failure[0] < 1:
                return None
            failure[0] -= 1
            return failure[1]

    def paths(self):
        return [path for path, _ in self.requests]

    def cost(self, call):
        """Return the number of requests that a call makes, and the bytes of their bodies."""
        before = len(self.requests), self.sent
        call()
        return len(self.requests) - before[0], self.sent - before[1]


def status(code, body=b"", **headers):
    """Return a function that answers any request with a status."""
    return lambda handler: handler.answer(code, body, headers)


@contextlib.contextmanager
def serving(folder):
    """Serve a folder."""
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
