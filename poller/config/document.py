"""The whole of config.yaml as one settings model; what belongs to plug-ins is still raw in it."""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from poller.config.alerting import Alerts
from poller.config.bucket_file import BucketsEntry
from poller.config.explained import DetailsEntry, DetailsOrOff, SuspectsEntry, SuspectsOrWord
from poller.config.policies import DigestEntry, EscalationEntry, QuietHoursEntry
from poller.config.sections import Anything, Clock, HttpSecret, Log, Names, RouteEntry, Store, Zone
from poller.config.sources import Given
from poller.config.web import WebEntry
from providers._base import Duration


class Document(BaseSettings):
    """What buildwatch watches, and whom it tells."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    timezone: Zone = Field(default=ZoneInfo("UTC"), description="For reporting days; default UTC.")
    day_starts_at: Clock = Field(
        default=time(0), description='A reporting day runs from this time to the same: "10:00".'
    )
    store: Store = Field(default=Store(), description="Where builds, alerts and messages are kept.")
    providers: dict[str, Anything] = Field(default_factory=dict, description="CI servers: a name and its settings.")
    defaults: Anything = Field(default_factory=dict, description="Merged into every entry of `pipelines:`.")
    pipelines: list[Anything] = Field(default_factory=list, description="What is watched.")
    channels: dict[str, Anything] = Field(default_factory=dict, description="Ways to reach people.")
    alerts: Alerts = Field(default=Alerts(), description="What is looked for.")
    routes: list[RouteEntry] | None = Field(
        default=None, description="Who gets what, in order; left out: every channel gets everything."
    )
    log: Log = Field(default=Log(), description="What the daemon writes to stderr.")
    include: Names = Field(default=(), description="Globs of more files, relative to this one: conf.d/*.yaml.")
    group_wait: Duration = Field(
        default=timedelta(seconds=30),
        le=timedelta(hours=1),
        description="What follows a message with the same cause is gathered for so long.",
    )
    quiet_hours: list[QuietHoursEntry] = Field(default_factory=list, description="Hours in which messages wait.")
    escalate: list[EscalationEntry] = Field(
        default_factory=list, description="Who else is told of an alert that lasts."
    )
    digests: list[DigestEntry] = Field(default_factory=list, description="Regular summaries.")
    templates: dict[str, str] = Field(
        default_factory=dict, description="A kind of channel, and the Jinja2 file that gives its messages their form."
    )
    heartbeat_url: HttpSecret | None = Field(
        default=None, description="Called after each round of polls: somebody notices when the calls stop."
    )
    buckets: BucketsEntry = Field(default=BucketsEntry(), description="Causes of failures, told by their log lines.")
    suspects: SuspectsOrWord = Field(default=SuspectsEntry(), description="Whose changes a message names.")
    details: DetailsOrOff = Field(default=DetailsEntry(), description="How much is read about a failed build.")
    web: WebEntry | None = Field(default=None, description="The web server; left out: there is none.")


TOP_LEVEL = frozenset(Document.model_fields)


def read_document(environment: Mapping[str, Any], credentials: Mapping[str, Any], file: Mapping[str, Any]) -> Document:
    """The settings of three sources, the earlier one winning key by key. Raises pydantic's ValidationError."""

    class Sourced(Document):
        @classmethod
        @override
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(Given(settings_cls, values) for values in (environment, credentials, file))

    return Sourced()
