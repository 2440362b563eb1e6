"""`buildwatch discover`: what could be watched."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from poller.cli.opening import ConfigOption, JsonOption, load_configuration
from poller.cli.showing import complain, iso, print_json
from poller.config.problems import did_you_mean
from poller.watching.connections import make_provider
from providers._base import Candidate

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

_BARE = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")  # needs no quotes in YAML
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~", ".", ".."})


@app.command()
def discover(
    name: Annotated[str, typer.Argument(metavar="PROVIDER", help="As named under `providers:`.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything the credentials can see, as entries to paste under `pipelines:`; what is watched is commented out."""
    configuration = load_configuration(config)
    if name not in configuration.providers:
        hint = did_you_mean(name, configuration.providers)
        raise typer.BadParameter(f"there is no provider {name!r} in {configuration.path}{hint}", param_hint="PROVIDER")
    provider = make_provider(configuration, name)
    try:
        if as_json:
            print_json([_described(each) for each in provider.discover()])
            return
        count = watched = 0
        print("pipelines:")
        for candidate in provider.discover():
            count += 1
            watched += candidate.watched
            print(entry_line(candidate), flush=True)
        complain(f"{count} pipelines at {name}, {watched} of them watched already")
    finally:
        provider.close()


def _described(candidate: Candidate) -> dict[str, Any]:
    pipeline = candidate.pipeline
    return {
        "provider": pipeline.provider,
        "pipeline": pipeline.key,
        "name": pipeline.name,
        "url": pipeline.url,
        "watched": candidate.watched,
        "last_build_at": iso(candidate.last_build_at),
        "entry": dict(candidate.entry),
    }


def entry_line(candidate: Candidate) -> str:
    """`  - {provider: nsp, job: team/api}`, with a remark."""
    mark = "  # - " if candidate.watched else "  - "
    last = candidate.last_build_at
    built = f"last build {last:%Y-%m-%d}" if last else ""
    remark = ", ".join(part for part in ("watched already" if candidate.watched else "", built) if part)
    return f"{mark}{flow(candidate.entry)}" + (f"  # {remark}" if remark else "")


def flow(value: Any) -> str:
    """A value as one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value.lower() not in _WORDS
        return value if bare else _quoted(value).replace("${", "$${")
    return json.dumps(value)


def _quoted(text: str) -> str:
    """JSON's form, which YAML reads too, with escapes for all that could move a cursor."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in shown)
