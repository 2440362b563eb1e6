"""Mail through a real server: each recipient's fate told apart, never in clear text by accident, never a lost alert."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerts.channels._base import ChannelError
from alerts.channels.smtp import PLUGIN, Mail, SmtpSettings
from domain.alert import Notification
from domain.message import Chart, Fact
from tests.alerts.channels.conftest import Authority
from tests.support.builders import message, notification
from tests.support.mail_server import HANG_UP, SILENCE, MailServer

A, B, C = "a@example.com", "b@example.com", "c@example.com"


def _channel(port: int, **more: Any) -> Mail:
    values = {"kind": "smtp", "host": "127.0.0.1", "port": port, "from": "CI <ci@example.com>", "to": [A, B, C]}
    mail = Mail("mail", SmtpSettings.model_validate(values | {"starttls": False, "timeout": 5} | more))
    mail.patience = 0.3
    return mail


def _error(channel: Mail, note: Notification | None = None) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(note or notification(id=1))
    assert "canary" not in str(caught.value)
    return caught.value


def _kind(error: ChannelError) -> tuple[bool, bool, bool]:
    return error.permanent, error.channel_wide, error.ambiguous


@contextmanager
def _talking(*lines: bytes) -> Iterator[int]:
    """A server that says these lines, whatever it hears, and then is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sockets: list[socket.socket] = []

        def serve() -> None:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sockets.append(sock)
            sock.sendall(lines[0])
            for line in lines[1:]:
                if not sock.recv(4096):
                    return
                sock.sendall(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        for sock in sockets:
            sock.close()
        thread.join(1)


def test_a_mail_reaches_all_recipients_and_its_id_is_the_receipt() -> None:
    with MailServer() as server:
        receipt = _channel(server.port).send(notification(id=1))
    (received,) = server.received
    assert received.recipients == (A, B, C)
    assert received.sender == "ci@example.com"
    assert receipt == {"message_id": received.mail["Message-ID"], "refused": {}}


def test_lines_that_begin_with_a_dot_arrive_as_they_are() -> None:
    with MailServer() as server:
        _channel(server.port).send(notification(id=1, message=message(details=".\n..\n.x")))
    body = server.received[0].mail.get_body(("html",))
    assert body is not None
    assert ">.\n..\n.x<" in body.get_content().replace("\r\n", "\n")


def test_starttls_login_and_certificate(authority: Authority) -> None:
    login = ("ci", "canary")
    with MailServer(starttls=authority.server, login=login) as server:
        more = {"starttls": None, "username": "ci", "password": "canary", "ca_file": authority.ca_file}
        channel = _channel(server.port, **more)
        channel.send(notification(id=1))
        assert channel.probe() == f"127.0.0.1:{server.port} answers over TLS, logged in as ci"
        assert server.received[0].encrypted
        assert set(server.logins) == {login}
        error = _error(_channel(server.port, starttls=True))
        assert _kind(error) == (True, True, False)
        assert "certificate is not trusted" in str(error)
        _channel(server.port, starttls=True, verify=False, username="ci", password="canary").send(notification(id=2))
        assert len(server.received) == 2


def test_tls_from_the_first_byte(authority: Authority) -> None:
    with MailServer(tls=authority.server) as server:
        channel = _channel(server.port, starttls=None, tls=True, ca_file=authority.ca_file)
        channel.send(notification(id=1))
        assert server.received[0].encrypted
        assert "certificate is not trusted" in str(_error(_channel(server.port, starttls=None, tls=True)))


def test_a_server_without_starttls_gets_nothing_in_clear_text() -> None:
    with MailServer() as server:
        error = _error(_channel(server.port, starttls=None, username="ci", password="canary"))
        assert _kind(error) == (True, True, False)
        assert "clear text is not an option" in str(error)
        error = _error(_channel(server.port, starttls=None, tls=True))
        assert _kind(error) == (True, True, False)
        assert "no TLS" in str(error)
        assert (server.received, server.logins, server.tried) == ([], [], [])


def test_a_refused_login_breaks_the_channel_and_quotes_nothing() -> None:
    with MailServer(login=("ci", "right")) as server:
        error = _error(_channel(server.port, username="ci", password="canary"))
    assert _kind(error) == (True, True, False)
    assert "535" in str(error)


@pytest.mark.parametrize(
    ("ehlo", "told"),
    [(b"250 nothing\r\n", "does not offer it"), (b"250-x\r\n250 AUTH GSSAPI\r\n", "no way that we know")],
)
def test_a_server_without_a_common_login_breaks_the_channel(ehlo: bytes, told: str) -> None:
    with _talking(b"220 hello\r\n", ehlo) as port:
        error = _error(_channel(port, username="ci", password="canary", timeout=0.3))
    assert _kind(error) == (True, True, False)
    assert told in str(error)


def test_a_temporary_login_failure_is_tried_again() -> None:
    with _talking(b"220 hello\r\n", b"250-x\r\n250 AUTH PLAIN\r\n", b"454 later, canary\r\n") as port:
        assert _kind(_error(_channel(port, username="ci", password="canary", timeout=0.3))) == (False, True, False)


def test_one_refused_recipient_does_not_keep_the_others_from_their_mail() -> None:
    with MailServer(replies={B: ["550 5.1.1 no such user"]}) as server:
        receipt = _channel(server.port).send(notification(id=1))
    assert server.received[0].recipients == (A, C)
    assert receipt["refused"] == {B: "550 5.1.1 no such user"}


@pytest.mark.parametrize("code", [450, 451, 452, 552])
def test_a_recipient_who_is_asked_to_wait_is_tried_again_alone(code: int) -> None:
    with MailServer(replies={B: [f"{code} later", f"{code} later"], C: ["553 never"]}) as server:
        channel = _channel(server.port)
        first = _error(channel)
        assert _kind(first) == (False, False, False)
        assert first.retry_after == 300
        assert first.progress == {"delivered": [A], "refused": {C: "553 never"}}
        second = _error(channel, notification(id=1, attempts=2, progress=first.progress))
        assert second.retry_after == 600
        receipt = channel.send(notification(id=1, attempts=3, progress=second.progress))
    assert [each.recipients for each in server.received] == [(A,), (B,)]
    assert server.tried == [A, B, C, B, B]
    assert len({each.mail["Message-ID"] for each in server.received}) == 1
    assert receipt["refused"] == {C: "553 never"}


def test_when_all_recipients_are_asked_to_wait_nothing_is_lost() -> None:
    with MailServer(replies={each: ["451 greylisted"] for each in (A, B, C)}) as server:
        error = _error(_channel(server.port))
        assert _kind(error) == (False, False, False)
        assert error.progress == {"delivered": [], "refused": {}}
        _channel(server.port).send(notification(id=1, progress=error.progress))
    assert server.received[0].recipients == (A, B, C)


def test_when_all_recipients_are_refused_the_message_is_dead() -> None:
    with MailServer(replies={each: ["550 no"] for each in (A, B, C)}) as server:
        error = _error(_channel(server.port))
    assert _kind(error) == (True, False, False)
    assert "a@example.com: 550 no" in str(error)


def test_when_everybody_was_served_before_nothing_is_sent() -> None:
    progress = {"delivered": [A, B, C], "refused": {}}
    receipt = _channel(1).send(notification(id=1, progress=progress))
    assert receipt["message_id"].startswith("<")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("550 not you", (True, True, False)),
        ("530 authenticate first", (True, True, False)),
        ("451 try later", (False, True, False)),
        ("421 closing", (False, True, False)),
    ],
)
def test_a_refused_sender_concerns_all_messages(reply: str, kind: tuple[bool, bool, bool]) -> None:
    with MailServer(to_sender=[reply]) as server:
        error = _error(_channel(server.port))
    assert _kind(error) == kind
    assert reply in str(error)


