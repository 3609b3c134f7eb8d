"""Our reading of machines.txt, held against the tutorial's own loop: `while read IP FQDN HOST SUBNET`."""

import random
import subprocess
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.cluster import Role
from kthw_routes.sources.inventory import InventoryError, InventoryKind, read

pytestmark = pytest.mark.skipif(which("bash") is None, reason="there is no bash to compare with")

LOOP = 'while read IP FQDN HOST SUBNET; do printf \'%s,%s,%s,%s\\n\' "$IP" "$FQDN" "$HOST" "$SUBNET"; done < "$1"'
"""As in the labs: with `read`'s own rules for blanks and backslashes."""
SERVER = "192.168.8.10 server.kubernetes.local server"
NODES = [f"192.168.8.2{n} node-{n}.kubernetes.local node-{n} 10.200.{n}.0/24" for n in range(3)]

SAME = {
    "as the lab has it": "\n".join([SERVER, *NODES, ""]),
    "tabs": "\n".join([SERVER, *NODES, ""]).replace(" ", "\t"),
    "many blanks, before and after": "\n".join(f"  {line.replace(' ', '   ')} \t" for line in [SERVER, *NODES]) + "\n",
    "more than four columns of blanks": f"{NODES[0]}    \n{NODES[1]}\n",
    "no server": "\n".join([*NODES, ""]),
    "other names": "10.0.0.1 cp.lab controller-0\n10.0.0.2 w.lab w 10.200.7.0/24\n",
    "an empty line is a machine without columns, for both": f"{NODES[0]}\n\n{NODES[1]}\n",
}


def by_bash(file: Path) -> list[tuple[str, ...]]:
    ran = subprocess.run(["bash", "-c", LOOP, "bash", file], capture_output=True, check=True)
    rows = [tuple(line.split(",")) for line in ran.stdout.decode().split("\n") if line]
    return sorted((ip, host, subnet) for ip, _, host, subnet in rows if ip)


def by_us(file: Path) -> list[tuple[str, ...]]:
    found = read(file)
    assert found.kind is InventoryKind.MACHINES
    return sorted((str(n.internal), n.name, str(n.pod_cidr) if n.role is Role.WORKER else "") for n in found.nodes)


@pytest.mark.parametrize("case", SAME)
def test_both_read_the_same(tmp_path: Path, case: str) -> None:
    file = tmp_path / "machines.txt"
    file.write_text(SAME[case])
    assert by_us(file) == by_bash(file)


def test_both_read_the_same_whatever_the_blanks(tmp_path: Path) -> None:
    dice = random.Random(20261128)
    file = tmp_path / "machines.txt"
    for _ in range(20):
        lines = [SERVER, *NODES]
        dice.shuffle(lines)
        spread = ["".join(dice.choice((" ", "\t", "  ")) + word for word in line.split()) for line in lines]
        file.write_text("".join(line + dice.choice(("\n", " \n", "\n\n")) for line in spread))
        assert by_us(file) == by_bash(file)


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        (
            f"{NODES[0]}\n{NODES[1]}",
            ["node-0", "node-1"],
            "the last line counts without its end",
        ),
        (f"{NODES[0]}\r\n{NODES[1]}\r\n", ["node-0", "node-1"], "a carriage return is no part of the subnet"),
        (f"# IP FQDN HOST SUBNET\n{NODES[0]}\n", ["node-0"], "`read` takes a comment for a machine"),
        (f"{NODES[0]} # rack 1\n", ["node-0"], "`read` puts the rest of the line into SUBNET"),
        ("192.168.8.9 jumpbox.lab jumpbox\n" + NODES[0], ["node-0"], "a machine that is no node is ignored, and said"),
    ],
)
def test_where_we_differ_there_is_a_reason(tmp_path: Path, text: str, names: list[str], reason: str) -> None:
    file = tmp_path / "machines.txt"
    file.write_bytes(text.encode())
    assert [n.name for n in read(file).nodes] == names, reason
    assert by_us(file) != by_bash(file)


XXX = "XXX.XXX.XXX.XXX server.kubernetes.local server\nXXX.XXX.XXX.XXX node-0.kubernetes.local node-0 10.200.0.0/24\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("machines.txt", XXX),
        ("nodes", XXX),
        ("nodes.txt", "<ip> node-0 node-0 10.200.0.0/24\n"),
        ("nodes.cfg", "TODO node-0.lab node-0\nTODO node-1.lab node-1\n"),
        ("machines.txt", "to be written\n"),
        ("MACHINES.TXT", "server\n"),
    ],
)
def test_a_machines_txt_with_errors_is_one(tmp_path: Path, name: str, text: str) -> None:
    """By its name, or by its other columns: then each line says what was expected where."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InventoryError) as caught:
        read(tmp_path / name)
    assert f"read as {InventoryKind.MACHINES}" in caught.value.sentence
    assert {p.line for p in caught.value.problems} >= set(range(1, text.count("\n") + 1))
    assert all("expected" in p.sentence for p in caught.value.problems)
