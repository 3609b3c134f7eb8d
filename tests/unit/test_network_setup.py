"""What is read of a host's network: from the programs that it has, and from nothing that it might make up."""

from pathlib import PurePosixPath

import pytest

from kthw_routes.events import Phase
from kthw_routes.facts import HostFile, LinkSetup, NetworkSetup
from kthw_routes.hosts import read_network
from kthw_routes.hosts.task import HostTask
from kthw_routes.ssh.command import TIMED_OUT, Result
from kthw_routes.ssh.errors import ConnectionLost, HostError, TookTooLong

from .answering import MISSING, Answering, said

NETWORK_FILE = PurePosixPath("/etc/systemd/network/05-eth0.network")
GENERATED = PurePosixPath("/run/systemd/network/10-netplan-id0.network")
HANGS = said(status=TIMED_OUT)

LIST = "networkctl --no-pager --no-legend list"
LISTED = said("  1 lo   loopback carrier  unmanaged\n  2 eth0 ether    routable configured\n")

UBUNTU = "NAME=Ubuntu\nID=ubuntu\nID_LIKE=debian\n"
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'


def networkctl(file: PurePosixPath | str, state: str = "routable (configured)") -> Result:
    return said(
        f"* 2: eth0\n                     Link File: n/a\n                  Network File: {file}\n"
        f"                         State: {state}\n                  Online state: online\n"
        f"Nov 22 worker-0 systemd-networkd[1]: eth0:\n                  Network File: /etc/systemd/network/x.network\n"
    )


def there(*paths: str | PurePosixPath) -> Result:
    """What `stat` says of paths that exist: folders, but for files."""
    kinds = (
        f"600 {p} regular file" if PurePosixPath(p).suffix and not str(p).endswith(".d") else f"755 {p} directory"
        for p in paths
    )
    return said("\n".join(kinds) + "\n", status=1, err="stat: cannot statx '/run/ifstate': No such file or directory")


def read(
    answers: dict[str, Result | HostError | list[Result | HostError]], *devices: str
) -> tuple[NetworkSetup, Answering]:
    host = Answering(answers, otherwise=MISSING)
    return read_network.read(HostTask(host, Phase.CHECKS, lambda _: None), devices or ("eth0",)), host


def link(answers: dict[str, Result | HostError | list[Result | HostError]]) -> LinkSetup:
    found = read(answers)[0].link("eth0")
    assert found is not None
    return found


def test_a_host_that_answers_nothing_has_nothing() -> None:
    assert read({}, "eth0", "eth1")[0] == NetworkSetup(links=(LinkSetup("eth0"), LinkSetup("eth1")))


def test_the_usual_host_is_read_with_eight_commands() -> None:
    setup, host = read({"networkctl": networkctl(NETWORK_FILE), LIST: LISTED, "stat": there("/run/systemd/system")})
    assert [line.split()[0] for line in host.ran] == [
        *("find", "stat", "find", "networkctl", "systemctl", "grep", "networkctl", "stat")
    ]
    assert setup.has_systemd
    assert setup.links == (LinkSetup("eth0", NETWORK_FILE, "routable (configured)"),)


def test_every_interface_is_read_that_networkd_rules_beside_those_towards_next_hops() -> None:
    """One without an address, or without a cable, may hang on the same file."""
    rows = [
        "  1 lo       loopback carrier    unmanaged",
        "  2 eth0     ether    routable   configured",
        "  3 eth1     ether    no-carrier configuring",
        "  4 veth1234 ether    degraded   unmanaged",
        "  5 -x       ether    routable   configured",
        "  6 eth2     ether    off        failed",
    ]
    answers: dict[str, Result | HostError | list[Result | HostError]] = {
        LIST: said("\n".join(rows)),
        "networkctl --no-pager status eth": networkctl(NETWORK_FILE),
        "networkctl --no-pager status eth2": networkctl("n/a", "off (failed)"),
    }
    setup, host = read(answers)
    assert setup.links == (LinkSetup("eth0", NETWORK_FILE, "routable (configured)"),)
    assert setup.other_links == (LinkSetup("eth1", NETWORK_FILE, "routable (configured)"),)
    assert not any("veth" in line or "status -x" in line or "status lo" in line for line in host.ran)


