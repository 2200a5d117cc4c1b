"""Forbidden sockets are those with a network address."""

import socket

import pytest

from biggus.errors import StudyError
from biggus.study.sockets import forbidden


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_unix_sockets_are_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a path may be long
    with forbidden(), socket.socket(socket.AF_UNIX) as served, socket.socket(socket.AF_UNIX) as one:
        served.bind("s")
        served.listen()
        one.connect("s")
        assert one.getpeername() == "s"


def test_open_sockets_cannot_connect_or_bind():
    with socket.socket() as one:
        with forbidden():
            for call in (one.connect, one.bind):
                with pytest.raises(StudyError, match="no socket may be opened"):
                    call(("127.0.0.1", 9))
            for call in (socket.socket, lambda: socket.getaddrinfo("localhost", 80)):
                with pytest.raises(StudyError, match="no socket may be opened"):
                    call()
        one.bind(("127.0.0.1", 0))
