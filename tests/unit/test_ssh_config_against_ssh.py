"""Our reading of an SSH configuration, held against `ssh -G`: the same, or else the reason stands beside it."""

import os
import pwd
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.cluster import Endpoint
from kthw_routes.errors import UsageError
from kthw_routes.ssh.config import Resolved, SshConfig, parse_jump
from kthw_routes.ssh.config_options import NO_AGENT
from kthw_routes.ssh.error_messages import name_unfollowed
from kthw_routes.ssh.errors import KeyRejected, NotSsh, Unreachable

ACCOUNT = pwd.getpwuid(os.getuid())


def _version() -> tuple[int, ...]:
    if which("ssh") is None:
        return ()
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said)
    return tuple(int(n) for n in found.groups()) if found else ()


pytestmark = pytest.mark.skipif(_version() < (8, 7), reason="there is no ssh of 8.7 or newer to compare with")


@pytest.fixture(autouse=True)
def _as_ssh_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh takes both from the user database; people's HOME and LOGNAME say the same."""
    monkeypatch.setenv("HOME", ACCOUNT.pw_dir)
    monkeypatch.setenv("LOGNAME", ACCOUNT.pw_name)
    monkeypatch.setenv("LAB", "/keys/lab")


@dataclass(frozen=True)
class Reading:
    """What both say of a host."""

    host: str
    port: int
    user: str
    identity_files: tuple[str, ...] | None
    identities_only: bool
    alias: str | None
    known_hosts: tuple[str, ...] | None
    jump: tuple[Endpoint, ...]
    command: str | None
    agent: str | None


class Refused(Exception):
    """It was not read at all."""


def write(folder: Path, text: str) -> Path:
    file = folder / "config"
    file.write_text(text.replace("@", str(folder)).replace("§", "@"))
    return file


