"""The text of a first config.yaml, from a few answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from poller.cli.discover import flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What `init` has asked; empty for what is not there."""

    zone: str = "UTC"
    jenkins: str = ""
    username: str = ""
    job: str = ""
    repo: str = ""
    slack: str = "none"
    room: str = ""
    mail_host: str = ""
    mail_from: str = ""
    mail_to: str = ""


def first_config(answers: Answers) -> str:
    """A configuration that is valid as soon as its environment variables are set."""
    parts = [_head(answers), _providers(answers), _pipelines(answers), _channels(answers), _tail()]
    return "\n".join("\n".join(part) + "\n" for part in parts)


def variables(text: str) -> list[str]:
    """The environment variables that a configuration needs, in order."""
    used = "\n".join(line.partition("#")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
    return list(dict.fromkeys(re.findall(r"\$\{(\w+)\}", used)))


def _head(answers: Answers) -> Iterator[str]:
    yield "# What buildwatch watches, and whom it tells. `buildwatch check` tells what is wrong, with line and column;"
    yield "# a running buildwatch takes a saved change within 2 s. Secrets come from the environment: ${NAME}."
    yield ""
    yield f"timezone: {flow(answers.zone)}  # of reporting days and of times in messages"
    yield ""
    yield "store:"
    yield "  url: sqlite:///buildwatch.db  # beside this file; postgresql+psycopg://… when several hosts share it"


def _providers(answers: Answers) -> Iterator[str]:
    yield "# CI servers: a name of your choice and how to reach it."
    yield "providers:"
    if answers.jenkins:
        yield "  jenkins:"
        yield "    kind: jenkins"
        yield f"    url: {flow(answers.jenkins)}"
        if answers.username:
            yield f"    username: {flow(answers.username)}"
            yield "    token: ${JENKINS_TOKEN}  # made under Security in the user's settings"
        yield "    poll_every: 60s"
    if answers.repo or not answers.jenkins:
        yield "  github:"
        yield "    kind: github"
        if answers.repo:
            yield "    token: ${GITHUB_TOKEN}  # without one: 60 requests an hour, public repositories only"
            yield "    poll_every: 60s"
        else:
            yield "    #token: ${GITHUB_TOKEN}  # without one: 60 requests an hour, public repositories only"
            yield "    poll_every: 5m"


def _pipelines(answers: Answers) -> Iterator[str]:
    yield "# What is watched: adding a pipeline is adding one entry. `buildwatch discover NAME` lists what there is."
    yield "pipelines:"
    if answers.jenkins:
        yield f"  - {{provider: jenkins, job: {flow(answers.job)}}}"
    if answers.repo or not answers.jenkins:
        repo = answers.repo or "psf/requests"
        yield f'  - {{provider: github, repo: {flow(repo)}}}  # workflow: ci.yml; branches: [main, "release/*"]'


def _channels(answers: Answers) -> Iterator[str]:
    yield "# How people are reached. `buildwatch test-channel NAME` sends a sample."
    yield "channels:"
    if answers.slack == "webhook":
        yield '  slack: {kind: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}  # posts only'
    elif answers.slack == "bot":
        room = flow(answers.room)
        yield f'  slack: {{kind: slack, token: "${{SLACK_BOT_TOKEN}}", channel: {room}}}  # one card per alert, edited'
    if answers.mail_host:
        yield "  mail:"
        yield "    kind: smtp"
        yield f"    host: {flow(answers.mail_host)}"
        yield "    #port: 587  # with STARTTLS; 465 means TLS from the start"
        yield "    #username: ci"
        yield "    #password: ${SMTP_PASSWORD}"
        yield f"    from: {flow(answers.mail_from)}"
        yield f"    to: {flow([part.strip() for part in answers.mail_to.split(',') if part.strip()])}"
    if answers.slack not in {"webhook", "bot"} and not answers.mail_host:
        yield "  terminal: {kind: console}"


def _tail() -> Iterator[str]:
    yield "# What is looked for; these are the defaults."
    yield "#alerts:"
    yield "#  failure: {after: 1, resolve_after: 1}  # so many failures in a row fire, so many passes resolve"
    yield "#  success_rate_drop: {sensitivity: medium}  # against the pipeline's own past"
    yield "#  provider_unreachable: {after: 3, lasting: 10m}"
    yield ""
    yield "# Who gets what: the first route that matches decides. Left out: every channel gets everything."
    yield "#routes:"
    yield "#  - {match: {labels: {team: payments}}, to: [mail], continue: true}"
    yield "#  - {to: [slack]}"
