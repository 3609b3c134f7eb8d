"""One systemd-nspawn container: a Linux machine of its own, but for the kernel.

Its files are the image with a small memory file system laid over it, so a copy costs nothing and is gone afterwards.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.nodes.cgroups import Cgroup

DISK_SIZE: Final = 64 * 2**20
"""Bytes that a node may write before its disk is full."""


class Container:
    """A machine that can be switched on and off. Not to be used by two threads at once."""

    def __init__(self, image: Path, folder: Path, namespace: str, name: str, machine: str) -> None:
        """Lay out the files, nothing runs yet.

        Args:
            image: the file tree to start from; never written to.
            folder: a folder of this container's own, on the machine that runs the tests.
            namespace: the network namespace that gets the other end of the cable `v-<name>`.
            name: the host name.
            machine: unique on the machine that runs the tests.
        """
        self.image, self.name, self.machine = image, name, machine
        self.root: Final = folder / "root"
        """The container's files, as seen from outside. Mind absolute symbolic links: they lead to our own files."""
        self.disk: Final = folder / "disk"
        self.upper: Final = self.disk / "upper"
        self.log: Final = folder / "console.log"
        self.cable: Final = f"v-{name}"
        self._notify: Final = folder / "notify"
        self._namespace = namespace
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._leader: int | None = None
        self._cgroup = Cgroup.create(machine)
        for path in (self.root, self.disk):
            path.mkdir(parents=True)
        self.mount()

    def mount(self) -> None:
        """Lay an empty disk over the image."""
        work = self.disk / "work"
        options = f"size={DISK_SIZE},mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "kthw-routes-tests", self.disk], check=True)
        for path in (self.upper, work):
            path.mkdir()
        options = f"lowerdir={self.image},upperdir={self.upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "kthw-routes-tests", self.root], check=True)

    def unmount(self) -> None:
        """Throw away all that was written. The container is off."""
        for path in (self.root, self.disk):
            if path.is_mount():
                subprocess.run(["umount", path], check=True)

    @property
    def is_on(self) -> bool:
        """Whether it has booted and was not switched off since."""
        return self._leader is not None and self._process is not None and self._process.poll() is None

    @property
    def leader(self) -> int:
        """The process that is number 1 inside."""
        assert self._leader is not None, f"{self.name} is off"
        return self._leader

    def start(self) -> None:
        """Switch it on; `wait_until_booted` does the rest, so that several can boot side by side."""
        self._notify.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._notify))
        nspawn = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--notify-ready=yes"]
        nspawn += [f"--directory={self.root}", f"--machine={self.machine}", f"--hostname={self.name}"]
        nspawn += [f"--network-veth-extra={self.cable}:eth0", "--resolv-conf=off", "--timezone=off"]
        nspawn += ["--link-journal=no", "--console=pipe"]
        # `ip netns exec` would hide the control groups that nspawn needs.
        argv = self._cgroup.starting(["nsenter", f"--net=/run/netns/{self._namespace}", *nspawn])
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(self._notify)},
                start_new_session=True,
            )

    def wait_until_created(self) -> None:
        """Wait until the container exists, with its end of the cable."""
        while self._leader is None:
            for line in self._notifications():
                if line.startswith("X_NSPAWN_LEADER_PID="):
                    self._leader = int(line.partition("=")[2])

    def wait_until_booted(self, online: Sequence[str] = ("true",)) -> None:
        """Wait until systemd inside says that all is started, and a program inside that the network is configured."""
        while "READY=1" not in self._notifications():
            pass
        self.run(online, check=True)

    def _notifications(self, patience: float = 60.0) -> list[str]:
        """The lines of the next message from nspawn."""
        assert self._socket is not None
        assert self._process is not None
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if select.select([self._socket], [], [], 0.2)[0]:
                return self._socket.recv(4096).decode().splitlines()
            if self._process.poll() is not None:
                break
        raise RuntimeError(f"{self.name} did not boot:\n{self._why_not_booted()}")

    def _why_not_booted(self) -> str:
        """What it was at when patience ended."""
        told = self.log.read_text(errors="replace")[-2000:]
        if self.is_on:
            with suppress(subprocess.SubprocessError):
                told += self.run(["sh", "-c", "systemctl list-jobs; journalctl -b -n 30"], check=False).stdout
        return told

    def shut_down(self, patience: float = 60.0) -> None:
        """Let systemd inside stop everything in order, then switch it off."""
        assert self._process is not None
        os.kill(self.leader, signal.SIGRTMIN + 4)  # poweroff.target, see systemd(1)
        self._process.wait(patience)
        self.power_off()

    def power_off(self) -> None:
        """Cut the power: no process gets a chance to say good-bye, no packet leaves any more."""
        self._cgroup.freeze(False)
        if self._leader is not None:
            with suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGKILL)
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        if self._socket is not None:
            self._socket.close()
        self._process = self._leader = self._socket = None
        self._cgroup.kill()
        self._cgroup.wait_until_empty()

    def freeze(self, frozen: bool) -> None:
        """Stop or continue all its processes; its kernel still answers pings and accepts connections."""
        self._cgroup.freeze(frozen)

    def run(
        self, argv: Sequence[str], *, check: bool = True, stdin: str = "", timeout: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside as root, without SSH; what stands in /usr/local is not seen."""
        result = subprocess.run(
            [*self.entering(), *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )
        if check and result.returncode != 0:
            error = subprocess.CalledProcessError(result.returncode, argv, result.stdout, result.stderr)
            error.add_note(f"on {self.name}: {result.stderr.strip()}")
            raise error
        return result

    def entering(self) -> list[str]:
        """The beginning of a command line that enters the container."""
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return ["nsenter", f"--target={self.leader}", *spaces, "--"]

    def delete(self) -> None:
        """Switch it off and leave nothing of it behind."""
        self.power_off()
        self.unmount()
        self._cgroup.delete()
        shutil.rmtree(f"/run/systemd/nspawn/propagate/{self.machine}", ignore_errors=True)
        shutil.rmtree(self.root.parent, ignore_errors=True)
