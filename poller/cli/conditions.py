"""What the options of `silence` mean: which alerts, and until when."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import typer

from domain.alert import AlertKind
from domain.duration import parse_duration
from domain.globs import matches
from domain.silence import Ends
from domain.text import clean
from poller.config import Configuration
from poller.config.problems import did_you_mean

MOST = 2**63 - 1
"""Of a number: a store knows no greater ones."""

ENDS = "--for, --until-fixed, --until-build or --until-new-bucket"

_LIMIT = 1_000  # characters of a pattern


def match_from(
    configuration: Configuration,
    pipeline: str | None,
    *,
    branch: str | None,
    provider: str | None,
    labels: Sequence[str],
    kind: AlertKind | None,
) -> dict[str, Any]:
    """The conditions that were given, as under `match:` of a route. Raises typer.BadParameter."""
    if provider is not None and provider not in configuration.providers:
        hint = did_you_mean(provider, configuration.providers)
        raise typer.BadParameter(f'there is no provider "{provider}"{hint}', param_hint="--provider")
    found: dict[str, Any] = {"provider": provider}
    found["pipeline"] = _glob(pipeline, "PIPELINE_GLOB")
    found["branch"] = _glob(branch, "--branch")
    found["labels"] = dict(_label(each) for each in labels)
    found["kind"] = str(kind) if kind is not None else None
    return {name: value for name, value in found.items() if value}


def ends_from(lasting: str | None, now: datetime, *, fixed: bool, build: int | None, new_bucket: bool) -> Ends:
    """When the silence is over. Raises typer.BadParameter when nothing says so."""
    at = None
    if lasting is not None:
        try:
            at = now + parse_duration(lasting)
        except (ValueError, OverflowError) as error:
            raise typer.BadParameter(str(error), param_hint="--for") from error
    try:
        return Ends(at=at, fixed=fixed, build=build, new_bucket=new_bucket)
    except ValueError as error:
        raise typer.BadParameter(f"say until when: {ENDS}") from error


def _glob(pattern: str | None, where: str) -> str | None:
    try:
        matches(pattern or "", "")
    except re.error as error:
        raise typer.BadParameter(f'"{pattern}" is not a pattern: {error}', param_hint=where) from error
    return clean(pattern, _LIMIT) if pattern is not None else None  # as the names that it is compared with


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f'"{text}" is not KEY=GLOB, like cloud=aws', param_hint="--label")
    return clean(name), _glob(value, "--label") or ""
