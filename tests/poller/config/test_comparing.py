from collections.abc import Callable

import pytest

from poller.config import Changes, Configuration, Named, diff
from tests.support.configurations import WORKING

Loading = Callable[..., Configuration]

TEXT = WORKING + "routes: [{to: desk}]\n"
NONE = Changes(
    providers=Named(),
    channels=Named(),
    pipelines=(),
    rules=False,
    routes=False,
    store=False,
    log=False,
    days=False,
    web=False,
    policies=False,
)


def test_the_same_configuration_has_no_changes(loading: Loading) -> None:
    changes = diff(loading(TEXT), loading(f"# comment\n{TEXT}"))
    assert changes == NONE
    assert not changes


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ("  ci: {kind: fake}", "  ci: {kind: fake, token: t}", "providers", Named(changed=("ci",))),
        ("pipelines:", "  two: {kind: fake}\npipelines:", "providers", Named(added=("two",))),
        ("desk: {kind: lamp}", "desk: {kind: lamp, to: [x]}", "channels", Named(changed=("desk",))),
        ("job: nightly", "job: weekly", "pipelines", ("ci",)),
        ("job: nightly", "job: nightly\n    enabled: false", "pipelines", ("ci",)),
        ("job: nightly", "job: nightly\n    poll_every: 5s", "pipelines", ("ci",)),
        ("job: nightly", "job: nightly\n    unstable: passed", "rules", True),
        ("job: nightly", "job: nightly\n    alerts: {failure: off}", "rules", True),
        ("routes:", "alerts: {failure: off}\nroutes:", "rules", True),
        ("to: desk", "to: desk, continue: true", "routes", True),
        ("routes:", "store: {keep: {logs: 1d}}\nroutes:", "store", True),
        ("routes:", "log: {level: debug}\nroutes:", "log", True),
        ("routes:", "day_starts_at: 10:00\nroutes:", "days", True),
    ],
)
def test_only_what_changed_is_named(old: str, new: str, field: str, value: object, loading: Loading) -> None:
    changes = diff(loading(TEXT), loading(TEXT.replace(old, new)))
    assert changes
    assert getattr(changes, field) == value
    others = {name for name in NONE.__dataclass_fields__ if name != field}
    assert all(getattr(changes, name) == getattr(NONE, name) for name in others)


def test_a_removed_provider_is_named_with_its_pipelines(loading: Loading) -> None:
    old = TEXT.replace("pipelines:", "  two: {kind: fake}\npipelines:\n  - {provider: two, job: x}")
    changes = diff(loading(old), loading(TEXT))
    assert changes.providers == Named(removed=("two",))
    assert changes.pipelines == ("two",)
