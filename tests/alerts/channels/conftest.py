"""Certificates and a hostile corpus for all channels."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.support.slack_server import SlackServer


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own: its file for clients, a context for servers on loopback."""

    ca_file: Path
    server: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return Authority(ca_file, context)


@pytest.fixture(scope="session")
def _slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def slack(_slack: SlackServer) -> SlackServer:
    _slack.reset()
    return _slack
