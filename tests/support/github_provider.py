"""The GitHub provider as tests drive it: polls that keep their cursors like the store would."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from domain.build import Build
from providers._base import Page, Target
from providers.github import GitHub, GitHubEntry, GitHubSettings

LATER = datetime(2026, 11, 20, 18, tzinfo=UTC)
"""When tests poll for the first time: six hours after their first run."""


def provider(*entries: Mapping[str, Any], **settings: Any) -> GitHub:
    """A provider named `gh` watching acme/web unless told otherwise."""
    chosen = entries or ({"repo": "acme/web"},)
    values = {"kind": "github", "token": "ghp_s3cret", **settings}
    return GitHub("gh", GitHubSettings(**values), [GitHubEntry(provider="gh", **each) for each in chosen])


@dataclass
class Watcher:
    """Polls one target again and again; each poll a minute later unless told otherwise."""

    github: GitHub = field(default_factory=provider)
    key: str = "acme/web"
    cursors: dict[str, Any] = field(default_factory=dict)
    now: datetime = LATER
    stored: dict[tuple[str, str, int], Build] = field(default_factory=dict)

    def pages(self, after: timedelta = timedelta(minutes=1)) -> list[Page]:
        self.now += after
        found = []
        target = Target(provider="gh", key=self.key, every=timedelta(seconds=60))
        for page in self.github.poll(target, self.cursors, self.now):
            found.append(page)
            for key, cursor in page.cursors.items():
                self.cursors[key] = orjson.loads(orjson.dumps(cursor))  # as JSON, like the store
            self.stored |= {(each.pipeline.key, each.external_id, each.attempt): each for each in page.builds}
        return found

    def poll(self, after: timedelta = timedelta(minutes=1)) -> list[Build]:
        return [build for page in self.pages(after) for build in page.builds]
