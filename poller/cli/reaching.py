"""Whether providers and channels can be reached: what `check --online` and `doctor` share."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from alerts.channels._base import ChannelError
from domain.duration import format_duration
from poller.config import Configuration
from poller.running.redaction import Redaction
from poller.watching.connections import make_channel, make_provider
from providers._base import Probe, ProviderError

AT_ONCE = 8
SOON = timedelta(days=14)
CLOCKS_AGREE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What came of trying to reach one provider or channel."""

    section: str  # providers or channels
    name: str
    kind: str
    ok: bool
    text: str
    warnings: tuple[str, ...] = ()


def reach_all(configuration: Configuration, now: Callable[[], datetime]) -> list[Reached]:
    """Try all at once; in the order of the configuration, providers first."""
    hidden = Redaction(configuration.secrets)
    tries: list[Callable[[], Reached]] = [
        *(
            partial(_provider, configuration, name, hidden, now)
            for name in configuration.providers
            if name not in configuration.implied
        ),
        *(partial(_channel, configuration, name, hidden) for name in configuration.channels),
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda attempt: attempt(), tries))


def _provider(configuration: Configuration, name: str, hidden: Redaction, now: Callable[[], datetime]) -> Reached:
    kind = configuration.providers[name].kind
    provider = make_provider(configuration, name)
    try:
        probe = provider.probe()
    except ProviderError as error:
        text = f"{error.trouble}: {hidden.redact(str(error))}"
        return Reached(section="providers", name=name, kind=kind, ok=False, text=text)
    finally:
        provider.close()
    return Reached(
        section="providers",
        name=name,
        kind=kind,
        ok=True,
        text=", ".join(_facts(probe)) if configuration.providers[name].polled else "nothing to reach: it is pushed to",
        warnings=tuple(_warnings(probe, now())),
    )


def _facts(probe: Probe) -> Iterable[str]:
    yield f"version {probe.version}" if probe.version else "answers"
    yield f"as {probe.identity}" if probe.identity else "as anonymous"
    if probe.scopes:
        yield f"scopes {probe.scopes}"
    if probe.token_expires_at:
        yield f"token until {probe.token_expires_at:%Y-%m-%d}"
    if probe.quota_limit:
        yield f"{probe.quota_remaining} of {probe.quota_limit} requests left"
    if probe.clock_skew is not None:
        yield f"clocks {format_duration(abs(probe.clock_skew))} apart"


def _warnings(probe: Probe, now: datetime) -> Iterable[str]:
    yield from probe.warnings
    expires = probe.token_expires_at
    if expires and expires - now < SOON and not any("expires" in warning for warning in probe.warnings):
        yield f"the token expires on {expires:%Y-%m-%d}"
    if probe.quota_limit and probe.quota_remaining == 0:
        yield "no requests are left until the limit is reset"
    if probe.clock_skew is not None and abs(probe.clock_skew) > CLOCKS_AGREE:
        yield f"its clock and ours are {format_duration(abs(probe.clock_skew))} apart: set them by NTP"


def _channel(configuration: Configuration, name: str, hidden: Redaction) -> Reached:
    kind = configuration.channels[name].kind
    channel = make_channel(configuration, name)
    try:
        text, ok = channel.probe(), True
    except ChannelError as error:
        text, ok = str(error), False
    finally:
        channel.close()
    return Reached(section="channels", name=name, kind=kind, ok=ok, text=hidden.redact(text))
