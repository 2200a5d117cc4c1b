#!/usr/bin/env bash
# fsspec 2026.9.0: from HTTP servers that know no ranges, cat_file returns the whole file in place of the bytes asked for.
#
# A server may ignore the header Range and answer with all bytes and the status 200, as Python's own http.server does.
# Files that fsspec opens notice that and raise an error. cat_file does not look at the status. zarr's FsspecStore and
# the references of kerchunk read by it: each chunk costs the whole file, and its first bytes are those of the file.
# cat_ranges and cat of references return bytes from the start of the file, too.
#
# Output seen (the file has the bytes 0, 1, ..., 99; asked for are 40 to 43):
#     cat_file             100 bytes: 0, 1, 2, 3, ...
#     cat of a reference   100 bytes: 0, 1, 2, 3, ...
#     open, seek and read  ValueError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fsspec==2026.9.0 aiohttp==3.14.5 requests
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import http.server
import pathlib
import threading

import fsspec


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve whole files, as the protocol allows."""

    def do_GET(self):
        del self.headers["Range"]
        super().do_GET()

    def log_message(self, *_):
        pass


pathlib.Path("bytes.bin").write_bytes(bytes(range(100)))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/bytes.bin"
http_files = fsspec.filesystem("http")

references = fsspec.filesystem("reference", fo={"chunk": [url, 40, 4]}, remote_protocol="http")
found = {"cat_file": http_files.cat_file(url, 40, 44), "cat of a reference": references.cat("chunk")}
for name, each in found.items():
    print(f"{name:20} {len(each)} bytes: {', '.join(map(str, each[:4]))}, ...")
    assert each == bytes(range(100)), "the behaviour has changed"
with http_files.open(url) as file:
    file.seek(40)
    try:
        file.read(4)
    except ValueError:
        print("open, seek and read  ValueError")
    else:
        raise AssertionError("the behaviour has changed")
server.shutdown()
PYTHON
