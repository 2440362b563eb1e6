"""The store fails under the running daemon: it waits, goes on by itself, and loses nothing."""

import contextlib
import ctypes
import errno
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

import store.sqlite
from simulator.house import Simulator
from store.engine import open_database
from store.lock import LockHeld, hold
from tests.support.daemon import Running, eventually, running
from tests.support.postgres import PostgresProcess, PostgresServer
from tests.support.process import DaemonProcess
from tests.support.scene import cards, save, scene, subjects

BACK = 10.0  # seconds after which all must go on once the store is back
_MNT_DETACH, _MS_RDONLY, _MS_REMOUNT = 2, 1, 32


def configured(house: Simulator, store_url: str, folder: Path) -> Path:
    """Two green jobs and a green repository, and the configuration that watches them."""
    for job in ("api", "worker"):
        house.world.jenkins.job(job).build("SUCCESS")
    house.world.github.repo("acme/web").run("success")
    return save(folder / "config.yaml", scene(house, store_url))


@contextlib.contextmanager
def settled(config: Path) -> Iterator[Running]:
    with running(config) as daemon:
        eventually(daemon.daemon.first_round_done)
        yield daemon


def told(house: Simulator, word: str) -> Callable[[], bool]:
    """Whether each channel has said this, once."""
    return lambda: len(cards(house, word)) == len(subjects(house, word)) == 1


def assert_all_is_told(house: Simulator, *, within: float = BACK) -> None:
    """What broke meanwhile, and its fix: one card and one mail of each."""
    eventually(told(house, "api failed"), within)
    house.world.jenkins.job("api").build("SUCCESS")
    eventually(told(house, "api is fixed"), within)
    assert len(cards(house)) == 1
    assert len(subjects(house)) == 2


# ---- PostgreSQL


@pytest.fixture
def process(postgres: PostgresServer) -> PostgresProcess:
    """The server's process, to be stopped and started again from the main thread: it dies with its starter."""
    if postgres.process is None:
        pytest.skip("somebody else's server must not be stopped")
    return postgres.process


@pytest.fixture
def watched(house: Simulator, postgres_url: Callable[[], str], tmp_path: Path, hurried: None) -> tuple[Path, str]:  # noqa: ARG001
    """A configuration on PostgreSQL, and the URL of the store."""
    url = postgres_url()
    return configured(house, url, tmp_path), url


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_restart_of_postgresql_is_survived(
    how: signal.Signals, process: PostgresProcess, house: Simulator, watched: tuple[Path, str]
) -> None:
    config, url = watched
    with settled(config) as daemon:
        process.stop(how)
        house.world.jenkins.job("api").build("FAILURE")
        threading.Event().wait(2.0)
        process.start()
        assert_all_is_told(house)
        eventually(lambda: _is_locked(url, daemon), within=BACK)


def _is_locked(url: str, daemon: Running) -> bool:
    """Whether a second daemon would be refused, and the first one goes on."""
    assert not daemon.daemon.signals.stop
    other = open_database(url)
    try:
        hold(other, owner="second").release()
    except LockHeld:
        return True
    finally:
        other.close()
    return False


def test_killed_backends_are_survived(postgres: PostgresServer, house: Simulator, watched: tuple[Path, str]) -> None:
    config, url = watched
    name = make_url(url).database
    with settled(config) as daemon:
        for _ in range(5):
            postgres.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            threading.Event().wait(0.2)
        house.world.jenkins.job("api").build("FAILURE")
        assert_all_is_told(house)
        eventually(lambda: _is_locked(url, daemon), within=BACK)


def test_a_daemon_that_lost_its_lock_to_another_leaves(
    postgres: PostgresServer, watched: tuple[Path, str], caplog: pytest.LogCaptureFixture
) -> None:
    config, url = watched
    name = make_url(url).database
    other = open_database(url)
    with settled(config) as daemon:
        lock = None
        while lock is None:
            postgres.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            with contextlib.suppress(LockHeld):
                lock = hold(other, owner="the other")
        eventually(lambda: daemon.daemon.signals.stop)
        assert "(the other)" in caplog.text
        lock.release()
        other.close()


def test_a_frozen_postgresql_is_waited_for(
    process: PostgresProcess, house: Simulator, watched: tuple[Path, str]
) -> None:
    with settled(watched[0]):
        frozen = [process.postmaster_pid(), *process.backend_pids()]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            house.world.jenkins.job("api").build("FAILURE")
            threading.Event().wait(15.0)
        finally:
            for pid in reversed(frozen):
                os.kill(pid, signal.SIGCONT)
        assert_all_is_told(house)


