"""Named places where a test makes the process die or hang. A no-op unless BUILDWATCH_FAILPOINTS is set."""

import os
import signal
import threading
from collections.abc import Mapping

VARIABLE = "BUILDWATCH_FAILPOINTS"


class Failpoints:
    """What to do where, from text like `after_fetch=kill,after_claim=kill:3,in_send=sleep:600`.

    The number after `kill` lets that many passes go by first; the number after `sleep` is in seconds.
    """

    def __init__(self, text: str = "") -> None:
        self._actions: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        for part in filter(None, text.split(",")):
            name, _, action = part.partition("=")
            verb, _, number = action.partition(":")
            if verb not in {"kill", "sleep"}:
                raise ValueError(f"{VARIABLE}: {part!r} is not NAME=kill[:PASSES] or NAME=sleep:SECONDS")
            self._actions[name.strip()] = (verb, float(number or 0))

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Failpoints":
        """The failpoints that an environment asks for."""
        return cls(environ.get(VARIABLE, ""))

    def __call__(self, name: str) -> None:
        """Pass the place called `name`; most often nothing happens."""
        if not self._actions:
            return
        with self._lock:
            verb, number = self._actions.get(name, ("", 0.0))
            if verb == "kill" and number >= 1:
                self._actions[name] = (verb, number - 1)
                return
        if verb == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif verb == "sleep":
            threading.Event().wait(number)