def test_the_other_interfaces_are_of_no_matter_where_networkd_rules_none_towards_next_hops() -> None:
    rows = "2 eth0 ether routable unmanaged\n3 eth1 ether routable configured\n"
    host = read({"networkctl": networkctl("n/a", "n/a (unmanaged)"), LIST: said(rows)})[1]
    assert not any("status eth1" in line for line in host.ran)


@pytest.mark.parametrize("answer", [MISSING, HANGS, said("nothing\n3\n\n3 eth1 ether routable\n")])
def test_a_list_that_says_nothing_names_no_other_interface(answer: Result) -> None:
    assert read({"networkctl": networkctl(NETWORK_FILE), LIST: answer})[0].other_links == ()


def test_a_host_without_networkctl_is_asked_for_it_once() -> None:
    host = read({}, "eth0", "eth1", "eth2")[1]
    assert [line.split()[0] for line in host.ran].count("networkctl") == 1


@pytest.mark.parametrize("path", ["n/a", "/home/x/eth0.network", "/etc/systemd/network/$(id).network", "../x.network"])
def test_a_network_file_of_a_strange_name_is_none(path: str) -> None:
    assert link({"networkctl": networkctl(path)}).network_file is None


@pytest.mark.parametrize("name", ["eth0; reboot", "-h", "eth0 eth1", ""])
def test_an_interface_of_a_strange_name_is_not_asked_for(name: str) -> None:
    setup, host = read({"stat": there("/run/NetworkManager")}, name)
    assert setup.links == (LinkSetup(name),)
    assert not any("status" in line or "nmcli" in line for line in host.ran)


def test_networkmanager_is_asked_where_networkd_does_not_rule() -> None:
    here = there("/run/NetworkManager")
    unmanaged = networkctl("n/a", "n/a (unmanaged)")
    assert (
        link({"networkctl": unmanaged, "stat": here, "nmcli": said("home\n100 (connected)\n")}).nm_connection == "home"
    )
    ruled = read({"networkctl": networkctl(NETWORK_FILE), "stat": here, "nmcli": said("home\n100 (connected)\n")})
    assert not any("nmcli" in line for line in ruled[1].ran)


@pytest.mark.parametrize(
    "answer",
    [
        said("eth0\n100 (connected (externally))\n"),
        said("--\n10 (unmanaged)\n"),
        said("\n30 (disconnected)\n"),
        said("home\n"),
        said(status=8, err="Error: NetworkManager is not running."),
        MISSING,
        HANGS,
    ],
)
def test_networkmanager_rules_only_what_it_brought_up(answer: Result) -> None:
    assert link({"stat": there("/run/NetworkManager"), "nmcli": answer}).nm_connection == ""


@pytest.mark.parametrize("path", ["/run/network/ifstate", "/run/ifstate"])
def test_ifup_tells_what_it_brought_up(path: str) -> None:
    answers: dict[str, Result | HostError | list[Result | HostError]] = {
        "stat": said(f"644 {path} regular file\n", status=1),
        f"cat {path}": said("lo=lo\neth0=cloud\n"),
    }
    setup = read(answers, "eth0", "eth1")[0]
    assert [k.by_ifupdown for k in setup.links] == [True, False]


def test_netplan_is_asked_where_it_brings_the_interface_up() -> None:
    answers: dict[str, Result | HostError | list[Result | HostError]] = {
        "networkctl": networkctl(GENERATED),
        "stat": there("/etc/netplan"),
        "netplan get": said("network:\n  ethernets: {}\n"),
    }
    setup = read(answers)[0]
    assert (setup.has_netplan, setup.netplan) == (True, "network:\n  ethernets: {}\n")
    other = read(answers | {"networkctl": networkctl(NETWORK_FILE)})
    assert other[0].has_netplan
    assert not any("netplan get" in line for line in other[1].ran)


