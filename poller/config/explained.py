"""`details`, `suspects`, `parsers`, `require`, `measurements` of config.yaml: what is read about a build, and how."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from domain.duration import parse_duration
from domain.measurement import BUILT_IN
from poller.config.kinds import switched
from poller.config.sections import Glob, Part
from providers._labels import LabelSource

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20}
_SIZE = re.compile(r"(\d+)\s*([a-z]*)", re.IGNORECASE)
_MOST_BYTES = 64 << 20
_LOGIN = re.compile(r"[^\s<>&]+")
_MEMBER = re.compile(r"[UW][A-Z0-9]{4,}")


def _as_bytes(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError('must be a size, like "1MiB" or 65536')  # noqa: TRY004  (pydantic takes ValueError)
    parts = _SIZE.fullmatch(str(value).strip())
    if parts is None or parts[2].casefold() not in _UNITS:
        raise ValueError('must be a size, like "1MiB" or 65536')
    size = int(parts[1]) * _UNITS[parts[2].casefold()]
    if size > _MOST_BYTES:
        raise ValueError("must be at most 64MiB: each build that fails is read so far")
    return size


def _as_wait(value: object) -> object:
    if value in {0, "0"} and not isinstance(value, bool):
        return timedelta(0)
    return parse_duration(value) if isinstance(value, str) else value


_Wait = Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(minutes=5)), BeforeValidator(_as_wait)]

Bytes = Annotated[int, BeforeValidator(_as_bytes), WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})]


class DetailsEntry(Part):
    """How much is read about a failed build, and how long its message waits for that."""

    wait: _Wait = Field(default=timedelta(seconds=20), description="A message waits so long at most; 0: never.")
    log_bytes: Bytes = Field(default=1 << 20, description="Of a log at most so much is read, from its end; 0: none.")
    artifact_bytes: Bytes = Field(default=16 << 20, description="Larger artifacts are not read.")


_Switched = DetailsEntry | Literal["off", "on"] | bool | None
DetailsOrOff = Annotated[DetailsEntry | None, BeforeValidator(switched, json_schema_input_type=_Switched)]


def _or_off(value: object) -> object:
    return "off" if value is False else value


def _checked_login(value: str) -> str:
    if not _LOGIN.match(value):
        raise ValueError("must be a login or a name")
    return value


def _checked_member(value: str) -> str:
    if not _MEMBER.fullmatch(value):
        raise ValueError(f'"{value}" is not the id of a person in Slack, like U012AB3CD')
    return value


_Login = Annotated[str, AfterValidator(_checked_login)]
_Member = Annotated[str, AfterValidator(_checked_member)]


class SuspectsEntry(Part):
    """Whose changes a message names."""

    show: Annotated[Literal["off", "list", "mention"], BeforeValidator(_or_off)] = Field(
        default="list", description="mention: the people below are notified in Slack."
    )
    people: dict[_Login, _Member] = Field(
        default_factory=dict, description="A login or name, and the person's id in Slack."
    )


def _as_suspects(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else {"show": "off"}
    return {"show": value} if isinstance(value, str) else value


SuspectsOrWord = Annotated[
    SuspectsEntry,
    BeforeValidator(_as_suspects, json_schema_input_type=SuspectsEntry | Literal["off", "list", "mention"] | bool),
]


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


_Files = Annotated[Glob, AfterValidator(_not_empty)]
_Word = Annotated[str, AfterValidator(_not_empty)]


class ParserEntry(Part):
    """Test reports that every build of these pipelines leaves behind."""

    junit: _Files = Field(description="Files: artifacts of Jenkins, members of the archives of GitHub.")
    artifact: _Files | None = Field(default=None, description="Only in archives with such a name.")


class RequireEntry(Part):
    """What every build that gets so far must leave behind."""

    artifact: _Files = Field(description="A file: an artifact of Jenkins, an archive of GitHub or a member of one.")


class MeasurementEntry(Part):
    """Figures in a JSON file that every build of these pipelines leaves behind."""

    artifact: _Files = Field(description="The file: an artifact of Jenkins, a member of an archive of GitHub.")
    numbers: dict[_Word, _Word] = Field(
        default_factory=dict,
        description="A name, and where it stands: totals.coverage. Left out: every number.",
    )

    @model_validator(mode="after")
    def _free_names(self) -> Self:
        taken = [name for name in self.numbers if name in BUILT_IN]
        if taken:
            raise ValueError(f'"{taken[0]}" is what buildwatch measures itself: give the number another name')
        return self


def _as_list(value: object) -> object:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else [value]


def _one_or_more(entry: type[Part]) -> BeforeValidator:
    return BeforeValidator(_as_list, json_schema_input_type=entry | list[entry] | None)  # type: ignore[valid-type]


Parsers = Annotated[tuple[ParserEntry, ...], _one_or_more(ParserEntry)]
Requires = Annotated[tuple[RequireEntry, ...], _one_or_more(RequireEntry)]
Measurements = Annotated[tuple[MeasurementEntry, ...], _one_or_more(MeasurementEntry)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailsSettings:
    """How much is read about builds."""

    wait: timedelta = timedelta(seconds=20)
    log_bytes: int = 1 << 20
    artifact_bytes: int = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Whose changes a message names. `people`: logins and names, casefolded, and the person's id in Slack."""

    show: Literal["off", "list", "mention"] = "list"
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """What every build of an entry's pipelines leaves behind, passed or not."""

    parsers: tuple[ParserEntry, ...] = ()
    require: tuple[RequireEntry, ...] = ()
    measurements: tuple[MeasurementEntry, ...] = ()
    labels: tuple[LabelSource, ...] = ()  # those that no poll tells: in files, or on what runner a build was

    def __bool__(self) -> bool:
        """Whether anything is to be read off builds that passed."""
        return bool(self.parsers or self.require or self.measurements or self.labels)


def details_from(given: DetailsEntry | None) -> DetailsSettings | None:
    """None: nothing is read."""
    if given is None:
        return None
    return DetailsSettings(wait=given.wait, log_bytes=given.log_bytes, artifact_bytes=given.artifact_bytes)


def suspects_from(given: SuspectsEntry) -> Suspects:
    """`people` without `show` are to be mentioned."""
    show = "mention" if given.people and "show" not in given.model_fields_set else given.show
    return Suspects(show=show, people={name.casefold(): member for name, member in given.people.items()})
