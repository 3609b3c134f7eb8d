"""What a run records, and what undo goes by: the ways to the hosts, which run that is, no more than a run does."""

import json
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.looking import is_done, pod_routes, tables
from tests.journeys.running import Answer, Running
from tests.journeys.stage import ON_MODEL, Model, Stage, free_environment
from tests.journeys.test_undo import APPLY, UNDO, runs
from tests.model.lab import BreakableLab

# --- the ways to the hosts --------------------------------------------------------------------------------------


@dataclass
class Way:
    """How the hosts are reached: what stands in the folder of the run, and what is said there."""

    arguments: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    again: tuple[str, ...] = ()
    """Other options, said when it is taken back."""


def table(name: str, ssh: str, address: str) -> str:
    """A node of an inventory."""
    role = name.partition("-")[0]
    return f'[[nodes]]\nname = "{name}"\nrole = "{role}"\nssh = "{ssh}"\ninternal_ip = "{address}"\n'


def machines(lab: BreakableLab, folder: Path, head: str = "", user: str = "root@") -> None:
    """An inventory that says where each server listens."""
    nodes = (table(n, f"{user}127.0.0.1:{s.port}", lab.topology.addresses[n][1]) for n, s in lab.servers.items())
    (folder / "nodes.toml").write_text(head + "".join(nodes))


def one_machine(lab: BreakableLab, folder: Path) -> str:
    """An inventory of worker-0 and another, without ports; worker-0's."""
    nodes = (table(f"worker-{n}", f"127.0.0.{n + 1}", lab.topology.addresses[f"worker-{n}"][1]) for n in (0, 1))
    (folder / "nodes.toml").write_text("".join(nodes))
    return str(lab.servers["worker-0"].port)


INVENTORY = ("--inventory", "nodes.toml")


def by_configuration(lab: BreakableLab, folder: Path) -> Way:
    shutil.copy(lab.ssh_config, folder / "config")
    return Way(("-F", "config"), {"LINODE_URL": lab.api.url, "LINODE_TOKEN": lab.api.account.token})


def by_environment(lab: BreakableLab, folder: Path) -> Way:
    way = by_configuration(lab, folder)
    return Way((), way.env | {"KTHW_ROUTES_SSH_CONFIG": "config"})


def by_a_relative_key_in_the_configuration(lab: BreakableLab, folder: Path) -> Way:
    shutil.copy(lab.identity, folder / "key")
    text = (
        lab.ssh_config.read_text().replace(str(lab.identity), "key").replace(str(lab.folder / "known_hosts"), "known")
    )
    (folder / "config").write_text(text)
    return Way(("-F", "config"), {"LINODE_URL": lab.api.url, "LINODE_TOKEN": lab.api.account.token})


def without_configuration(lab: BreakableLab, folder: Path) -> Way:
    machines(lab, folder)
    return Way((*INVENTORY, "-F", "/dev/null", "-i", str(lab.identity)))


def without_configuration_said_again(lab: BreakableLab, folder: Path) -> Way:
    way = without_configuration(lab, folder)
    return Way(way.arguments, again=("-F", "/dev/null"))


def with_none(lab: BreakableLab, folder: Path) -> Way:
    way = without_configuration(lab, folder)
    return Way(tuple("none" if word == "/dev/null" else word for word in way.arguments), again=("-F", "none"))


def by_a_relative_key(lab: BreakableLab, folder: Path) -> Way:
    machines(lab, folder)
    shutil.copy(lab.identity, folder / "key")
    return Way((*INVENTORY, "-i", "key"))


def by_the_tutorials_key(lab: BreakableLab, folder: Path) -> Way:
    machines(lab, folder)
    shutil.copy(lab.identity, folder / "kubernetes.ed25519")
    return Way(INVENTORY)


def by_the_inventorys_settings(lab: BreakableLab, folder: Path) -> Way:
    shutil.copy(lab.identity, folder / "key")
    machines(lab, folder, 'user = "root"\nidentity = "key"\n', user="")
    (folder / "config").write_text("Host *\n    User nobody\n")
    return Way((*INVENTORY, "-F", "config"))


def by_user_and_port(lab: BreakableLab, folder: Path) -> Way:
    port = one_machine(lab, folder)
    (folder / "config").write_text("Host *\n    User nobody\n    Port 1\n")
    told = ("--user", "root", "--port", port, "--only", "worker-0")
    return Way((*INVENTORY, "-F", "config", "-i", str(lab.identity), *told))


def by_host_key_modes(lab: BreakableLab, folder: Path) -> Way:
    way = without_configuration(lab, folder)
    return Way((*way.arguments, "--host-keys", "off"))