@pytest.mark.parametrize(
    ("answer", "has", "problem"),
    [
        (MISSING, False, None),
        (said(status=2, err="netplan: error: argument {help,apply}: invalid choice: 'get'"), True, None),
        (said(status=1, err="/etc/netplan/50.yaml:3:4: Error in network definition: x"), True,
         "/etc/netplan/50.yaml:3:4: Error in network definition: x"),
        (said(status=1, err="\n** (generate:61): WARNING **: 08: Permissions are open.\nTraceback (most recent call"
         " last):\n  File \"x\"\nnetplan.libnetplan.LibNetplanException: /etc/netplan/50.yaml:4:1: Invalid YAML: tabs:"
         "\n\teth0:\n^\n"), True, "/etc/netplan/50.yaml:4:1: Invalid YAML: tabs"),
        (said(status=1), True, "it ended with status 1"),
        (HANGS, True, "it did not answer in time"),
    ],
)  # fmt: skip
def test_what_netplan_says_instead(answer: Result, has: bool, problem: str | None) -> None:
    setup = read({"networkctl": networkctl(GENERATED), "stat": there("/etc/netplan"), "netplan get": answer})[0]
    assert (setup.has_netplan, setup.netplan, setup.netplan_problem) == (has, "", problem)


def test_only_files_in_our_places_are_ours() -> None:
    ours = ["/etc/netplan/90-kthw-routes.yaml", "/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"]
    strange = [
        "/etc/netplan/.90-kthw-routes.yaml.new",
        "/etc/netplan/90-kthw-routes.yaml.bak",
        "/etc/systemd/network/$(reboot).network.d/90-kthw-routes.conf",
        "/root/kthw-routes",
        "kthw-routes",
        "/etc/systemd/system/kthw-routes.timer.d/x",
    ]
    setup, host = read(
        {
            "find": said("\n".join([*ours, *strange]), status=1),
            "stat": there(*ours),
            "cat": said("text\n"),
            "netplan get": said(),
        }
    )
    assert [str(f.path) for f in setup.files] == ours
    assert setup.files[0] == HostFile(PurePosixPath(ours[0]), 0o600, b"text\n")
    assert not any(word in line for line in host.ran for word in ("reboot", ".bak", "/root"))


def test_a_file_that_is_gone_when_it_is_read_is_none() -> None:
    path = "/etc/netplan/90-kthw-routes.yaml"
    assert read({"find": said(path), "stat": there(path), "cat": said(status=1)})[0].files == ()
    assert read({"find": said(path), "stat": said(status=1), "cat": said("x")})[0].files == ()


def test_folders_are_those_that_exist() -> None:
    folder = "/etc/systemd/network/05-eth0.network.d"
    answers: dict[str, Result | HostError | list[Result | HostError]] = {
        "networkctl": networkctl(NETWORK_FILE),
        "stat": there(folder, "/etc/netplan", "/run/NetworkManager"),
    }
    assert read(answers)[0].folders == {PurePosixPath(folder), PurePosixPath("/etc/netplan")}


SHOWN = said(
    "Id=networking.service\nUnitFileState=enabled\n\nUnitFileState=disabled\nId=NetworkManager-dispatcher.service\n\n"
    "Id=systemd-networkd.service\nUnitFileState=\n\nId=ssh.service\nUnitFileState=enabled\n\nId=timers.target\nx\n"
)


def test_what_reads_files_at_boot_is_asked_of_systemd() -> None:
    found, host = read({"systemctl show": SHOWN, "stat": there("/run/systemd/system")})
    assert dict(found.unit_states) == {
        "networking.service": "enabled",
        "NetworkManager-dispatcher.service": "disabled",
        "systemd-networkd.service": "",
    }
    assert not any("runlevels" in line for line in host.ran)


