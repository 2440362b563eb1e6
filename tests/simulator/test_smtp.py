import smtplib
import ssl
from email.message import EmailMessage

import pytest
import trustme

from simulator.smtp import SmtpServer
from tests.support.still_clock import StillClock


def _mail(*to: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ci@example.com", ", ".join(to), "❌ api is broken"
    mail.set_content("totals differ\n")
    mail.add_alternative("<p>totals differ</p>", subtype="html")
    return mail


def _send(server: SmtpServer, *to: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(server.host, server.port, timeout=5) as client:
        return client.send_message(_mail(*to))


def test_mails_are_kept_and_readable(mail: SmtpServer, clock: StillClock) -> None:
    assert _send(mail, "a@example.com", "b@example.com") == {}
    kept = mail.wait(1)[0]
    assert (kept.sender, kept.recipients) == ("ci@example.com", ("a@example.com", "b@example.com"))
    assert (kept.subject, kept.text(), kept.text("html")) == (
        "❌ api is broken",
        "totals differ\n",
        "<p>totals differ</p>\n",
    )
    assert (kept.at, kept.tls, kept.user) == (clock(), False, None)
    assert b"Subject:" in kept.raw
    mail.clear()
    assert mail.mails == []


def test_waiting_for_a_mail_that_does_not_come_gives_up(mail: SmtpServer) -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        mail.wait(1, timeout=0.01)


def test_a_part_that_is_not_there_is_empty(mail: SmtpServer) -> None:
    plain = EmailMessage()
    plain.set_content("x")
    with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
        client.send_message(plain, "a@x", ["b@x"])
    assert mail.wait(1)[0].text("html") == ""


def test_each_recipient_gets_its_own_answer(mail: SmtpServer) -> None:
    mail.replies = {"bad@example.com": "550 5.1.1 no such user", "late@example.com": "451 4.7.1 greylisted"}
    refused = _send(mail, "good@example.com", "bad@example.com", "late@example.com")
    assert {who: code for who, (code, _) in refused.items()} == {"bad@example.com": 550, "late@example.com": 451}
    assert mail.wait(1)[0].recipients == ("good@example.com",)


def test_the_mail_itself_may_be_refused(mail: SmtpServer) -> None:
    mail.data_reply = "552 5.3.4 too large"
    with pytest.raises(smtplib.SMTPDataError, match="552"):
        _send(mail, "a@example.com")
    assert mail.mails == []


def test_it_may_accept_and_say_nothing(mail: SmtpServer) -> None:
    mail.accept_then_silent = True
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        _send(mail, "a@example.com")
    assert len(mail.wait(1)) == 1


def test_it_comes_back_on_the_same_port(mail: SmtpServer) -> None:
    port = mail.port
    mail.stop()
    mail.stop()
    with pytest.raises(ConnectionRefusedError):
        _send(mail, "a@example.com")
    mail.start()
    assert mail.port == port
    assert _send(mail, "a@example.com") == {}


def test_large_mails_are_refused_before_they_are_read() -> None:
    with SmtpServer(size_limit=100) as server, pytest.raises(smtplib.SMTPSenderRefused):
        _send(server, "a@example.com")


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def _contexts(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def test_it_offers_starttls_and_wants_a_password(authority: trustme.CA) -> None:
    server_side, client_side = _contexts(authority)
    with SmtpServer(users={"ci": "secret"}, tls=server_side) as server:
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            client.starttls(context=client_side)
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("ci", "wrong")
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            client.starttls(context=client_side)
            client.login("ci", "secret")
            client.send_message(_mail("a@example.com"))
        kept = server.wait(1)[0]
        assert (kept.tls, kept.user) == (True, "ci")
        with pytest.raises(smtplib.SMTPSenderRefused):
            _send(server, "a@example.com")


def test_it_speaks_tls_from_the_first_byte_when_told_so(authority: trustme.CA) -> None:
    server_side, client_side = _contexts(authority)
    with SmtpServer(tls=server_side, implicit_tls=True) as server:
        with smtplib.SMTP_SSL(server.host, server.port, timeout=5, context=client_side) as client:
            client.send_message(_mail("a@example.com"))
        assert server.wait(1)[0].tls
