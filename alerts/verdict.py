"""What a finished build means for alerts and success rates."""

from domain.build import Build, Outcome, Verdict

_VERDICTS = {
    Outcome.SUCCESS: Verdict.PASSED,
    Outcome.UNSTABLE: Verdict.FAILED,
    Outcome.FAILURE: Verdict.FAILED,
    Outcome.ERROR: Verdict.FAILED,
    Outcome.TIMEOUT: Verdict.FAILED,
    Outcome.CANCELLED: Verdict.NEUTRAL,
    Outcome.SKIPPED: Verdict.NEUTRAL,
    Outcome.UNKNOWN: Verdict.NEUTRAL,
}


def verdict_of(build: Build, *, unstable_passes: bool = False) -> Verdict | None:
    """The verdict of a finished build, None while it is queued or running.

    An unstable build (Jenkins: tests failed) counts as failed unless `unstable_passes`. Cancelled, skipped and
    unknown builds are neutral: they neither extend nor break a streak and count in no rate. A cancellation that
    was really a timeout or an error arrives here with that outcome, because only its provider can tell.
    """
    if build.outcome is None:
        return None
    if build.outcome is Outcome.UNSTABLE and unstable_passes:
        return Verdict.PASSED
    return _VERDICTS[build.outcome]
