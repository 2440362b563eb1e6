"""This machine once more, to be thrown away: a real systemd in a container over a copy-on-write view of the root."""

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

PATIENCE = 60.0
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def why_not() -> str | None:
    """Why there can be no such machine here; None when there can be."""
    if os.geteuid() != 0:
        return "a container with a systemd of its own needs root"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is not installed (package systemd-container)"
    if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False).returncode:
        return "this root may neither mount nor make networks"
    return None


class Network:
    """A network of its own: nothing but a loopback interface. Threads may live in it, and machines."""

    def __init__(self) -> None:
        self._descriptor = -1
        self.inside(self._make)

    def _make(self) -> None:
        # What this thread starts later lives in the namespace too; the rest of the process stays where it is.
        self._descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        with socket.socket() as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))

    def inside(self, call: Callable[[], T]) -> T:
        """Call a function in a thread that lives in this network, as the threads that it starts do."""
        results: list[T] = []
        errors: list[BaseException] = []

        def enter_and_call() -> None:
            try:
                self._enter()
                results.append(call())
            except BaseException as error:  # noqa: BLE001  (raised again in the thread that asked)
                errors.append(error)

        thread = threading.Thread(target=enter_and_call)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.unshare(_CLONE_NEWNET) if self._descriptor < 0 else libc.setns(self._descriptor, _CLONE_NEWNET)
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    @property
    def path(self) -> str:
        """Where other processes find it."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def close(self) -> None:
        """Let it go; it ends with the last thread and process in it."""
        os.close(self._descriptor)


class Machine:
    """A machine that is switched on and off; what it writes lives in memory until `close`.

    Nothing of this machine's own services is started in it: what is enabled here is not enabled there.
    """

    def __init__(self, folder: Path, network: Network) -> None:
        self._folder = folder
        self._network = network
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = ""
        self.root = folder / "root"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", folder], check=True)
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)
        self._make_plain()

    def _make_plain(self) -> None:
        etc = self.root / "etc"
        for folder in ("systemd/system", "systemd/system.conf.d", *(f"rc{level}.d" for level in "0123456S")):
            shutil.rmtree(etc / folder, ignore_errors=True)
        (etc / "systemd" / "system").mkdir(parents=True, exist_ok=True)
        (etc / "fstab").unlink(missing_ok=True)
        (etc / "machine-id").write_text("5ca1ab1e" * 4 + "\n")  # without one everything would be enabled at first boot
        shutil.rmtree(self.root / "var" / "log" / "journal", ignore_errors=True)
        (self.root / "var" / "log" / "journal").mkdir(parents=True)

    def switch_on(self) -> None:
        """Boot; returns when everything that is enabled has been started."""
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.settimeout(PATIENCE)
        address = self._folder / "notify"
        address.unlink(missing_ok=True)
        ear.bind(str(address))
        command = ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot", "--notify-ready=yes"]
        command += [f"--machine=buildwatch-{os.getpid()}", "--register=no", "--keep-unit", "--console=pipe"]
        command += [f"--network-namespace-path={self._network.path}", "--link-journal=no", "--resolv-conf=off"]
        command += ["--timezone=off", "--", "systemd.unit=multi-user.target", "systemd.show_status=no"]
        with ear, Path(self._folder, "console").open("wb") as console:
            self._nspawn = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(address)},
            )
            told = ""
            while "READY=1" not in told:
                told += ear.recv(4096).decode() + "\n"
        _, _, rest = told.partition("X_NSPAWN_LEADER_PID=")
        self._leader = rest.split()[0]

    def do(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside."""
        enter = ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": ""}
        return subprocess.run(
            [*enter, "--", *words], env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    def ask(self, *words: str) -> str:
        """Run a command that must succeed; what it prints."""
        done = self.do(*words)
        if done.returncode:
            last = self.do("journalctl", "--lines=30", "--output=short-monotonic").stdout
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{last}")
        return done.stdout.strip()

    def switch_off(self) -> None:
        """An orderly shutdown."""
        assert self._nspawn is not None
        self.do("systemctl", "poweroff")
        self._nspawn.wait(PATIENCE)
        self._nspawn = None

    def close(self) -> None:
        """Pull the plug if it still runs, and forget everything."""
        if self._nspawn is not None:
            with suppress(ProcessLookupError, ValueError):  # or it never came up
                os.kill(int(self._leader), signal.SIGKILL)  # its systemd outlives the one that watches it
            self._nspawn.kill()
            self._nspawn.wait(PATIENCE)
        for place in (self.root, self._folder):
            subprocess.run(["umount", "--lazy", place], check=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
