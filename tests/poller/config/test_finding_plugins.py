import sys
from pathlib import Path
from types import ModuleType

import pytest

from poller.config import plugins
from poller.config.plugins import BrokenPlugin, Kinds, Plugins, find_plugins
from providers._base import ProviderPlugin
from tests.support.configurations import fake_plugins


def test_every_public_module_is_a_kind_and_none_is_imported_for_it() -> None:
    found = find_plugins()
    assert {"github", "jenkins"} <= set(found.providers.names)
    assert {"console", "slack", "smtp"} <= set(found.channels.names)
    assert not any(name.startswith("_") for name in (*found.providers.names, *found.channels.names))


def test_installed_kinds_can_be_used() -> None:
    found = find_plugins()
    assert found.providers.get("github").settings.model_fields["kind"]
    assert found.providers.get("github") is found.providers.get("github")
    assert "alerts" in found.entry_model("jenkins").model_fields


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("raise RuntimeError('no luck')", "importing someplugins.one failed: RuntimeError: no luck"),
        ("syntax error", "importing someplugins.one failed: SyntaxError"),
        ("", "importing someplugins.one failed: AttributeError"),
        ("PLUGIN = 5", "someplugins.one.PLUGIN is not a ProviderPlugin"),
    ],
)
def test_a_broken_module_is_a_problem_of_those_who_use_it(
    source: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "someplugins"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text(source)
    (package / "_hidden.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("someplugins", "someplugins.one"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = ModuleType("someplugins")
    module.__path__ = [str(package)]
    kinds = Kinds("someplugins", ProviderPlugin, plugins._modules_of(module))
    assert kinds.names == ("one",)
    with pytest.raises(BrokenPlugin) as error:
        kinds.get("one")
    assert expected in str(error.value)
    sound = fake_plugins()
    assert "job" in Plugins(providers=sound.providers, channels=sound.channels).entry_keys
