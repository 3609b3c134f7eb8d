"""A real kernel to compare the model with: one network namespace, two veth interfaces, whose peers are elsewhere."""

import os
import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.net.fib import RouteTable
from kthw_routes.demo.net.kernel import Kernel
from tests.model.clock import FastClock

MACS = {"eth0": "f2:3c:00:00:00:01", "eth1": "f2:3c:00:00:00:02"}
TABLE = ["ip", "route", "show"]
ADDRESSES = ["ip", "address", "show"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one command left: its own output, and then the main table and the addresses."""

    status: int
    stdout: str
    stderr: str
    table: str
    addresses: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a namespace that change what commands do."""

    ip_forward: int = 0
    rp_filter: int = 0

    @property
    def sysctls(self) -> dict[str, str]:
        """By name."""
        return {
            "net.ipv4.ip_forward": str(self.ip_forward),
            "net.ipv4.conf.all.rp_filter": str(self.rp_filter),
        }


def unavailable() -> str | None:
    """Why there is no real kernel to compare with; None if there is one."""
    if os.name != "posix" or os.geteuid() != 0:
        return "needs root to make a network namespace"
    if not shutil.which("ip"):
        return "needs the ip program of iproute2"
    version = subprocess.run(["ip", "-V"], capture_output=True, text=True, check=False).stdout
    if "iproute2-6." not in version:
        return f"the model speaks as iproute2 6 does; this is {version.strip() or 'another ip'}"
    name = f"kthw-try-{uuid.uuid4().hex[:8]}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return f"cannot make a network namespace: {tried.stderr.strip()}" if tried.returncode else None


class RealKernel:
    """A network namespace of the test's own, used again for each example."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"kthw-{uuid.uuid4().hex[:8]}"
        self.far = f"{self.name}-far"
        setup = [f"ip netns add {self.name}", f"ip netns add {self.far}"]
        for device, mac in MACS.items():
            near, far = f"{device} netns {self.name} address {mac}", f"far-{device} netns {self.far}"
            setup.append(f"ip link add {near} type veth peer name {far}")
            setup.append(f"ip -n {self.far} link set far-{device} up")
        subprocess.run(["sh", "-ec", "\n".join(setup)], check=True, capture_output=True)
        subprocess.run(
            ["ip", "netns", "exec", self.name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"], check=True
        )

    def close(self) -> None:
        """Remove the namespaces, and with them all that is in them."""
        for name in (self.name, self.far):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def run(self, commands: Sequence[Sequence[str]], settings: Settings) -> list[Step]:
        """Run commands one after the other on a fresh state; one Step each."""
        sysctls = settings.sysctls | {"net.ipv4.conf.all.promote_secondaries": "0"}
        lines = [f"echo {value} > /proc/sys/{name.replace('.', '/')}" for name, value in sysctls.items()]
        for device in MACS:
            lines += [
                f"ip link set {device} down",
                f"ip address flush dev {device}",
                f"ip link set {device} up mtu 1500",
            ]
        # switched on without an address, the kernel gives it 127.0.0.1
        lines += ["ip address flush dev lo", "ip link set lo down", "ip link set lo up"]
        lines += ["ip route add blackhole 1.2.3.4 table 100", "ip route flush table main", "ip route flush table 100"]
        lines.append(f"cd {shlex.quote(str(self.folder))}")
        for i, command in enumerate(commands):
            lines.append(f"{shlex.join(command)} > out.{i} 2> err.{i}; echo $? > status.{i}")
            lines.append(f"{shlex.join(TABLE)} > table.{i}; {shlex.join(ADDRESSES)} > addresses.{i}")
        script = "exec 2>/dev/null\n" + "\n".join(lines)
        subprocess.run(["ip", "netns", "exec", self.name, "sh", "-c", script], check=False, timeout=60)
        return [
            Step(
                int(self._read("status", i)),
                self._read("out", i),
                self._read("err", i),
                self._read("table", i),
                self._read("addresses", i),
            )
            for i in range(len(commands))
        ]

    def _read(self, what: str, number: int) -> str:
        return (self.folder / f"{what}.{number}").read_text()


def model(settings: Settings) -> ModelHost:
    """A modelled host with the same interfaces as a RealKernel."""
    host = ModelHost("model", clock=FastClock(), epoch=0)
    kernel: Kernel = host.kernel
    kernel.ipv6 = False
    for device, mac in MACS.items():
        kernel.add_link(device, kind="veth", mac=mac, peer="if2")
    kernel.tables[100] = RouteTable()  # a table stays once there was a route in it
    kernel.sysctl.update(settings.sysctls)
    return host


def run_on_model(host: ModelHost, commands: Sequence[Sequence[str]]) -> list[Step]:
    """Run the same commands on the model."""
    steps = []
    for command in commands:
        status, stdout, stderr = _run(host, command)
        steps.append(Step(status, stdout, stderr, _run(host, TABLE)[1], _run(host, ADDRESSES)[1]))
    return steps


def _run(host: ModelHost, command: Sequence[str]) -> tuple[int, str, str]:
    out, err = bytearray(), bytearray()
    status = host.execute(shlex.join(command), stdout=out.extend, stderr=err.extend)
    return status, out.decode(), err.decode()


def normal(step: Step) -> Step:
    """A step without what cannot agree; see `normal_text`."""
    stderr = normal_text(step.stderr)
    if stderr.startswith("Usage:"):
        stderr = "Usage:\n"  # the model's help lists only what it knows
    return Step(step.status, normal_text(step.stdout), stderr, normal_text(step.table), normal_text(step.addresses))


def normal_text(text: str) -> str:
    """Text without what cannot agree.

    - lifetimes in seconds: they tick while the test runs;
    - the number and name space of a veth's other end;
    - a veth's interface index, which depends on what else was made in the namespaces;
    - whether a veth has a carrier: the kernel says so a moment after the interface is switched on.
    """
    text = re.sub(r"\b[0-9]+sec\b", "Nsec", text)
    text = re.sub(r"@if[0-9]+", "@ifN", text)
    text = re.sub(r" link-netns(id)? \S+", "", text)
    text = re.sub(r"NO-CARRIER,|,LOWER_UP(?=>)|,M-DOWN", "", text)
    text = re.sub(r"^(eth[01]@ifN|.* eth[01]@ifN.* state) +[A-Z]+ +", r"\1 S ", text, flags=re.MULTILINE)
    text = re.sub(r"^[0-9]+: (eth[01])", r"N: \1", text, flags=re.MULTILINE)
    if not text.startswith("["):
        return text
    text = re.sub(r'"(ifindex|link|link_index|link_netnsid|link_netns)": ?("[^"]*"|[0-9]+),\s*', "", text)
    text = re.sub(r'("(valid|preferred)_life_time": ?)(?!4294967295)[0-9]+', r"\1N", text)
    text = re.sub(r'"NO-CARRIER",|,"LOWER_UP"|,"M-DOWN"', "", text)
    return re.sub(r'("operstate": ?)"(UP|DOWN|LOWERLAYERDOWN)"', r'\1"S"', text)
