"""The few lines below both protocols."""

import socket
import threading

from alerts.channels._network import cut_after, reason_of


def test_reasons_are_plain_words() -> None:
    assert reason_of(TimeoutError("https://secret")) == "no answer in time"
    assert reason_of(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert reason_of(OSError()) == "OSError"


def test_a_conversation_is_cut_in_the_middle_of_a_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, cut_after(0.05, lambda: ours):
        assert ours.recv(1) == b""


def test_nothing_is_cut_when_there_is_no_socket_any_more() -> None:
    asked = threading.Event()

    def current() -> None:
        asked.set()

    with cut_after(0.0, current):
        assert asked.wait(5)
