"""config.yaml: read, merged with environment and credentials, checked, watched and compared.

`load` gives a `Configuration` or raises `ConfigurationError` with every problem at its place.
"""

from poller.config.changes import Changes, Named, diff
from poller.config.configuration import Configuration, Keep, StoreSettings
from poller.config.loading import load
from poller.config.problems import ConfigurationError, Problem
from poller.config.schemas import schema
from poller.config.watch import Watcher

__all__ = [
    "Changes",
    "Configuration",
    "ConfigurationError",
    "Keep",
    "Named",
    "Problem",
    "StoreSettings",
    "Watcher",
    "diff",
    "load",
    "schema",
]
