#!/usr/bin/env bash
# fsspec 2026.9.0: from HTTP servers that know no ranges, cat_file and cat_ranges return the whole file in place of the bytes
# asked for, and the reference file system returns bytes of another place in the file.
#
# A server may ignore the header Range and answer with all bytes and the status 200, as Python's own http.server does.
# Files that fsspec opens notice that and raise. cat_file, which zarr's FsspecStore and kerchunk's references use, does
# not look at the status: each chunk costs the whole file. If several adjacent references are read at once, fsspec joins
# their ranges and cuts the parts out of the answer: the first has the right length, and the bytes of another place.
#
# Output seen (the file has the bytes 0, 1, ..., 99; asked for are 40 to 43, and by references 40 to 43 and 44 to 47):
#     cat_file            100 bytes: 0, 1, 2, 3, ...
#     open, seek and read ValueError
#     reference a         4 bytes: 0, 1, 2, 3
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

one = http_files.cat_file(url, 40, 44)
print(f"cat_file            {len(one)} bytes: {', '.join(map(str, one[:4]))}, ...")
try:
    with http_files.open(url) as file:
        file.seek(40)
        error = repr(file.read(4))
except ValueError as raised:
    error = type(raised).__name__
print("open, seek and read", error)
references = fsspec.filesystem("reference", fo={"a": [url, 40, 4], "b": [url, 44, 4]}, remote_protocol="http")
several = references.cat(["a", "b"])
print(f"reference a         {len(several['a'])} bytes: {', '.join(map(str, several['a']))}")
assert len(one) == 100 and error == "ValueError", "the behaviour has changed"
assert list(several["a"]) == [0, 1, 2, 3], "the behaviour has changed"
server.shutdown()
PYTHON
