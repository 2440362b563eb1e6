"""Logs of builds that failed, as the tools write them. The cause is the line that begins with `»`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLog:
    """What a step wrote, and what a person says of it."""

    name: str
    bucket: str
    lines: tuple[str, ...]
    cause: str


def _parsed(text: str) -> list[FailedLog]:
    found: list[FailedLog] = []
    for block in text.strip("\n").split("\n=== ")[0:]:
        head, _, body = block.removeprefix("=== ").partition("\n")
        name, _, bucket = head.partition(" -> ")
        lines = body.split("\n")
        cause = next(line for line in lines if line.startswith("»"))[1:]
        found.append(
            FailedLog(name=name, bucket=bucket, lines=tuple(line.removeprefix("»") for line in lines), cause=cause)
        )
    return found


def as_jenkins(log: FailedLog) -> str:
    """A pipeline's console with the timestamper's stamps and hidden notes."""
    before = [
        "Started by user ada",
        "\x1b[8mha:////4J4bAbCdEfG0123456789+/AAAA==\x1b[0m[Pipeline] Start of Pipeline",
        "[Pipeline] node",
        "Running on agent-7 in /var/lib/jenkins/workspace/shop",
        "[Pipeline] {",
        "[Pipeline] stage",
        "[Pipeline] { (Build)",
        "[Pipeline] sh",
        "+ ./ci/run.sh",
    ]
    after = [
        "[Pipeline] }",
        "[Pipeline] // stage",
        "[Pipeline] stage",
        "[Pipeline] { (Declarative: Post Actions)",
        "[Pipeline] junit",
        "Recording test results",
        "ERROR: No test report files were found. Configuration error?",
        "[Pipeline] cleanWs",
        "[WS-CLEANUP] Deleting project workspace...",
        "[WS-CLEANUP] done",
        "[Pipeline] }",
        "[Pipeline] // node",
        "[Pipeline] End of Pipeline",
        "ERROR: script returned exit code 1",
        "Finished: FAILURE",
    ]
    return "\n".join(
        f"[2026-11-21T09:{number // 60 % 60:02d}:{number % 60:02d}.123Z] {line}"
        for number, line in enumerate([*before, *log.lines, *after])
    )


def as_github(log: FailedLog) -> str:
    """The log of a job, with its step before and the cleaning up behind."""
    before = [
        "Current runner version: '2.330.0'",
        "##[group]Run actions/setup-node@v4",
        "with:",
        "  node-version: 22",
        "##[endgroup]",
        "Found in cache @ /opt/hostedtoolcache/node/22.1.0/x64",
        "##[warning]Failed to restore: cache service responded with 503",
        "##[group]Run ./ci/run.sh || { echo 'error: failed'; exit 1; }",
        "\x1b[36;1m./ci/run.sh || { echo 'error: failed'; exit 1; }\x1b[0m",
        "shell: /usr/bin/bash -e {0}",
        "env:",
        "  CI_FAIL_FAST: true",
        "##[endgroup]",
    ]
    after = [
        "##[error]Process completed with exit code 1.",
        "##[group]Run actions/upload-artifact@v4",
        "with:",
        "  path: report.xml",
        "##[endgroup]",
        "##[error]No files were found with the provided path: report.xml. No artifacts will be uploaded.",
        "Post job cleanup.",
        "[command]/usr/bin/git version",
        "fatal: No such section: extensions.worktreeConfig",
        "Cleaning up orphan processes",
    ]
    lines = [*before, *log.lines, *after]
    return "\ufeff" + "\r\n".join(
        f"2026-11-21T09:{number // 60 % 60:02d}:{number % 60:02d}.1234567Z {line}" for number, line in enumerate(lines)
    )


def as_coloured(log: FailedLog) -> str:
    """A plain console full of colours and of a progress bar, closed by the shell's step."""
    before = [
        "\x1b[32mStarted by an SCM change\x1b[0m",
        "Building in workspace /home/ci/workspace/shop",
        "[shop] $ /bin/sh -e /tmp/jenkins123.sh",
        "\x1b[?25l" + "".join(f"\rpulling {number:3d}%" for number in range(0, 101, 5)) + "\x1b[?25h",
    ]
    colours = ["\x1b[31m", "\x1b[1m", "\x1b[0;33m"]
    coloured = [f"{colours[number % 3]}{line}\x1b[0m\x1b[K" if line else line for number, line in enumerate(log.lines)]
    after = [
        "Build step 'Execute shell' marked build as failure",
        "Archiving artifacts",
        'ERROR: Step \u2018Archive the artifacts\u2019 failed: No artifacts found that match the file pattern "*.log"',
        "Finished: FAILURE",
    ]
    return "\n".join([*before, *coloured, *after])


_TEXT = (Path(__file__).parent / "failed_logs.txt").read_text(encoding="utf-8")
FAILED_LOGS = tuple(_parsed(_TEXT))
FORMATS = {"jenkins": as_jenkins, "github": as_github, "coloured": as_coloured}
