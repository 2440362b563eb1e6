"""The provider of pushed builds that nobody has to write."""

from pathlib import Path

import pytest

from poller.config import load

CHANNELS = 'channels: {desk: {kind: console}}\nweb: {listen: "127.0.0.1:8080"}\n'


def names(folder: Path, text: str) -> tuple[list[str], set[str]]:
    """All providers, and those that nobody wrote."""
    path = folder / "config.yaml"
    path.write_text(text)
    path.chmod(0o600)
    configuration = load(path, environ={})
    assert all(configuration.entries_of(name) for name in configuration.implied)
    return list(configuration.providers), set(configuration.implied)


@pytest.mark.parametrize(
    ("text", "providers", "implied"),
    [
        (CHANNELS, ["push"], {"push"}),
        (CHANNELS.partition("web")[0], [], set()),
        (CHANNELS + "providers: {mine: {kind: push}}\npipelines: [{provider: mine}]\n", ["mine"], set()),
        (
            CHANNELS + 'providers: {push: {kind: jenkins, url: "http://127.0.0.1:9/"}}\n'
            "pipelines: [{provider: push, job: a}]\n",
            ["push", "pushed"],
            {"pushed"},
        ),
        (CHANNELS + "providers:\npipelines:\n", ["push"], {"push"}),
    ],
)
def test_with_a_web_server_there_is_one_unless_somebody_wrote_one(
    text: str, providers: list[str], implied: set[str], tmp_path: Path
) -> None:
    assert names(tmp_path, text) == (providers, implied)
