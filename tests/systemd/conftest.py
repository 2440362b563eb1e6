"""A machine with a systemd of its own, the product installed on it, and the simulated servers in its network."""

import os
from collections.abc import Iterator

import pytest

from simulator.house import Simulator
from tests.support import machine, product
from tests.support.machine import Machine, Network
from tests.support.service import Service, configure


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service, installed with its own command and running; tests leave it running."""
    if reason := machine.why_not() or product.why_not():
        if os.environ.get("CI"):
            pytest.fail(f"a real systemd is required in CI: {reason}", pytrace=False)
        pytest.skip(reason)
    network, house = Network(), Simulator()
    network.inside(house.start)
    for name in ("api", "worker"):
        house.world.jenkins.job(f"team/{name}").build("SUCCESS")
    with Machine(tmp_path_factory.mktemp("machine"), network) as computer:
        product.install(computer.root)
        found = Service(computer, house)
        configure(found)
        computer.switch_on()
        found.installed = computer.do(product.COMMAND, "install-service")
        yield found
    house.stop()
    network.close()
