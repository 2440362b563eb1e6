"""What most commands begin with: the options they share, the configuration, the store."""

import getpass
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poller.config import Configuration, load
from poller.config.problems import ConfigurationError, Problem
from poller.running.clock import Clock
from store.errors import StoreAbsent, StoreError

if TYPE_CHECKING:
    from store.engine import Database

INSTALLED = Path("/etc/buildwatch/config.yaml")
PLACES = (Path("config.yaml"), INSTALLED)
VARIABLE = "BUILDWATCH_CONFIG"
STATE_OF_SERVICE = Path("/var/lib/buildwatch")  # StateDirectory= of the unit
CREDENTIALS_OF_SERVICE = Path("/run/credentials/buildwatch.service")  # LoadCredential= of the unit, while it runs
CREDENTIALS_FILES = INSTALLED.parent / "credentials"  # where install-service has them loaded from
VARIABLES_OF_SERVICE = INSTALLED.parent / "environment"  # EnvironmentFile= of the unit

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help=f"Default: ${VARIABLE}, ./config.yaml, {INSTALLED}."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="The same facts as JSON with stable keys.")]


def configuration_path(given: Path | None) -> Path:
    """The file to read: as given, from the environment, or where it usually lies. Raises ConfigurationError."""
    if given is not None:
        return given
    if named := os.environ.get(VARIABLE):
        return Path(named)
    for place in PLACES:
        if place.exists():
            return place
    looked = f"${VARIABLE} is not set, {' and '.join(str(place.absolute()) for place in PLACES)} do not exist"
    message = f"there is no configuration: {looked}; `buildwatch init` writes one, --config names one"
    raise ConfigurationError([Problem(file=PLACES[0], line=1, column=1, message=message)])


def load_configuration(given: Path | None) -> Configuration:
    """The checked configuration. Raises ConfigurationError.

    A command that an administrator types finds the secrets and the store of the installed service, too.
    """
    path = configuration_path(given)
    installed = path.absolute() == INSTALLED
    return load(
        path,
        environ={**(_variables() if installed else {}), **os.environ},
        credentials_directory=_folder(
            "CREDENTIALS_DIRECTORY", *([CREDENTIALS_OF_SERVICE, CREDENTIALS_FILES] if installed else [])
        ),
        state_directory=_folder("STATE_DIRECTORY", *([STATE_OF_SERVICE] if installed else [])),
    )


def _folder(variable: str, *otherwise: Path) -> Path | None:
    if named := os.environ.get(variable):
        return Path(named.partition(":")[0])
    return next((place for place in otherwise if os.access(place, os.X_OK)), None)


def _variables() -> dict[str, str]:
    """What EnvironmentFile= of the unit gives the service; nothing for who may not read it."""
    if not os.access(VARIABLES_OF_SERVICE, os.R_OK):
        return {}
    lines = VARIABLES_OF_SERVICE.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith(("#", ";")))
    return {name.strip(): _unquoted(value.strip()) for name, equals, value in pairs if equals}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _open(configuration: Configuration, *, create: bool, deadline: float = 30.0) -> "Database":
    from store.engine import open_database  # SQLAlchemy takes 0.2 s, and `check` does without

    return open_database(configuration.store.url.get_secret_value(), create=create, deadline=deadline)


@contextmanager
def opened(configuration: Configuration, *, create: bool = True) -> Iterator["Database"]:
    """The store of a configuration, closed at the end."""
    database = _open(configuration, create=create)
    try:
        yield database
    finally:
        database.close()
        _give_to_service(database.path)


def _give_to_service(path: Path | None) -> None:
    """What root makes beside a store of another user (a lock, a copy) would lock that user's daemon out."""
    if path is None or os.geteuid() != 0:
        return
    owner = path.parent.stat()
    for file in path.parent.glob(f"{path.name}*"):
        found = file.lstat()
        # A link may lead to a file of root's that is none of ours.
        if found.st_uid == 0 != owner.st_uid and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextmanager
def opened_to_read(configuration: Configuration) -> Iterator["Database"]:
    """The store, to look into: nothing is made or upgraded. One that does not exist yet is an empty one."""
    try:
        database = _open(configuration, create=False)
    except StoreAbsent as absent:
        print(absent, file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="buildwatch-") as folder:
            from store.engine import open_database

            empty = open_database(f"sqlite:///{folder}/empty.db")
            try:
                yield empty
            finally:
                empty.close()
        return
    try:
        yield database
    finally:
        database.close()


@contextmanager
def opened_quietly(configuration: Configuration) -> Iterator["Database | None"]:
    """The store, to look into, or None where it cannot be opened: for what is also useful without it."""
    try:
        database = _open(configuration, create=False, deadline=1.0)
    except StoreError:
        yield None
        return
    try:
        yield database
    finally:
        database.close()


def login() -> str:
    """The user who types, as far as the system knows a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def present() -> datetime:
    """The time."""
    return Clock().now()
