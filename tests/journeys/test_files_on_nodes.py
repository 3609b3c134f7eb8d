"""Files of ours on real nodes of every flavour: read, written whole or not at all, read by their manager, removed."""

import base64
import shlex
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from pathlib import PurePosixPath

import pytest

from kthw_routes.events import Phase
from kthw_routes.facts import HostFile, HostKey, NetworkSetup, Privilege
from kthw_routes.hosts import read_network, write_files
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import paths as own_paths
from kthw_routes.persistence.managers import MODULES
from kthw_routes.persistence.model import Manager, PersistedRoute
from kthw_routes.plan.changes import ChangeKind, FileChange
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step
from tests.journeys.looking import comes_true
from tests.nodes.files import Files
from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab
from tests.nodes.node import Node

pytestmark = pytest.mark.nodes

POD_CIDR = IPv4Network("10.200.1.0/24")
OWN = {
    Flavour.LINODE: Manager.NETWORKD,
    Flavour.NETPLAN: Manager.NETPLAN,
    Flavour.NETPLAN_SET_NAME: Manager.NETPLAN,
    Flavour.IFUPDOWN: Manager.IFUPDOWN,
    Flavour.NETWORKMANAGER: Manager.NETWORKMANAGER,
}
"""Who rules a flavour's eth0."""
WITH_OTHERS = [(flavour, OWN[flavour]) for flavour in Flavour] + [
    (Flavour.NETPLAN_SET_NAME, Manager.NETWORKD),
    (Flavour.LINODE, Manager.UNIT),
    (Flavour.NETWORKMANAGER, Manager.UNIT),
]
OF_EACH = pytest.mark.parametrize(("flavour", "manager"), WITH_OTHERS, indirect=["flavour"])
ON_LINODE = pytest.mark.parametrize("flavour", [Flavour.LINODE], indirect=True)
ON_NETPLAN = pytest.mark.parametrize("flavour", [Flavour.NETPLAN, Flavour.NETPLAN_SET_NAME], indirect=True)


class Inside:
    """A session without SSH: its programs are run inside of the node, under a strict umask."""

    def __init__(self, node: Node) -> None:
        self.node = node.name
        self.user = "root"
        self.host_key = HostKey("ssh-ed25519", "SHA256:x")
        self.privilege = Privilege.ROOT
        self.execs: list[list[str]] = []
        """What was run together."""
        self._inside = node

    def open(self) -> None: ...

    def close(self) -> None: ...

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        self.execs.append([str(step.command) for step in steps])
        for step in steps:
            watch.begins(step)
            result = self._run(step.command)
            watch.ends(step, result)
            if not step.is_as_expected(result):
                return

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        self.execs.append([str(command)])
        return self._run(command)

    def _run(self, command: Command) -> Result:
        stdin = f"printf %s '{base64.b64encode(command.stdin).decode()}' | base64 -d"
        limit = f"timeout -k 5 {command.timeout} env PATH=/usr/local/sbin:$PATH {shlex.join(command.argv)}"
        done = self._inside.result(f"umask 077; {stdin} | {limit}")
        return Result(done.returncode, done.stdout.encode(), done.stderr.encode())


def task(node: Node) -> HostTask:
    return HostTask(Inside(node), Phase.RUN, lambda _: None)


def setup_of(node: Node) -> NetworkSetup:
    return read_network.read(task(node), ["eth0"])


@pytest.fixture
def node(flavour_lab: NodeLab) -> Node:
    return flavour_lab.node("worker-0")


@pytest.fixture
def route(flavour_lab: NodeLab) -> PersistedRoute:
    return PersistedRoute(POD_CIDR, flavour_lab.node("worker-1").spec.private, "eth0")


def texts(node: Node, manager: Manager, *routes: PersistedRoute) -> tuple[HostFile, ...]:
    return MODULES[manager].render(routes, setup_of(node))