def test_a_server_that_closes_at_a_recipient_is_tried_again_for_all() -> None:
    with MailServer(replies={B: ["421 too busy"]}) as server:
        error = _error(_channel(server.port))
    assert _kind(error) == (False, True, False)
    assert error.progress == {"delivered": [], "refused": {}}
    assert server.received == []


@pytest.mark.parametrize(
    ("reply", "kind", "wait"),
    [
        ("554 looks like spam", (True, False, False), None),
        ("451 greylisted", (False, False, False), 300),
        ("421 closing", (False, False, False), 300),
    ],
)
def test_a_refused_message_concerns_only_itself(reply: str, kind: tuple[bool, bool, bool], wait: float | None) -> None:
    with MailServer(to_data=[reply]) as server:
        error = _error(_channel(server.port))
    assert _kind(error) == kind
    assert error.retry_after == wait


@pytest.mark.parametrize("answer", [HANG_UP, SILENCE])
def test_no_answer_after_the_final_dot_is_ambiguous_and_repeated_with_the_same_id(answer: str) -> None:
    with MailServer(to_data=[answer]) as server:
        channel = _channel(server.port)
        error = _error(channel)
        assert _kind(error) == (False, False, True)
        channel.send(notification(id=1, ambiguous=True, progress=error.progress))
    assert len({each.mail["Message-ID"] for each in server.received}) == 1
    assert len(server.received) == 2