# ---- both databases


def test_a_second_daemon_refuses_at_once_and_names_the_first(house: Simulator, store_url: str, tmp_path: Path) -> None:
    config = configured(house, store_url, tmp_path)
    with DaemonProcess(config) as first:
        assert first.listen("READY"), first.log()
        began = time.monotonic()
        with DaemonProcess(config) as second:
            assert second.process.wait(20) == 75, second.log()
            print(f"refused after {time.monotonic() - began:.1f} s")  # noqa: T201
            assert f"pid {first.process.pid} on {os.uname().nodename}" in second.log()
            assert "Traceback" not in second.log()
        assert first.stop() == 0


def test_a_standby_takes_over_when_the_first_is_killed(house: Simulator, store_url: str, tmp_path: Path) -> None:
    config = configured(house, store_url, tmp_path)
    with DaemonProcess(config) as first:
        assert first.listen("READY"), first.log()
        eventually(lambda: house.jenkins.requests and house.github.requests)
        with DaemonProcess(config, None, "--standby") as second:
            eventually(lambda: "standing by" in second.log())
            house.world.jenkins.job("api").build("FAILURE")
            eventually(told(house, "api failed"))
            first.kill()
            killed = time.monotonic()
            house.world.jenkins.job("worker").build("FAILURE")
            assert second.listen("READY", within=15), second.log()
            print(f"took over after {time.monotonic() - killed:.1f} s")  # noqa: T201
            eventually(told(house, "worker failed"))
            assert len(cards(house)) == 2
            # Killed between acceptance and mark, the mail is repeated under the same Message-ID.
            assert len({mail.message["Message-ID"] for mail in house.smtp.mails}) == 2
            assert second.stop() == 0, second.log()


# ---- SQLite


def test_another_programs_long_write_is_waited_for(
    house: Simulator,
    tmp_path: Path,
    hurried: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store.sqlite, "_BUSY_TIMEOUT", 0.5)
    path = tmp_path / "store.db"
    with settled(configured(house, f"sqlite:///{path}", tmp_path)):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        house.world.jenkins.job("api").build("FAILURE")
        threading.Event().wait(3.0)
        assert cards(house) == []
        other.execute("COMMIT")
        other.close()
        assert_all_is_told(house)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of our own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=4m") != 0:
        pytest.skip(f"cannot mount a small disk: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(str(folder).encode(), _MNT_DETACH)


def fill(folder: Path) -> Path:
    """A file that leaves no room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk_stops_nothing_for_ever(
    house: Simulator,
    tmp_path: Path,
    disk: Path,
    hurried: None,  # noqa: ARG001
    caplog: pytest.LogCaptureFixture,
) -> None:
    with settled(configured(house, f"sqlite:///{disk / 'store.db'}", tmp_path)) as daemon:
        filler = fill(disk)
        house.world.jenkins.job("api").build("FAILURE")
        eventually(lambda: "the disk is full" in caplog.text)
        threading.Event().wait(1.0)
        assert not daemon.daemon.signals.stop
        filler.unlink()
        assert_all_is_told(house)


def test_a_corrupt_store_is_refused_with_65_and_left_as_it_is(house: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    config = configured(house, f"sqlite:///{path}", tmp_path)
    open_database(f"sqlite:///{path}").close()
    for place, noise in ((0, b"this is no database"), (4096, os.urandom(4096))):
        whole = path.read_bytes()
        path.write_bytes(whole[:place] + noise + whole[place + len(noise) :])
        with DaemonProcess(config) as daemon:
            assert daemon.process.wait(20) == 65, daemon.log()
            assert "restore it from a backup" in daemon.log()
            assert str(path) in daemon.log()
            assert "Traceback" not in daemon.log()
        assert path.read_bytes()[place : place + len(noise)] == noise
        path.write_bytes(whole)


@pytest.mark.parametrize("exists", [False, True], ids=["new store", "old store"])
def test_a_place_that_cannot_be_written_is_a_configuration_error(
    exists: bool,  # noqa: FBT001
    house: Simulator,
    tmp_path: Path,
    disk: Path,
) -> None:
    path = disk / "store.db"
    config = configured(house, f"sqlite:///{path}", tmp_path)
    if exists:
        open_database(f"sqlite:///{path}").close()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", _MS_REMOUNT | _MS_RDONLY, b"size=4m") == 0, (
        errno.errorcode
    )
    with DaemonProcess(config) as daemon:
        assert daemon.process.wait(20) == 78, daemon.log()
        assert str(path) in daemon.log()
        assert f"user {os.getuid()}" in daemon.log()
        assert "Traceback" not in daemon.log()
