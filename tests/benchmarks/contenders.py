"""What is measured: each a program that gives all hosts their routes, or proves that they have them."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.network import BenchNetwork

PARALLEL: Final = 32
"""Hosts at once, in all that work side by side."""
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the table."""

    name: str
    argv: Callable[[BenchNetwork], list[str] | None]
    """The command line, which may write files first; None where it is not installed."""
    adds: bool = True
    """Whether it adds the routes, or finds them there."""
    proves: bool = False
    """Whether it ends with exit status 4 where a host does not forward."""


def _loop(network: BenchNetwork) -> list[str]:
    """Do as the tutorial does: a login per worker, one after the other, host keys unchecked."""
    options = f"-F none -i {network.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    lines = (
        f"ssh {options} root@{host.address} "
        + shlex.quote("; ".join(f"ip route add {prefix} via {hop}" for prefix, hop in network.wanted(host)))
        for host in network.hosts
    )
    script = network.folder / "loop.sh"
    script.write_text("\n".join(("set -e", *lines)))
    return ["sh", str(script)]


def _batches(network: BenchNetwork) -> Path:
    """Write what each host's `ip -batch` is to read."""
    path = network.folder / "batches.json"
    batches = {
        str(host.address): "".join(f"route replace {prefix} via {hop}\n" for prefix, hop in network.wanted(host))
        for host in network.hosts
    }
    path.write_text(json.dumps(batches))
    return path


def _pyinfra(network: BenchNetwork) -> list[str] | None:
    program = shutil.which("pyinfra", path=str(Path(sys.executable).parent)) or shutil.which("pyinfra")
    if program is None:
        return None
    batches = json.loads(_batches(network).read_text())
    data = {"ssh_user": "root", "ssh_key": str(network.key), "ssh_known_hosts_file": str(network.known_hosts)}
    hosts = [(address, data | {"batch": batch}) for address, batch in batches.items()]
    inventory = network.folder / "inventory.py"
    inventory.write_text(f"hosts = {hosts!r}\n")
    return [program, "-y", "--parallel", str(PARALLEL), str(inventory), str(_HERE / "pyinfra_deploy.py")]


def _pool(network: BenchNetwork) -> list[str]:
    files = (_batches(network), network.key, network.known_hosts)
    return [sys.executable, str(_HERE / "fabric_pool.py"), *map(str, files), str(PARALLEL)]


def _command(*words: str) -> Callable[[BenchNetwork], list[str]]:
    def argv(network: BenchNetwork) -> list[str]:
        nodes = ("--inventory", str(network.inventory), "-F", str(network.ssh_config), "-i", str(network.key))
        return [sys.executable, "-m", "kthw_routes", *words, "--parallel", str(PARALLEL), *nodes]

    return argv


PYINFRA: Final = "pyinfra"
CONTENDERS: Final = (
    Contender("loop", _loop),
    Contender(PYINFRA, _pyinfra),
    Contender("fabric pool", _pool),
    Contender("apply --no-probe", _command("apply", "--yes", "--no-probe")),
    Contender("apply", _command("apply", "--yes"), proves=True),
    Contender("check", _command("check"), adds=False, proves=True),
)
