"""The web server in the daemon, and alone over the same store."""

import json
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from simulator.house import Simulator
from store.engine import open_database
from tests.support.daemon import eventually, running
from tests.support.process import DaemonProcess
from web.listening import listen

TOKEN = "canary-0123456789abcdef"
PATIENCE = 30.0  # seconds: who asks a server that is still starting waits for it
RUN = {"pipeline": "web", "status": "failure", "branch": "main", "commit": "5184f9", "triggered_by": "octocat"}


def ask(url: str, body: Any = None, token: str | None = None) -> Any:
    """The JSON answer."""
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def allowed(url: str, origin: str) -> bool:
    """Whether pages of that origin may ask."""
    request = urllib.request.Request(url, headers={"Origin": origin})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.headers.get("Access-Control-Allow-Origin") == origin


def free_port() -> int:
    with listen("127.0.0.1", 0) as found:
        return int(found.getsockname()[1])


def url_in(log: str) -> str:
    found = re.findall(r"web server listens url=(\S+)", log)
    return found[-1] if found else ""


@pytest.fixture
def config(house: Simulator, tmp_path: Path) -> Path:
    house.world.jenkins.job("team/api").build("SUCCESS")
    path = tmp_path / "config.yaml"
    text = house.config_text(store_url=f"sqlite:///{tmp_path / 'store.db'}", poll_every="1s")
    path.write_text(text + "\nweb: {listen: '127.0.0.1:0'}\n")
    path.chmod(0o600)
    return path


def test_what_is_pushed_to_the_daemon_is_told_and_seen(house: Simulator, config: Path) -> None:
    with running(config) as daemon:
        eventually(lambda: daemon.daemon.web.url)
        url = str(daemon.daemon.web.url)
        eventually(lambda: [each["pipeline"] for each in ask(f"{url}/api/status")["pipelines"]])
        stored = ask(f"{url}/api/events/run", RUN)
        assert stored["status"] == "failure"
        builds = ask(f"{url}/builds?limit=10")
        assert any(each["pipeline"] == "web" for each in builds)
        eventually(lambda: any("web" in str(message) for message in house.slack.messages))
        eventually(lambda: ask(f"{url}/api/builds/{stored['id']}/explain")["told"])


def test_the_server_comes_goes_and_moves_with_the_configuration(config: Path) -> None:
    text = config.read_text()
    with running(config) as daemon:
        eventually(lambda: daemon.daemon.web.url)
        first = daemon.daemon.web.url
        assert ask(f"{first}/health")["ok"]
        config.write_text(text.replace("'127.0.0.1:0'", "'127.0.0.1:0', cors: [https://a.example]"))
        eventually(lambda: allowed(f"{first}/health", "https://a.example"))
        with listen("127.0.0.1", 0) as taken:
            config.write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"))
            eventually(lambda: daemon.daemon._reload.broken)
            assert "another program listens there already" in str(daemon.daemon._reload.broken)
            assert ask(f"{first}/health")["ok"]
        config.write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{free_port()}"))
        eventually(lambda: daemon.daemon.web.url not in {first, None})
        assert ask(f"{daemon.daemon.web.url}/health")["ok"]
        config.write_text(text.partition("\nweb:")[0])
        eventually(lambda: daemon.daemon.web.url is None)


def test_it_answers_when_systemd_hears_ready_and_ends_with_the_daemon(config: Path) -> None:
    config.write_text(config.read_text().replace(":0'}", f":0', auth: {{tokens: [{{name: ci, token: {TOKEN}}}]}}}}"))
    with DaemonProcess(config) as daemon:
        assert daemon.listen("READY=1"), daemon.log()
        url = url_in(daemon.log())
        assert ask(f"{url}/health")["ok"]
        assert ask(f"{url}/builds", token=TOKEN) is not None
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 10
        assert TOKEN not in daemon.log()
        assert "Traceback" not in daemon.log()


