import pytest

from tests.support.commands import Commands
from tests.support.process import DaemonProcess


@pytest.mark.usefixtures("house_config")
def test_commands_work_beside_a_running_daemon(buildwatch: Commands) -> None:
    with DaemonProcess(buildwatch.config) as daemon:
        assert daemon.listen("READY=1"), daemon.log()
        seen = buildwatch("status", "--json")
        assert seen.json["daemon"]["running"] is True
        assert f"pid {daemon.process.pid} " in seen.json["daemon"]["holder"]
        assert seen.json["since"] is not None
        assert seen.json["config"]["error"] is None
        for words in (["builds"], ["alerts", "--all"], ["outbox"], ["db", "stats"], ["poll", "--dry-run"], ["doctor"]):
            assert buildwatch(*words).status == 0, words
        assert buildwatch("backfill", "--since", "9d").status == 0
        assert buildwatch("poll").status == 75
        assert daemon.stop() == 0, daemon.log()
    assert buildwatch("status", "--json").json["daemon"]["running"] is False
