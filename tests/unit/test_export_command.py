"""The command: what it asks of whom, what it refuses, and what it writes where."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import pytest

from kthw_routes.cli.export import export
from kthw_routes.cli.options import EXPORT_FORMATS
from kthw_routes.errors import ExitCode, UsageError
from kthw_routes.export.document import BY, Document
from kthw_routes.export.formats import FORMATS
from kthw_routes.export.save import write_file, write_folder
from kthw_routes.options import Settings
from tests.unit.odd_files import ODD_FILES, odd_file

NODE = """
[[nodes]]
name = "{name}"
role = "{role}"
ssh = "{ssh}"
internal_ip = "192.168.128.{n}"
"""


def inventory(folder: Path, *, cidrs: bool = True, workers: int = 3, changed: Mapping[str, str] | None = None) -> Path:
    """An inventory file. `changed`: text that stands in it -> what stands there instead."""
    text = 'cluster_cidr = "10.200.0.0/16"\n'
    for n in range(workers):
        text += NODE.format(name=f"worker-{n}", role="worker", ssh=f"203.0.113.{20 + n}", n=10 + n)
        text += f'pod_cidr = "10.200.{n}.0/24"\n' if cidrs else ""
    text += NODE.format(name="controller-0", role="controller", ssh="203.0.113.10", n=100)
    for old, new in (changed or {}).items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "nodes.toml"
    file.write_text(text)
    return file


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No socket can be made, no name looked up; and nothing of whoever runs the tests is read."""

    def never(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("something was contacted")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, never)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in [n for n in os.environ if n.startswith(("LINODE_", "SSH_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def settings(file: Path | None, **given: Any) -> Settings:
    folder = file.parent if file else Path()
    return replace(Settings(inventory=file, state=folder / "state", environ={}), **given)


INTERFACE = {"netplan": "eth0", "networkd": "05-eth0.network"}


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize("name", FORMATS)
def test_offline_contacts_nothing(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = inventory(tmp_path)
    assert export(settings(file), name, interface=INTERFACE.get(name), offline=True) is ExitCode.DONE
    out = capsys.readouterr().out
    assert "10.200.2.0/24" in out
    assert "worker-1" in out


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"netplan", "networkd"}))
def test_nothing_is_contacted_that_is_not_needed_offline_or_not(name: str, tmp_path: Path) -> None:
    assert export(settings(inventory(tmp_path)), name, tmp_path / "out") is ExitCode.DONE


@pytest.mark.usefixtures("mute")
def test_an_inventory_is_exported_with_what_is_missing_left_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A *stop* whose cure is a file that can be corrected; no other format is made."""
    file = tmp_path / "nodes.toml"
    node = '[[nodes]]\nname = "worker-{0}"\nrole = "worker"\nssh = "{1}"\ninternal_ip = "{2}"\n'
    file.write_text(node.format(0, "", "10.0.0.1") + node.format(1, "192.168.8.21", ""))
    assert export(settings(file), "toml", offline=True) is ExitCode.DONE
    assert capsys.readouterr().out.count("# to fill in") == 2
    with pytest.raises(UsageError, match="Nothing is exported"):
        export(settings(file), "shell", offline=True)


@pytest.mark.usefixtures("mute")
def test_offline_needs_nothing_to_log_in_with(tmp_path: Path) -> None:
    file = inventory(tmp_path, changed={"cluster_cidr": 'identity = "nowhere.ed25519"\ncluster_cidr'})
    with pytest.raises(UsageError, match=r"There is no private key .*nowhere\.ed25519"):
        export(settings(file), "shell")
    assert export(settings(file), "shell", offline=True) is ExitCode.DONE


@pytest.mark.usefixtures("mute")
def test_what_is_missing_offline_is_named_all_of_it(tmp_path: Path) -> None:
    file = inventory(tmp_path, cidrs=False)
    with pytest.raises(UsageError, match="The format netplan needs what is not known offline") as caught:
        export(settings(file), "netplan", offline=True)
    lines = caught.value.hint.splitlines()
    assert lines[:3] == [
        f"worker-{n}: its pod_cidr (10.200.{n}.0/24 is what its number says) and netplan's id of its interface."
        for n in range(3)
    ]
    assert lines[3].startswith("Add each pod_cidr to the inventory. Name it with --interface, for example")
    assert lines[3].endswith("Or leave out --offline: the hosts are asked then.")
    assert len(lines) == 4
    assert export(settings(file), "toml", offline=True) is ExitCode.DONE


@pytest.mark.usefixtures("mute")
def test_the_hint_says_what_helps_and_it_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = inventory(tmp_path)
    with pytest.raises(UsageError) as caught:
        export(settings(file), "networkd", offline=True)
    assert "to the inventory" not in caught.value.hint, "it holds all that an inventory can"
    (named,) = re.findall(r"for example, --interface (\S+);", caught.value.hint)
    assert export(settings(file), "networkd", interface=named, offline=True) is ExitCode.DONE
    assert f"{named}.d/90-kthw-routes.conf" in capsys.readouterr().out
    with pytest.raises(UsageError) as caught:
        export(settings(inventory(tmp_path, cidrs=False)), "shell", offline=True)
    assert "--interface" not in caught.value.hint


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize(
    ("name", "persist", "is_heeded"),
    [("shell", "unit", False), ("shell", "none", True), ("netplan", "networkd", False), ("netplan", "auto", True)],
)
def test_an_inventorys_own_persist_is_told_where_it_has_no_part(
    name: str, persist: str, is_heeded: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = inventory(tmp_path)
    file.write_text(f'persist = "{persist}"\n' + file.read_text())
    assert export(settings(file), name, interface=INTERFACE.get(name)) is ExitCode.DONE
    told = f'The inventory\'s persist = "{persist}" has no part in the format {name}.'
    assert (told not in capsys.readouterr().err) is is_heeded


@pytest.mark.usefixtures("mute")
def test_a_worker_that_is_left_out_must_be_known_too(tmp_path: Path) -> None:
    file = inventory(tmp_path, cidrs=False)
    with pytest.raises(UsageError) as caught:
        export(settings(file, only=("worker-0",)), "shell", offline=True)
    assert "worker-2: its pod_cidr" in caught.value.hint


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"10.200.0.0/16": "10.0.0.0/8", "10.200.1.0/24": "10.32.0.0/24"},
            r"Nothing is exported: .*worker-1: its pod CIDR 10\.32\.0\.0/24 overlaps the service network",
        ),
        ({"10.200.1.0/24": "10.200.0.0/24"}, r'nodes\.toml:.*"10\.200\.0\.0/24" overlaps 10\.200\.0\.0/24 on line'),
        ({"10.200.1.0/24": "10.99.1.0/24"}, r'nodes\.toml:.*"10\.99\.1\.0/24" is outside the cluster CIDR'),
    ],
)
def test_pod_cidrs_that_cannot_be_stop_an_export(changed: dict[str, str], words: str, tmp_path: Path) -> None:
    file = inventory(tmp_path, changed=changed)
    for name in FORMATS:
        with pytest.raises(UsageError) as caught:
            export(settings(file), name, tmp_path / "out", interface=INTERFACE.get(name), offline=True)
        assert caught.value.exit_code == 2
        assert re.search(words, f"{caught.value.sentence}\n{caught.value.hint}")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize(
    ("given", "name", "more", "words"),
    [
        ({"inventory": None}, "shell", {"offline": True}, "--offline needs the nodes from a file"),
        ({}, "shell", {"interface": "eth0"}, "The format shell has no use for --interface"),
        ({}, "networkd", {"interface": "eth0"}, "goes by the file that rules the interface"),
        ({}, "netplan", {"interface": "a/../b"}, "is not the name of an interface"),
        ({"prune": True}, "shell", {}, "no use for --prune"),
        ({"persist": "netplan"}, "ansible", {}, "cannot hold routes by netplan"),
        *(
            ({"persist": "networkd"}, name, {}, f"The format {name} has no use for --persist networkd")
            for name in ("shell", "batch", "netplan", "machines.txt", "markdown")
        ),
        ({"persist": "none"}, "networkd", {}, "no use for --persist none"),
    ],
)
def test_options_that_do_not_go_together(
    given: dict[str, Any], name: str, more: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        export(settings(inventory(tmp_path), **given), name, **more)


@pytest.mark.usefixtures("mute")
def test_a_cluster_of_one_gives_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is nothing to export"):
        export(settings(inventory(tmp_path, workers=1)), "batch")


@pytest.mark.usefixtures("mute")
def test_the_ssh_configuration_says_who_logs_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config"
    config.write_text("Host 203.0.113.21\n    User ubuntu\n")
    (tmp_path / "kubernetes.ed25519").touch()
    export(settings(inventory(tmp_path), ssh_config=config, port=2200), "shell")
    out = capsys.readouterr().out
    assert f"ssh -F {config} -i kubernetes.ed25519 -p 2200 root@203.0.113.20 sh -eu <<'EOF'\n" in out
    assert "-p 2200 ubuntu@203.0.113.21 sudo -n sh -eu <<'EOF'\n" in out


@pytest.mark.usefixtures("mute")
def test_machines_txt_says_what_it_has_no_room_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(settings(inventory(tmp_path)), "machines.txt")
    assert "Reached by SSH at another: worker-0, worker-1, worker-2, controller-0." in capsys.readouterr().err
    as_internal = {f'ssh = "203.0.113.{20 + n}"': f'ssh = "192.168.128.{10 + n}"' for n in range(3)}
    as_internal['ssh = "203.0.113.10"'] = 'ssh = "192.168.128.100"'
    export(settings(inventory(tmp_path, changed=as_internal)), "machines.txt")
    assert "Reached by SSH" not in capsys.readouterr().err


# --- in a namespace without any network -------------------------------------------------------------------------


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_offline_works_where_there_is_no_network_at_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kthw_routes", "export", "ansible", "--offline"]
    argv: list[str | Path] = [
        "unshare",
        "--net",
        *command,
        "--inventory",
        inventory(tmp_path),
        "-o",
        tmp_path / "fleet",
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}
    answer = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert sorted(p.name for p in (tmp_path / "fleet").iterdir()) == ["inventory.yml", "playbook.yml"]


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_a_batch_makes_the_routes_and_may_run_again(tmp_path: Path) -> None:
    assert export(settings(inventory(tmp_path)), "batch", tmp_path) is ExitCode.DONE
    script = """
        ip link add eth0 type veth peer name far
        ip link set far up
        ip link set eth0 up
        ip address add 192.168.128.10/17 dev eth0
        ip route add 10.200.2.0/24 via 192.168.128.99
        ip -force -batch "$1"
        ip -force -batch "$1"
        ip route show root 10.200.0.0/16
    """
    argv: list[str | Path] = ["unshare", "--net", "sh", "-ec", script, "sh", tmp_path / "worker-0.batch"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert [line.strip() for line in answer.stdout.splitlines()] == [
        "10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200",
        "10.200.2.0/24 via 192.168.128.12 dev eth0 proto 200",
    ]
    assert answer.stderr == ""


# --- writing ----------------------------------------------------------------------------------------------------

OURS = Document(PurePosixPath("a/b.txt"), f"# {BY}: new\n", 0o600)


def test_a_file_of_ours_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "f.sh"
    file.write_text("#!/bin/sh\n# Made by kthw-routes 0.0.1: old\n")
    write_file(file, OURS)
    assert file.read_text() == OURS.text
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("text", ["mine\n", "", "# notes on kthw-routes\n", "\n\n\n\n\n# Made by kthw-routes 0.0.1\n"])
def test_a_file_of_somebody_else_stays_and_nothing_is_written(text: str, tmp_path: Path) -> None:
    foreign = tmp_path / "out" / "z.txt"
    foreign.parent.mkdir()
    foreign.write_text(text)
    with pytest.raises(UsageError, match=r"Not written by kthw-routes, so left alone: .*z\.txt"):
        write_folder(tmp_path / "out", [OURS, replace(OURS, path=PurePosixPath("z.txt"))])
    assert foreign.read_text() == text
    assert list(foreign.parent.iterdir()) == [foreign]


def test_the_same_text_is_no_conflict(tmp_path: Path) -> None:
    machines = Document(PurePosixPath("machines.txt"), "192.168.128.10 a.b a\n")
    write_file(tmp_path / "machines.txt", machines)
    write_file(tmp_path / "machines.txt", machines)
    with pytest.raises(UsageError):
        write_file(tmp_path / "machines.txt", replace(machines, text="other\n"))


@pytest.mark.parametrize("odd", [odd for odd in ODD_FILES if odd != "nothing"])
@pytest.mark.parametrize("place", ["file", "folder", "in the folder"])
def test_what_is_no_file_stays_and_nobody_is_waited_for(odd: str, place: str, tmp_path: Path) -> None:
    if (place, odd) == ("folder", "a folder"):
        return  # this is what it is to be
    writes: dict[str, Callable[[], None]] = {
        "file": lambda: write_file(tmp_path / "odd", OURS),
        "folder": lambda: write_folder(tmp_path / "odd", [OURS]),
        "in the folder": lambda: write_folder(tmp_path, [OURS, replace(OURS, path=PurePosixPath("odd"))]),
    }
    with odd_file(odd, tmp_path) as path:
        before = path.stat()
        with pytest.raises(UsageError, match="odd"):
            writes[place]()
        after = path.stat()
        assert (after.st_mode, after.st_ino, after.st_size) == (before.st_mode, before.st_ino, before.st_size)
        assert not (tmp_path / OURS.path).exists()


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(OURS.text)
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", replace(OURS, text=OURS.text + "more\n"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().endswith("more\n")


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is not a folder"):
        write_folder(tmp_path / "file", [OURS])
    with pytest.raises(UsageError, match="cannot be written"):
        write_file(tmp_path / "file" / "below", OURS)
    with pytest.raises(UsageError, match="left alone"):
        write_file(tmp_path, OURS)


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"machines.txt"}))
def test_every_format_knows_its_own_files_again(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for part in ("192.168.128.", "192.168.129."):
        file = inventory(tmp_path, changed={"192.168.128.": part})
        assert export(settings(file), name, out, interface=INTERFACE.get(name), offline=True) is ExitCode.DONE
    found = [out] if out.is_file() else [p for p in out.rglob("*") if p.is_file()]
    assert any("192.168.129." in p.read_text() for p in found)


def test_the_command_line_names_every_format() -> None:
    assert list(EXPORT_FORMATS) == list(FORMATS)


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_carries_an_overlay_or_says_that_it_cannot(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlaid = settings(inventory(tmp_path), overlay="vxlan")
    stated = tmp_path / "overlaid.toml"
    stated.write_text('overlay = "vxlan"\n' + inventory(tmp_path).read_text())
    if FORMATS[name].knows_overlay:
        assert export(overlaid, name, offline=True) is ExitCode.DONE
        printed = capsys.readouterr()
        told = 'overlay = "vxlan"' if name == "toml" else "via 10.200.1.0 dev kthw-routes0 proto 200 onlink"
        assert f"\n{told}\n" in printed.out or f" {told}" in printed.out
        assert "does not encrypt" in printed.err
        with pytest.raises(UsageError, match="Controllers cannot be in the overlay"):
            export(replace(overlaid, routes_on="all"), name, offline=True)
    else:
        with pytest.raises(UsageError, match=f"The format {name} cannot carry an overlay") as refused:
            export(overlaid, name, offline=True)
        assert "shell, toml, markdown" in refused.value.hint
        with pytest.raises(UsageError, match="cannot carry an overlay"):
            export(settings(stated), name, offline=True, interface=INTERFACE.get(name))
        assert (
            export(replace(overlaid, overlay="none"), name, offline=True, interface=INTERFACE.get(name))
            is ExitCode.DONE
        )
