"""`buildwatch buckets`: why builds fail, and whether the rules that say so are good ones."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.details import Log
from parsers.buckets import explain
from parsers.rules import Bucket, BucketRule
from poller.cli.arguments import since_moment
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.showing import complain, print_json, print_table, say, share
from poller.config import Configuration, ConfigurationError
from poller.config.bucket_file import read_rule_file

if TYPE_CHECKING:
    from store.buckets import Explained

_PAGE = 500
_LOG_BYTES = 1 << 20  # of a file, as of a build
_NAMED = 3  # builds that a line names
_ANY = "*"

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


class Action(StrEnum):
    """What to do with the rules."""

    LIST = "list"
    TEST = "test"


@dataclass(slots=True)
class _Tally:
    """What came of trying the rules."""

    failed: int = 0
    passed: int = 0
    by_signature: int = 0
    red: Counter[str] = field(default_factory=Counter)  # by the name of the rule
    green: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)
    where: dict[str, list[str]] = field(default_factory=dict)  # what of what passed a rule has hit
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def by_rule(self) -> int:
        """Failures that a rule names."""
        return self.red.total()

    def share_of(self, count: int) -> float | None:
        """A part of all failures."""
        return count / self.failed if self.failed else None


@app.command()
def buckets(
    action: Annotated[Action, typer.Argument(help="test: on stored builds, and on logs that you name.")] = Action.TEST,
    *,
    since: Annotated[str, typer.Option(help="How far back: 30d, or a date.")] = "30d",
    file: Annotated[
        Path | None, typer.Option(help="Try these rules before the built-in ones, not those in use.")
    ] = None,
    red: Annotated[list[Path] | None, typer.Option(help="The log of a build that failed; may be repeated.")] = None,
    green: Annotated[list[Path] | None, typer.Option(help="The log of a build that passed; may be repeated.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rules for why builds fail: list them, or try them on what is stored. Exit 1 when one hits a build that passed."""
    configuration = load_configuration(config)
    rules = _rules(configuration, file)
    if action is Action.LIST:
        _list(rules, as_json=as_json)
        return
    tally = _Tally()
    with opened_to_read(configuration) as database:
        moment = since_moment(since, present())
        for failed in (True, False):
            for known in _stored(database, moment, failed=failed):
                _try(rules, tally, known)
    for path in red or ():
        _try_log(rules, tally, path, failed=True)
    for path in green or ():
        _try_log(rules, tally, path, failed=False)
    _show(rules, tally, as_json=as_json)
    if tally.green:
        raise typer.Exit(Exit.FOUND_SOMETHING_WRONG)


def _rules(configuration: Configuration, file: Path | None) -> tuple[BucketRule, ...]:
    if file is None:
        return configuration.bucket_rules
    read = read_rule_file(file)
    if read.problems:
        raise ConfigurationError(read.problems, [file])
    builtin = (rule for rule in configuration.bucket_rules if rule.sureness is not None)
    return (*read.rules, *builtin)


def _stored(database: Any, since: Any, *, failed: bool) -> "Iterator[Explained]":
    from store import buckets as stored

    after = 0
    while True:
        page = database.read(
            lambda session, after=after: stored.explained(session, since, failed=failed, after=after, limit=_PAGE)
        )
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].build_id


def _try(rules: Sequence[BucketRule], tally: _Tally, known: "Explained") -> None:
    from poller.details.rebucketing import explained

    found = explained(rules, known, signatures=known.failed)
    _count(tally, found.bucket, f"{known.job} #{known.number}", failed=known.failed)
    tally.notes.update(found.notes)


def _try_log(rules: Sequence[BucketRule], tally: _Tally, path: Path, *, failed: bool) -> None:
    """A log says nothing of where it is from: rules for certain builds are tried, too."""
    try:
        with path.open("rb") as opened:
            size = opened.seek(0, 2)
            opened.seek(max(size - _LOG_BYTES, 0))
            text = opened.read().decode(errors="replace")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--red" if failed else "--green") from None
    anywhere = [_without_places(rule) for rule in rules]
    log = Log(name=None, text=text, whole=size <= _LOG_BYTES)
    found = explain(anywhere, provider=_ANY, job=_ANY, stage=None, logs=[log], signatures=failed)
    _count(tally, found.bucket, str(path), failed=failed)
    tally.notes.update(found.notes)