def test_the_doubt_stays_until_the_server_accepts() -> None:
    with MailServer(to_sender=["451 later"]) as server:
        assert _error(_channel(server.port), notification(id=1, ambiguous=True)).ambiguous


def test_a_mail_that_is_too_large_is_sent_as_text_only() -> None:
    note = notification(id=1, message=message(details="x" * 3000))
    with MailServer(size=5000) as server:
        _channel(server.port).send(note)
    assert server.received[0].mail.get_content_type() == "text/plain"
    with MailServer(to_data=["552 too big", "552 too big"]) as server:
        error = _error(_channel(server.port), note)
    assert _kind(error) == (True, False, False)


def test_a_mail_that_is_too_large_with_pictures_is_sent_without_them() -> None:
    chart = Chart(title="Pass rate", columns=tuple("abcdefgh"), values=(90.0, 80.0, 95.0, 91.0, 70.0, 99.0, 90.0, 77.0))
    note = notification(id=1, message=message(charts=(chart,)))
    with MailServer() as server:
        _channel(server.port).send(note)
        whole = server.received[0]
    assert "image/png" in [part.get_content_type() for part in whole.mail.walk()]
    with MailServer(size=len(whole.raw) - 1000) as server:
        _channel(server.port).send(note)
    assert [part.get_content_type() for part in server.received[0].mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_with_a_template_its_html_is_sent_beside_our_text_and_ours_while_it_fails() -> None:
    text = "<h1>{{ message.headline }}</h1>{{ message.facts[0].value }}"
    assert PLUGIN.template is not None
    with MailServer() as server:
        settings = _channel(server.port)._settings
        mail = PLUGIN.channel("mail", settings, template=PLUGIN.template(Path("mail.j2"), text))  # type: ignore[call-arg]
        mail.send(notification(id=1, message=message(facts=(Fact(name="Branch", value="<b>"),))))
        mail.send(notification(id=2))
    theirs, ours = (received.mail.get_body(("html",)) for received in server.received)
    assert theirs is not None
    assert ours is not None
    assert theirs.get_content().strip() == "<h1>🔴 deploy / main failed</h1>&lt;b&gt;"
    assert "Built-in form, for the template failed: mail.j2:1: " in ours.get_content()
    plain = server.received[0].mail.get_body(("plain",))
    assert plain is not None
    assert "Branch  <b>" in plain.get_content()


def test_nothing_listening_is_a_retry_for_the_whole_channel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = _error(_channel(port))
    assert _kind(error) == (False, True, False)
    assert "Connection refused" in str(error)


@pytest.mark.parametrize(
    ("lines", "permanent"),
    [
        ([b"554 go away\r\n"], True),
        ([b"421 too busy\r\n"], False),
        ([b"SSH-2.0-OpenSSH_9\r\n"], False),
        ([b"\xff\xfe\r\n"], False),
        ([b"220 hi\r\n", b"502 no\r\n", b"502 no\r\n"], True),
        ([b"220 hi\r\n", b"250-x\r\n250 SIZE\r\n", b"garbage\r\n"], False),
        ([b""], False),
    ],
)
def test_a_server_that_does_not_speak_is_told_apart_from_one_that_refuses(
    lines: list[bytes],
    permanent: bool,  # noqa: FBT001
) -> None:
    with _talking(*lines) as port:
        error = _error(_channel(port, timeout=0.3))
    assert _kind(error) == (permanent, True, False)


def test_a_dripping_server_is_cut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def drip() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"220 hi\r\n")
                while not stop.wait(0.05):
                    try:
                        sock.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        assert _kind(_error(_channel(listener.getsockname()[1], timeout=0.15))) == (False, True, False)
        stop.set()
        thread.join(1)


def test_a_probe_sends_nothing() -> None:
    with MailServer() as server:
        channel = _channel(server.port)
        assert channel.probe() == f"127.0.0.1:{server.port} answers in clear text"
        channel.close()
    assert (server.tried, server.received) == ([], [])


@pytest.mark.parametrize("right", ["canary", "other"])
def test_the_password_is_in_no_log_at_debug_level(
    right: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    password = "canary"
    with MailServer(login=("ci", right)) as server:
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.CRITICAL, logger="mail.log")  # aiosmtpd's, the other side of the wire
        try:
            _channel(server.port, username="ci", password=password).send(notification(id=1))
        except ChannelError:
            logging.getLogger("test").exception("failed")
    for text in (caplog.text, *capfd.readouterr()):
        assert "canary" not in text
        assert "AGNpAGNhbmFyeQ" not in text  # the same in base64