def additions(node: Node, files: Sequence[HostFile]) -> list[FileChange]:
    folders = setup_of(node).folders
    return [
        FileChange(
            kind=ChangeKind.ADD,
            path=f.path,
            before=None,
            after=f.content,
            mode=f.mode,
            reason="",
            folder_is_ours=f.path.parent not in folders,
        )
        for f in files
    ]


def write(node: Node, changes: Sequence[FileChange]) -> dict[str, str]:
    at = task(node)
    return dict(write_files.pause_timer(at, changes)) | dict(write_files.write(at, changes))


def changed_since(node: Node, before: Files) -> list[str]:
    """What differs, but for what Python keeps of its own when `netplan` is run for the first time."""
    return [path for path in node.changed_since(before) if "__pycache__" not in path]


def generated(node: Node) -> str:
    """What netplan wrote for networkd."""
    return node.run("grep -ars '' /run/systemd/network | sort; true")


def wait_for(node: Node, words: str, seconds: float = 20) -> None:
    comes_true(lambda: words in node.run("ip route show"), seconds)


RULED: dict[Flavour, tuple[str, str, bool]] = {
    Flavour.LINODE: ("/etc/systemd/network/05-eth0.network", "", False),
    Flavour.NETPLAN: ("/run/systemd/network/10-netplan-eth0.network", "", False),
    Flavour.NETPLAN_SET_NAME: ("/run/systemd/network/10-netplan-id0.network", "", False),
    Flavour.IFUPDOWN: ("", "", True),
    Flavour.NETWORKMANAGER: ("", "cloud-init eth0", False),
}


def test_who_rules_a_flavour_is_read_in_two_scripts(node: Node, flavour: Flavour) -> None:
    at = task(node)

    def read(on: HostTask) -> NetworkSetup:
        return read_network.read(on, ["eth0"])

    at.ahead(read)
    at.ahead(read)
    setup = read(at)
    link = setup.link("eth0")
    assert link is not None
    file, connection, by_ifupdown = RULED[flavour]
    assert (str(link.network_file or ""), link.nm_connection, link.by_ifupdown) == (file, connection, by_ifupdown)
    assert (setup.has_systemd, setup.files, setup.timer_is_enabled, setup.hosts_template) == (True, (), False, None)
    assert ("id0:" in setup.netplan, setup.netplan_problem) == (flavour is Flavour.NETPLAN_SET_NAME, None)
    assert isinstance(at.session, Inside)
    assert len(at.session.execs) <= 2, at.session.execs


@OF_EACH
def test_a_file_is_written_read_back_survives_a_boot_and_goes(
    node: Node, manager: Manager, route: PersistedRoute
) -> None:
    before, files, net = node.snapshot(), texts(node, manager, route), generated(node)
    adding = additions(node, files)
    table = node.run("ip route show")
    assert write(node, adding) == {}
    if manager is not Manager.UNIT:
        assert node.run("ip route show") == table
    found = setup_of(node)
    assert found.files == tuple(sorted(files, key=lambda f: f.path))
    assert found.timer_is_enabled is (manager is Manager.UNIT)
    folders = {f.path.parent for f in files}
    assert node.run(["stat", "-c", "%a %U", *map(str, folders)]).split() == ["755", "root"] * len(folders)
    node.power_off()
    node.power_on()
    wait_for(node, f"{POD_CIDR} via {route.next_hop} dev eth0")
    assert write(node, [change.undone for change in adding]) == {}
    assert changed_since(node, before) == []
    assert generated(node) == net
    assert not setup_of(node).timer_is_enabled
    assert str(POD_CIDR) in node.run("ip route show")


