"""What the web application stands on, made of the real things: in the daemon, or in a process of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from domain.silence import Ends
from domain.text import clean
from poller.config import Configuration
from poller.intake.ingest import Ingested, ingest
from poller.running.clock import Clock
from poller.telling import handling
from poller.telling.handling import CannotHandleError
from poller.watching.connections import make_provider
from providers._base import Page, Provider, TellsDetails
from store.engine import Database, Session
from web.settings import Settings
from web.site import Silencing, Site

T = TypeVar("T")

PUSHED = "push"  # the target of builds that came by themselves: it has no cursors
PATTERN = 1_000  # characters
NEWS = timedelta(hours=1)  # what finished longer ago when a pipeline is first heard of is its baseline


def _nothing(_: Ingested) -> None:
    """Another process delivers: it looks every few seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What the command line shows as JSON, of which the keys are a contract; it gives them to the web."""

    standing: Callable[[Configuration, Database, datetime], Mapping[str, Any]]
    explain: Callable[[Configuration, Database, int, datetime], Mapping[str, Any] | None]


NO_VIEWS = Views(standing=lambda *_: {}, explain=lambda *_: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The store and the configuration, as the functions of a site. `after_commit` hears of what was stored."""

    database: Database
    clock: Clock
    configuration: Callable[[], Configuration]
    after_commit: Callable[[Ingested], None] = _nothing
    views: Views = NO_VIEWS
    poll_now: Callable[[str, str], bool] = lambda _provider, _key: False
    providers: Callable[[], Mapping[str, Provider]] | None = None  # those in use; None: made here, nobody polls
    _made: dict[str, Mapping[str, Provider]] = field(default_factory=dict, repr=False)  # by Configuration.loaded

    def site(self, settings: Callable[[], Settings]) -> Site:
        """The site that serves these."""
        return Site(
            database=self.database,
            now=self.clock.now,
            settings=settings,
            ingest=self._ingest,
            standing=self._standing,
            explain=self._explain,
            acknowledge=self._acknowledge,
            unacknowledge=self._unacknowledge,
            silence=self._silence,
            unsilence=self._unsilence,
            providers=self._providers,
            poll_now=self.poll_now,
        )

    def _standing(self) -> Mapping[str, Any]:
        return self.views.standing(self.configuration(), self.database, self.clock.now())

    def _explain(self, build: int) -> Mapping[str, Any] | None:
        return self.views.explain(self.configuration(), self.database, build, self.clock.now())

    def _providers(self) -> Mapping[str, Provider]:
        return self.providers() if self.providers is not None else self._make_providers()

    def _make_providers(self) -> Mapping[str, Provider]:
        """To recognize what is pushed; they reach nothing."""
        configuration = self.configuration()
        if configuration.loaded not in self._made:
            self._made.clear()
            self._made[configuration.loaded] = {
                name: make_provider(configuration, name) for name in configuration.providers
            }
        return self._made[configuration.loaded]

    def _ingest(self, page: Page, provider: str) -> Sequence[int]:
        now = self.clock.now()
        tells_details = isinstance(self._providers().get(provider), TellsDetails)  # the daemon will ask it
        ingested = self.database.transact(
            lambda session: ingest(
                session,
                page,
                provider=provider,
                target=PUSHED,
                configuration=self.configuration(),
                now=now,
                last_poll=now - NEWS,
                tells_details=tells_details,
            )
        )
        self.after_commit(ingested)
        return [change.id for change in ingested.changes]

    def _acknowledge(self, alert: int, by: str, reason: str | None) -> None:
        self._handle(handling.acknowledge, alert, by=by, reason=reason)

    def _unacknowledge(self, alert: int) -> None:
        self._handle(handling.unacknowledge, alert)

    def _handle(self, act: Callable[..., Any], alert: int, **how: Any) -> None:
        now, configuration = self.clock.now(), self.configuration()
        self._transact(lambda session: act(session, alert, configuration, now, **how))

    def _silence(self, wanted: Silencing) -> int:
        now = self.clock.now()
        try:
            at = now + wanted.lasting if wanted.lasting is not None else None
        except OverflowError:
            raise ValueError("that is longer than the calendar goes") from None
        ends = Ends(
            at=at,
            fixed=wanted.until_fixed,
            build=wanted.until_build,
            new_bucket=wanted.until_new_bucket,
        )
        match = self._match(wanted)
        if bool(match) == (wanted.alert is not None):
            raise ValueError("a silence is about a pipeline, or about an alert")

        def unit(session: Session) -> handling.Silenced:
            if wanted.alert is not None:
                return handling.silence_alert(session, wanted.alert, ends, now, reason=wanted.reason, author=wanted.by)
            return handling.silence(session, match, ends, now, reason=wanted.reason, author=wanted.by)

        identity = self._transact(unit).silence.id
        if identity is None:
            raise RuntimeError("a stored silence has a number")
        return identity

    def _match(self, wanted: Silencing) -> dict[str, Any]:
        """The conditions, as `buildwatch silence` writes them. Raises ValueError."""
        if wanted.provider and wanted.provider not in self.configuration().providers:
            raise ValueError(f'there is no provider "{clean(wanted.provider)}"')
        found = {
            "provider": wanted.provider,
            "pipeline": clean(wanted.pipeline or "", PATTERN),  # as the names that it is compared with
            "branch": clean(wanted.branch or "", PATTERN),
            "labels": {clean(name): clean(value, PATTERN) for name, value in wanted.labels.items()},
            "kind": None if wanted.kind is None else str(wanted.kind),
        }
        return {name: value for name, value in found.items() if value}

    def _unsilence(self, silence: int, by: str) -> None:
        now = self.clock.now()
        self._transact(lambda session: handling.unsilence(session, silence, now, by=by))

    def _transact(self, unit: Callable[[Session], T]) -> T:
        try:
            return self.database.transact(unit)
        except CannotHandleError as error:
            raise ValueError(str(error)) from error
