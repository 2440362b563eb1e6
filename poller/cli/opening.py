"""What most commands begin with: the options they share, the configuration, the store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from store.engine import Database, open_database

from poller.config import Configuration, load
from poller.config.problems import ConfigurationError, Problem


PLACES = (Path("config.yaml"), Path("/etc/buildwatch/config.yaml"))
VARIABLE = "BUILDWATCH_CONFIG"

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help=f"Default: ${VARIABLE}, ./config.yaml, {PLACES[-1]}."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="The same facts as JSON with stable keys.")]


def configuration_path(given: Path | None) -> Path:
    """The file to read: as given, from the environment, or where it usually lies."""
    if given is not None:
        return given
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return next((place for place in PLACES if place.exists()), PLACES[0])


def load_configuration(given: Path | None) -> Configuration:
    """The checked configuration. Raises ConfigurationError."""
    credentials, state = os.environ.get("CREDENTIALS_DIRECTORY"), os.environ.get("STATE_DIRECTORY")
    return load(
        configuration_path(given),
        environ=os.environ,
        credentials_directory=Path(credentials) if credentials else None,
        state_directory=Path(state.partition(":")[0]) if state else None,
    )


@contextmanager
def opened(configuration: Configuration, *, create: bool = True) -> Iterator[Database]:
    """The store of a configuration, closed at the end."""
    database = open_database(configuration.store.url.get_secret_value(), create=create)
    try:
        yield database
    finally:
        database.close()


__all__ = ["ConfigOption", "ConfigurationError", "JsonOption", "Problem", "configuration_path", "opened"]