def _without_places(rule: BucketRule) -> BucketRule:
    return replace(rule, provider=None, job=None, stage=None)


def _count(tally: _Tally, bucket: Bucket | None, what: str, *, failed: bool) -> None:
    if failed:
        tally.failed += 1
    else:
        tally.passed += 1
    if bucket is None:
        return
    if bucket.rule is None:
        tally.by_signature += 1
        tally.signatures[bucket.reason] += 1
        return
    (tally.red if failed else tally.green)[bucket.rule] += 1
    if not failed:
        tally.where.setdefault(bucket.rule, []).append(what)


def _list(rules: Sequence[BucketRule], *, as_json: bool) -> None:
    if as_json:
        print_json({"rules": [_described(rule) for rule in rules]})
        return
    print_table(
        ("RULE", "CLASS", "FROM", "LOOKS FOR"),
        [(rule.name, rule.kind, _origin(rule), _looks_for(rule)) for rule in rules],
    )


def _described(rule: BucketRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "class": rule.kind,
        "builtin": rule.sureness is not None,
        "contains": list(rule.contains),
        "regex": rule.regex.pattern if rule.regex is not None else None,
        "detail": rule.detail,
        "provider": rule.provider,
        "job": rule.job,
        "stage": rule.stage,
        "where": [str(place) for place in rule.where],
    }


def _origin(rule: BucketRule) -> str:
    return "file" if rule.sureness is None else "built in"


def _looks_for(rule: BucketRule) -> str:
    said = rule.regex.pattern if rule.regex is not None else " | ".join(rule.contains)
    return said if len(said) <= 80 else f"{said[:79]}…"  # noqa: PLR2004  (a line of a terminal)


def _show(rules: Sequence[BucketRule], tally: _Tally, *, as_json: bool) -> None:
    named = list({rule.name: rule for rule in reversed(rules)}.values())[::-1]  # of those with one name the first
    not_at_all = tally.failed - tally.by_rule - tally.by_signature
    if as_json:
        print_json(
            {
                "failed": tally.failed,
                "passed": tally.passed,
                "coverage": {
                    "by_rule": tally.share_of(tally.by_rule),
                    "by_signature": tally.share_of(tally.by_signature),
                    "not_at_all": tally.share_of(not_at_all),
                },
                "rules": [
                    {
                        "name": rule.name,
                        "class": rule.kind,
                        "red": tally.red[rule.name],
                        "green": tally.green[rule.name],
                    }
                    for rule in named
                ],
                "signatures": dict(tally.signatures.most_common()),
                "notes": dict(tally.notes),
            }
        )
        return
    hit = [rule for rule in named if tally.red[rule.name] or tally.green[rule.name]]
    if hit:
        print_table(
            ("RULE", "CLASS", "FROM", "RED", "GREEN"),
            [
                (rule.name, rule.kind, _origin(rule), str(tally.red[rule.name]), str(tally.green[rule.name]))
                for rule in hit
            ],
        )
    for name, count in tally.signatures.most_common(10):
        say(f"no rule, {count}x: {name}")
    say(
        f"{tally.failed} failed: {share(tally.share_of(tally.by_rule))} by a rule, "
        f"{share(tally.share_of(tally.by_signature))} by a signature, {share(tally.share_of(not_at_all))} not at all; "
        f"{tally.passed} passed"
    )
    for note, count in tally.notes.items():
        complain(f"warning: {note} ({count}x)")
    for name, where in tally.where.items():
        more = f" and {len(where) - _NAMED} more" if len(where) > _NAMED else ""
        complain(f'warning: "{name}" hits what passed: {", ".join(where[:_NAMED])}{more}')
