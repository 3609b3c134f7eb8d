"""Names, users, addresses and paths from outside: they are refused, or mean nothing but themselves in what is made."""

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kthw_routes.cluster import Cluster, Endpoint
from kthw_routes.errors import UsageError
from kthw_routes.export import ansible, hosts_block, shell
from kthw_routes.export.desired import Login, SshAccess, desired
from kthw_routes.export.document import Document
from kthw_routes.export.formats import FORMATS
from kthw_routes.export.required import from_option
from kthw_routes.node_names import is_host_name
from kthw_routes.options import NamesOn, Options, RoutesOn
from kthw_routes.plan.etc_hosts import edit
from kthw_routes.plan.wanted import wanted_names
from tests.unit.builders import cluster, controller, ip, worker

EVIL = "$(touch /tmp/x);`id`|&<>\\\"' \t\n{{ 7*7 }}#!*?[]~%-@:/\x1b[0m\x00é\u202e"
WORDS = st.text(st.sampled_from(sorted(set(EVIL + "abcwork019.-_"))), min_size=1, max_size=30)
EVERYWHERE = Options(routes_on=RoutesOn.ALL, names_on=NamesOn.ALL)


def documents(of: Cluster, reach: SshAccess | None = None) -> dict[str, tuple[Document, ...]]:
    """What every format makes; those that refuse are left out."""
    made: dict[str, tuple[Document, ...]] = {}
    for name, form in FORMATS.items():
        interface = {"netplan": "eth0", "networkd": "05-eth0.network"}.get(name)
        networks = from_option(of, form, interface, RoutesOn.ALL) if interface else None
        try:
            made[name] = form.render(desired(of, EVERYWHERE, reach=reach, networks=networks))
        except UsageError:
            continue
    return made


@given(name=WORDS)
@example(name="worker-0$(reboot)")
@example(name="../../etc/passwd")
@example(name="a\n[[nodes]]")
@settings(max_examples=150)
def test_a_name_that_is_no_host_name_is_in_no_document(name: str) -> None:
    made = documents(Cluster((worker(0), replace(worker(1), name=name), controller(0))))
    if not made:
        return
    assert is_host_name(name)
    for paths in ([d.path for d in found] for found in made.values()):
        assert not any(p.is_absolute() or ".." in p.parts for p in paths)


@given(user=WORDS, host=WORDS, port=st.none() | st.integers(1, 65535), identity=WORDS)
@example(user="-oProxyCommand=x", host="a", port=None, identity="k")
@example(user="root", host="-oProxyCommand=x", port=None, identity="k")
@example(user="a$", host="h", port=22, identity="my key; $(id) 'x'")
@settings(max_examples=150)
def test_ssh_gets_these_words_and_no_others(user: str, host: str, port: int | None, identity: str) -> None:
    node = worker(0, ssh=Endpoint(host, user, port))
    made = documents(Cluster((node, worker(1))), SshAccess(Path(identity)))
    if "shell" not in made:
        return
    (line,) = [x for x in made["shell"][0].text.splitlines() if x.startswith("ssh ") and f"@{host}" in x]
    words = shlex.split(line.removesuffix(" <<'EOF'"), comments=True)
    expected = ["ssh", "-i", str(Path(identity)), *(["-p", str(port)] if port else []), f"{user}@{host}"]
    assert words == [*expected, *([] if user == "root" else ["sudo", "-n"]), "sh", "-eu"]
    if "ansible" in made:
        document = yaml.safe_load(made["ansible"][0].text)
        found = document["all"]["children"]["workers"]["hosts"]["worker-0"]
        assert (found["ansible_user"], found["ansible_host"]) == (user, host)
        assert document["all"]["vars"]["ansible_ssh_private_key_file"] == str(Path(identity))
        assert "{{" not in str(document)


FAKE_SSH = """#!/bin/sh
{ printf '%s\\0' "$@"; echo; cat; echo; } >> "$SEEN"
"""


