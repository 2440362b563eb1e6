"""Which pipeline a person means."""

from fnmatch import fnmatchcase

import typer

from poller.config.problems import did_you_mean
from store import pipelines
from store.engine import Session
from store.pipelines import Known

_LISTED = 8


def pipeline_named(session: Session, text: str, provider: str | None = None) -> Known:
    """The one pipeline whose full name or name this is; else the one that it fits as a pattern.

    None or several are a usage error, which lists them.
    """
    known = pipelines.all(session, provider)
    for fits in (_is_key, _is_name, _is_alike, _is_pattern):
        found = [each for each in known if fits(each, text)]
        if len(found) == 1:
            return found[0]
        if found:
            raise typer.BadParameter(_ambiguous(text, found), param_hint="PIPELINE")
    names = {name for each in known for name in (each.pipeline.key, each.pipeline.name)}
    none = "nothing was ever polled" if not names else f'there is no pipeline "{text}"{did_you_mean(text, names)}'
    raise typer.BadParameter(none, param_hint="PIPELINE")


def _ambiguous(text: str, found: list[Known]) -> str:
    listed = ", ".join(f"{each.pipeline.key} on {each.pipeline.provider}" for each in found[:_LISTED])
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    cure = "say its full name" if len({each.pipeline.key for each in found}) > 1 else "add --provider"
    return f'"{text}" may be {listed}{more}: {cure}'


def _is_key(known: Known, text: str) -> bool:
    return known.pipeline.key == text


def _is_name(known: Known, text: str) -> bool:
    return known.pipeline.name == text


def _is_alike(known: Known, text: str) -> bool:
    return text.casefold() in {known.pipeline.key.casefold(), known.pipeline.name.casefold()}


def _is_pattern(known: Known, text: str) -> bool:
    return fnmatchcase(known.pipeline.key, text) or fnmatchcase(known.pipeline.name, text)