@OF_EACH
def test_a_file_is_replaced_and_a_left_over_is_no_obstacle(node: Node, manager: Manager, route: PersistedRoute) -> None:
    files = texts(node, manager, route)
    adding = additions(node, files)
    assert write(node, adding) == {}
    for file in files:
        node.run(f"echo half > {own_paths.new_file_for(file.path)}; chmod 666 {own_paths.new_file_for(file.path)}")
        node.run(f"chmod 666 {file.path}")
    others = texts(node, manager, route, PersistedRoute(IPv4Network("10.200.2.0/24"), route.next_hop + 1, "eth0"))
    replacing = [
        FileChange(
            kind=ChangeKind.REPLACE,
            path=new.path,
            before=old.content,
            after=new.content,
            mode=new.mode,
            reason="",
            before_mode=0o666,
        )
        for old, new in zip(files, others, strict=True)
    ]
    assert write(node, replacing) == {}
    assert setup_of(node).files == tuple(sorted(others, key=lambda f: f.path))
    assert "new" not in node.run(["ls", "-A", *{str(f.path.parent) for f in files}])


FAULTS: dict[str, tuple[Callable[[Node, PurePosixPath], object], str]] = {
    "full disk": (lambda node, _: node.fill_disk(), "the disk is full ("),
    "read-only root": (lambda node, _: node.make_read_only(), "the file system is read-only ("),
    "immutable": (lambda node, path: node.run(f"chattr +i {path}"), "may not be replaced, it may be immutable ("),
    "immutable folder": (lambda node, path: node.run(f"chattr +i {path.parent}"), "it may be immutable ("),
    "symbolic link": (lambda node, path: node.run(f"mv {path} /etc/x; ln -s /etc/x {path}"), "is a symbolic link"),
    "folder": (lambda node, path: node.run(f"rm {path}; mkdir {path}"), "is a directory, not a file"),
    "bind mount": (lambda node, path: node.run(f"mount --bind /etc/hostname {path}"), "is a mount of its own"),
}


@ON_LINODE
@pytest.mark.parametrize(
    ("fault", "stands"), [*((fault, True) for fault in FAULTS), ("full disk", False), ("read-only root", False)]
)
def test_what_cannot_be_written_is_as_it_was(node: Node, route: PersistedRoute, fault: str, stands: bool) -> None:
    make, words = FAULTS[fault]
    (file,) = texts(node, Manager.NETWORKD, route)
    adding = additions(node, [file])
    replacing = [
        FileChange(
            kind=ChangeKind.REPLACE,
            path=file.path,
            before=file.content,
            after=file.content + b"\n",
            mode=0o600,
            reason="",
            before_mode=0o644,
        )
    ]
    if stands:
        assert write(node, adding) == {}
    make(node, file.path)
    look = f"ls -lAR /etc/systemd/network; cat {file.path}; true"
    before = node.run(look)
    problems = write(node, replacing if stands else adding)
    assert list(problems) == [str(file.path)]
    assert words in problems[str(file.path)]
    assert node.run(look) == before


@ON_LINODE
@pytest.mark.parametrize("fault", ["read-only root", "immutable", "bind mount"])
def test_what_cannot_be_removed_is_told(node: Node, route: PersistedRoute, fault: str) -> None:
    adding = additions(node, texts(node, Manager.NETWORKD, route))
    assert write(node, adding) == {}
    FAULTS[fault][0](node, adding[0].path)
    problems = write(node, [adding[0].undone])
    assert str(adding[0].path) in problems
    assert node.result(f"test -e {adding[0].path}").returncode == 0


BROKEN = {
    "tab": "network:\n  version: 2\n\tethernets: {}\n",
    "syntax": "network:\n  ethernets: {eth0: [}\n",
    "unknown key": "network:\n  version: 2\n  ethernets:\n    eth0:\n      adresses: []\n",
}


