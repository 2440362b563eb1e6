"""The parts of config.yaml that belong to no plug-in, as pydantic models."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from domain.alert import AlertKind, Severity
from domain.globs import matches
from poller.config.problems import did_you_mean
from poller.config.store_url import resolved_url
from providers._base import Duration

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def _as_zone(value: object) -> object:
    if isinstance(value, ZoneInfo):
        return value
    if not isinstance(value, str):
        raise ValueError("must be the name of a time zone, like Asia/Kolkata")  # noqa: TRY004  (pydantic takes ValueError)
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f'unknown time zone "{value}"{did_you_mean(value, available_timezones())}') from error


def _as_clock(value: object) -> object:
    if isinstance(value, time):
        return value
    parts = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts is None:
        raise ValueError('must be a time of day, like "10:00"')
    return time(int(parts[1]), int(parts[2]))


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _with_unit(value: object) -> object:
    if isinstance(value, int | float):
        text = f"write a unit: {value}d are days, {value}h are hours"  # taken as seconds it would empty the store
        raise ValueError(text)  # noqa: TRY004  (pydantic takes ValueError)
    return value


def _checked_glob(value: str) -> str:
    try:
        matches(value, "")
    except re.error as error:
        raise ValueError(f'"{value}" is not a pattern: {error}') from error
    return value


Zone = Annotated[ZoneInfo, BeforeValidator(_as_zone), WithJsonSchema({"type": "string", "examples": ["Asia/Kolkata"]})]


def _as_end(value: object) -> object:
    return time(0) if isinstance(value, str) and value.strip() == "24:00" else _as_clock(value)


Clock = Annotated[
    time, BeforeValidator(_as_clock), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"})
]
EndOfDay = Annotated[
    time, BeforeValidator(_as_end), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"})
]
"""A clock that may also say 24:00, which is the 00:00 after it."""
Glob = Annotated[str, AfterValidator(_checked_glob)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_list, json_schema_input_type=str | list[str])]


_KINDS = tuple(kind.value for kind in AlertKind)


def _checked_kind(value: object) -> object:
    if isinstance(value, str) and value not in _KINDS:
        raise ValueError(f'unknown kind of alert "{value}"{did_you_mean(value, _KINDS)}')
    return value


AlertName = Annotated[str, BeforeValidator(_checked_kind), Field(json_schema_extra={"enum": list(_KINDS)})]


class Part(BaseModel):
    """A section, or an entry of one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


Span = Annotated[Duration, BeforeValidator(_with_unit)]


class Keep(Part):
    """How long the store remembers."""

    builds: Span = Field(default=timedelta(days=400), description="Builds and their metrics.")
    logs: Span = Field(default=timedelta(days=30), description="Log excerpts.")


def _checked_url(value: SecretStr) -> SecretStr:
    resolved_url(value.get_secret_value(), Path("/"))
    return value


def _checked_http(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a complete URL that begins with https:// (or http://)")
    return value


HttpSecret = Annotated[SecretStr, AfterValidator(_checked_http)]


class Store(Part):
    """Where builds, alerts and messages are kept."""

    url: Annotated[SecretStr, AfterValidator(_checked_url)] = Field(
        default=SecretStr("sqlite:///buildwatch.db"),
        description="sqlite:///FILE, relative to this file ($STATE_DIRECTORY under systemd), or "
        "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
    )
    keep: Keep = Field(default=Keep(), description="How long the store remembers.")


class Log(Part):
    """What the daemon writes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least that is logged.")
    format: Literal["auto", "text", "json", "journal"] = Field(
        default="auto", description="auto: for the journal under systemd, else text."
    )


class RouteMatch(Part):
    """What a route is for; everything given must fit."""

    provider: str | None = Field(default=None, description="The name of an entry of `providers:`.")
    pipeline: Glob | None = Field(default=None, description="Glob over full names: * in a folder, ** across folders.")
    branch: Glob | None = Field(default=None, description="Glob over branch names.")
    labels: Mapping[str, Glob] = Field(
        default_factory=dict, description="Labels that the pipeline or build must carry."
    )
    kind: AlertName | None = Field(default=None, description="A kind of alert.")
    severity: Severity | None = Field(default=None, description="critical, warning or info.")
    bucket: str | None = Field(default=None, description="The name of a failure's cause.")


class RouteEntry(Part):
    """An entry of `routes:`: the first that matches decides where an alert goes."""

    match: RouteMatch | None = Field(default=None, description="Left out: everything.")
    to: Names = Field(description="Names of entries of `channels:`.")
    then_continue: bool = Field(default=False, alias="continue", description="true: look at the next routes too.")


Anything = dict[str, Any]
