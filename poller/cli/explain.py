"""`buildwatch explain`: for one build, who was told and how it got there, or exactly why nobody was."""

import re
import sys
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any

import typer

from poller.cli.builds import described as described_build
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.outbox import described as described_message
from poller.cli.showing import BAD, GOOD, WARN, ago, complain, iso, print_json, say
from poller.config import Configuration
from poller.proof.explaining import Explanation, Told, explain
from poller.proof.fates import Fate, Said
from poller.proof.inquiry import Inquiry
from poller.proof.selfcheck import SELFCHECK, configured_at
from store import builds as stored_builds
from store import notes, pipelines, proof
from store.builds import BuildView
from store.engine import Session
from store.pipelines import Known

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

STYLES = {Fate.TOLD: GOOD, Fate.PASSED: GOOD, Fate.UNEXPLAINED: BAD, Fate.DEAD: BAD, Fate.RETRYING: WARN}
_NUMBERED = re.compile(r"(?P<pipeline>.+)#(?P<number>\d{1,15})")
_FEW = 20


@app.command(name="explain")
def explain_build(
    build: Annotated[str, typer.Argument(metavar="BUILD", help="An id of `builds`, PIPELINE#NUMBER, or its URL.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verdict, stream, every alert a build touched, every message and its fate, or why there is none."""
    configuration = load_configuration(config)
    with opened_to_read(configuration) as database:
        found = database.read(lambda session: find(session, build))
        if len(found) != 1:
            _not_one(build, found)
        view = found[0]
        answer = database.read(lambda session: explained(session, configuration, view, present()))
    if as_json:
        print_json(described(view, answer))
    else:
        _print(view, answer)
    sys.exit(Exit.FOUND_SOMETHING_WRONG if answer.fate is Fate.UNEXPLAINED else Exit.FINE)


def find(session: Session, wanted: str) -> list[BuildView]:
    """The builds that are meant; of several attempts of one the one that counts."""
    if wanted.isdecimal():
        return list(stored_builds.get(session, [int(wanted)]).values())
    known = pipelines.all(session)
    numbered = _NUMBERED.fullmatch(wanted)
    if "://" in wanted:
        found = _by_url(session, known, wanted.rstrip("/"))
    elif numbered is not None:
        meant = [each.id for each in known if _is_called(each, numbered["pipeline"])]
        found = proof.of_number(session, meant, [int(numbered["number"])])
    else:
        hint = "write an id as `buildwatch builds` shows it, PIPELINE#NUMBER, or the URL of the build"
        raise typer.BadParameter(f"{wanted!r} names no build: {hint}", param_hint="BUILD")
    return _that_count(found)


def _is_called(known: Known, name: str) -> bool:
    return fnmatchcase(known.pipeline.key, name) or fnmatchcase(known.pipeline.name, name)


def _by_url(session: Session, known: list[Known], url: str) -> list[BuildView]:
    """Builds whose URL it is: by their number under the URL of a pipeline, or by what their provider calls them."""
    parts = [part for part in url.split("/") if part.isdecimal() and len(part) <= len(str(1 << 62))]
    under = [each.id for each in known if each.pipeline.url and url.startswith(each.pipeline.url.rstrip("/") + "/")]
    found = [
        *proof.of_number(session, under, map(int, parts)),
        *proof.of_external_id(session, [each.id for each in known], parts),
    ]
    unique = {view.build.id: view for view in found}
    return [view for view in unique.values() if view.build.url and url.startswith(view.build.url.rstrip("/"))]


def _that_count(found: list[BuildView]) -> list[BuildView]:
    by_build: dict[tuple[str, str, str], list[BuildView]] = {}
    for view in found:
        pipeline = view.build.pipeline
        by_build.setdefault((pipeline.provider, pipeline.key, view.build.external_id), []).append(view)
    return [max(attempts, key=lambda view: (not view.superseded, view.build.attempt)) for attempts in by_build.values()]


def _not_one(wanted: str, found: list[BuildView]) -> None:
    if not found:
        complain(f"there is no build {wanted}: `buildwatch builds` lists them")
    else:
        complain(f"{len(found)} builds are called {wanted}: give the id of one")
        for view in found[:_FEW]:
            each = view.build
            complain(f"  {each.id}  {each.pipeline.provider}: {each.pipeline.key} {each.branch or ''} {each.url or ''}")
    sys.exit(Exit.FOUND_SOMETHING_WRONG)


def explained(session: Session, configuration: Configuration, view: BuildView, now: datetime) -> Explanation:
    """Who was told of a build, or why nobody was."""
    note = notes.get(session, SELFCHECK)
    since = configured_at(note.value) if note is not None else None
    inquiry = Inquiry(session=session, configuration=configuration, now=now, configured_at=since)
    return explain(inquiry.facts(view))


def _print(view: BuildView, answer: Explanation) -> None:
    build = view.build
    attempt = f", attempt {build.attempt}" if build.attempt > 1 else ""
    ended = f", ended {ago(build.finished_at, present())}" if build.finished_at is not None else ""
    say(f"{build.pipeline.key} #{build.number}{attempt} (build {build.id}){ended}")
    say(answer.lines[0], STYLES.get(answer.fate, ""))
    for line in answer.lines[1:]:
        say(line)
    if build.url:
        say(build.url, "dim")


def described(view: BuildView, answer: Explanation) -> dict[str, Any]:
    """An explanation as `explain --json` shows it; the keys are a contract."""
    return {
        "build": described_build(view),
        "fate": answer.fate,
        "told": answer.fate is Fate.TOLD,
        "answer": answer.answer,
        "verdict": {"verdict": view.verdict, "because": answer.because, "superseded": view.superseded},
        "stream": {"name": answer.stream, "watched": answer.watched, "because": answer.placed},
        "alerts": [_alert(each) for each in answer.alerts],
        "lines": list(answer.lines),
    }


def _alert(told: Told) -> dict[str, Any]:
    alert = told.touched.alert
    return {
        "id": alert.id,
        "kind": alert.kind,
        "pipeline": alert.scope.pipeline,
        "branch": alert.scope.branch,
        "severity": alert.severity,
        "state": alert.state,
        "started_at": iso(alert.started_at),
        "resolved_at": iso(alert.resolved_at),
        "summary": alert.summary,
        "role": told.touched.role,
        "covers": told.touched.covers,
        "channels": list(alert.channels),
        "handling": dict(alert.handling),
        "fate": told.fate,
        "answer": told.text,
        "messages": [_message(*each) for each in told.messages],
    }


def _message(said: Said, fate: Fate, text: str) -> dict[str, Any]:
    each = said.notification
    return {
        **described_message(each),
        "fate": fate,
        "answer": text,
        "batch": each.batch,
        "together_with": said.together - 1,
        "hold_until": iso(each.hold_until),
        "held": each.held,
        "tries": [
            {"at": iso(tried.at), "state": tried.delivery, "ambiguous": tried.ambiguous, "answer": tried.answer}
            for tried in said.tries
        ],
    }
