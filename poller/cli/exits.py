"""Exit statuses, part of the contract with scripts and with systemd (sysexits(3) where one fits)."""

import os
import sys
from enum import IntEnum


class Exit(IntEnum):
    """What the status of the process says."""

    FINE = 0
    FOUND_SOMETHING_WRONG = 1
    USAGE = 2
    CORRUPT = 65
    UNAVAILABLE = 69
    LOCKED = 75
    CONFIGURATION = 78
    INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
    PIPE_CLOSED = 141  # 128 + SIGPIPE


def exit_status(error: Exception) -> Exit:
    """Say what went wrong on stderr, without a traceback unless it is a defect of ours, and choose the status."""
    # Imported when something has gone wrong: `buildwatch --help` would wait half a second for them.
    from poller.config.problems import ConfigurationError
    from providers._base import ProviderError
    from store.errors import StoreCorrupt, StoreError
    from store.lock import LockHeld
    from web.listening import CannotListenError

    if isinstance(error, ConfigurationError):
        _say("\n".join(map(str, error.problems)))
        return Exit.CONFIGURATION
    if isinstance(error, StoreCorrupt):
        _say(str(error) if "backup" in str(error) else f"{error}: restore it from a backup")
        return Exit.CORRUPT
    if isinstance(error, LockHeld):
        _say(str(error))
        return Exit.LOCKED
    if type(error) is StoreError:  # not a mood of the database: a path, a password or a permission to be put right
        _say(str(error))
        return Exit.CONFIGURATION
    if isinstance(error, (StoreError, ProviderError, CannotListenError)):
        _say(str(error))
        return Exit.UNAVAILABLE
    import traceback

    traceback.print_exception(error)
    return Exit.FOUND_SOMETHING_WRONG


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def give_up_stdout() -> None:
    """Whoever read our output has gone; without this Python would complain when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
