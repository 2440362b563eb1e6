"""Why no build comes on a pipeline: its provider is asked. Never inside a transaction, and never for long."""

import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from alerts.kinds.stale import NO_TRIGGER
from providers._base import Provider, ProviderError, TellsWhyIdle
from store.pipelines import Key

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds; an alert does not wait longer for its reason
MOST = 20  # pipelines of one provider that are asked about: of so many the reason is one, and it is shown
NOT_KNOWN = "why could not be looked up"


def why_idle(
    keys: Collection[Key], providers: Mapping[str, Provider], now: datetime, *, patience: float = PATIENCE
) -> dict[Key, str]:
    """The reason for each of these pipelines, in words; all providers are asked at the same time."""
    found = dict.fromkeys(keys, NOT_KNOWN)
    enough = threading.Event()
    askers: list[threading.Thread] = []
    for name in dict.fromkeys(provider for provider, _ in keys):
        provider = providers.get(name)
        mine = [key for key in keys if key[0] == name]
        if not isinstance(provider, TellsWhyIdle):
            found.update(dict.fromkeys(mine, NO_TRIGGER))
            continue
        arguments = provider, mine[:MOST], now, found, enough
        askers.append(threading.Thread(target=_ask, args=arguments, name=f"why idle {name}", daemon=True))
    for asker in askers:
        asker.start()
    until = time.monotonic() + patience
    for asker in askers:
        asker.join(max(until - time.monotonic(), 0.0))
    enough.set()
    return dict(found)


def _ask(
    provider: TellsWhyIdle, keys: Sequence[Key], now: datetime, found: dict[Key, str], enough: threading.Event
) -> None:
    for key in keys:
        if enough.is_set():
            return
        try:
            found[key] = provider.why_idle(key[1], now) or NO_TRIGGER
        except ProviderError as error:
            found[key] = f"{NOT_KNOWN} ({error.trouble})"
        except Exception:  # an alert must not be lost because its reason is odd
            log.exception("reason not looked up provider=%s pipeline=%s", *key)
