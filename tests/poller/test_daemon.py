from pathlib import Path

from simulator import faults
from simulator.house import Simulator
from tests.support.daemon import eventually, running
from tests.support.scene import github, save, scene


def test_what_a_replaced_provider_lists_late_counts_no_more(house: Simulator, tmp_path: Path) -> None:
    for name in ("acme/web", "acme/infra"):
        house.world.github.repo(name).run("success")
    path = tmp_path / "config.yaml"
    written = scene(house, f"sqlite:///{tmp_path / 'store.db'}", providers={"gh": github(house)})
    entry = {"provider": "gh", "repo": "acme/*"}
    save(path, written | {"pipelines": [entry]})
    house.github.fault(faults.delay(2), path="/orgs/*", times=1)
    with running(path) as daemon:
        eventually(lambda: any("/orgs/" in each.path for each in house.github.requests))
        save(path, written | {"pipelines": [entry | {"repo": "acme/web"}]})
        eventually(lambda: [str(target) for target in daemon.daemon._schedule.targets()] == ["gh:acme/web"])