@pytest.mark.parametrize("answer", [MISSING, HANGS, said(status=1, err="Failed to connect to bus"), said("?")])
def test_of_a_systemd_that_does_not_answer_nothing_is_known(answer: Result) -> None:
    assert read({"systemctl show": answer, "stat": there("/run/systemd/system")})[0].unit_states == frozenset()


@pytest.mark.parametrize(
    ("answer", "states"),
    [
        (said("/etc/runlevels/boot/networking\n", status=1), {"networking.service": "enabled"}),
        (said("/etc/rcS.d/S12networking\n", status=1), {"networking.service": "enabled"}),
        (said("", status=1), {"networking.service": "disabled"}),
        (HANGS, {}),
        (MISSING, {}),
    ],
)
def test_without_systemd_the_links_of_the_other_init_are_looked_at(answer: Result, states: dict[str, str]) -> None:
    assert dict(read({"find /etc/runlevels": answer, "systemctl show": SHOWN})[0].unit_states) == states


def test_what_stands_in_for_the_generator_of_netplan_is_seen() -> None:
    path = PurePosixPath("/etc/systemd/system-generators/netplan")
    assert read({"stat": there(path)})[0].overridden == {path}
    assert read({"stat": there("/run/systemd/system")})[0].overridden == frozenset()


@pytest.mark.parametrize(
    ("words", "enabled"), [("enabled\n", True), ("disabled\n", False), ("enabled-runtime\n", False)]
)
def test_the_timer_is_asked_for_where_it_stands(words: str, enabled: bool) -> None:
    path = "/etc/systemd/system/kthw-routes.timer"
    answers: dict[str, Result | HostError | list[Result | HostError]] = {"systemctl is-enabled": said(words)}
    assert not any("systemctl is-enabled" in line for line in read(answers)[1].ran)
    answers |= {"find": said(path), "stat": there(path), "cat": said("x")}
    assert read(answers)[0].timer_is_enabled is enabled


@pytest.mark.parametrize(
    ("answer", "active"), [(said("active\n"), True), (said("inactive\n", status=3), False), (HANGS, False)]
)
def test_the_timer_is_asked_whether_it_runs(answer: Result, active: bool) -> None:
    path = "/etc/systemd/system/kthw-routes.timer"
    network, _ = read({"find": said(path), "stat": there(path), "cat": said("x"), "systemctl is-active": answer})
    assert network.timer_is_active is active


def os_release(text: str) -> list[str]:
    """The lines of os-release that `grep` finds."""
    return [f"/etc/os-release:{line}" for line in text.splitlines() if line.startswith("ID")]


CFG, SEED = "/etc/cloud/cloud.cfg", "/var/lib/cloud/instance/cloud-config.txt"


@pytest.mark.parametrize(
    ("lines", "is_on"),
    [
        ([f"{CFG}:manage_etc_hosts: true"], True),
        ([f"{CFG}:manage_etc_hosts: 'Template'  # why"], True),
        ([f"{CFG}:manage_etc_hosts: localhost"], False),
        ([f"{CFG}:#manage_etc_hosts: true"], False),
        ([f"{CFG}:manage_etc_hosts: true", f"{SEED}:manage_etc_hosts: false"], False),
        ([f"{SEED}:manage_etc_hosts: true", f"{CFG}:manage_etc_hosts: false"], True),
        ([f"{CFG}.d/99-x.cfg:manage_etc_hosts: no", f"{CFG}.d/50-y.cfg:manage_etc_hosts: yes"], False),
        ([f"{CFG}.d/README:manage_etc_hosts: true"], False),
        (["/etc/passwd:manage_etc_hosts: true"], False),
        ([], False),
    ],
)
def test_cloud_init_writes_the_hosts_where_its_strongest_file_says_so(lines: list[str], is_on: bool) -> None:
    answers: dict[str, Result | HostError | list[Result | HostError]] = {
        "stat": there(CFG),
        "grep": said("\n".join([*lines, *os_release(UBUNTU)])),
        "stat -c '%a %n %F' /etc/cloud/templates": said("644 /etc/cloud/templates/hosts.debian.tmpl regular file\n"),
        "cat /etc/cloud/templates/hosts.debian.tmpl": said("## template:jinja\n"),
    }
    template = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, b"## template:jinja\n")
    assert read(answers)[0].hosts_template == (template if is_on else None)
    disabled = answers | {"stat": there(CFG, "/etc/cloud/cloud-init.disabled")}
    assert read(disabled)[0].hosts_template is None


