"""A lab of real Linux nodes, as it stands before lab 11: one bridge that leads nowhere, and a machine for each node.

Everything is made new and is gone at the end; nothing outside of the lab's own network namespace is touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.nodes import leftovers, netns
from tests.nodes.container import Container
from tests.nodes.flavours import Flavour, segment
from tests.nodes.node import BRIDGE, Node, Reset
from tests.nodes.spec import CLUSTER_CIDR, USERS, NodeSpec

DEFAULT_NODES: Final = ("worker-0", "worker-1", "worker-2", "controller-0")
_numbers: Final = count()

_FILTER: Final = f"""\
table bridge provider {{
    chain forward {{
        type filter hook forward priority 0;
        ether type ip ip saddr {CLUSTER_CIDR} counter drop
    }}
}}
"""


class NodeLab:
    """A context manager: nodes that have booted and answer by SSH."""

    def __init__(self, image: Path, names: Sequence[str] = DEFAULT_NODES, flavour: Flavour = Flavour.LINODE) -> None:
        """Nothing is made before the `with`.

        Args:
            image: the file tree that `image.sh` built.
            names: such as `worker-0` and `controller-1`; see `NodeSpec.of` for their addresses.
            flavour: what rules the network of every node.
        """
        self.name: Final = f"{leftovers.PREFIX}{os.getpid()}-{next(_numbers)}"
        """Of the network namespace, and the beginning of all other names."""
        self.nodes: Final[dict[str, Node]] = {}
        self._image = image
        self._containers: Final[dict[str, Container]] = {}
        self.flavour: Final = flavour
        self._names: Final = tuple(names)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Boot all nodes side by side."""
        leftovers.remove()
        with ExitStack() as stack:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
            stack.callback(shutil.rmtree, self.folder)
            self._make_namespace(stack)
            self._make_client()
            stack.callback(self._delete_nodes)
            self._boot(self._names)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Switch all off; nothing is left."""
        self._exit.close()

    def node(self, name: str) -> Node:
        """The node of that name."""
        return self.nodes[name]

    @property
    def workers(self) -> list[Node]:
        """The workers, in order."""
        return [node for node in self.nodes.values() if node.spec.pod_cidr is not None]

    def add(self, name: str) -> Node:
        """Boot one more node, such as `worker-3`. `reset` takes it away again."""
        self._boot([name])
        return self.nodes[name]

    def remove(self, name: str) -> None:
        """Switch a node off for good: nothing of it is left. `reset` makes it anew."""
        self.nodes.pop(name).delete()
        del self._containers[name]

    def run(self, name: str, command: str | Sequence[str], *, check: bool = True, stdin: str = "") -> str:
        """Run a program on a node as root, without SSH; see `Node.run`."""
        return self.nodes[name].run(command, check=check, stdin=stdin)

    def reset(self) -> dict[str, Reset]:
        """Bring everything back to how it was after the boot, verified; tells what it took for each node."""
        self.filter_pods(False)
        shutil.rmtree(self.home)
        self.home.mkdir(mode=0o700)
        for name in self.nodes.keys() - set(self._names):
            self.remove(name)
        with ThreadPoolExecutor(len(self._names)) as pool:
            took = dict(zip(self.nodes, pool.map(Node.reset, self.nodes.values()), strict=True))
        missing = [name for name in self._names if name not in self.nodes]
        if missing:
            self._boot(missing)
            took |= dict.fromkeys(missing, Reset.REBUILT)
            nodes = {name: self.nodes[name] for name in self._names}
            self.nodes.clear()
            self.nodes.update(nodes)
        netns.ip(self.name, f"neigh flush dev {BRIDGE}")
        return took

    def filter_pods(self, drop: bool = True) -> None:
        """Let the provider drop, or pass, packets between nodes that carry a pod's address as their source."""
        nft = ["nsenter", f"--net={netns.NETNS / self.name}", "nft", "-f", "-"]
        subprocess.run(nft, input="flush ruleset\n" + (_FILTER if drop else ""), text=True, check=True)

    # The person's side

    @property
    def key(self) -> Path:
        """The private key that all users of all nodes accept, named as the tutorial names it."""
        return self.folder / "client" / "kubernetes.ed25519"

    @property
    def public_key(self) -> str:
        """The line for authorized_keys."""
        return self.key.with_suffix(".ed25519.pub").read_text()

    @property
    def home(self) -> Path:
        """The person's home folder; empty at the beginning of each test."""
        return self.folder / "home"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The person's environment: no agent, no token, no settings of whoever runs the tests."""
        xdg = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CONFIG", "STATE", "CACHE", "DATA")}
        own = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "TERM": "dumb"}
        return own | xdg | dict(extra or {})

    def client(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str = "",
        timeout: float = 60.0,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program where the person sits: in the lab's namespace, with `environment(env)`."""
        return subprocess.run(
            self.entering(argv),
            env=self.environment(env),
            cwd=cwd or self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )

    def tool(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run `kthw-routes` with these arguments where the person sits."""
        return self.client([sys.executable, "-m", "kthw_routes", *arguments], env=env, timeout=timeout)

    def ssh(
        self, name: str, command: str, *, user: str = "root", stdin: str = "", timeout: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a node with the OpenSSH client, without any check of host keys."""
        return self.client(self.ssh_command(name, command, user=user), stdin=stdin, timeout=timeout)

    def ssh_command(self, name: str, command: str, *, user: str = "root") -> list[str | Path]:
        """The OpenSSH command line for it. Everything is named: OpenSSH looks for `~` in passwd, not in HOME."""
        options = ["-F", "none", "-i", str(self.key), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
        options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        return ["ssh", *options, f"{user}@{self.nodes[name].spec.public}", command]

    def ssh_config(self, path: Path, *, user: str = "root") -> Path:
        """Write an SSH configuration that knows the nodes by name, and by address; returns `path`."""
        assert user in USERS
        hosts = "".join(
            f"Host {spec.name} {spec.public}\n    HostName {spec.public}\n    User {user}\n"
            f"    IdentityFile {self.key}\n    IdentitiesOnly yes\n"
            f"    UserKnownHostsFile {self.home}/known_hosts\n\n"
            for spec in (node.spec for node in self.nodes.values())
        )
        path.write_text(hosts)
        return path

    def entering(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """The command line that runs a program in the lab's namespace."""
        return ["nsenter", f"--net={netns.NETNS / self.name}", "--", *argv]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put the calling thread, and all threads and processes that it starts meanwhile, where the person sits."""
        with netns.inside(self.name):
            yield

    # How it is made

    def _make_namespace(self, stack: ExitStack) -> None:
        netns.create(self.name)
        stack.callback(netns.delete, self.name)
        netns.ip(
            self.name,
            # An address of its own: else it is some cable's, which then is listened to even when it is cut.
            f"link add {BRIDGE} address 02:00:00:00:00:01 type bridge",
            f"link set {BRIDGE} up",
            f"address add {segment(self.flavour).client}/24 dev {BRIDGE}",
            f"address add {segment(self.flavour).gateway}/24 dev {BRIDGE}",
        )

    def _make_client(self) -> None:
        self.key.parent.mkdir(mode=0o700)
        self.home.mkdir(mode=0o700)
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "learner", "-f", str(self.key)]
        subprocess.run(keygen, check=True)

    def _boot(self, names: Sequence[str]) -> None:
        """Make nodes and boot them side by side."""
        nodes = []
        for name in names:
            container = Container(self._image, self.folder / name, self.name, name, f"{self.name}-{name}")
            self._containers[name] = container
            node = Node(NodeSpec.of(name, self.flavour), container, self.name, self.public_key)
            self.nodes[name] = node
            nodes.append(node)
        for node in nodes:
            node.start()
        for method in (Node.finish_boot, Node.remember):
            with ThreadPoolExecutor(len(nodes)) as pool:
                list(pool.map(method, nodes))

    def _delete_nodes(self) -> None:
        for container in self._containers.values():
            container.delete()
