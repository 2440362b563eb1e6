"""Watches config.yaml: a saved valid change is handed over, a broken one is reported once and changes nothing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from poller.config import Configuration, ConfigurationError
from poller.config.watch import Watcher
from poller.running.clock import Clock
from web.listening import CannotListenError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Why the file on disk is not the configuration in use, and since when."""

    text: str
    since: datetime


class Reload:
    """Looks at the file and its includes. `build` does all that can fail besides reading it."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        load: Callable[[], Configuration],
        build: Callable[[Configuration], None],
        clock: Clock,
    ) -> None:
        self._load = load
        self._build = build
        self._clock = clock
        self._watching = configuration.files, configuration.include
        self._watcher = Watcher(configuration.files, include=configuration.include)
        self.broken: Broken | None = None
        self._unseen = True

    def worth_a_look(self) -> bool:
        """Whether a message may be due: the file is broken, or something has changed since the last look."""
        look, self._unseen = self.broken is not None or self._unseen, False
        return look

    def look_again(self) -> None:
        """What was looked at last could not be written."""
        self._unseen = True

    def look(self, *, asked: bool) -> None:
        """Take a changed file over. With `asked` (SIGHUP) it is read again whether it looks changed or not."""
        if not self._watcher.changed() and not asked:
            return
        try:
            new = self._load()
            self._build(new)
        except ConfigurationError as error:
            self._watch(error.files)
            self._report("\n".join(str(problem) for problem in error.problems))
        except CannotListenError as error:
            self._report(str(error))
        except Exception as error:
            log.exception("config.yaml could not be put to use")
            self._report(f"could not be put to use: {type(error).__name__}")
        else:
            self._unseen = True
            self._watch(new.files, new.include)
            if self.broken:
                log.info("config.yaml is valid again")
                self.broken = None

    def _watch(self, files: tuple[Path, ...], include: tuple[str, ...] | None = None) -> None:
        # A watcher that goes on has noticed what was saved while the file was being read; a new one would not.
        watching = files, self._watching[1] if include is None else include
        if watching != self._watching:
            self._watching = watching
            self._watcher = Watcher(files, include=watching[1])

    def _report(self, text: str) -> None:
        if self.broken is None or self.broken.text != text:
            log.error("config.yaml is broken, the old configuration stays in use\n%s", text)
            since = self.broken.since if self.broken else self._clock.now()
            self.broken = Broken(text=text, since=since)
