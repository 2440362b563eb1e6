"""Configurations for tests: small plug-ins of our own, and a short way from text to result."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, model_validator

from alerts.channels._base import ChannelPlugin, ChannelSettings
from domain.globs import matches
from poller.config import Configuration, ConfigurationError, load
from poller.config.plugins import Kinds, Plugins
from providers._base import PipelineEntry, ProviderPlugin, ProviderSettings


class FakeServer(ProviderSettings):
    kind: Literal["fake"]
    url: str = "https://ci.example.com"
    token: SecretStr | None = None
    verify: bool = True


class FakeEntry(PipelineEntry):
    job: str
    depth: int | Literal["all"] = 1

    def matches(self, key: str) -> bool:
        return matches(self.job, key)


class OtherServer(ProviderSettings):
    kind: Literal["other"]


class OtherEntry(PipelineEntry):
    repo: str
    workflow: str | None = None

    def matches(self, key: str) -> bool:
        return key.startswith(self.repo)


class FakeChannel(ChannelSettings):
    kind: Literal["lamp"]
    webhook_url: SecretStr | None = None
    password: SecretStr | None = None
    to: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_secret(self) -> "FakeChannel":
        if self.webhook_url and self.password:
            raise ValueError(f"either, not both: {self.password.get_secret_value()}")
        return self


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("configuration makes no provider and no channel")


def fake_plugins() -> Plugins:
    """Two kinds of providers (fake, other), one of channels (lamp), and one module that does not exist."""
    return Plugins(
        providers=Kinds(
            "tests.no_such_package",
            ProviderPlugin,
            ("broken",),
            {
                "fake": ProviderPlugin(settings=FakeServer, entry=FakeEntry, provider=never),
                "other": ProviderPlugin(settings=OtherServer, entry=OtherEntry, provider=never),
            },
        ),
        channels=Kinds(
            "tests.no_such_package",
            ChannelPlugin,
            (),
            {"lamp": ChannelPlugin(settings=FakeChannel, channel=never)},
        ),
    )


WORKING = """\
providers:
  ci: {kind: fake}
pipelines:
  - provider: ci
    job: nightly
channels:
  desk: {kind: lamp}
"""


def loaded(path: Path, text: str, environ: Mapping[str, str] | None = None, **how: Any) -> Configuration:
    """Write the text and load it with the fake plug-ins; raises like `load`."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return load(path, environ=environ or {}, plugins=how.pop("plugins", None) or fake_plugins(), **how)


def errors(call: Callable[[], object]) -> list[str]:
    """What a load finds wrong, as it is shown; empty when nothing is."""
    try:
        call()
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    return []
