"""What `export` writes, run for real where no kthw-routes is: afterwards kthw-routes finds nothing to do."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kthw_routes.cli.export import export
from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings
from tests.journeys.looking import comes_true, names_block, pod_routes, tables, wanted
from tests.journeys.stage import ON_MODEL, WORKERS, Model, OwnMachines, RealNodes, Stage
from tests.model.lab import BreakableLab
from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab

TRIVIAL_ENVIRONMENT = ("PATH", "HOME", "LANG")


def settings_of(stage: Stage, folder: Path, **given: object) -> Settings:
    """Settings with which OpenSSH reaches the nodes too, without questions."""
    settings = stage.settings
    if isinstance(stage, RealNodes):
        config = stage.lab.ssh_config(folder / "ssh_config")
        config.write_text(f"{config.read_text()}Host *\n    StrictHostKeyChecking accept-new\n    LogLevel ERROR\n")
        settings = replace(settings, ssh_config=config)
    return replace(settings, **given)  # type: ignore[arg-type]  # the values are right by name


def exported(settings: Settings, format_name: str, output: Path, **given: str) -> Path:
    """Export without a fault; where to."""
    assert export(settings, format_name, output, **given) is ExitCode.DONE  # type: ignore[arg-type]  # right by name
    return output


def run(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program where the person sits."""
    kept = {name: os.environ[name] for name in TRIVIAL_ENVIRONMENT if name in os.environ}
    return subprocess.run(
        argv, env=kept | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=180
    )


def nothing_is_left_to_do(stage: Stage, *arguments: str) -> bool:
    answer = stage.tool("plan", "--exit-code", *arguments)
    assert answer.code == 0, answer.out
    return "Nothing to do: every route and name is as it should be." in answer.out


def next_hops(stage: Stage, worker: str) -> dict[str, str]:
    return {prefix: rest.split()[1] for prefix, rest in pod_routes(stage, worker).items()}


def right_hops(stage: Stage, worker: str) -> dict[str, str]:
    return {prefix: rest.split()[1] for prefix, rest in wanted(stage, worker).items()}


def test_the_shell_script_does_it_and_may_run_again(stage: Stage, tmp_path: Path) -> None:
    """On the embedded lab the routes only: its hosts have no awk."""
    real = isinstance(stage, RealNodes)
    names = () if real else ("--names-on", "none")
    before = stage.run("controller-0", "cat /etc/hosts")
    stage.run("worker-0", f"ip route add 10.200.2.0/24 via {stage.internal('worker-1')}")
    if real:
        stage.run("controller-0", "printf '192.168.177.9 worker-1\\n10.0.0.1 worker-1 too # mine' >> /etc/hosts")
        before += names_block(stage) + "10.0.0.1 worker-1 too # mine\n"  # above it: the first line counts
    settings = settings_of(stage, tmp_path, names_on=None if real else "none")
    script = exported(settings, "shell", tmp_path / "routes.sh")
    first = run(script)
    assert first.returncode == 0, first.stderr
    assert {worker: pod_routes(stage, worker) for worker in WORKERS} == {w: wanted(stage, w) for w in WORKERS}
    assert stage.run("controller-0", "cat /etc/hosts") == before
    after = tables(stage)
    assert run("sh", script).returncode == 0
    assert tables(stage) == after
    assert nothing_is_left_to_do(stage, *names)


@ON_MODEL
def test_hosts_are_asked_only_for_what_the_format_needs(stage: Stage, tmp_path: Path) -> None:
    inventory = stage.tool("export", "toml")
    assert inventory.code == 0, inventory.err
    assert "new host key" not in inventory.err
    report = stage.tool("export", "markdown", "-o", str(tmp_path / "report.md"))
    assert report.code == 0, report.err
    assert report.out == ""
    assert report.err.count("new host key") == len(WORKERS)
    assert (tmp_path / "report.md").read_text().count("CNI configuration") == len(WORKERS)
    (tmp_path / "typed.toml").write_text(
        re.sub(r'(name = "worker-(\d)"\n)', r'\1pod_cidr = "10.200.\2.0/24"\n', inventory.out)
    )
    nobody = {"LINODE_URL": "http://127.0.0.1:9", "KTHW_ROUTES_SSH_CONFIG": os.devnull}
    script = stage.tool("export", "shell", "--offline", "--inventory", str(tmp_path / "typed.toml"), env=nobody)
    assert script.code == 0, script.err
    assert f"ip route replace 10.200.2.0/24 via {stage.internal('worker-2')} proto 200" in script.out


