"""`buildwatch check`: is config.yaml right?"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.alert import AlertKind
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_quietly, present
from poller.cli.showing import BAD, GOOD, WARN, complain, print_json, print_table, say
from poller.config import Configuration
from poller.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from domain.build import Pipeline
    from domain.silence import Silence
    from poller.cli.explanation import Explanation, Path
    from poller.cli.reaching import Reached

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def check(
    branch: Annotated[str | None, typer.Argument(help="For --explain; default: the default branch.")] = None,
    kind: Annotated[AlertKind | None, typer.Argument(help="For --explain; default: all kinds in force.")] = None,
    *,
    config: ConfigOption = None,
    online: Annotated[bool, typer.Option("--online", help="Reach every provider and channel, too.")] = False,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="PIPELINE", help="What would become of its builds, and who hears."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check config.yaml: every error with file:line:column. 78: errors; 1: something cannot be reached."""
    if branch is not None and explain is None:
        raise typer.BadParameter("a branch says nothing without --explain PIPELINE", param_hint="BRANCH")
    try:
        configuration = load_configuration(config)
        if configuration.templates:
            _prove_templates(configuration)
    except ConfigurationError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": _problems(error.problems), "warnings": []})
        sys.exit(Exit.CONFIGURATION)
    refused = strict and bool(configuration.warnings)
    facts = {**_facts(configuration), "ok": not refused}
    if not as_json:
        _print(configuration, facts, strict=strict)
    failed = False
    if explain is not None:
        facts["explain"] = _explain(configuration, explain, branch, kind, as_json=as_json)
        failed = not facts["explain"]
    if online:
        facts["online"] = _online(configuration, as_json=as_json)
        failed = failed or any(not each["ok"] for each in facts["online"])
    if as_json:
        print_json(facts)
    sys.exit(Exit.CONFIGURATION if refused else Exit.FOUND_SOMETHING_WRONG if failed else Exit.FINE)


def _prove_templates(configuration: Configuration) -> None:
    from poller.cli.proofs import prove_templates

    prove_templates(configuration, present())


def _facts(configuration: Configuration) -> dict[str, Any]:
    return {
        "ok": True,
        "path": str(configuration.path),
        "providers": len(configuration.providers.keys() - configuration.implied),
        "pipelines": sum(entry.provider not in configuration.implied for entry in configuration.pipelines),
        "channels": len(configuration.channels),
        "routes": len(configuration.routes),
        "web": _web(configuration),
        "problems": [],
        "warnings": _problems(configuration.warnings),
    }


def _web(configuration: Configuration) -> dict[str, Any] | None:
    """Where the web will listen, and for whom; None: there is none."""
    if configuration.web is None:
        return None
    from poller.cli.served import access_in_words, url_of

    return {"url": url_of(configuration.web), "auth": access_in_words(configuration.web)}


def _problems(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [{**asdict(each), "file": str(each.file)} for each in problems]


def _print(configuration: Configuration, facts: dict[str, Any], *, strict: bool) -> None:
    for warning in configuration.warnings:
        complain(f"{warning}" if strict else f"{warning} (warning)")
    counted = [
        f"{facts[name]} {name if facts[name] != 1 else name.removesuffix('s')}"
        for name in ("providers", "pipelines", "channels", "routes")
    ]
    if strict and configuration.warnings:
        complain(f"{configuration.path.name} has {len(configuration.warnings)} warnings, and --strict refuses them")
        return
    warnings = f"; {len(configuration.warnings)} warnings" if configuration.warnings else ""
    say(f"{configuration.path.name} is fine: {', '.join(counted)}{warnings}", GOOD)
    if facts["web"] is not None:
        say(f"web: {facts['web']['url'] or 'any free port of this machine'}; {facts['web']['auth']}")


def _online(configuration: Configuration, *, as_json: bool) -> list[dict[str, Any]]:
    from poller.cli.reaching import reach_all

    reached = reach_all(configuration, present)
    if not as_json:
        print_table(("REACHED", "KIND", "STATE", "WHAT IT SAYS"), [_row(each) for each in reached])
    return [asdict(each) for each in reached]


def _row(each: "Reached") -> list[Any]:
    state = ("failed", BAD) if not each.ok else ("warning", WARN) if each.warnings else ("ok", GOOD)
    return [f"{each.section}.{each.name}", each.kind, state, "; ".join((each.text, *each.warnings))]


def _explain(
    configuration: Configuration, wanted: str, branch: str | None, kind: AlertKind | None, *, as_json: bool
) -> list[dict[str, Any]]:
    from poller.cli.explanation import KINDS, Moment, explained

    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"{kind} follows no route by pipeline: one of {', '.join(KINDS)}", param_hint="KIND")
    known, silences = _known(configuration)
    found = explained(configuration, wanted, branch, kind, known, moment=Moment(now=present(), silences=silences))
    if not as_json:
        for each in found:
            _print_explanation(each)
        if not found:
            complain(f"{wanted}: no entry of pipelines matches it")
    return [
        {**asdict(each), "pipeline": each.pipeline.key, "provider": each.pipeline.provider, "rules": dict(each.rules)}
        for each in found
    ]


def _known(configuration: Configuration) -> "tuple[list[Pipeline], list[Silence]]":
    """The stored pipelines, which know their default branch and labels, and silences. None while there is no store."""
    from store import pipelines, silences

    with opened_quietly(configuration) as database:
        if database is None:
            return [], []
        return [each.pipeline for each in database.read(pipelines.all)], database.read(silences.unended)


def _print_explanation(each: "Explanation") -> None:
    say("")
    say(f"{each.pipeline.key} on {each.pipeline.provider}")
    say(f"  entry    {each.entry}; the first that matches counts")
    for other in each.also:
        say(f"           {other} matches too, and does not count")
    on = f"branch {each.branch}" if each.branch else "any branch"
    say(f"  builds   {on} {'counts' if each.counts else 'does not count'}: {each.because}")
    say("           pull requests and forks never count")
    for place, (name, text) in enumerate(each.rules):
        say(f"  {'rules' if place == 0 else '':<7}  {name}: {text}")
    for paths in _grouped(each.paths):
        kinds = ", ".join(path.kind for path in paths)
        say(f"  told     {kinds}: {', '.join(paths[0].to) or 'nobody'}")
        for step in paths[0].steps:
            say(f"             {step}")
        for obstacle in paths[0].now:
            say(f"             now: {obstacle}", WARN)


def _grouped(paths: "Sequence[Path]") -> "Iterable[list[Path]]":
    """Kinds that go the same way are told together."""
    groups: dict[tuple[tuple[str, ...], ...], list[Path]] = {}
    for path in paths:
        groups.setdefault((path.steps, path.now), []).append(path)
    return groups.values()