def by_ssh(file: Path, host: str) -> Reading:
    ran = subprocess.run(["ssh", "-G", "-F", file, host], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ran.returncode:
        raise Refused(ran.stderr)
    lines = [line.split(" ", 1) for line in ran.stdout.splitlines() if " " in line]
    said = dict(lines)
    tokens = {
        "%d": ACCOUNT.pw_dir, "%h": said["hostname"], "%r": said["user"], "%n": host, "%u": ACCOUNT.pw_name,
        "%p": said["port"], "%%": "%", "%i": str(ACCOUNT.pw_uid), "${LAB}": "/keys/lab",
    }  # fmt: skip

    def path(raw: str) -> str:
        whole = os.path.expanduser(raw)
        return re.sub(r"%.|\$\{LAB\}", lambda m: tokens[m[0]], whole)

    keys = [v for k, v in lines if k == "identityfile"]
    own = [f for f in keys if f.startswith("~/.ssh/id_")]
    known = said["userknownhostsfile"].split()
    jump = said.get("proxyjump", "none")
    agent = said.get("identityagent")
    return Reading(
        host=said["hostname"],
        port=int(said["port"]),
        user=said["user"],
        identity_files=None if own else tuple(path(k) for k in keys if k != "none"),
        identities_only=said["identitiesonly"] == "yes",
        alias=said.get("hostkeyalias"),
        known_hosts=None if "known_hosts2" in known[-1] else tuple(f for f in known if f != "none"),
        jump=() if jump == "none" else tuple(parse_jump(part) for part in jump.split(",")),
        command=said.get("proxycommand"),
        agent=None if agent == "SSH_AUTH_SOCK" else str(NO_AGENT) if agent == "none" else agent,
    )


def by_us(file: Path, host: str, default_user: str = ACCOUNT.pw_name) -> Reading:
    try:
        found = resolved(file, host, default_user)
    except UsageError as error:
        raise Refused(error.sentence) from error
    return Reading(
        host=found.host.lower(),
        port=found.port,
        user=found.user,
        identity_files=None if found.identity_files is None else tuple(map(str, found.identity_files)),
        identities_only=found.identities_only,
        alias=found.host_key_alias,
        known_hosts=None if found.known_hosts_files is None else tuple(map(str, found.known_hosts_files)),
        # What a jump host's own block says of it is not part of what `ssh -G` prints.
        jump=tuple(Endpoint(j.host, j.user if j.user != default_user else None, None if j.port == 22 else j.port)
                   for j in found.jumps),
        command=None,  # it is named, and never run
        agent=None if found.identity_agent is None else str(found.identity_agent),
    )  # fmt: skip


def resolved(file: Path, host: str, default_user: str = ACCOUNT.pw_name) -> Resolved:
    return SshConfig(file).resolve(Endpoint(host), default_user=default_user)


SAME = {
    "a block": "Host node-a\n HostName 192.0.2.1\n User ubuntu\n Port 2222\n",
    "another block": "Host node-b\n HostName 192.0.2.1\n User ubuntu\n Port 2222\n",
    "wildcards": "Host node-?\n User one\nHost n*a\n Port 7\nHost node?a?\n Port 8\n",
    "brackets are no wildcard": "Host node-[a]\n User one\n",
    "negation after": "Host node-* !node-a\n User not\nHost *\n User yes\n",
    "negation before": "Host !node-a node-*\n User not\n",
    "negation alone": "Host !node-b\n User not\n",
    "several patterns": "Host node-b node-a\n User one\n",
    "the case of a Host pattern counts": "Host NODE-A\n User one\n",
    "the first value counts": "User first\nPort 1\nHost node-a\n User second\n Port 2\n",
    "keywords in any case": "hOST node-a\n USER one\n hostname 192.0.2.1\n",
    "equals signs": "Host=node-a\n User=one\n Port = 7\n HostName= 192.0.2.1\n IdentityFile =/k\n",
    "tabs": "Host\tnode-a\n\tUser\tone\n",
    "DOS line ends": "Host node-a\r\n User one\r\n Port 7\r\n",
    "comments": "# one\nHost node-a # two\n User one # three\n Port 7\t#four\n #User two\n",
    "a comment needs a blank": "User one#two\n",
    "a block for a comment": "Host # node-a\n User one\n",
    "double quotes": 'Host "node-a"\n User "two words"\n IdentityFile "/a b/c" # d\n',
    "single quotes": "User 'two words'\nIdentityFile '/a \"b'\n",
    "quotes in the middle": 'User a"b c"d\n',
    "backslashes": "User one\\ two\nIdentityFile /a\\\\b\\c\n",
    "a keyword in quotes": '"User" one\n',
    "HostName with %h": "HostName %h.example.org\n",
    "HostName with %%": "HostName a%%b%h\n",
    "Match all": "Match all\n User one\n",
    "Match !all": "Match !all\n User one\n",
    "Match host, a list": "Match host node-b,node-a\n User one\n",
    "Match host, negated in the list": "Match host !node-a,*\n User one\n",
    "Match !host": "Match !host node-b\n User one\n",
    "Match host in any case": "Match host NODE-A\n User one\n",
    "Match host sees HostName": "HostName %h.lab\nMatch host node-a.lab\n User one\nMatch host node-a\n Port 7\n",
    "Match originalhost does not": "HostName x\nMatch originalhost node-*\n User one\n",
    "Match user": "User one\nMatch user two,one\n Port 7\nMatch user two\n Port 8\n",
    "Match user is the local one": f"Match user {ACCOUNT.pw_name}\n Port 7\n",
    "Match localuser": f"Match localuser {ACCOUNT.pw_name}\n Port 7\nMatch !localuser {ACCOUNT.pw_name}\n User one\n",
    "Match, several": "Match originalhost node-* host !node-b,* !user nobody\n User one\n",
    "Match with equals signs": f"Match host=node-a user={ACCOUNT.pw_name}\n Port 7\n",
    "Match with a comment and quotes": 'Match host "node-b,node-a" # all\n User one\n',
    "Match final": "Match final\n User fin\n Port 7\nHost *\n User late\n",
    "Match final sees the name found": "Match final host 192.0.2.1\n User fin\nHost node-a\n HostName 192.0.2.1\n",
    "Match !final": "Match !final\n User one\nMatch final all\n Port 7\n",
    "Match canonical": "Match canonical\n User one\n",
    "the final reading takes Host by the name found": (
        "Host 192.0.2.1\n User one\n IdentityFile /b\nMatch final\n Port 7\nHost node-a\n HostName 192.0.2.1\n"
        " IdentityFile /a\n IdentityFile /b\n"
    ),
    "a Match exec that others rule out": 'Match host node-c exec "true"\n User one\nHost *\n User two\n',
    "ProxyJump": "Host node-*\n ProxyJump me§bastion:2200\n",
    "ProxyJump, a chain": "Host node-*\n ProxyJump me§one:7,two,ssh://you§three\n",
    "ProxyJump with a comment": "Host node-*\n ProxyJump bastion # the way in\n",
    "ProxyJump none comes first": "Host node-a\n ProxyJump none\nHost node-*\n ProxyJump bastion\n",
    "ProxyJump comes first": "Host node-a\n ProxyJump bastion\nHost *\n ProxyJump none\n",
    "ProxyJump after ProxyCommand none": "ProxyCommand none\nProxyJump bastion\n",
    "identity files, in order, once": "IdentityFile ~/a\nHost node-a\n IdentityFile /b\n IdentityFile ~/a\n",
    "identity files: none": "IdentityFile none\n",
    "identity files: none and one": "IdentityFile none\nIdentityFile /a\n",
    "identity files: the old keyword": "IdentityFile2 /a\nIdentityFile /b\n",
    "identity files with tokens": "User one\nPort 7\nIdentityFile %d/k-%r-%h-%n-%u-%p-%i-%%\nIdentityFile ${LAB}/k\n",
    "identity files of another user": "IdentityFile ~root/k\nIdentityFile ~/k\n",
    "identities only": "IdentitiesOnly YES\nIdentityFile /a\n",
    "an agent's path": "IdentityAgent ~/.1password/agent.sock\n",
    "no agent": "IdentityAgent none\n",
    "the environment's agent": "IdentityAgent SSH_AUTH_SOCK\n",
    "an agent named by a variable in a path": "IdentityAgent ${LAB}/sock\n",
    "known_hosts": 'HostKeyAlias worker\nUserKnownHostsFile /a "/b" ~/c # d\n',
    "no known_hosts": "UserKnownHostsFile none\n",
    "a service's name": "Port ssh\n",
    "the commonest file of all": (
        "IgnoreUnknown UseKeychain\n"
        "Host *\n AddKeysToAgent yes\n UseKeychain yes\n ServerAliveInterval 60\n IdentityFile ~/.ssh/lab\n"
    ),
    "Vagrant's": (
        "Host node-a\n  HostName 127.0.0.1\n  User vagrant\n  Port 2222\n  UserKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking no\n  PasswordAuthentication no\n"
        "  IdentityFile /v/.vagrant/machines/node-a/virtualbox/private_key\n  IdentitiesOnly yes\n  LogLevel FATAL\n"
    ),
    "a bastion's own key": (
        "Host node-*\n ProxyJump bastion\n IdentityFile ~/.ssh/nodes\nHost bastion\n IdentityFile ~/.ssh/bastion\n"
    ),
    "multiplexed": "Host *\n ControlMaster auto\n ControlPath ~/.ssh/cm-%C\n ControlPersist 10m\n User one\n",
    "an include where it stands": "Include @/more\nUser late\n",
    "an include in a block": "Host node-b\n Include @/more\nHost *\n User late\n",
    "the block goes on after an include": "Host node-a\n Include @/more\n Port 9\n",
    "includes within includes": "Include @/outer\n",
    "includes by pattern": 'Include "@/d/*.conf" @/missing @/more\n',
    "two stars are one": "Include @/**foo @/d/**.conf\n",
    "includes of hidden files": "Include @/d/*\n",
    "an include of a folder": "Include @/d /\nUser one\n",
}
"""Read the same by both. `@` stands for the folder of the configuration, `§` for an @."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir()
    (tmp_path / "more").write_text(
        "User more\nHost node-a\n Port 31\nHost node-b\n Port 32\nMatch host *\n HostName m\n"
    )
    (tmp_path / "outer").write_text(f"Host node-*\n Include {tmp_path}/more\nHost *\n User outer\n")
    for name, user in (("2.conf", "two"), ("10.conf", "ten"), (".hidden.conf", "hidden"), ("x", "x")):
        (tmp_path / "d" / name).write_text(f"User {user}\nIdentityFile /{user}\n")
    return tmp_path


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_both_read_the_same(folder: Path, text: str) -> None:
    file = write(folder, text)
    for host in ("node-a", "node-b"):
        assert by_us(file, host) == by_ssh(file, host)


@pytest.mark.parametrize(
    "text",
    [
        "User\n", 'User ""\n', "User # none\n", "User one two\n", 'User "one\n', "IdentityFile ~/a b\n", "Host\n",
        "Match\n", "Match host\n", "Port 0\n", "Port 70000\n", "Port 22#usual\n", "HostName a b\n",
        'Host "node-a\n User x\n', "Include @/config\n", "Include @/config\nInclude @/config\n",
    ],
)  # fmt: skip
def test_both_refuse(folder: Path, text: str) -> None:
    file = write(folder, text)
    with pytest.raises(Refused):
        by_ssh(file, "node-a")
    with pytest.raises(Refused, match=r"The SSH configuration .*config line 1: "):
        by_us(file, "node-a")


@pytest.mark.parametrize(
    ("text", "ours", "named", "reason"),
    [
        ('Match exec "true"\n User one\n', {"user": ACCOUNT.pw_name}, "User .*under Match exec", "nothing is run"),
        ("Foo bar\nUser one\n", {"user": "one"}, "", "a newer ssh may know the keyword"),
        ("Match weekday monday\n User one\n", {"user": ACCOUNT.pw_name}, "User .*under Match weekday", "as well"),
        ("IdentitiesOnly maybe\n", {"identities_only": False}, "", "read as no"),
        ("Host node-b\n Port none\n", {"port": 22}, "", "a line that does not count for the host is not judged"),
        ("Include /dev/null\n", {"port": 22}, "", "ssh says `Bad owner or permissions` of it"),
        ('ProxyJump "none"\n', {"jump": ()}, "", "a quote is no part of a name"),
        ("ProxyCommand nc %h %p\n", {"jump": ()}, r"^ProxyCommand \(\S+/config line 1\)$", "nothing is run"),
        ("ProxyJump none\nProxyCommand nc\n", {"jump": ()}, "ProxyCommand", "nothing is run"),
        (
            "Match sessiontype shell\n User one\n",
            {"user": ACCOUNT.pw_name},
            "User .*under Match sessiontype",
            "as well",
        ),
        ("HostName %n\n", {"host": "%n"}, "HostName", "the host fails alone, and the option is named"),
    ],
)
def test_where_we_differ_there_is_a_reason(
    folder: Path, text: str, ours: dict[str, object], named: str, reason: str
) -> None:
    file = write(folder, text)
    found = by_us(file, "node-a")
    assert {key: getattr(found, key) for key in ours} == ours, reason
    try:
        differs = by_ssh(file, "node-a") != found
    except (Refused, UsageError):  # UsageError: a jump host that ssh would take, and we would not
        differs = True
    assert differs
    names = resolved(file, "node-a").not_followed
    assert re.search(named, " ".join(names)) if named else not names


def test_who_logs_in_by_default_is_root(folder: Path) -> None:
    """Nodes are administered as root; ssh takes the local user."""
    assert SshConfig(write(folder, "Match user root\n Port 7\n")).resolve(Endpoint("node-a")) == Resolved(
        "node-a", 7, "root"
    )


def test_algorithms_are_named_where_they_may_be_the_cause(folder: Path) -> None:
    """Of a host that is down they say nothing."""
    target = resolved(write(folder, "Host node-*\n KexAlgorithms +diffie-hellman-group1-sha1\n"), "node-a")
    for error, is_named in (
        (NotSsh("node-a", "no key exchange in common."), True),
        (KeyRejected("node-a", "rejected."), True),
        (Unreachable("node-a", "no route."), False),
    ):
        hint = name_unfollowed(error, target).hint
        assert (f"KexAlgorithms ({folder}/config line 2)" in hint) is is_named