def test_a_worker_that_cannot_be_asked_is_told(tmp_path: Path) -> None:
    """What its number says stands in the script all the same, and the exit code says that something was wrong."""
    with BreakableLab("ca-central") as lab:
        stage = Model(lab, tmp_path)
        lab.servers["worker-1"].close()
        answer = stage.tool("export", "shell")
        assert answer.code == 1
        assert "✗ skip host: worker-1" in answer.err
        assert f"10.200.1.0/24 via {stage.internal('worker-1')} " in answer.out
        networkd = stage.tool("export", "networkd", "--interface", "05-eth0.network", "-o", str(tmp_path / "out"))
        assert networkd.code == 1
        assert {p.name for p in (tmp_path / "out").iterdir()} == set(WORKERS)


@pytest.fixture
def nodes(stage: Stage) -> RealNodes:
    """Real nodes only."""
    assert isinstance(stage, RealNodes)
    return stage


on_real_nodes = pytest.mark.parametrize("stage", [pytest.param("real nodes", marks=pytest.mark.nodes)], indirect=True)


@on_real_nodes
@pytest.mark.parametrize(
    "fault", ["printf '# BEGIN kthw-routes\\n1.2.3.4 mine\\n' >> /etc/hosts", "chattr +i /etc/hosts"]
)
def test_the_shell_script_says_that_it_failed_and_breaks_nothing(nodes: RealNodes, tmp_path: Path, fault: str) -> None:
    nodes.run("controller-0", fault)
    before = nodes.run("controller-0", "cat /etc/hosts; ls -a /etc")
    script = exported(settings_of(nodes, tmp_path), "shell", tmp_path / "routes.sh")
    answer = run(script)
    assert answer.returncode != 0
    assert "/etc/hosts" in answer.stderr
    assert nodes.run("controller-0", "cat /etc/hosts; ls -a /etc") == before


@on_real_nodes
def test_a_user_with_sudo_runs_the_shell_script(nodes: RealNodes, tmp_path: Path) -> None:
    settings = settings_of(nodes, tmp_path, user="ubuntu")
    script = exported(settings, "shell", tmp_path / "routes.sh")
    assert "ubuntu@" in script.read_text()
    answer = run(script)
    assert answer.returncode == 0, answer.stderr
    assert nothing_is_left_to_do(nodes)


@on_real_nodes
def test_batches_do_it_and_may_run_again(nodes: RealNodes, tmp_path: Path) -> None:
    folder = exported(settings_of(nodes, tmp_path), "batch", tmp_path / "batches")
    assert sorted(p.name for p in folder.iterdir()) == [f"{worker}.batch" for worker in WORKERS]
    nodes.run("worker-0", f"ip route add 10.200.2.0/24 via {nodes.internal('worker-1')}")
    for _ in range(2):
        for worker in WORKERS:
            nodes.lab.run(worker, "ip -force -batch -", stdin=(folder / f"{worker}.batch").read_text())
        assert nothing_is_left_to_do(nodes, "--names-on", "none")


# --- Ansible ----------------------------------------------------------------------------------------------------

_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