def by_a_strict_mode(lab: BreakableLab, folder: Path) -> Way:
    """The keys are known from a file that the configuration names; nothing else is trusted, by the run or its undo."""
    way = by_configuration(lab, folder)
    keys = "".join(
        f"{name} {server.key.get_name()} {server.key.get_base64()}\n" for name, server in lab.servers.items()
    )
    (folder / "known").write_text(keys)
    text = (folder / "config").read_text().replace(f'"{lab.folder / "known_hosts"}"', "known")
    (folder / "config").write_text(text)
    return Way((*way.arguments, "--host-keys", "strict"), way.env)


def by_a_jump_host(lab: BreakableLab, folder: Path) -> Way:
    """The workers are reached through a controller only."""
    way = by_configuration(lab, folder)
    lab.servers["controller-0"].forward = lambda destination: destination
    text = (folder / "config").read_text()
    (folder / "config").write_text(f"Host worker-*\n    ProxyJump controller-0\n\n{text}")
    return way


def by_options_that_undo_names_anew(lab: BreakableLab, folder: Path) -> Way:
    way = by_a_relative_key(lab, folder)
    (folder / "later").write_text("Host *\n    User nobody\n")
    return Way(way.arguments, again=("-i", str(lab.identity), "-F", str(folder / "later"), "--host-keys", "accept-new"))


WAYS = [
    by_configuration,
    by_environment,
    by_a_relative_key_in_the_configuration,
    without_configuration,
    without_configuration_said_again,
    with_none,
    by_a_relative_key,
    by_the_tutorials_key,
    by_the_inventorys_settings,
    by_user_and_port,
    by_host_key_modes,
    by_a_strict_mode,
    by_a_jump_host,
    by_options_that_undo_names_anew,
]


@pytest.fixture(scope="module")
def embedded() -> Iterator[BreakableLab]:
    with BreakableLab("ca-central") as lab:
        yield lab