@pytest.mark.parametrize(
    ("text", "name"), [(UBUNTU, "debian"), (ROCKY, "redhat"), ("ID=../../etc/shadow\n", ""), ("", "")]
)
def test_the_template_is_that_of_the_family(text: str, name: str) -> None:
    answers: dict[str, Result | HostError | list[Result | HostError]] = {
        "stat": there(CFG),
        "grep": said("\n".join([f"{CFG}:manage_etc_hosts: true", *os_release(text)])),
        "stat -c '%a %n %F' /etc/cloud/templates": said("644 x\n"),
        "cat /etc/cloud/templates/": said("x"),
    }
    template = read(answers)[0].hosts_template
    assert (template.path.name if template else "") == (f"hosts.{name}.tmpl" if name else "")


@pytest.mark.parametrize("program", ["networkctl", "find", "stat", "nmcli", "netplan", "grep", "cat"])
def test_a_program_that_hangs_says_nothing_and_a_dead_connection_is_an_error(program: str) -> None:
    """But without those that list the files, any of ours may be there."""
    usual: dict[str, Result | HostError | list[Result | HostError]] = {
        "networkctl": networkctl("n/a"),
        "find": said("/etc/netplan/90-kthw-routes.yaml"),
        "stat": there("/etc/netplan/90-kthw-routes.yaml", "/etc/netplan", "/run/NetworkManager", CFG),
        "cat": said("x"),
    }
    if program in ("find", "stat"):
        with pytest.raises(TookTooLong):
            read(usual | {program: HANGS})
    else:
        read(usual | {program: HANGS})
    with pytest.raises(ConnectionLost):
        read(usual | {program: ConnectionLost("worker-0", "the connection ended.")})


FILE = PurePosixPath("/etc/netplan/90-kthw-routes.yaml")
Answers = dict[str, Result | HostError | list[Result | HostError]]


@pytest.mark.parametrize("answer", [HANGS, said(status=1, err=f"cat: {FILE}: Input/output error"), said(status=137)])
def test_a_file_that_cannot_be_read_is_not_missing(answer: Result) -> None:
    setup, _ = read({"find": said(str(FILE)), "stat": there(FILE), "cat": answer})
    assert (setup.files, list(setup.unread)) == ((), [FILE])
    gone: Answers = {"find": said(str(FILE)), "stat": [there(), there(FILE), said(status=1)], "cat": said(status=1)}
    assert read(gone)[0].unread == frozenset()


def test_a_file_that_is_too_large_is_not_missing() -> None:
    cut = Result(0, b"", b"", is_cut=True)
    setup, _ = read({"find": said(str(FILE)), "stat": there(FILE), "stat -c %s": said("99999999999\n"), "cat": cut})
    assert (setup.files, list(setup.unread)) == ((), [FILE])


