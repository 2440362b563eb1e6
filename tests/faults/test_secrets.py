"""A canary in the place of every secret: whatever fails, at the chattiest log level, nobody ever sees one."""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from sqlalchemy import make_url

from poller.config import load
from poller.watching.connections import connect
from providers._base import ProviderError
from simulator import faults
from simulator.github_quota import Identity
from simulator.house import Simulator
from simulator.server import Answer, Exchange
from store.engine import open_database
from tests.support.builders import notification
from tests.support.daemon import eventually
from tests.support.postgres import PostgresServer
from tests.support.process import DaemonProcess
from tests.support.scene import bot, cards, command, github, jenkins, mail, save, scene, subjects

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

CANARIES = {
    "jenkins": "canary/jenkins+t0ken=%41",
    "github": "github_pat_canary/t0ken+x=",
    "slack": "xoxb-canary-slack-t0ken",
    "webhook": "canaryhookT0ken",
    "smtp": "canary smtp p@ss/w0rd=",
    "postgres": "canary-pg-p@ss:w0rd",
}


def forms(secret: str) -> Iterator[str]:
    """How a secret may look on its way: plain, in a URL, in JSON, in base64 at any offset, in hexadecimal."""
    yield from {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    for before in range(3):
        packed = base64.b64encode(bytes(before) + secret.encode()).decode()
        yield packed[(before * 8 + 5) // 6 + (before > 0) : (before + len(secret)) * 8 // 6]
    yield secret.encode().hex()


def seen(text: str) -> list[str]:
    """The names of the canaries in a text."""
    return [name for name, secret in CANARIES.items() if any(form in text for form in forms(secret))]


def test_a_canary_would_be_seen_in_every_form() -> None:
    for name, secret in CANARIES.items():
        packed = [
            base64.b64encode(f"{before}{secret}{after}".encode())
            for before in ("", "b:", "bot:")
            for after in ("", "!")
        ]
        for form in (secret, quote(secret, safe=""), repr(secret), secret.encode().hex(), *map(bytes.decode, packed)):
            assert seen(f"GET /?x={form} failed") == [name], form


@pytest.fixture
def configuration(house: Simulator, tmp_path: Path) -> dict[str, Any]:
    """A scene in which every secret is a canary, and every server wants its own."""
    house.jenkins.users["bot"] = CANARIES["jenkins"]
    house.github.tokens = {CANARIES["github"]: Identity(login="bot")}
    house.slack.token = CANARIES["slack"]
    hook = f"/services/T000/B000/{CANARIES['webhook']}"
    house.slack._webhooks[hook] = house.slack.room("web")
    house.smtp.stop()
    house.smtp._users = {"ci": CANARIES["smtp"]}
    house.smtp.start()
    house.world.jenkins.job("api").build("SUCCESS")
    house.world.github.repo("acme/web").run("success")
    channels = {
        "bot": bot(house, token=CANARIES["slack"]),
        "hook": {"kind": "slack", "webhook_url": house.slack.origin + hook},
        "mail": mail(house, username="ci", password=CANARIES["smtp"], timeout=2),
    }
    providers = {
        "ci": jenkins(house, token=CANARIES["jenkins"]),
        "gh": github(house, token=CANARIES["github"]),
    }
    store = f"sqlite:///{tmp_path / 'store.db'}"
    return scene(house, store, providers=providers, channels=channels, log={"level": "debug"})


def echo(exchange: Exchange) -> bool:
    """A server that shows us our own credentials, in every place of its answer."""
    told = {name: value for name, value in exchange.request.headers.items() if name == "authorization"}
    token = "".join(told.values()).partition(" ")[2]
    body = json.dumps({"ok": False, "error": f"invalid_auth {token} {CANARIES['slack']}", "message": token})
    headers = {"X-Echo": token, "Content-Type": f"application/json; token={token}"}
    exchange.send(Answer(status=401, headers=headers, body=body.encode()))
    return True


def astray(exchange: Exchange) -> bool:
    """A redirect elsewhere with our credentials in it."""
    token = exchange.request.headers.get("authorization", "").partition(" ")[2]
    where = f"http://user:{quote(token, safe='')}@127.0.0.1:9/?token={quote(token)}"
    exchange.send(Answer(status=302, headers={"Location": where}))
    return True


def break_everything(house: Simulator) -> None:
    """Each fault for a while, at all servers at once."""
    for fault in (echo, astray, faults.reset(), faults.html(), faults.answer(500, "oops"), faults.answer(403)):
        for server in (house.jenkins, house.github, house.slack):
            server.heal()
            server.fault(fault)
        threading.Event().wait(1.3)
    for server in (house.jenkins, house.github, house.slack):
        server.heal()


def provoke(house: Simulator, config: Path, configuration: dict[str, Any], daemon: DaemonProcess) -> str:
    """Break servers, commands and config.yaml; returns what was printed meanwhile."""
    house.world.jenkins.job("api").build("FAILURE")
    house.smtp.replies["team@example.com"] = f"451 not with the password {CANARIES['smtp']}"
    break_everything(house)
    house.smtp._users["ci"] = "another"
    printed = command(config, "check", "--online", "--json")
    mistaken = {**configuration["channels"]["mail"], "password": [CANARIES["smtp"]]}
    save(config, {**configuration, "channels": {"mail": mistaken}})
    eventually(lambda: "broken" in daemon.log())
    save(config, {**configuration, "providers": {**configuration["providers"], "ci": CANARIES["jenkins"]}})
    threading.Event().wait(1.0)
    save(config, configuration)
    printed += command(config, "status", "--json") + command(config, "outbox", "list", "--json")
    house.smtp.replies.clear()
    house.smtp._users["ci"] = CANARIES["smtp"]
    return printed


def told_everybody(house: Simulator) -> bool:
    """Whether the break has arrived on all three channels."""
    found = [cards(house, "api failed"), cards(house, "api failed", room="web"), subjects(house, "api failed")]
    return all(found)


@pytest.mark.timeout(180)
def test_no_secret_is_ever_shown(house: Simulator, configuration: dict[str, Any], tmp_path: Path) -> None:
    config = save(tmp_path / "config.yaml", configuration)
    outputs: dict[str, str] = {}
    with DaemonProcess(config) as daemon:
        assert daemon.listen("READY"), daemon.log()
        eventually(lambda: all(f"provider answers provider={name}" in daemon.log() for name in ("ci", "gh")))
        outputs["commands"] = provoke(house, config, configuration, daemon)
        assert daemon.stop() == 0, daemon.log()
        outputs["log"] = daemon.log()
    with DaemonProcess(config) as daemon:
        eventually(lambda: told_everybody(house))
        outputs["commands"] += "".join(command(config, name, "--json") for name in ("status", "alerts", "builds"))
        outputs["commands"] += command(config, "doctor")
        assert daemon.stop() == 0, daemon.log()
        outputs["log"] += daemon.log()
    outputs["database"] = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.glob("store.db*"))
    outputs["mail"] = "".join(each.raw.decode("latin-1") + each.text() for each in house.smtp.mails)
    outputs["slack"] = json.dumps([each.as_json(with_metadata=True, replies=[]) for each in house.slack.messages])
    assert "[hidden]" in outputs["log"]
    assert {name: seen(text) for name, text in outputs.items() if seen(text)} == {}


@pytest.mark.parametrize("name", ["run", "check --online", "status --json", "outbox list", "db stats"])
def test_a_password_in_the_store_url_is_never_shown(
    name: str, house: Simulator, postgres: PostgresServer, tmp_path: Path
) -> None:
    where = make_url(postgres.database_url()).query["host"]
    password = quote(CANARIES["postgres"], safe="")
    for url in (
        f"postgresql+psycopg://ci:{password}@/nowhere?host={quote(str(where), safe='')}",  # no such user
        f"postgresql+psycopg://ci:{CANARIES['postgres']}@x:y@127.0.0.1/nowhere",  # no URL
    ):
        output = command(save(tmp_path / "config.yaml", scene(house, url)), *name.split())
        assert seen(output) == []
        assert output


MISTAKES: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda it: it["providers"]["ci"].update(token=[CANARIES["jenkins"]]),
    "a wrong key": lambda it: it["providers"]["gh"].update(tokn=CANARIES["github"]),
    "a wrong URL": lambda it: it["channels"]["hook"].update(webhook_url=f"ftp://{CANARIES['webhook']}"),
    "two ways": lambda it: it["channels"]["bot"].update(webhook_url=f"https://x.example/{CANARIES['webhook']}"),
    "no user": lambda it: it["channels"]["mail"].pop("username"),
    "not ASCII": lambda it: it["channels"]["mail"].update(password=CANARIES["smtp"] + "é"),
    "a broken reference": lambda it: it["channels"]["bot"].update(token="${" + CANARIES["slack"]),
    "another kind": lambda it: it["channels"]["bot"].update(kind="smtp"),
    "a wrong store": lambda it: it.update(store={"url": f"mysql://ci:{quote(CANARIES['postgres'])}@x/y"}),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_beside_a_secret_does_not_show_it(name: str, configuration: dict[str, Any], tmp_path: Path) -> None:
    MISTAKES[name](configuration)
    output = command(save(tmp_path / "config.yaml", configuration), "check", "--json")
    assert "problems" in output
    assert seen(output) == []


@pytest.mark.parametrize("fault", [echo, astray, faults.reset(), faults.html(), faults.answer(400, "no")])
def test_no_error_of_a_plugin_holds_a_secret(
    fault: Callable[[Exchange], bool], house: Simulator, configuration: dict[str, Any], tmp_path: Path
) -> None:
    connections = connect(load(save(tmp_path / "config.yaml", configuration), environ={}))
    open_database(configuration["store"]["url"]).close()
    for server in (house.jenkins, house.github, house.slack):
        server.fault(fault)
    house.smtp.replies["team@example.com"] = "550 no"
    errors: list[Exception] = []
    for provider in connections.providers.values():
        for ask in (
            provider.probe,
            lambda it=provider: [list(it.poll(t, {}, notification().created_at)) for t in it.targets()],
        ):
            with pytest.raises(ProviderError) as caught:
                ask()
            errors.append(caught.value)
    for channel in connections.channels.values():
        try:
            channel.send(notification(id=1))
        except Exception as error:  # noqa: BLE001  (whatever it is, it is the one to look at)
            errors.append(error)
    assert len(errors) >= 6
    assert [
        seen(f"{error} {error!r} {vars(error)}") for error in errors if seen(f"{error} {error!r} {vars(error)}")
    ] == []