@pytest.mark.parametrize("make", WAYS)
def test_a_run_is_taken_back_from_another_folder_by_the_way_it_took(
    embedded: BreakableLab, tmp_path: Path, make: Callable[[BreakableLab, Path], Way]
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (there / "kubernetes.ed25519").write_text("not the key\n")
    (there / "kubernetes.ed25519").chmod(0o600)
    way = make(embedded, here)
    stage = Model(embedded, tmp_path / "home")
    before = pod_routes(stage, "worker-0")
    env = free_environment(tmp_path / "home")
    answer = Running((*APPLY, *way.arguments), env | way.env, here).wait()
    assert answer.code == 0, answer.out + answer.err
    assert pod_routes(stage, "worker-0") != before
    answer = Running((*UNDO, *way.again), env, there).wait()
    assert answer.code == 0, answer.out + answer.err
    assert pod_routes(stage, "worker-0") == before


def test_what_undo_is_told_counts_before_what_was_recorded(embedded: BreakableLab, tmp_path: Path) -> None:
    way = without_configuration(embedded, tmp_path)
    env = free_environment(tmp_path / "home")
    assert Running((*APPLY, *way.arguments), env, tmp_path).wait().code == 0
    (tmp_path / "other").write_text("not the key\n")
    (tmp_path / "other").chmod(0o600)
    refused = Running((*UNDO, "-i", "other"), env, tmp_path).wait()
    assert refused.code == 1
    assert str(tmp_path / "other") in refused.out + refused.err or "other" in refused.out + refused.err
    assert Running(UNDO, env, tmp_path).wait().code == 0


# --- which run ---------------------------------------------------------------------------------------------------


@ON_MODEL
@pytest.mark.parametrize("file", ["plan.json", "journal.jsonl"])
def test_an_unreadable_newest_run_stops_undo_and_says_where(stage: Stage, file: str) -> None:
    assert stage.tool(*APPLY, "--only", "worker-0").code == 0
    assert stage.tool(*APPLY, "--only", "worker-1").code == 0
    after = tables(stage)
    newest, older = runs(stage)
    broken = Path(newest["folder"]) / file
    whole = broken.read_bytes()
    broken.write_bytes(whole[:300] + b"\xff" + whole[300:])
    answer = stage.tool(*UNDO)
    assert answer.code == 2, answer.out
    assert newest["id"] in answer.err
    assert f"{broken} cannot be read" in answer.err
    assert f"kthw-routes undo {older['id']}" in answer.err
    assert tables(stage) == after
    document = stage.tool(*UNDO, "--json")
    assert (document.code, document.json["error"]["exit_code"]) == (2, 2)
    named = stage.tool(*UNDO, older["id"])
    assert named.code == 0, named.out + named.err
    assert f"What the later run {newest['id']} changed is not known" in named.out
    assert pod_routes(stage, "worker-0") == {}
    assert pod_routes(stage, "worker-1") != {}


# --- no more than a run does -------------------------------------------------------------------------------------


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def file_entry(path: str, before: str | None, *, mode: int = 0o755, is_ours: bool = True) -> dict[str, Any]:
    return {
        "path": path,
        "before": None if before is None else base64(before),
        "after": None,
        "mode": mode,
        "before_mode": mode,
        "is_ours": is_ours,
        "folder_is_ours": False,
    }


EVIL = "#!/bin/sh\ntouch /tmp/evil\n"
FILES = (
    "/etc/network/if-up.d/kthw-routes",
    "/etc/network/if-up.d/evil",
    "/etc/NetworkManager/dispatcher.d/90-kthw-routes",
    "/etc/netplan/90-kthw-routes.yaml",
    "/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf",
    "/etc/systemd/system/kthw-routes.service",
    "/etc/systemd/system/kthw-routes.timer",
    "/etc/sysctl.d/90-kthw-routes.conf",
    "/etc/kthw-routes/routes.batch",
    "/etc/kthw-routes/../shadow",
)


def craft(entry: dict[str, Any], hosts: str, hop: str) -> None:
    """Let the record of a host ask for what no run does."""
    route: dict[str, Any] = {
        "type": "unicast",
        "gateway": hop,
        "gateways": [],
        "device": None,
        "protocol": "boot",
        "metric": 0,
        "scope": "global",
        "source": None,
        "flags": [],
        "tos": 0,
        "extra": "",
    }
    for prefix in ("198.51.100.0/24", "0.0.0.0/1"):
        entry["routes"].append({"prefix": prefix, "reason": "", "before": [{**route, "prefix": prefix}], "after": []})
    entry["files"] += [file_entry(path, EVIL) for path in FILES]
    entry["files"].append(file_entry("/etc/cloud/templates/hosts.debian.tmpl", "{{ evil }}\n", is_ours=False))
    entry["etc_hosts"] = {
        "before": base64(f"{hosts}6.6.6.6 github.com\n"),
        "after": base64(hosts),
        "names": [{"name": "github.com", "kind": "remove"}],
    }
    entry["undo"] = ["route add 0.0.0.0/1 via 6.6.6.6"]
    entry["switches"] = ["../../etc/systemd/system/ssh"]
    entry["leftovers"] = ["/etc/shadow"]


@ON_MODEL
def test_a_record_that_no_run_wrote_changes_nothing_but_what_a_run_does(stage: Stage) -> None:
    before = tables(stage)
    assert stage.tool(*APPLY).code == 0
    (run,) = runs(stage)
    looked = "cat /etc/hosts; ls /etc/network/if-up.d /etc/kthw-routes /etc/netplan /etc/sysctl.d 2>/dev/null || true"
    around = {node: stage.run(node, looked) for node in ("worker-0", "controller-0")}
    folder = Path(run["folder"])
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    for entry in lines:
        if "do" in entry and entry["host"] in around:
            craft(entry, stage.run(entry["host"], "cat /etc/hosts"), stage.internal("worker-2"))
    (folder / "journal.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    answer: Answer = stage.tool(*UNDO)
    assert answer.code == 1, answer.out + answer.err
    assert (
        "worker-0: the run's record asks for what no run of kthw-routes does (198.51.100.0/24, 0.0.0.0/1, "
        in answer.out
    )
    for what in ("198.51.100.0/24", "github.com in /etc/hosts", *FILES):
        assert what in answer.out
    assert {node: stage.run(node, looked) for node in around} == around
    assert "198.51.100" not in stage.run("worker-0", "ip route show")
    assert pod_routes(stage, "worker-0") == {}, "the rest goes on"
    assert tables(stage) | dict.fromkeys(around, "") == before | dict.fromkeys(around, "")
    assert not is_done(stage, "worker-1")


@ON_MODEL
@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "198.51.100.0/24", "192.168.0.0/16"])
def test_another_cluster_cidr_in_the_record_widens_nothing(stage: Stage, cidr: str) -> None:
    assert stage.tool(*APPLY, "--only", "worker-0").code == 0
    (run,) = runs(stage)
    folder, routes = Path(run["folder"]), stage.run("worker-0", "ip route show")
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    for entry in lines:
        if "do" in entry:
            craft(entry, stage.run(entry["host"], "cat /etc/hosts"), stage.internal("worker-2"))
    (folder / "journal.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "cluster_cidr": cidr}))
    answer = stage.tool(*UNDO)
    assert answer.code == 1, answer.out + answer.err
    assert stage.run("worker-0", "ip route show") == routes
