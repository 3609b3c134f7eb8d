"""What /etc/hosts says of a name, held against `getent ahostsv4` over random files, before and after our edit."""

import os
import random
import subprocess
from ipaddress import IPv4Address
from pathlib import Path
from shutil import which
from typing import Final

import pytest

from kthw_routes.plan.etc_hosts import edit
from kthw_routes.plan.hosts_lines import BEGIN, END, BrokenBlock, resolve, split

from .builders import ip

pytestmark = pytest.mark.xdist_group("getent")  # it is asked once for all of them

FILES: Final = 250
WANTED: Final = {"worker-0": ip("192.168.128.10"), "worker-1": ip("192.168.128.11"), "w": ip("10.0.0.7")}
ADDRESSES: Final = (
    *("192.168.128.10", "192.168.128.11", "10.0.0.7", "192.168.1.99", "127.0.1.1", "::1", "fd00::7"),
    *("::ffff:192.168.128.10", "192.168.128", "192.168.128.010", "1.2.3.4.5", "256.1.1.1", "localhost", "0x7f.1", "#"),
    *("fe80::1%lo", "::", "::7", "192.168.128.11/24"),
)
NAMES: Final = (
    *("worker-0", "worker-1", "w", "WORKER-0", "Worker-1", "worker-0.kubernetes.local", "worker-00", "x", "worker"),
    *("worker-0.", "worker-1#", "#worker-0", "wörker-0"),
)
BLANKS: Final = (" ", " ", "\t", "  \t", "\x0b", "\x0c", "\r")
ENDS: Final = ("\n", "\n", "\n", "\r\n", " \n", "\n\n", " # c\n")
"""No zero byte: whether glibc then finds the last name of a line depends on the blanks before its address (seen)."""

IN_A_NAMESPACE: Final = """
set -eu
cd "$1"
printf 'hosts: files\\n' > nsswitch.conf
: > host.conf
mount --bind nsswitch.conf /etc/nsswitch.conf
mount --bind host.conf /etc/host.conf
for file in *.hosts; do
  mount --bind "$file" /etc/hosts
  for name in worker-0 worker-1 w; do
    getent ahostsv4 "$name" > "$file.$name" || :
  done
  umount /etc/hosts
done
"""
"""Asks for each name, with each file as /etc/hosts. No host.conf: the first line that has a name counts, alone."""


def _line(dice: random.Random) -> str:
    words = [dice.choice(ADDRESSES), *dice.choices(NAMES, k=dice.randint(0, 3))]
    before = dice.choice(("", "", "", " ", "\t", "#"))
    return before + "".join(dice.choice(BLANKS) + word for word in words).lstrip() + dice.choice(ENDS)


def _content(dice: random.Random) -> bytes:
    lines = [_line(dice) for _ in range(dice.randint(0, 7))]
    if dice.random() < 0.4:
        block = [f"{dice.choice(ADDRESSES[:5])} {name}\n" for name in dice.sample(list(WANTED), dice.randint(1, 3))]
        lines.insert(dice.randint(0, len(lines)), f"{BEGIN.decode()}\n{''.join(block)}{END.decode()}\n")
    text = "".join(lines)
    return (text.removesuffix("\n") if dice.random() < 0.3 else text).encode()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files, those that our edit makes of them, and what getent says of each name in each."""
    if os.geteuid() != 0 or which("unshare") is None or which("getent") is None:
        pytest.skip("needs root, `unshare` and `getent`: another /etc/hosts, in a mount namespace")
    folder = tmp_path_factory.mktemp("hosts")
    dice = random.Random(20261128)
    for number in range(FILES):
        content = _content(dice)
        (folder / f"{number}.hosts").write_bytes(content)
        try:
            (folder / f"{number}-edited.hosts").write_bytes(edit(content, WANTED).after)
        except BrokenBlock:  # a marker in a line of its own that the dice made
            continue
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", IN_A_NAMESPACE, "sh", folder], capture_output=True, text=True, timeout=150
    )
    if "unshare" in ran.stderr:
        pytest.skip(f"no mount namespace may be made: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    return folder


def _by_getent(file: Path) -> dict[str, IPv4Address]:
    texts = {name: Path(f"{file}.{name}").read_text() for name in WANTED}
    return {name: ip(text.split()[0]) for name, text in texts.items() if text}


def test_a_name_resolves_to_what_getent_says(asked: Path) -> None:
    right = 0
    for file in asked.glob("*.hosts"):
        content = file.read_bytes()
        by_us = {name: found.address for name, found in resolve(split(content, WANTED), WANTED).items()}
        assert by_us == _by_getent(file), content
        right += bool(by_us)
    assert right > FILES


def test_after_our_edit_every_name_is_right(asked: Path) -> None:
    edited = list(asked.glob("*-edited.hosts"))
    assert len(edited) > FILES / 2
    for file in edited:
        assert _by_getent(file) == WANTED, file.read_bytes()


def test_what_is_right_is_left_alone_and_what_is_not_is_a_change(asked: Path) -> None:
    for file in asked.glob("*.hosts"):
        content = file.read_bytes()
        rows = {n.name: n.kind.is_change for n in edit(content, WANTED).names if n.name in WANTED}
        wrong = {name for name, address in WANTED.items() if _by_getent(file).get(name) != address}
        assert wrong <= {name for name, is_change in rows.items() if is_change}, content
