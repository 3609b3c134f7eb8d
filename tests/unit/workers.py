"""Workers that ping each other: their answers, their counters, and probe addresses that come and go."""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Interface

from kthw_routes.cluster import Cluster
from kthw_routes.events import discard
from kthw_routes.facts import HostKey, InterfaceAddress, Privilege
from kthw_routes.hosts.fleet import Fleet
from kthw_routes.hosts.probe import Probed, probe
from kthw_routes.plan import compare as planning
from kthw_routes.proof.causes import Layer
from kthw_routes.proof.diagnosis import known_layer
from kthw_routes.proof.readings import PairReading, Proof
from kthw_routes.proof.selection import Pair
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step

from .answering import run_steps, said
from .builders import cluster, facts, pod_route

Answers = Callable[[str, str, int], bool]
"""Whether a ping from one worker to another is answered; its number says how many there were before."""


class World:
    """Workers whose pings are answered or not, and whose probe addresses come and go."""

    def __init__(self, workers: int, answers: Answers = lambda *_: True) -> None:
        self.cluster: Cluster = cluster(workers, controllers=0)
        self.answers = answers
        self.lock = threading.Lock()
        self.tries = Counter[Pair]()
        self.sent: dict[str, Counter[str]] = defaultdict(Counter)
        self.probes: dict[str, set[str]] = defaultdict(set)
        self.lifetimes: list[int] = []
        self.execs = Counter[str]()
        self.alone: list[Pair] = []
        self.at_once: list[int] = []
        self.astray: dict[Pair, int] = {}
        """Routes with the wrong next hop: through which worker."""
        self.arrive: set[Pair] = set()
        """Pairs whose requests arrive, even where no reply does."""
        self.silent: set[Pair] = set()
        """Where a worker gets no answer from its next hop to another."""
        self.apart: set[Pair] = set()
        """Where a worker does not reach another from its internal address either."""
        self.mtus: dict[str, int] = {}
        """The MTU of each worker's interface, as it is read."""
        self.too_small: Answers = lambda *_: False
        """Whether a packet of full size is lost; its number as of the pings."""
        self.full_sized = Counter[Pair]()
        self.told: dict[int, str] = {}
        """What is answered to the lost ones, by number."""
        self.unanswered: set[Pair] = set()
        """And where its request arrives, and is not answered."""
        self.lost = ""
        """The address of which ping's line does not arrive."""
        self.full = Counter[str]()
        self.mortal = ""
        """The worker whose probe address is gone as soon as it is there."""
        self.after_together: Callable[[World], None] = lambda _: None
        self.names = {str(n.pod_cidr.broadcast_address - 1): n.name for n in self.cluster if n.pod_cidr}

    def place(self, pair: Pair) -> list[int]:
        """Return where a pair stands among the readings."""
        return [list(self.names.values()).index(name) for name in pair]

    def prove(self, parallel: int = 8) -> Probed:
        """Send traffic between all of them."""
        hosts = {
            node.name: facts(
                node,
                [
                    pod_route(n, via=self.astray.get((node.name, other.name)))
                    for n, other in enumerate(self.cluster)
                    if other is not node
                ],
                addresses=(
                    InterfaceAddress("eth0", IPv4Interface(f"{node.internal}/17"), mtu=self.mtus.get(node.name)),
                ),
            )
            for node in self.cluster
        }
        self.known = Proof(planning.make(self.cluster, hosts), (), (), facts=hosts)
        fleet = Fleet([Session(self, n.name) for n in self.cluster], parallel=parallel)

        def cause(reading: PairReading) -> Layer | None:
            return known_layer(self.known, reading)

        return probe(fleet, self.cluster, hosts, discard, cause=cause, send=True)

    def ping(self, source: str, own: str, address: str) -> str:
        """Return what ping prints."""
        with self.lock:
            if own not in self.probes[source]:
                return "ping: bind: Cannot assign requested address"
            target = self.names[address]
            number, self.tries[source, target] = self.tries[source, target], self.tries[source, target] + 1
            answered = self.answers(source, target, number) and address in self.probes[target]
            self.sent[source]["OutEchos"] += 3
            self.sent[source]["InEchoReps"] += 3 * answered
            for field in ("InEchos", "OutEchoReps"):
                self.sent[target][field] += 3 * (answered or (source, target) in self.arrive)
            return f"PING … --- 3 packets transmitted, {3 if answered else 0} received, time 402ms"

    def ping_internal(self, source: str, address: str) -> str:
        """Return what ping prints of one request to an internal address."""
        with self.lock:
            target = next(node.name for node in self.cluster if str(node.internal) == address)
            answered = (source, target) not in self.apart
            self.sent[source]["OutEchos"] += 1
            self.sent[source]["InEchoReps"] += answered
            for field in ("InEchos", "OutEchoReps"):
                self.sent[target][field] += answered or (source, target) in self.unanswered
            return f"--- 1 packets transmitted, {int(answered)} received, time 0ms"

    def ping_full_size(self, source: str, address: str) -> str:
        """Return what ping prints of one request that is as large as it may be."""
        with self.lock:
            target = self.names[address]
            number, self.full_sized[source, target] = (
                self.full_sized[source, target],
                self.full_sized[source, target] + 1,
            )
            is_lost = self.too_small(source, target, number)
            told = f"{self.told.get(number, '')} " if is_lost else ""
            return f"{told}--- 1 packets transmitted, {int(not is_lost)} received, time 0ms"