@ON_NETPLAN
@pytest.mark.parametrize("fault", BROKEN)
def test_a_base_that_netplan_does_not_read_is_not_made_worse(node: Node, route: PersistedRoute, fault: str) -> None:
    (file,) = texts(node, Manager.NETPLAN, route)
    adding = additions(node, [file])
    base = "/etc/netplan/50-cloud-init.yaml"
    node.path(base).write_text(BROKEN[fault])
    before, net = node.snapshot(), generated(node)
    problem = write(node, adding)[str(file.path)]
    begin = "was not written: netplan does not accept the files that this host has without it, and it is not for us to "
    assert problem.startswith(f"{file.path} {begin}make that worse: {base}:")
    read_problem = setup_of(node).netplan_problem
    assert read_problem is not None
    assert read_problem.startswith(f"{base}:")
    assert "Traceback" not in problem + read_problem
    assert changed_since(node, before) == []
    assert generated(node) == net
    assert node.run("ls -A /tmp | grep kthw; true") == ""


@ON_NETPLAN
def test_a_wrong_id_would_lock_the_host_out_and_is_refused(node: Node, route: PersistedRoute) -> None:
    (file,) = texts(node, Manager.NETPLAN, route)
    wrong = HostFile(file.path, file.mode, file.content.replace(b"eth0:", b"eth7:").replace(b"id0:", b"eth0:"))
    assert wrong.content != file.content
    before, net = node.snapshot(), generated(node)
    problem = write(node, additions(node, [wrong]))[str(file.path)]
    assert "netplan would make a new 10-netplan-eth" in problem
    assert changed_since(node, before) == []
    assert generated(node) == net
    assert node.run("ls -A /tmp | grep kthw; true") == ""


@ON_NETPLAN
def test_the_timer_goes_on_where_netplans_file_is_refused(node: Node, route: PersistedRoute) -> None:
    unit = additions(node, texts(node, Manager.UNIT, route))
    assert write(node, unit) == {}
    (file,) = texts(node, Manager.NETPLAN, route)
    node.path("/etc/netplan/50-cloud-init.yaml").write_text(BROKEN["tab"])
    going = [change.undone for change in unit]
    problems = write(node, [*additions(node, [file]), *going])
    assert set(problems) == {str(file.path), *(str(c.path) for c in going)}
    found = setup_of(node)
    assert (found.timer_is_enabled, found.timer_is_active) == (True, True)
    assert len(found.files) == len(unit)


@ON_NETPLAN
def test_a_route_in_netplans_own_files_may_agree_and_not_differ(node: Node, route: PersistedRoute) -> None:
    (file,) = texts(node, Manager.NETPLAN, route)
    base = node.path("/etc/netplan/50-cloud-init.yaml")
    text = base.read_text()
    line = f"            routes:\n            -   to: {POD_CIDR}\n                via: %s\n"
    base.write_text(text.replace("            routes:\n", line % (route.next_hop + 7)))
    assert (
        f"netplan's own files lead {POD_CIDR} via {route.next_hop + 7}"
        in write(node, additions(node, [file]))[str(file.path)]
    )
    base.write_text(text.replace("            routes:\n", line % route.next_hop))
    assert write(node, additions(node, [file])) == {}


@ON_LINODE
def test_cloud_inits_template_is_found_and_keeps_its_mode(node: Node) -> None:
    assert setup_of(node).hosts_template is None
    path = PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl")
    node.run(f"mkdir -p {path.parent} /var/lib/cloud/instance; echo 'x {{{{fqdn}}}}' > {path}; chmod 640 {path}")
    node.run(f"chgrp daemon {path}; echo 'preserve_hostname: false' > /etc/cloud/cloud.cfg")
    assert setup_of(node).hosts_template is None
    node.run("printf '#cloud-config\\nmanage_etc_hosts: true\\n' > /var/lib/cloud/instance/cloud-config.txt")
    assert setup_of(node).hosts_template == HostFile(path, 0o640, b"x {{fqdn}}\n")
    change = FileChange(
        kind=ChangeKind.REPLACE,
        path=path,
        before=b"x {{fqdn}}\n",
        after=b"y\n",
        mode=0o644,
        reason="",
        before_mode=0o640,
        is_ours=False,
    )
    assert write(node, [change]) == {}
    assert node.run(f"cat {path}; stat -c '%a %G' {path}") == "y\n640 daemon\n"
