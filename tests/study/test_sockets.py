"""While sockets are forbidden, those are that lead to other machines or have an address."""

import socket

import pytest

from biggus.errors import StudyError
from biggus.study.sockets import forbidden


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="has no sockets without an address")
def test_sockets_without_an_address_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a path may be long
    with forbidden(), socket.socket(socket.AF_UNIX) as served, socket.socket(socket.AF_UNIX) as one:
        served.bind("s")
        served.listen()
        one.connect("s")


def test_what_was_open_before_connects_no_more():
    with socket.socket() as one:
        with forbidden():
            for call in (one.connect, one.bind):
                with pytest.raises(StudyError, match="no socket may be opened"):
                    call(("127.0.0.1", 9))
            for call in (socket.socket, lambda: socket.getaddrinfo("localhost", 80)):
                with pytest.raises(StudyError, match="no socket may be opened"):
                    call()
        one.bind(("127.0.0.1", 0))
