from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from poller.config import schema
from poller.config.tree import plain, read_tree
from tests.poller.config.test_loading import FROM_THE_CONTRACT
from tests.support.configurations import WORKING, fake_plugins


def complaints(of: dict[str, Any], text: str) -> list[str]:
    tree, problems = read_tree(text, Path("config.yaml"))
    assert not problems
    return [error.message for error in Draft202012Validator(of).iter_errors(plain(tree))]


@pytest.fixture(scope="module")
def installed() -> dict[str, Any]:
    return schema()


def test_the_schema_is_a_valid_schema_that_names_every_installed_kind(installed: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(installed)
    for name in ("provider.jenkins", "provider.github", "channel.console", "channel.slack", "channel.smtp"):
        assert name in installed["$defs"]


def test_the_shipped_file_and_the_contract_s_example_fit_the_schema(installed: dict[str, Any]) -> None:
    shipped = Path(__file__).parents[3] / "config.yaml"
    assert complaints(installed, shipped.read_text()) == []
    assert complaints(installed, FROM_THE_CONTRACT) == []


def test_every_key_of_ours_is_described(installed: dict[str, Any]) -> None:
    undescribed = [key for key, value in installed["properties"].items() if not value.get("description")]
    assert undescribed == []
    assert installed["$defs"]["Failure"]["properties"]["after"]["description"]


@pytest.mark.parametrize(
    "text",
    [
        WORKING,
        WORKING.replace("{kind: fake}", "{kind: fake, token_file: /run/x, poll_every: 90s, verify: '${V}'}"),
        WORKING + "routes:\nalerts:\n  failure: off\n  success_rate_drop: {min_baseline: '${N}'}\n",
        WORKING + "defaults: {labels: {a: b}, workflow: x}\nlog: {level: debug}\ninclude: x\n",
        WORKING + "routes: [{to: desk, continue: true, match: {severity: critical}}]\n",
    ],
)
def test_what_loads_fits(text: str) -> None:
    assert complaints(schema(fake_plugins()), text) == []


@pytest.mark.parametrize(
    "text",
    [
        "providrs: {}",
        "providers: {ci: {kind: nothing}}",
        "providers: {ci: {}}",
        "providers: {ci: {kind: fake, tokn: x}}",
        "pipelines: [{provider: ci, evry: 5m}]",
        "channels: {desk: {kind: lamp, color: red}}",
        "alerts: {failure: {aftr: 1}}",
        "routes: [{match: {}}]",
        "defaults: {lables: {}}",
    ],
)
def test_what_is_misspelt_does_not_fit(text: str) -> None:
    assert complaints(schema(fake_plugins()), text)
