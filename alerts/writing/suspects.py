"""Who changed what since it was well. Whoever wrote it need not be the one who broke it, and nothing here says so."""

from collections.abc import Mapping, Sequence

from alerts.wording import plural, short_commit, shortened
from domain.details import Changes, Commit
from domain.message import Cell, Table

MOST = 5  # authors that are named
MANY = 20  # commits; of more than that nobody is named

_TITLE_LIMIT = 120


def suspects(changes: Changes, good: str | None, mentions: Mapping[str, str]) -> Table | None:
    """The authors of changes and what they changed; None when nothing did.

    Args:
        changes: since the last good build.
        good: what that is called, `#12`.
        mentions: ids of people in Slack, by login or name, casefolded.
    """
    total = max(changes.total, len(changes.commits))
    if not total:
        return None
    title = f"Changes since {good}" if good else "Changes"
    people, bots = _authors(changes.commits)
    if total > MANY or not changes.commits:
        by = f" by {plural(len(people), 'person', 'people')}" if people and total == len(changes.commits) else ""
        return Table(title=title, rows=((Cell(text=f"{plural(total, 'commit')}{by}", url=changes.url),),))
    rows = [_row(name, its, mentions) for name, its in list(people.items())[:MOST]]
    if bots:
        rows.append(
            (Cell(text=" and ".join([*bots][:2]) + " (bot)"), _what([each for its in bots.values() for each in its]))
        )
    return Table(title=title, rows=tuple(rows), more=max(len(people) - MOST, 0))


Authors = Mapping[str, Sequence[Commit]]


def _authors(commits: Sequence[Commit]) -> tuple[Authors, Authors]:
    """People, and bots, with their commits, the newest first."""
    people: dict[str, list[Commit]] = {}
    bots: dict[str, list[Commit]] = {}
    for each in commits:
        name = each.author or each.login or "unknown"
        (bots if each.is_bot else people).setdefault(name, []).append(each)
    return people, bots


def _row(name: str, commits: Sequence[Commit], mentions: Mapping[str, str]) -> tuple[Cell, ...]:
    logins = (each for commit in commits for each in (commit.login, commit.author) if each)
    mention = next((mentions[each.casefold()] for each in logins if each.casefold() in mentions), None)
    return Cell(text=name, mention=mention), _what(commits)


def _what(commits: Sequence[Commit]) -> Cell:
    newest = commits[0]
    words = [short_commit(newest.id), shortened(newest.title, _TITLE_LIMIT)]
    more = f" and {len(commits) - 1} more" if len(commits) > 1 else ""
    return Cell(text=" ".join(each for each in words if each) + more, url=newest.url)
