"""All simulated servers together, with a configuration that is ready for the daemon."""

from typing import Self

from simulator.github import GithubServer
from simulator.jenkins import JenkinsServer
from simulator.server import Now, Server, wall_clock
from simulator.slack import SlackServer
from simulator.smtp import SmtpServer
from simulator.story import Story
from simulator.world import World

_CONFIG = """\
# Everything here is simulated and lives on the loopback interface.
timezone: UTC

store:
  url: {store_url}

providers:
  jenkins:
    kind: jenkins
    url: {jenkins_url}
    username: bot
    token: {jenkins_token}
    poll_every: {poll_every}
  github:
    kind: github
    api_url: {github_url}
    token: {github_token}
    poll_every: {poll_every}

pipelines:
  - provider: jenkins
    job: team/*
    labels: {{team: payments}}
  - provider: jenkins
    job: shop/checkout
    branches: [main, "release/*"]
  - provider: jenkins
    job: nightly/platforms
  - provider: github
    repo: acme/web
    workflow: ci.yml
    parsers: {{junit: junit.xml, artifact: test-results*}}
  - provider: github
    repo: acme/infra

channels:
  ci-slack:
    kind: slack
    token: {slack_token}
    channel: "#ci"
    api_url: {slack_api_url}
  web-slack:
    kind: slack
    webhook_url: {slack_webhook_url}
  mail:
    kind: smtp
    host: {smtp_host}
    port: {smtp_port}
    starttls: false
    from: CI <ci@example.com>
    to: [team@example.com]

alerts:
  failure: {{after: 1}}
  provider_unreachable: {{after: 3, lasting: 4s}}

routes:
  - match: {{provider: github}}
    to: [web-slack]
    continue: true
  - to: [ci-slack, mail]
"""


class Simulator:
    """A Jenkins (below `/ci`), a GitHub, a Slack workspace and a mail server over one seeded world.

    `world` scripts what is built. With `story` the demo's pipelines break and heal by themselves, as the clock goes on.
    With a `port_base` the servers listen on that port and the following four, else wherever there is room.
    """

    def __init__(
        self, seed: int = 0, now: Now = wall_clock, *, story: bool = False, port_base: int | None = None
    ) -> None:
        ports = [0] * 5 if port_base is None else [port_base + index for index in range(5)]
        self.world = World(seed, now)
        self.jenkins = JenkinsServer(self.world.jenkins, context="/ci", port=ports[0])
        self.github = GithubServer(self.world.github, port=ports[1])
        self.github.storage.port = ports[4]
        self.slack = SlackServer(now=now, port=ports[2])
        self.smtp = SmtpServer(now=now, port=ports[3])
        self.story = Story(self.world, self.github) if story else None
        if self.story is not None:
            for server in self._servers():
                server.before = self.story.tell

    def start(self) -> Self:
        """Listen, all or none."""
        try:
            for server in (*self._servers(), self.slack):
                server.start()
            self.smtp.start()
        except OSError:  # a chosen port is taken
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Close everything."""
        for server in (*self._servers(), self.slack, self.smtp):
            server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def jenkins_url(self) -> str:
        """For `providers.<name>.url`."""
        return self.jenkins.url

    @property
    def jenkins_token(self) -> str:
        """The API token of the user `bot`."""
        return self.jenkins.users["bot"]

    @property
    def github_url(self) -> str:
        """For `providers.<name>.api_url`."""
        return self.github.url

    @property
    def github_token(self) -> str:
        """A token that may read everything."""
        return next(iter(self.github.tokens))

    @property
    def slack_webhook_url(self) -> str:
        """The webhook of the channel #web."""
        return self.slack.webhook_url("web")

    @property
    def slack_api_url(self) -> str:
        """For `channels.<name>.api_url`."""
        return self.slack.api_url

    @property
    def slack_token(self) -> str:
        """The bot's token."""
        return self.slack.token

    @property
    def smtp_host(self) -> str:
        """Where the mail server listens."""
        return self.smtp.host

    @property
    def smtp_port(self) -> int:
        """Where the mail server listens."""
        return self.smtp.port

    def config_text(self, *, store_url: str = "sqlite:///demo.db", poll_every: str = "2s") -> str:
        """A config.yaml: a folder glob, a multibranch job, a matrix, two repositories, three channels, routes."""
        return _CONFIG.format(
            store_url=store_url,
            poll_every=poll_every,
            jenkins_url=self.jenkins_url,
            jenkins_token=self.jenkins_token,
            github_url=self.github_url,
            github_token=self.github_token,
            slack_token=self.slack_token,
            slack_api_url=self.slack_api_url,
            slack_webhook_url=self.slack_webhook_url,
            smtp_host=self.smtp_host,
            smtp_port=self.smtp_port,
        )

    def _servers(self) -> tuple[Server, Server]:
        return self.jenkins, self.github