class Session:
    """One worker."""

    def __init__(self, world: World, node: str) -> None:
        self.world, self.node = world, node
        self.user, self.privilege = "root", Privilege.ROOT
        self.host_key = HostKey("ssh-ed25519", "SHA256:x")
        self.in_script = False

    def open(self) -> None: ...

    def close(self) -> None: ...

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        self.world.execs[self.node] += 1
        self.in_script = True
        run_steps(self, steps, watch)
        self.in_script = False

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        self.world.execs[self.node] += not self.in_script
        world, probes = self.world, self.world.probes[self.node]
        match command.argv:
            case ("ip", "address", "replace", address, *words):
                probes.update({address.removesuffix("/32")} if self.node != world.mortal else ())
                world.lifetimes.append(int(words[words.index("valid_lft") + 1]))
            case ("ip", "address", "del", address, *_):
                if address.removesuffix("/32") not in probes:
                    return said(status=2, err="RTNETLINK answers: Cannot assign requested address")
                probes.discard(address.removesuffix("/32"))
            case ("cat", "/proc/net/snmp"):
                names = ("InEchos", "OutEchoReps", "OutEchos", "InEchoReps")
                numbers = " ".join(str(world.sent[self.node][name]) for name in names)
                return said(f"Icmp: {' '.join(names)}\nIcmp: {numbers}\n")
            case ("ip", "neigh", "show", hop):
                other = next(node.name for node in world.cluster if str(node.internal) == hop)
                state = "FAILED" if (self.node, other) in world.silent else "lladdr 02:00:00:00:00:01 REACHABLE"
                return said(f"{hop} dev eth0 {state} \n")
            case ("cat", "/proc/net/stat/arp_cache"):
                return said(f"entries table_fulls\n00000001 {world.full[self.node]:08x}\n")
            case ("sh", "-c", script):
                own, addresses = re.findall(r"-I (\S+) \$a", script), re.findall(r"for a in ([0-9. ]+);", script)
                lines = [f"{a} 0 {world.ping(self.node, own[0], a)}\n" for a in addresses[0].split() if a != world.lost]
                world.at_once.append(len(lines))
                if " full " in script:
                    answered = [line.split()[0] for line in lines if "3 received" in line]
                    lines += [f"{a} full 0 {world.ping_full_size(self.node, a)}\n" for a in answered]
                world.after_together(world)
                return said("".join(lines))
            case ("ping", "-n", "-c", "1", "-W", "1", "-M", "do", *_, address):
                return said(world.ping_full_size(self.node, address))
            case ("ping", "-n", "-c", "1", *_, address):
                return said(world.ping_internal(self.node, address))
            case ("ping", *_, own, address):
                world.alone.append((self.node, world.names[address]))
                text = world.ping(self.node, own, address)
                return said(text) if text.startswith("PING") else said(status=2, err=text)
        return said()
