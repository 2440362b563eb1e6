"""Everything that the words of one message are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from alerts.policies.silence import labels_of
from alerts.wording import both_ends, duration
from alerts.writing.background import NOTHING_KNOWN, Background
from domain.alert import Alert, AlertKind, AlertState, Reason
from domain.build import Build, Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alert, why it is spoken of, and what is known about the builds that its evidence names."""

    alert: Alert
    reason: Reason
    pipeline: Pipeline | None
    builds: Mapping[int, Build]
    now: datetime
    zone: tzinfo
    background: Background = NOTHING_KNOWN

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The alert's."""
        return self.alert.evidence

    @property
    def over(self) -> bool:
        """Whether the alert has ended."""
        return self.alert.state is not AlertState.FIRING

    @property
    def where(self) -> str:
        """`web / main`: the pipeline, and the branch where there is one; a provider, a label value, a channel."""
        scope = self.alert.scope
        if labels_of(scope):
            return both_ends(scope.branch or "")
        if self.alert.kind is AlertKind.DELIVERY_FAILED and scope.branch and scope.pipeline is None:
            return f"channel {both_ends(scope.branch)}"
        name = self.pipeline.name if self.pipeline is not None else scope.pipeline or scope.provider
        return f"{both_ends(name)} / {both_ends(scope.branch)}" if scope.branch else both_ends(name)

    @property
    def lasted(self) -> str | None:
        """How long the alert fired, once it is over; None when that says nothing."""
        end = self.alert.resolved_at
        return duration(end - self.alert.started_at) if end and end > self.alert.started_at else None

    @property
    def told(self) -> Build | None:
        """The build that the message is about: the one that fixed it, or else the newest that is wrong."""
        fixed = self.over and self.reason is not Reason.FIRST
        roles = ("fixed_by", "ended_by", "last_failed", "fired_by") if fixed else ("last_failed", "fired_by")
        return next((build for build in map(self.build, roles) if build is not None), None)

    def build(self, role: str) -> Build | None:
        """The build with this role in the evidence, when it is still known."""
        named = self.evidence.get(role)
        return self.builds.get(named["id"]) if named else None

    def number(self, role: str) -> str | None:
        """`#812`: what people call the build with this role."""
        named = self.evidence.get(role)
        return f"#{named['number']}" if named else None