def test_files_beyond_those_that_are_read_are_not_missing() -> None:
    paths = [f"/etc/systemd/network/{n:03}.network.d/90-kthw-routes.conf" for n in range(53)]
    setup, _ = read({"find": said("\n".join(paths)), "stat": there(*paths), "cat": said("x")})
    assert len(setup.files) == 50
    assert [str(path) for path in sorted(setup.unread)] == paths[50:]


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("find", said(status=1, err=f"find: '{FILE.parent}': Input/output error")),
        ("find", said(status=1, err=f"find: {FILE.parent}: Permission denied")),
        ("find", said(status=143)),
        ("stat", said(status=1, err=f"stat: cannot statx '{FILE}': Input/output error")),
        ("stat", said(status=139)),
    ],
)
def test_where_the_files_cannot_be_listed_none_is_taken_for_missing(program: str, answer: Result) -> None:
    usual: Answers = {"find": said(str(FILE)), "stat": there(FILE), "cat": said("x")}
    with pytest.raises(HostError, match=f"worker-0: `{program}`"):
        read(usual | {program: answer})


def test_what_is_missing_and_what_others_mounted_is_no_reason_to_stop() -> None:
    err = "find: '/etc/kthw-routes': No such file or directory\nfind: '/run/mine': Permission denied"
    assert read({"find": said(status=1, err=err)})[0].unread == frozenset()


def test_a_timer_of_which_systemd_says_nothing_is_not_read() -> None:
    path = "/etc/systemd/system/kthw-routes.timer"
    answers: Answers = {"find": said(path), "stat": there(path), "cat": said("x"), "systemctl is-enabled": HANGS}
    assert {str(path) for path in read(answers)[0].unread} == {path}


@pytest.mark.parametrize(
    ("begin", "answer", "unread"),
    [
        ("grep", HANGS, "/etc/cloud/templates"),
        ("stat -c '%a %n %F' /etc/cloud/templates", HANGS, "/etc/cloud/templates/hosts.debian.tmpl"),
        ("cat /etc/cloud/templates", HANGS, "/etc/cloud/templates/hosts.debian.tmpl"),
        ("cat /etc/cloud/templates", said(status=1), "/etc/cloud/templates/hosts.debian.tmpl"),
        ("stat -c '%a %n %F' /etc/cloud/templates", said(status=1), ""),
    ],
)
def test_a_template_that_cannot_be_read_is_not_missing(begin: str, answer: Result, unread: str) -> None:
    answers: Answers = {
        "stat": there(CFG),
        "grep": said("\n".join([f"{CFG}:manage_etc_hosts: true", *os_release(UBUNTU)])),
        "stat -c '%a %n %F' /etc/cloud/templates": said("644 x\n"),
        "cat /etc/cloud/templates": said("x"),
    }
    setup, _ = read(answers | {begin: answer})
    assert (setup.hosts_template, {str(path) for path in setup.unread}) == (None, {unread} - {""})


def test_what_a_killed_run_left_beside_its_targets_is_found() -> None:
    template = "/etc/cloud/templates/.hosts.debian.tmpl.kthw-routes.new"
    left = [template, "/etc/netplan/.90-kthw-routes.yaml.new", "/etc/.hosts.kthw-routes"]
    others = "/etc/netplan/.kthw-routes.new\n/etc/cloud/templates/.kthw-routes.new"
    setup, _ = read({"find": said(f"{left[1]}\n{template}\n{others}\n"), "stat": there(*left)})
    assert [str(path) for path in setup.leftovers] == left
    assert setup.files == ()


def test_a_dead_mans_switch_of_a_run_is_found_and_nothing_else_by_such_a_name() -> None:
    run = "20261122T101500Z-1abc"
    found = [
        f"/run/kthw-routes-undo-{run}.sh",
        "/run/kthw-routes-undo-$(reboot).sh",
        "/run/kthw-routes-undo-;x.sh",
        f"/run/user/kthw-routes-undo-{run}.sh",
        f"/tmp/kthw-routes-undo-{run}.sh",
        f"/run/kthw-routes-undo-{run}.sh.bak",
    ]
    setup, host = read({"find": said("\n".join(found), status=1)})
    assert setup.rollbacks == (run,)
    assert (setup.files, setup.leftovers) == ((), ())
    assert any(line.startswith("find ") and " /run " in line for line in host.ran)