def test_the_daemon_works_while_its_port_is_taken_and_has_it_later(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("poller.listening.AGAIN", 0.2)
    taken = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    text = config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
    config.write_text(text)
    with running(config) as daemon:
        eventually(daemon.daemon.first_round_done)
        assert daemon.daemon.web.url is None
        assert "another program listens there already: set another port in `web.listen`" in str(
            daemon.daemon.web.trouble
        )
        assert "another program listens there already" in daemon.daemon._status()
        assert "it is tried again" in caplog.text
        config.write_text(text + "log: {level: debug}\n")  # a change of something else is none of the web's business
        eventually(lambda: daemon.daemon._configuration.log.level == "debug")
        assert daemon.daemon._reload.broken is None
        taken.close()
        eventually(lambda: daemon.daemon.web.url == f"http://127.0.0.1:{port}")
        assert ask(f"{daemon.daemon.web.url}/health")["ok"]
        assert daemon.daemon.web.trouble is None


def test_alone_a_port_that_is_taken_ends_the_start_with_a_line(config: Path) -> None:
    open_database(f"sqlite:///{config.parent / 'store.db'}").close()
    with listen("127.0.0.1", 0) as taken:
        config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"))
        with DaemonProcess(config, command="web") as alone:
            assert alone.process.wait(60) == 69
            assert "another program listens there already: set another port in `web.listen`" in alone.log()
            assert "Traceback" not in alone.log()


def test_a_reload_locks_the_door_without_a_restart_and_a_broken_key_changes_nothing(config: Path) -> None:
    text = config.read_text()
    locked = text.replace(":0'}", f":0', auth: {{tokens: [{{name: ci, token: {TOKEN}}}]}}}}")
    with running(config) as daemon:
        eventually(lambda: daemon.daemon.web.url)
        url = daemon.daemon.web.url
        assert ask(f"{url}/builds") is not None
        config.write_text(locked)
        eventually(lambda: status_of(f"{url}/builds") == 401)
        assert ask(f"{url}/builds", token=TOKEN) is not None
        config.write_text(text.replace("'127.0.0.1:0'", "'0.0.0.0:0'"))  # open to everybody: refused
        eventually(lambda: "other machines reach 0.0.0.0" in str(daemon.daemon._reload.broken))
        assert status_of(f"{url}/builds") == 401
        assert daemon.daemon.web.url == url


def status_of(url: str) -> int:
    try:
        ask(url)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def test_without_the_key_nothing_of_the_web_is_loaded(config: Path) -> None:
    config.write_text(config.read_text().partition("\nweb:")[0])
    with DaemonProcess(config) as daemon:
        assert daemon.listen("READY=1"), daemon.log()
        mapped = Path(f"/proc/{daemon.process.pid}/maps").read_text()
        assert "web server" not in daemon.log()
        assert "uvicorn" not in mapped
        assert daemon.stop() == 0


def test_alone_it_serves_a_store_that_a_daemon_works_on(config: Path) -> None:
    text = config.read_text()
    config.write_text(text.partition("\nweb:")[0])
    with running(config) as daemon:
        eventually(lambda: daemon.knows("nsp", "team/api") or daemon.knows("jenkins", "team/api"))
        with DaemonProcess(config, None, "--listen", "127.0.0.1:0", command="web") as web:
            assert web.listen("READY=1"), web.log()
            url = url_in(web.log())
            assert any(each["pipeline"] == "team/api" for each in ask(f"{url}/api/status")["pipelines"])
            web.heard.clear()
            web.ask(signal.SIGHUP)
            assert web.listen("READY=1")
            assert web.stop() == 0
            assert "Traceback" not in web.log()


def test_alone_it_opens_no_public_address_without_auth_and_no_store_that_is_not_there(config: Path) -> None:
    with DaemonProcess(config, None, "--listen", "0.0.0.0:0", command="web") as web:
        assert web.process.wait(30) == 78
        assert "other machines reach 0.0.0.0: add `web.auth`" in web.log()
    with DaemonProcess(config, None, command="web") as web:
        assert web.process.wait(30) in {69, 78}
        assert "there is no store yet" in web.log()
    open_database(f"sqlite:///{config.parent / 'store.db'}").close()
    with DaemonProcess(config, None, "--listen", "nonsense", command="web") as web:
        assert web.process.wait(30) == 2
