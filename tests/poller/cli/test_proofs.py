"""`check` tries templates with a sample of every sort."""

from dataclasses import replace
from pathlib import Path

import pytest

from alerts.channels._base import ChannelPlugin
from poller.cli.proofs import prove_templates
from poller.config import load
from poller.config.problems import ConfigurationError
from tests.support.builders import NOON
from tests.support.commands import Commands


def _template(config: Path, text: str, kind: str = "console") -> None:
    config.write_text(config.read_text() + f"templates: {{{kind}: card.j2}}\n")
    (config.parent / "card.j2").write_text(text)


def test_a_template_that_does_for_every_sample_is_fine(buildwatch: Commands, config: Path) -> None:
    _template(config, "{{ message.headline }}\n{% for fact in message.facts %}{{ fact.name }} {% endfor %}\n")
    assert buildwatch("check").status == 0


def test_a_broken_template_has_file_line_and_the_first_sample(buildwatch: Commands, config: Path) -> None:
    _template(config, "{{ message.headline }}\n\n{{ message.facts[0].name }}\n")
    ran = buildwatch("check")
    assert ran.status == 78
    assert ran.err.startswith("card.j2:3:1: ")
    assert "(the sample baseline)" in ran.err
    assert ran.err.count("card.j2") == 1
    told = buildwatch("check", "--json")
    assert (told.status, told.json["ok"]) == (78, False)
    assert [(each["line"], each["path"]) for each in told.json["problems"]] == [(3, "templates.console")]


def test_a_template_of_an_unused_kind_is_not_tried(buildwatch: Commands, config: Path) -> None:
    _template(config, "{{ nothing }}", kind="slack")
    assert buildwatch("check").status == 0


def test_a_kind_without_templates_says_so(config: Path) -> None:
    _template(config, "x")
    configuration = load(config, environ={})
    plugin = configuration.channel_plugins["console"]
    plain = ChannelPlugin(settings=plugin.settings, channel=plugin.channel)
    configuration = replace(configuration, channel_plugins={"console": plain})
    with pytest.raises(ConfigurationError, match="messages of this kind of channel have one form only"):
        prove_templates(configuration, NOON)


def test_messages_on_the_console_have_the_form_of_the_template(buildwatch: Commands, config: Path) -> None:
    _template(config, "<<{{ message.headline }}>>\n")
    assert buildwatch("test-channel", "team").out.startswith("<<🔴 web / main failed, 2nd in a row")
