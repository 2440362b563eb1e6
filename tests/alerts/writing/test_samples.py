"""Samples are messages as the product writes them."""

from datetime import UTC
from zoneinfo import ZoneInfo

from alerts.writing.samples import sample_messages, samples
from domain.alert import AlertKind
from domain.message import Tone
from tests.support.builders import NOON

SUMMARIES = {AlertKind.BASELINE, AlertKind.DIGEST, AlertKind.STARTED}


def test_there_is_a_sample_of_every_kind_firing_and_over() -> None:
    found = samples(NOON, UTC)
    for kind in AlertKind:
        assert kind in found
        if kind not in SUMMARIES:
            assert found[f"{kind}_resolved"].tone is Tone.FIXED


def test_the_failure_shows_everything_that_a_card_can() -> None:
    failure = samples(NOON, UTC)["failure"]
    assert failure.headline == '🔴 web / main failed, 2nd in a row: "Helm install failed" in stage Deploy'
    assert "Error: INSTALLATION FAILED" in (failure.details or "")
    assert [table.title for table in failure.tables] == ["2 failing tests, 1 of them new", "Changes since #810"]
    assert [link.label for link in failure.links] == ["Build #812", "Changes #810…#811", "Last good build #810"]
    facts = {fact.name: fact.value for fact in failure.facts}
    assert facts["Duration"] == "5 m, usually 4 m 10 s"
    assert facts["Cause"] == "helm-timeout (infra), 3 times in 7 days"


def test_the_sample_messages_belong_together_and_say_that_they_are_a_test() -> None:
    firing, resolved = sample_messages(NOON, ZoneInfo("Asia/Kolkata"))
    assert firing.thread == resolved.thread
    assert (firing.tone, resolved.tone) == (Tone.BROKEN, Tone.FIXED)
    assert resolved.headline.startswith("🟢 web / main is fixed after 2 failures (2 h 10 m)")
    assert all("a test of this channel" in message.headline for message in (firing, resolved))
    assert "IST" in next(fact.value for fact in firing.facts if fact.name == "Since")


def test_what_is_wrong_with_ourselves_is_no_matter_of_a_provider() -> None:
    found = samples(NOON, UTC)
    assert found["delivery_failed"].headline == "🟠 channel team takes no messages: invalid_auth"
    assert found["delivery_failed_resolved"].headline == "🟢 channel team takes messages again"
    assert found["configuration_broken"].headline.startswith("🟠 buildwatch config.yaml is broken")
    assert "unknown key" in (found["configuration_broken"].details or "")
    assert found["configuration_broken_resolved"].details is None
    names = {fact.name for name in found for fact in found[name].facts if "delivery" in name or "config" in name}
    assert names == {"Channel", "Since", "Until"}
