from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from poller.config import Configuration
from tests.support.configurations import errors, loaded


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


@pytest.fixture
def loading(file: Path) -> Callable[..., Configuration]:
    """loading(text, environ, ...) → Configuration."""
    return partial(loaded, file)


@pytest.fixture
def wrong(loading: Callable[..., Configuration]) -> Callable[..., list[str]]:
    """wrong(text, environ, ...) → the errors, as shown."""
    return lambda *args, **how: errors(lambda: loading(*args, **how))
