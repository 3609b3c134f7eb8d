"""One node of the lab: what a test does to it, and the way back to how it was."""

import errno
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, Literal

from tests.nodes import files, flavours, kernel, netns
from tests.nodes.container import DISK_SIZE, Container
from tests.nodes.flavours import Flavour
from tests.nodes.hold import Hold
from tests.nodes.spec import NodeSpec, configure_network, make_host_key, prepare

BRIDGE: Final = "br0"
_RTMGRP_IPV4_ROUTE: Final = 0x40
_NEEDS_BOOT: Final = ("etc/systemd/", "etc/netplan", "etc/network", "etc/NetworkManager")
"""What a manager has read; nothing brings it back as surely, and as fast, as a new machine."""


class Reset(StrEnum):
    """What it took to bring a node back."""

    CLEAN = "clean"
    RESTORED = "restored"
    REBUILT = "rebuilt"


class Node:
    """A node that has booted. The faults hold until `reset`."""

    def __init__(self, spec: NodeSpec, container: Container, namespace: str, public_key: str) -> None:
        """Make the files of a node that is still off. `namespace` is where the bridge is."""
        self.spec = spec
        self.name: Final = spec.name
        self._first_spec: Final = spec
        self._container = container
        self._namespace = namespace
        self._public_key = public_key
        self._files: files.Files = {}
        self._kernel: kernel.Kernel | None = None
        self._mounts: tuple[str, ...] = ()
        prepare(container, spec, public_key)

    # Power

    def start(self) -> None:
        """Switch it on; `finish_boot` waits. On Linode, Network Helper writes its file anew before."""
        if self.spec.flavour is Flavour.LINODE:
            configure_network(self._container, self.spec)
        self._container.start()

    def finish_boot(self, *, network: bool = True) -> None:
        """Wait until the node is up and answers by SSH; without `network`, until it is up."""
        self._container.wait_until_created()
        self.heal()
        if not network:
            self._container.wait_until_booted()
            return
        self._container.wait_until_booted(flavours.online_command(self.spec.flavour))
        self.wait_for_ssh()

    def remember(self) -> None:
        """Take the present state for the one that `reset` brings back."""
        self._files = files.read(self._container)
        self._mounts = kernel.mounts(self._container)
        self._kernel = kernel.read(self._container)

    def power_off(self) -> None:
        """Cut the power. What was written to the disk is still there."""
        self._container.power_off()
        self._unplug()

    def shut_down(self) -> None:
        """Let all services stop in order, then switch it off."""
        self._container.shut_down()
        self._unplug()

    def _unplug(self) -> None:
        # The kernel takes the cable away some time after; a node that boots again needs the name.
        with suppress(subprocess.CalledProcessError):
            netns.ip(self._namespace, f"link delete {self._container.cable}")

    def power_on(self, *, network: bool = True) -> None:
        """Boot a node that is off, with the files that it has; without `network`, none is waited for."""
        self.start()
        self.finish_boot(network=network)

    def reboot(self, *, network: bool = True) -> None:
        """Shut it down in order and boot it again, with the files that it has; `network` as in `power_on`."""
        self.shut_down()
        self.power_on(network=network)

    @property
    def is_on(self) -> bool:
        """Whether it runs."""
        return self._container.is_on

    # Looking and changing, without SSH

    def run(self, command: str | Sequence[str], *, check: bool = True, stdin: str = "") -> str:
        """Run a program as root; a string goes to `sh -c`. Returns stdout; raises CalledProcessError if it fails."""
        argv = ["sh", "-c", command] if isinstance(command, str) else command
        return self._container.run(argv, check=check, stdin=stdin).stdout

    def result(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root; nothing is raised where it fails."""
        return self._container.run(["sh", "-c", command], check=False)

    def wait_for_routes(self, condition: str, patience: float = 30.0) -> None:
        """Wait until a shell command succeeds that asks for routes: tried now, and after each change of a route."""
        end = time.monotonic() + patience
        with netns.inside(f"/proc/{self._container.leader}/ns/net"):
            changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        with changes:
            changes.bind((0, _RTMGRP_IPV4_ROUTE))
            while self.result(condition).returncode != 0:
                changes.settimeout(max(0.001, end - time.monotonic()))
                try:
                    changes.recv(65536)
                except TimeoutError:
                    raise AssertionError(f"on {self.name} this never succeeded: {condition}") from None

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file, and the folders above it, as root and from inside."""
        self.run(f"mkdir -p $(dirname {shlex.quote(path)}) && cat >{shlex.quote(path)}", stdin=text)
        self.run(["chmod", f"{mode:o}", path])

    def path(self, path: str) -> Path:
        """A file of the node, to read or write from outside. It sees beneath what is mounted inside."""
        return self._container.root / path.lstrip("/")

    def wait_for_ssh(self) -> None:
        """Wait until sshd listens, and greets."""
        self.run("systemctl start ssh.service")  # it is told to systemd by sshd itself
        with netns.inside(self._namespace), self._connected() as connection:
            assert connection.recv(4) == b"SSH-", f"{self.name} does not answer by SSH"

    def _connected(self, patience: float = 30) -> socket.socket:
        """Connect to sshd from outside. While the network comes up each try ends after the kernel's three questions."""
        end = time.monotonic() + patience
        while True:
            try:
                return socket.create_connection((str(self.spec.public), 22), timeout=20)
            except OSError as error:
                if error.errno != errno.EHOSTUNREACH or time.monotonic() > end:
                    raise

    # The network

    def add_pod(self, host: int = 2, *, masquerade: bool = True) -> IPv4Address:
        """Start a pod as the CNI bridge plugin does: the bridge cnio0 if there is none yet, a namespace, forwarding on.

        Args:
            host: the pod's number in the pod CIDR; 1 is the bridge.
            masquerade: as `ipMasq` in the CNI configuration.

        Returns: the pod's address.
        """
        cidr = self.spec.pod_cidr
        assert cidr is not None, "pods run on workers only"
        bridge, pod, space = cidr[1], cidr[host], f"cni-{self.spec.number:04d}{host:04d}"
        self.add_bridge()
        self.run(f"""set -e
            ip netns add {space}
            ip link add veth{host} type veth peer name eth0 netns {space}
            ip link set veth{host} master cnio0 up
            ip -n {space} link set lo up
            ip -n {space} link set eth0 up
            ip -n {space} address add {pod}/{cidr.prefixlen} dev eth0
            ip -n {space} route add default via {bridge}
            sysctl -q -w net.ipv4.ip_forward=1""")
        if masquerade:
            self.run(
                ["nft", "-f", "-"],
                stdin=f"""table ip cni {{
                    chain postrouting {{
                        type nat hook postrouting priority srcnat;
                        ip saddr {pod} ip daddr != {cidr} ip daddr != 224.0.0.0/4 masquerade;
                    }}
                }}\n""",
            )
        return pod

    def add_bridge(self) -> None:
        """Make the bridge cnio0 without any pod, as after a reboot of a node whose pods are gone."""
        cidr = self.spec.pod_cidr
        assert cidr is not None, "pods run on workers only"
        self.run(f"""ip link show cnio0 >/dev/null 2>&1 || {{
            ip link add cnio0 type bridge
            ip address add {cidr[1]}/{cidr.prefixlen} dev cnio0
            ip link set cnio0 up; }}""")

    def cut(self, *, carrier: bool = True) -> None:
        """Let all packets from and to the node vanish; without `carrier`, its cable is out too."""
        netns.ip(self._namespace, f"link set {self._container.cable} {'nomaster' if carrier else 'down'}")

    def heal(self) -> None:
        """Connect the node to the bridge."""
        netns.ip(self._namespace, f"link set {self._container.cable} master {BRIDGE} up")

    def freeze(self, frozen: bool = True) -> None:
        """Let all its processes hang, or go on. Its kernel still answers pings and accepts connections."""
        self._container.freeze(frozen)

    # Files

    def snapshot(self) -> files.Files:
        """Every file that differs from the image, but for what a machine writes by itself: kind, mode, owner, content.

        To be compared later by `changed_since`.
        """
        return files.read(self._container)

    def changed_since(self, before: files.Files) -> list[str]:
        """The paths, relative to the root, of all that is not as it was, byte for byte; parents first."""
        return files.changed(self._container, before)

    def fill_disk(self, full: bool = True) -> None:
        """Leave no free block on the disk, or all of it."""
        status = os.statvfs(self._container.disk)
        size = (status.f_blocks - status.f_bfree) * status.f_frsize if full else DISK_SIZE
        subprocess.run(["mount", "-o", f"remount,size={size}", self._container.disk], check=True)

    def make_read_only(self) -> None:
        """Mount the node's root read-only."""
        self.run("mount -o remount,ro /")

    def bind_hosts_file(self, *, writable: bool) -> None:
        """Mount a file over /etc/hosts, as Docker and Kubernetes do in containers."""
        self.run("cp /etc/hosts /run/hosts && mount --bind /run/hosts /etc/hosts")
        if not writable:
            self.run("mount -o remount,bind,ro /etc/hosts")

    def change_host_key(self) -> None:
        """Give the node another host key, as a rebuilt machine has."""
        make_host_key(self._container.root)
        self.restart_ssh()

    def restart_ssh(self) -> None:
        """Let sshd read its configuration and keys again. Logins stay."""
        self.run("systemctl reset-failed ssh.service; systemctl restart ssh.service")
        self.wait_for_ssh()

    def wrap(self, program: str, before: str = "", after: str = "") -> None:
        """Put a shell script before a program, which gets the program's arguments. `after` sees its `$status`."""
        real = self.run(f"command -v {shlex.quote(program)}").strip()
        script = f'#!/bin/sh\n{before}\n{real} "$@"\nstatus=$?\n{after}\nexit $status\n'
        wrapper = self.path(f"/usr/local/sbin/{program}")
        wrapper.write_text(script)
        wrapper.chmod(0o755)

    def hold(self, program: str, argument: str, when: Literal["before", "after"], *, nth: int = 0) -> Hold:
        """Let every call of a program with that argument wait before it does anything, or after it has done all.

        With `nth`, counted from 1, only that call of them waits.
        """
        hold = Hold(Path(f"/proc/{self._container.leader}/root{Hold.FOLDER}"))
        self.run(hold.PREPARATION)
        count = (
            f"i=1; while ! mkdir {Hold.FOLDER}/call-$i 2>/dev/null; do i=$((i + 1)); done"  # calls may be side by side
        )
        wait = f"{count}; [ $i != {nth} ] || {{ {hold.WAITING}; }}" if nth else hold.WAITING
        self.wrap(program, **{when: f'case " $* " in *" {argument} "*) {wait};; esac'})
        return hold

    # The way back

    def reset(self) -> Reset:
        """Bring back all that `remember` saw: files, network, processes. Verified; rebuilt if need be."""
        assert self._kernel is not None
        if self.is_on and self.spec == self._first_spec:
            with suppress(subprocess.SubprocessError, OSError, ValueError):  # whatever a test broke: rebuild
                self.freeze(False)
                self.heal()
                self.fill_disk(False)
                kernel.unmount_extras(self._container, self._mounts)
                paths = self.changed_since(self._files)
                if not any(path.startswith(_NEEDS_BOOT) for path in paths):
                    files.restore(self._container, self._files)
                    if any(path.startswith("etc/ssh/") for path in paths):
                        self.restart_ssh()
                    now = kernel.read(self._container)
                    if self._is_back(now):
                        return Reset.CLEAN if now == self._kernel and not paths else Reset.RESTORED
        self.rebuild(self._first_spec.private)
        return Reset.REBUILT

    def _is_back(self, now: kernel.Kernel) -> bool:
        assert self._kernel is not None
        return (
            kernel.restore(self._container, now, self._kernel)
            and kernel.mounts(self._container) == self._mounts
            and not files.changed(self._container, self._files)
        )

    def rebuild(self, address: IPv4Address | None = None) -> None:
        """Make the node anew from the image, with another host key; at another internal address where one is given."""
        if address is not None:
            self.spec = self.spec.at(address)
        self.power_off()
        self._container.unmount()
        self._container.mount()
        prepare(self._container, self.spec, self._public_key)
        self.power_on()
        self.remember()

    def delete(self) -> None:
        """Leave nothing of it behind."""
        self.power_off()
        self._container.delete()
