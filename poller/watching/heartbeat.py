"""A sign of life for another monitor: while it comes, builds are polled, stored and told. When it stops, ask why.

For dead man's switches like Healthchecks, which raise the alarm when a URL has not been called for a while. That
is the only way to learn that this host is off.
"""

import logging
import threading
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

import requests
from pydantic import SecretStr

from poller.running.clock import Clock
from poller.running.progress import Progress
from poller.watching.health import Health
from poller.watching.polling import Polling
from providers._base import Target

log = logging.getLogger(__name__)

AT_MOST_EVERY = 30.0  # seconds
TIMEOUT = 10.0
REDIRECTS = 3


class Heartbeat:
    """Calls a URL after each cycle of polls, on a thread of its own: no server of others holds up anything of ours."""

    def __init__(self, clock: Clock, polling: Polling, progress: Progress) -> None:
        self._clock = clock
        self._polling = polling
        self._progress = progress
        self._next = 0.0
        self._owed = False  # a cycle has ended since the last call
        self._trouble: str | None = None  # as it was logged
        self._calling = threading.Lock()

    def look(self, url: SecretStr | None, targets: Sequence[Target]) -> None:
        """Call the URL when a cycle of these targets has ended since the last call, and nothing of ours hangs.

        To be asked when the store has just been written to. A CI server that fails has an alert of its own, and holds
        up no cycle; one that has never said what to poll is passed over.
        """
        none_known = not targets and all(each.facts.failing_since for each in self._polled())
        self._owed = self._owed or self._polling.cycle_done(targets) or none_known
        if not self._progress.overdue():
            self._beat(url)

    def _polled(self) -> list[Health]:
        settings = self._polling.configuration.providers
        found = list(self._polling.health.items())
        return [each for name, each in found if name not in settings or settings[name].polled]

    def _beat(self, url: SecretStr | None) -> None:
        now = self._clock.monotonic()
        if url is None or not self._owed or now < self._next or not self._calling.acquire(blocking=False):
            return
        self._owed, self._next = False, now + AT_MOST_EVERY
        threading.Thread(target=self._call, args=(url,), name="heartbeat", daemon=True).start()

    def _call(self, url: SecretStr) -> None:
        try:
            trouble = call(url.get_secret_value())
        finally:
            self._calling.release()
        if trouble != self._trouble:
            if trouble is not None:
                log.warning("heartbeat not delivered, will retry error=%s", trouble)
            else:
                log.info("heartbeat delivered again")
        self._trouble = trouble


def call(url: str) -> str | None:
    """GET the URL; None when it was answered well, else why not. Says nothing of the URL, which is a secret."""
    with requests.Session() as session:
        session.trust_env = False  # neither ~/.netrc nor proxies that config.yaml does not name
        try:
            return _follow(session, url)
        except requests.Timeout:
            return f"no answer in {TIMEOUT:.0f} s"
        except requests.ConnectionError:
            return "the server cannot be reached"
        except (requests.RequestException, ValueError) as error:
            return f"it cannot be called: {type(error).__name__}"


def _follow(session: requests.Session, url: str) -> str | None:
    home = urlsplit(url).hostname
    for _ in range(REDIRECTS + 1):
        # Streamed, so that an endless body is never read.
        with session.get(url, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            if not answer.is_redirect:
                return None if answer.ok else f"answered {answer.status_code}"
            url = urljoin(url, answer.headers["location"])
            if urlsplit(url).hostname != home:
                return "was sent to another host, which is not followed"
    return "was sent in circles"
