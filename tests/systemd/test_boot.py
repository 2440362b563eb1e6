"""The service under a real systemd. The tests share one machine and leave it running; the last one boots it again."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import product
from tests.support.daemon import eventually
from tests.support.product import COMMAND
from tests.support.service import UNIT, Service

PYTHON = "/opt/buildwatch/bin/python"
WEB_PORT = 18321


@pytest.fixture(autouse=True)
def unlimited(service: Service) -> None:
    """Starts by hand count, too: ten in five minutes, and systemd would refuse the next."""
    service.machine.ask("systemctl", "reset-failed", UNIT)


@contextmanager
def saved(service: Service, text: str) -> Iterator[None]:
    """Another config.yaml, for a while."""
    before = service.config.read_text()
    service.config.write_text(text)
    try:
        yield
    finally:
        service.config.write_text(before)


def test_install_service_starts_it_now_and_at_every_boot(service: Service) -> None:
    assert service.installed.returncode == 0, service.installed.stderr + service.said()
    assert service.show("ActiveState") == "active"
    assert service.show("UnitFileState") == "enabled"
    assert service.show("NRestarts") == "0"


def test_it_runs_as_a_user_of_its_own_and_keeps_its_state_to_itself(service: Service) -> None:
    user = service.machine.ask("stat", "--format=%u", f"/proc/{service.pid()}")
    assert int(user) > 60000
    listed = service.machine.ask("stat", "--format=%a %u", "/var/lib/buildwatch/", "/var/lib/buildwatch/buildwatch.db")
    assert listed.splitlines() == [f"700 {user}", f"600 {user}"]


def test_the_status_line_tells_what_is_watched(service: Service) -> None:
    eventually(lambda: service.show("StatusText").startswith("1 targets of 1 providers"))


def test_credentials_and_variables_reach_the_servers_and_nobody_else(service: Service) -> None:
    service.goes_on()
    service.house.world.jenkins.job("team/api").build("FAILURE")
    eventually(lambda: len(service.cards()) == 1)
    everything = service.machine.ask("journalctl", "--output=export", "--quiet")
    assert service.house.jenkins_token not in everything
    assert service.house.slack_token not in everything


def test_after_kill_9_it_is_back_and_repeats_nothing(service: Service) -> None:
    before = service.pid()
    service.machine.ask("kill", "-9", str(before))
    eventually(lambda: service.is_back(before))
    service.goes_on()
    assert len(service.cards()) == 1


def test_a_hang_ends_in_a_restart_by_the_watchdog(service: Service) -> None:
    dropin = service.machine.root / "etc" / "systemd" / "system" / f"{UNIT}.d" / "watchdog.conf"
    dropin.write_text("[Service]\nWatchdogSec=3\n")
    service.machine.ask("systemctl", "daemon-reload")
    service.machine.ask("systemctl", "restart", UNIT)
    before = service.pid()
    service.machine.ask("kill", "-STOP", str(before))
    eventually(lambda: service.is_back(before))
    assert "Watchdog timeout" in service.machine.ask("journalctl", "--quiet", f"--unit={UNIT}", "--output=cat")
    dropin.unlink()
    service.machine.ask("systemctl", "daemon-reload")
    service.machine.ask("systemctl", "restart", UNIT)


def test_a_reload_takes_a_good_file_over(service: Service) -> None:
    before = service.pid()
    service.house.world.jenkins.job("late/newcomer").build("SUCCESS")
    with saved(service, service.config.read_text().replace("channels:", "  - {provider: ci, job: late/*}\nchannels:")):
        service.machine.ask("systemctl", "reload", UNIT)
        eventually(lambda: "late/newcomer" in service.machine.ask(COMMAND, "builds", "--json"))
    service.machine.ask("systemctl", "reload", UNIT)
    assert service.pid() == before


def test_the_web_server_answers_from_inside_the_sandbox(service: Service) -> None:
    asked = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"
    address = f"http://127.0.0.1:{WEB_PORT}"

    def answers(path: str, text: str) -> bool:
        done = service.machine.do(PYTHON, "-c", asked, address + path)
        return done.returncode == 0 and text in done.stdout

    with saved(service, service.config.read_text() + f"web: {{listen: {WEB_PORT}}}\n"):
        service.machine.ask("systemctl", "reload", UNIT)
        eventually(lambda: answers("/health", '"ok":true'), within=30)
        assert answers("/", "team/api")
    service.machine.ask("systemctl", "reload", UNIT)
    eventually(lambda: not answers("/health", ""))


def test_a_reload_of_a_broken_file_fails_with_its_reason_and_changes_nothing(service: Service) -> None:
    before = service.pid()
    with saved(service, service.config.read_text().replace("poll_every: 1s", "pol_every: 1s")):
        done = service.machine.do("systemctl", "reload", UNIT)
        assert done.returncode != 0
        line = next(entry for entry in service.journal() if "did you mean" in entry["MESSAGE"])
        assert re.search(r"config\.yaml:9:\d+", line["MESSAGE"])
        service.goes_on()
        eventually(lambda: "config.yaml is broken" in service.show("StatusText"))
    assert service.pid() == before
    assert service.show("ActiveState") == "active"
    eventually(lambda: "config.yaml is broken" not in service.show("StatusText"))


def test_journal_lines_carry_their_priority(service: Service) -> None:
    priorities = {entry["MESSAGE"].partition("\n")[0]: entry["PRIORITY"] for entry in service.journal()}
    assert next(priorities[text] for text in priorities if "watching providers=1" in text) == "6"
    assert next(priorities[text] for text in priorities if "config.yaml is broken" in text) == "3"
    assert not any(text.startswith("<") for text in priorities)


def test_an_administrator_sees_what_the_service_sees(service: Service) -> None:
    listed = service.machine.ask(COMMAND, "alerts", "--json")
    assert "team/api" in listed


def test_it_stops_at_once_when_there_is_nothing_to_finish(service: Service) -> None:
    service.goes_on()
    began = time.monotonic()
    service.machine.ask("systemctl", "stop", UNIT)
    assert time.monotonic() - began < 3
    assert service.show("Result") == "success"
    assert service.show("ExecMainStatus") == "0"


def test_an_administrator_works_on_the_store_of_a_stopped_service_without_taking_it_over(service: Service) -> None:
    service.machine.ask("systemctl", "stop", UNIT)
    owners = service.machine.ask("stat", "--format=%u", "/var/lib/buildwatch/")
    service.machine.ask("rm", "-f", "/var/lib/buildwatch/buildwatch.db.lock")
    service.machine.ask(COMMAND, "db", "upgrade")
    assert "team/api" in service.machine.ask(COMMAND, "builds", "--json")
    files = service.machine.ask("sh", "-c", "stat --format=%u /var/lib/buildwatch/*")
    assert set(files.split()) == {owners}
    service.machine.ask("systemctl", "start", UNIT)


def test_a_backup_is_restored_as_the_operations_page_has_it(service: Service) -> None:
    service.machine.ask(COMMAND, "db", "backup", "/var/backups/copy.db")
    page = (product.ROOT / "docs" / "operations.md").read_text()
    _, _, after = page.partition("To\nrestore:\n\n```sh\n")
    script = after.partition("```")[0].replace("sudo ", "")
    assert script.count("buildwatch-2026-11-21.db") == 1
    service.machine.ask("sh", "-ec", script.replace("buildwatch-2026-11-21.db", "copy.db"))
    assert "team/api" in service.machine.ask(COMMAND, "alerts", "--json")
    service.goes_on()
    assert len(service.cards()) == 1


def test_a_broken_file_at_the_start_is_final_and_reported_elsewhere(service: Service) -> None:
    bin_ = service.machine.root / "usr" / "sbin" / "sendmail"
    bin_.write_text("#!/bin/sh\ncat > /var/tmp/mail\n")
    bin_.chmod(0o755)
    (service.config.parent / "failure").write_text("FAILURE_MAIL=admin@example.com\n")
    with saved(service, "providers: {"):
        assert service.machine.do("systemctl", "restart", UNIT).returncode != 0
        assert service.show("ActiveState") == "failed"
        assert service.show("ExecMainStatus") == "78"
        mail = service.machine.root / "var" / "tmp" / "mail"
        eventually(lambda: mail.exists() and "config.yaml:1" in mail.read_text())
    assert "Subject: buildwatch.service has failed" in mail.read_text()
    alerts = service.machine.ask("journalctl", "--quiet", "--priority=1", "--output=cat")
    assert "buildwatch.service has failed" in alerts
    service.machine.ask("systemctl", "start", UNIT)


def test_without_its_credential_it_does_not_start(service: Service) -> None:
    secret = service.config.parent / "credentials" / "jenkins_token"
    aside = secret.rename(secret.with_name("aside"))
    assert service.machine.do("systemctl", "restart", UNIT).returncode != 0
    assert service.show("ExecMainStatus") == "243"
    done = service.machine.do(COMMAND, "install-service")
    assert (done.returncode, str(secret.relative_to(service.machine.root)) in done.stderr) == (1, True)
    aside.rename(secret)
    service.machine.ask("systemctl", "restart", UNIT)


def test_the_next_boot_goes_on_where_the_last_one_ended(service: Service) -> None:
    service.machine.switch_off()
    service.house.world.jenkins.job("team/worker").build("FAILURE")
    service.machine.switch_on()
    eventually(lambda: service.show("ActiveState") == "active")
    eventually(lambda: len(service.cards()) == 2)
    service.house.world.jenkins.job("team/api").build("SUCCESS")
    eventually(lambda: any("team/api" in card and "is fixed" in card for card in service.cards()))
    assert len(service.cards()) == 2  # what was told in the first boot is not told again
