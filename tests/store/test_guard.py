import socket
import threading
import time
from collections.abc import Iterator

import pytest

from store.guard import Guard


class Connection:
    """As much of a psycopg connection as the guard touches."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.pgconn = type("PGconn", (), {"socket": self.ours.fileno()})()

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = Connection()
    yield made
    made.close()


@pytest.fixture
def guard() -> Iterator[Guard]:
    made = Guard()
    yield made
    made.close()


def test_a_connection_is_cut_when_its_time_is_up(guard: Guard, connection: Connection) -> None:
    with guard.watch(connection, time.monotonic() + 0.05):
        connection.ours.settimeout(10)
        assert connection.ours.recv(1) == b""
    assert connection.ours.fileno() >= 0


def test_a_connection_that_is_done_in_time_is_left_alone(guard: Guard, connection: Connection) -> None:
    with guard.watch(connection, time.monotonic() + 0.05):
        pass
    other = Connection()
    with guard.watch(other, time.monotonic() + 0.1):
        assert other.ours.recv(1) == b""
    other.close()
    connection.theirs.send(b"x")
    assert connection.ours.recv(1) == b"x"


def test_an_earlier_deadline_overtakes_a_later_one(guard: Guard, connection: Connection) -> None:
    patient = Connection()
    with guard.watch(patient, time.monotonic() + 60), guard.watch(connection, time.monotonic() + 0.05):
        connection.ours.settimeout(10)
        assert connection.ours.recv(1) == b""
    patient.close()


def test_a_connection_that_is_closed_already_is_no_trouble(guard: Guard) -> None:
    closed = Connection()
    closed.close()
    later = Connection()
    with guard.watch(closed, time.monotonic() - 1), guard.watch(later, time.monotonic() + 0.05):
        later.ours.settimeout(10)
        assert later.ours.recv(1) == b""
    later.close()


def test_closing_ends_the_thread() -> None:
    guard = Guard()
    guard.close()
    connection = Connection()
    with guard.watch(connection, time.monotonic() + 60):
        pass
    guard.close()
    connection.close()
    assert "store-guard" not in [thread.name for thread in threading.enumerate()]
