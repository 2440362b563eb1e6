"""Exit statuses, part of the contract with scripts and with systemd (sysexits(3) where one fits)."""

import sys
import traceback
from enum import IntEnum

from poller.config.problems import ConfigurationError
from providers._base import ProviderError
from store.errors import StoreCorrupt, StoreError
from store.lock import LockHeld


class Exit(IntEnum):
    """What the status of the process says."""

    FINE = 0
    FOUND_SOMETHING_WRONG = 1
    USAGE = 2
    CORRUPT = 65
    UNAVAILABLE = 69
    LOCKED = 75
    CONFIGURATION = 78


def exit_status(error: Exception) -> Exit:
    """Say what went wrong on stderr, without a traceback unless it is a defect of ours, and choose the status."""
    if isinstance(error, ConfigurationError):
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return Exit.CONFIGURATION
    if isinstance(error, StoreCorrupt):
        print(f"{error}; restore it from a backup", file=sys.stderr)
        return Exit.CORRUPT
    if isinstance(error, LockHeld):
        print(error, file=sys.stderr)
        return Exit.LOCKED
    if isinstance(error, (StoreError, ProviderError)):
        print(error, file=sys.stderr)
        return Exit.UNAVAILABLE
    traceback.print_exception(error)
    return Exit.FOUND_SOMETHING_WRONG