@pytest.mark.parametrize("identity", ["it's; touch pwned", "$(touch pwned)", "`touch pwned`", "a b", "-x", "~/k"])
def test_the_script_runs_no_word_from_outside(identity: str, tmp_path: Path) -> None:
    """A real shell runs it; what stands for ssh tells what it was given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(FAKE_SSH)
    (programs / "ssh").chmod(0o755)
    (document,) = shell.render(desired(cluster(), reach=SshAccess(Path(identity))))
    seen = tmp_path / "seen"
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "SEEN": str(seen)}
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run(["sh", "-c", document.text], env=environment, cwd=work, check=True, capture_output=True)
    assert list(work.iterdir()) == []
    first = seen.read_text().splitlines()[0].split("\0")
    assert first[:3] == ["-i", identity, "root@203.0.113.20"]
    assert "ip route replace 10.200.1.0/24 via 192.168.128.11 proto 200  # worker-1" in seen.read_text()


@pytest.mark.parametrize("path", ["a\nb", "a\x1b[0mb", "a\u202eb"])
def test_a_path_that_cannot_be_shown_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="cannot be exported"):
        desired(cluster(), reach=SshAccess(Path(path)))


def test_ansible_refuses_a_next_hop_that_its_playbook_does_not_know() -> None:
    of = cluster()
    of = of.with_swapped(of.node("worker-0"), worker(0, next_hop=ip("192.168.128.1")))
    with pytest.raises(UsageError, match="worker-0 has a next hop of its own"):
        ansible.render(desired(of, Options()))


def test_the_script_leads_to_a_nodes_own_next_hop() -> None:
    of = cluster()
    of = of.with_swapped(of.node("worker-0"), worker(0, next_hop=ip("192.168.128.1")))
    logins = {n.name: Login(f"203.0.113.{number}") for number, n in enumerate(of)}
    (script,) = shell.render(desired(of, Options(), logins=logins))
    sections = script.text.split("# --- ")[1:4]
    assert [section.count("via 192.168.128.1 ") for section in sections] == [2, 0, 0]


def test_ansible_takes_no_path_for_a_template() -> None:
    for path in ("{{ 1 }}", "{% x %}", "{# x #}"):
        with pytest.raises(UsageError, match="for a template"):
            FORMATS["ansible"].render(desired(cluster(), reach=SshAccess(Path(path))))


def test_a_login_is_checked_too() -> None:
    for login in (Login("h", "a b"), Login("-h"), Login("h;id")):
        with pytest.raises(UsageError) as caught:
            desired(cluster(), logins={"worker-0": login})
        assert caught.value.hint.startswith("worker-0: ")


def test_regions_are_no_markup() -> None:
    (document,) = FORMATS["markdown"].render(desired(Cluster((worker(0, region="<b>|`x`"), worker(1)))))
    assert "\\<b\\>\\|\\`x\\`" in document.text


# --- the names, on any /etc/hosts -------------------------------------------------------------------------------

LINES = st.lists(
    st.sampled_from(
        [
            "127.0.0.1 localhost",
            "192.168.128.11 worker-1",
            "192.168.128.11\tworker-1  ",
            "10.0.0.1 worker-2",
            "10.0.0.1 worker-2 alias",
            "10.0.0.1 worker-10",
            "10.0.0.1 worker-2 # mine",
            "# a remark",
            "",
            "  # BEGIN kthw-routes",
            "::1 worker-1",
            "# BEGIN kthw-routes\n1.1.1.1 worker-0\n# END kthw-routes",
            "# BEGIN kthw-routes",
            "# END kthw-routes",
        ]
    ),
    max_size=8,
)


def run_names(file: Path, names: dict[str, Any]) -> int:
    script = "\n".join(hosts_block.script(names)).replace("/etc/hosts", str(file))
    return subprocess.run(["sh", "-eu"], input=script, text=True, capture_output=True, check=False).returncode


def others(text: str) -> list[str]:
    """The lines that are neither ours nor exactly an address and a worker's name."""
    found = re.sub(r"^ *# BEGIN kthw-routes\n.*?^ *# END kthw-routes\n?", "", text, flags=re.DOTALL | re.MULTILINE)
    return [
        line
        for line in found.splitlines()
        if line.strip() not in ("# BEGIN kthw-routes", "# END kthw-routes")
        and not re.fullmatch(r"[0-9.]+\s+worker-[012]\s*", line)
    ]


@given(lines=LINES, ends=st.booleans())
@settings(max_examples=60)
def test_the_names_are_written_and_every_other_line_stays(
    lines: list[str], ends: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    of = cluster()
    names = wanted_names(of, of.node("controller-0"))
    file = tmp_path_factory.mktemp("hosts") / "hosts"
    before = "\n".join(lines) + ("\n" if ends else "")
    file.write_text(before)
    file.chmod(0o640)
    if run_names(file, names) != 0:
        assert before.count("# BEGIN kthw-routes")
        assert file.read_text() == before
        assert [p.name for p in file.parent.iterdir()] == ["hosts"]
        return
    after = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640
    assert edit(after.encode(), names).is_empty
    assert others(after) == others(before)
    number = file.stat().st_ino
    assert run_names(file, names) == 0
    assert (file.read_text(), file.stat().st_ino) == (after, number)
    assert [p.name for p in file.parent.iterdir()] == ["hosts"]
