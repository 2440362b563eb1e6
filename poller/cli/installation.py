"""What `buildwatch install-service` does: a list of steps that can be shown or taken."""

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poller.config.files import read_files
from poller.config.sources import PREFIX as PREFIX_OF_OVERRIDES

UNIT = "buildwatch.service"
FAILURE_UNIT = "buildwatch-failure@.service"
PREFIX = Path("/opt/buildwatch")
CONFIG = Path("/etc/buildwatch/config.yaml")
UNITS = Path("/etc/systemd/system")

_HIDDEN = tuple(Path(name) for name in ("/home", "/root", "/run/user", "/tmp", "/var/tmp"))  # noqa: S108
_PLAIN = re.compile(r"/[A-Za-z0-9/._+-]*")
_CREDENTIAL = re.compile(r"\$\{credential:([A-Za-z0-9._-]+)\}")


class CannotInstall(Exception):
    """Why nothing, or not everything, was done, and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do, in words, and the file it writes, if it writes one."""

    said: str
    take: Callable[[], object]
    path: Path | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The service of the environment in `prefix` with the configuration at `config`."""

    prefix: Path = PREFIX
    config: Path = CONFIG
    units: Path = UNITS

    def __post_init__(self) -> None:
        for path in (self.prefix, self.config):
            if not _PLAIN.fullmatch(str(path)):
                raise CannotInstall(f"{path}: a unit wants an absolute path of letters, digits and . _ + -")
            _refuse_hidden(path)

    @property
    def credentials(self) -> Path:
        """Where the files of secrets are: only root may look into it."""
        return self.config.parent / "credentials"

    def named_credentials(self) -> list[str]:
        """Every name in a `${credential:name}` of the configuration, and every file that overrides a key; sorted."""
        texts = _texts(read_files(self.config).tree) if os.access(self.config, os.R_OK) else ()
        named = {name for text in texts for name in _CREDENTIAL.findall(text)}
        files = self.credentials.iterdir() if os.access(self.credentials, os.R_OK) else ()
        return sorted(named | {file.name for file in files if file.name.upper().startswith(PREFIX_OF_OVERRIDES)})

    def missing_credentials(self) -> list[Path]:
        """The files of secrets that the unit could not load; it would not start."""
        return [path for name in self.named_credentials() if not (path := self.credentials / name).exists()]

    def steps(self) -> Iterator[Step]:
        """Everything up to the start, in order. Safe to take again: after an upgrade, or with new credentials."""
        yield _directory(self.config.parent, 0o755)
        yield _directory(self.credentials, 0o700)
        if not self.config.exists():
            yield _file(self.config, shipped("config.yaml"))
        yield _file(self.units / UNIT, self._adapted(shipped(UNIT, "systemd")))
        yield _file(self.units / FAILURE_UNIT, self._adapted(shipped(FAILURE_UNIT, "systemd")))
        if names := self.named_credentials():
            folder = self.units / f"{UNIT}.d"
            yield _directory(folder, 0o755)
            lines = [f"LoadCredential={name}:{self.credentials / name}" for name in names]
            note = f"# Written by `buildwatch install-service`: what {self.config} names."
            yield _file(folder / "credentials.conf", "\n".join([note, "[Service]", *lines, ""]))
        yield _command("systemctl", "daemon-reload")

    def start(self) -> Step:
        """The last step: now and at every boot."""
        return _command("systemctl", "enable", "--now", UNIT)

    def require_environment(self) -> None:
        """Raise CannotInstall when the service could not run the command from the prefix."""
        command = self.prefix / "bin" / "buildwatch"
        if not os.access(command, os.X_OK):
            raise CannotInstall(
                f"there is no {command}; make the environment first, or name another one with --prefix:\n"
                f"  /usr/bin/python3 -m venv {self.prefix}\n"
                f"  {self.prefix}/bin/pip install WHEEL-OR-CHECKOUT"
            )
        python = (self.prefix / "bin" / "python").resolve()
        _refuse_hidden(python)

    def _adapted(self, unit: str) -> str:
        named = unit.replace(str(CONFIG), "\0").replace(str(PREFIX), str(self.prefix))
        return named.replace("\0", str(self.config))


def shipped(name: str, folder: str = "") -> str:
    """The text of a file that comes with buildwatch: beside the packages in a checkout, or under share/ in a wheel."""
    beside = Path(__file__).parents[2] / folder / name
    places = [beside, Path(sysconfig.get_path("data")) / "share" / "buildwatch" / name]
    for place in places:
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise CannotInstall(f"{name} is missing from this installation: looked for {' and '.join(map(str, places))}")


def _refuse_hidden(path: Path) -> None:
    for folder in _HIDDEN:
        if path.is_relative_to(folder):
            raise CannotInstall(f"{path}: the service cannot see {folder} (ProtectHome, PrivateTmp in the unit)")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)


def _directory(path: Path, mode: int) -> Step:
    def take() -> None:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)

    return Step(said=f"install -d -m {mode:04o} {path}", take=take)


def _file(path: Path, text: str) -> Step:
    def take() -> None:
        if path.exists() and path.read_text(encoding="utf-8") != text:
            shutil.copy2(path, path.with_name(f"{path.name}.old"))  # somebody may have edited it
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    return Step(said=f"write {path}", take=take, path=path, text=text)


def _command(*words: str) -> Step:
    def take() -> None:
        if shutil.which(words[0]) is None:
            raise CannotInstall(f"there is no {words[0]}: this machine does not run systemd")
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  (our own words)
        if done.returncode:
            raise CannotInstall(f"{' '.join(words)} failed with status {done.returncode}:\n{done.stderr.strip()}")

    return Step(said=" ".join(words), take=take)