def play(folder: Path, *arguments: str) -> dict[str, int]:
    """Run the playbook as it is; host -> how many tasks changed something. None failed."""
    program = Path(sys.executable).with_name("ansible-playbook")
    home = folder.parent / "ansible"
    sockets = tempfile.mkdtemp(prefix="kthw-", dir="/tmp")
    answer = run(
        program,
        "-i",
        folder / "inventory.yml",
        folder / "playbook.yml",
        *arguments,
        ANSIBLE_HOME=str(home),
        ANSIBLE_LOCAL_TEMP=str(home / "tmp"),
        LANG="C.UTF-8",
        ANSIBLE_PIPELINING="1",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_SSH_ARGS="-o ControlMaster=auto -o ControlPersist=10s",
        # A socket's path has no more than 108 bytes: the test's own folder may lie too deep.
        ANSIBLE_SSH_CONTROL_PATH_DIR=sockets,
    )
    shutil.rmtree(sockets, ignore_errors=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    warnings = [x for x in answer.stderr.splitlines() if "WARNING" in x and "remote_tmp" not in x]
    assert not warnings  # it makes that folder of its own on each host, and warns that it did
    recap = {
        host: (int(changed), int(lost) + int(failed)) for host, changed, lost, failed in _RECAP.findall(answer.stdout)
    }
    assert all(not bad for _, bad in recap.values())
    return {host: changed for host, (changed, _) in recap.items()}


@on_real_nodes
@pytest.mark.timeout(600)
def test_the_playbook_runs_as_it_is_and_changes_nothing_again(nodes: RealNodes, tmp_path: Path) -> None:
    folder = exported(settings_of(nodes, tmp_path), "ansible", tmp_path / "fleet")
    nodes.run("worker-0", f"ip route add 10.200.2.0/24 via {nodes.internal('worker-1')}")  # leads elsewhere
    nodes.run("worker-1", f"ip route add 10.200.2.0/24 via {nodes.internal('worker-2')}")  # right, typed by hand
    right = nodes.internal("worker-0")
    nodes.run("controller-0", f"printf '192.168.177.9 worker-1\\n{right} worker-0\\n10.0.0.1 mine' >> /etc/hosts")
    first = play(folder)
    assert all(first.values()), first
    for worker in WORKERS:  # the timer gives the one that was typed by hand our mark, sooner or later
        assert next_hops(nodes, worker) == right_hops(nodes, worker)
    hosts = nodes.run("controller-0", "cat /etc/hosts")
    assert hosts.startswith(names_block(nodes))
    assert hosts.endswith("\n10.0.0.1 mine")
    assert hosts.count("worker-1") == hosts.count("worker-0") == 1
    assert set(play(folder).values()) == {0}
    assert nothing_is_left_to_do(nodes)
    check = nodes.tool("check")
    assert check.code == 0, check.out
    nodes.lab.node("worker-0").power_off()
    nodes.lab.node("worker-0").power_on()
    comes_true(lambda: next_hops(nodes, "worker-0") == right_hops(nodes, "worker-0"))


@on_real_nodes
@pytest.mark.timeout(600)
def test_the_playbook_leaves_alone_what_is_right_or_held_otherwise(nodes: RealNodes, tmp_path: Path) -> None:
    """Without the timer where it is not wanted, and where a file of ours brings the routes back already.

    A line with another address of a worker, which is not ours to change, comes after the block.
    """
    nodes.run("controller-0", "echo '192.168.138.250 worker-0 w0' >>/etc/hosts")
    by_hand = f"via {nodes.internal('worker-2')} dev eth0"
    nodes.run("worker-1", f"ip route add 10.200.2.0/24 {by_hand}")
    folder = exported(settings_of(nodes, tmp_path, persist="none", names_on="all"), "ansible", tmp_path / "fleet")
    before = tables(nodes)
    assert play(folder, "--check").keys() == {*WORKERS, "controller-0"}
    assert tables(nodes) == before
    assert all(play(folder).values())
    assert pod_routes(nodes, "worker-1")["10.200.2.0/24"] == by_hand
    assert "worker-1" not in nodes.run("worker-1", "sed -n /BEGIN/,/END/p /etc/hosts")
    resolved = nodes.run("controller-0", "getent ahostsv4 worker-0; grep w0 /etc/hosts").split()
    assert (resolved[0], resolved[-3:]) == (nodes.internal("worker-0"), ["192.168.138.250", "worker-0", "w0"])
    assert not nodes.lab.node("worker-0").path("etc/kthw-routes").exists()
    assert nothing_is_left_to_do(nodes, "--names-on", "all")
    nodes.run("worker-0", "mkdir -p /etc/systemd/network/05-eth0.network.d")
    nodes.run("worker-0", "touch /etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf")
    folder = exported(settings_of(nodes, tmp_path, only=("worker-0",)), "ansible", tmp_path / "one")
    assert play(folder) == {"worker-0": 0}


# --- files per host ---------------------------------------------------------------------------------------------


def install(nodes: RealNodes, folder: Path) -> None:
    """Put the files of each host where they belong."""
    for file in (p for p in folder.rglob("*") if p.is_file()):
        host, path = file.relative_to(folder).parts[0], Path("/", *file.relative_to(folder).parts[1:])
        mode = f"{file.stat().st_mode & 0o7777:o}"
        nodes.lab.run(host, f"mkdir -p {path.parent}; install -m {mode} /dev/stdin {path}", stdin=file.read_text())


@on_real_nodes
def test_drop_ins_are_those_of_apply_and_bring_the_routes_up(nodes: RealNodes, tmp_path: Path) -> None:
    folder = exported(settings_of(nodes, tmp_path), "networkd", tmp_path / "drop-ins")
    said = exported(settings_of(nodes, tmp_path), "networkd", tmp_path / "said", interface="05-eth0.network")
    path = Path("etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf")
    for worker in WORKERS:
        assert (folder / worker / path).read_bytes() == (said / worker / path).read_bytes()
    install(nodes, folder)
    for worker in WORKERS:
        nodes.run(worker, "networkctl reload; networkctl reconfigure eth0")
        comes_true(lambda worker=worker: pod_routes(nodes, worker) == wanted(nodes, worker))  # type: ignore[misc]
    answer = nodes.tool("plan", "--exit-code", "--persist", "networkd", "--names-on", "none")
    assert answer.code == 0, answer.out


@pytest.mark.nodes
@pytest.mark.parametrize("flavour", [Flavour.NETPLAN, Flavour.NETPLAN_SET_NAME], indirect=True)
def test_netplan_takes_the_files_and_makes_no_other(
    inside_flavour_lab: NodeLab, flavour: Flavour, tmp_path: Path
) -> None:
    nodes = OwnMachines(inside_flavour_lab)
    folder = exported(settings_of(nodes, tmp_path, inventory=nodes.inventory), "netplan", tmp_path / "netplan")
    name = "eth0" if flavour is Flavour.NETPLAN else "id0"
    typed = nodes.inventory.with_name("typed.toml")
    typed.write_text(
        re.sub(r'(name = "worker-(\d)"\n)', r'\1pod_cidr = "10.200.\2.0/24"\n', nodes.inventory.read_text())
    )
    said = tmp_path / "said"
    assert export(settings_of(nodes, tmp_path, inventory=typed), "netplan", said, interface=name, offline=True) == 0
    path = Path("etc/netplan/90-kthw-routes.yaml")
    for worker in WORKERS:
        file = folder / worker / path
        assert file.read_bytes() == (said / worker / path).read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        nodes.run(worker, "mkdir -p /tmp/root/etc && cp -a /etc/netplan /tmp/root/etc/")
        before = generated(nodes, worker)
        nodes.lab.run(worker, f"install -m 600 /dev/stdin /tmp/root/{path}", stdin=file.read_text())
        after = generated(nodes, worker)
        assert after.keys() == before.keys()
        sections = [
            f"[Route]\nDestination={prefix}\nGateway={hop}\n" for prefix, hop in right_hops(nodes, worker).items()
        ]
        (changed,) = [n for n in after if after[n] != before[n]]
        assert changed == f"10-netplan-{name}.network"
        assert after[changed] == before[changed].rstrip("\n") + "\n\n" + "\n".join(sections) + (
            "\n" if after[changed].endswith("\n\n") else ""
        )


def generated(nodes: RealNodes, worker: str) -> dict[str, str]:
    """What netplan makes of the files below /tmp/root: name -> text."""
    nodes.run(worker, "rm -rf /tmp/root/run; netplan generate --root-dir /tmp/root")
    folder = "/tmp/root/run/systemd/network"
    return {n: nodes.run(worker, f"cat {folder}/{n}") for n in nodes.run(worker, f"ls {folder}").split()}


@on_real_nodes
def test_user_data_makes_a_node_right(nodes: RealNodes, tmp_path: Path) -> None:
    """cloud-init's write_files and runcmd, as its documentation has them, on nodes that have booted."""
    folder = exported(settings_of(nodes, tmp_path), "cloud-init", tmp_path / "user-data")
    for file in folder.iterdir():
        data = yaml.safe_load(file.read_text())
        for entry in data.get("write_files", ()):
            nodes.run(file.stem, f"mkdir -p {Path(entry['path']).parent}")
            command = f"install -m {entry['permissions']} /dev/stdin {entry['path']}"
            nodes.lab.run(file.stem, command, stdin=entry["content"])
        for words in data["runcmd"]:
            nodes.lab.run(file.stem, words)
    for worker in WORKERS:
        nodes.run(worker, "systemctl is-enabled kthw-routes.timer && systemctl start kthw-routes.service")
    assert nothing_is_left_to_do(nodes)
    assert nodes.run("controller-0", "cat /etc/hosts").endswith(names_block(nodes))
    answer = nodes.tool("plan", "--exit-code", "--persist", "unit")
    assert answer.code == 0, answer.out


def test_the_shell_script_makes_an_overlay_too_and_may_run_again(stage: Stage, tmp_path: Path) -> None:
    script = exported(settings_of(stage, tmp_path, names_on="none", overlay="vxlan"), "shell", tmp_path / "routes.sh")
    for _ in range(2):
        done = run("sh", script)
        assert done.returncode == 0, done.stderr
    assert nothing_is_left_to_do(stage, "--names-on", "none", "--overlay", "vxlan")
