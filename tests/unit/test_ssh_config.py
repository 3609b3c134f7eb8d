"""Our reading of an OpenSSH client configuration."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.cluster import Endpoint
from kthw_routes.errors import UsageError
from kthw_routes.hosts.ssh_config import Resolved, SshConfig, name_matches, parse_endpoint


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "learner")


def _resolve(tmp_path: Path, text: str, host: str = "worker-0", **chosen: str | int) -> Resolved:
    file = tmp_path / "config"
    file.write_text(text)
    user, port = chosen.get("user"), chosen.get("port")
    return SshConfig(file).resolve(Endpoint(host), user=str(user) if user else None, port=int(port) if port else None)


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    assert SshConfig(tmp_path / "none").resolve(Endpoint("203.0.113.7")) == Resolved("203.0.113.7", 22, "root")


@pytest.mark.parametrize(
    ("text", "host", "expected"),
    [
        (
            "Host worker-0\n HostName 203.0.113.7\n User ubuntu\n Port 2222\n",
            "worker-0",
            ("203.0.113.7", 2222, "ubuntu"),
        ),
        ("Host=worker-*\n HostName=203.0.113.7\n", "worker-9", ("203.0.113.7", 22, "root")),
        ("User first\nHost worker-0\n User second\n", "worker-0", ("worker-0", 22, "first")),
        ("Host * !worker-0\n User not\nHost *\n User yes\n", "worker-0", ("worker-0", 22, "yes")),
        ("# c\n\nHOST worker-0\n\thostname  %h.example.org\n", "worker-0", ("worker-0.example.org", 22, "root")),
        ('Host worker-0\n User "two words"\n', "worker-0", ("worker-0", 22, "two words")),
        ('Match exec "touch /nowhere"\n User no\nHost *\n User yes\n', "worker-0", ("worker-0", 22, "yes")),
        ("Match all\n User all\n", "worker-0", ("worker-0", 22, "all")),
        ("nonsense\nHost ?orker-0\n Port 7\n", "worker-0", ("worker-0", 7, "root")),
    ],
)
def test_the_first_value_that_holds_for_the_host_counts(
    tmp_path: Path, text: str, host: str, expected: tuple[str, int, str]
) -> None:
    found = _resolve(tmp_path, text, host)
    assert (found.host, found.port, found.user) == expected


def test_what_the_person_gave_comes_before_the_file(tmp_path: Path) -> None:
    text = "Host worker-0\n User file\n Port 2\n"
    assert (_resolve(tmp_path, text).user, _resolve(tmp_path, text).port) == ("file", 2)
    chosen = _resolve(tmp_path, text, user="option", port=3)
    assert (chosen.user, chosen.port) == ("option", 3)
    file = tmp_path / "config"
    found = SshConfig(file).resolve(Endpoint("worker-0", "node", 4), user="option", port=3)
    assert (found.user, found.port) == ("node", 4)


def test_all_identity_files_count(tmp_path: Path) -> None:
    found = _resolve(
        tmp_path,
        'Host worker-0\n IdentityFile ~/a\n IdentityFile "~/b c"\n IdentitiesOnly yes\nHost *\n IdentityFile %d/d-%r\n',
    )
    assert found.identity_files == (tmp_path / "a", tmp_path / "b c", tmp_path / "d-root")
    assert found.identities_only


def test_includes_are_read_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "conf.d").mkdir(parents=True)
    (tmp_path / ".ssh" / "conf.d" / "one").write_text("User included\nHost worker-1\n User other\n")
    found = _resolve(tmp_path, "Host worker-0\n Include conf.d/* missing\n User late\n Port 5\n")
    assert (found.user, found.port) == ("included", 5)
    assert _resolve(tmp_path, "Include conf.d/one\n", "worker-1").user == "included"


def test_an_include_of_itself_ends(tmp_path: Path) -> None:
    assert _resolve(tmp_path, f"Include {tmp_path}/config\nUser me\n").user == "me"


def test_jump_hosts_come_first_one_first(tmp_path: Path) -> None:
    text = """
Host worker-*
  ProxyJump me@bastion:2200,inner
Host bastion
  HostName 203.0.113.1
  IdentityFile ~/bastion.key
Host inner
  ProxyJump ignored
"""
    first, second = _resolve(tmp_path, text).jumps
    assert (first.host, first.port, first.user) == ("203.0.113.1", 2200, "me")
    assert first.identity_files == (tmp_path / "bastion.key",)
    assert (second.host, second.port, second.user) == ("inner", 22, "learner")
    assert not second.jumps


def test_the_first_jump_host_brings_its_own_jump(tmp_path: Path) -> None:
    found = _resolve(tmp_path, "Host worker-0\n ProxyJump b\nHost b\n ProxyJump a\n")
    assert [j.host for j in found.jumps] == ["a", "b"]


def test_proxyjump_none_is_no_host(tmp_path: Path) -> None:
    assert _resolve(tmp_path, "Host worker-0\n ProxyJump none\nHost *\n ProxyJump bastion\n").jumps == ()


def test_a_jump_in_a_circle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="circle"):
        _resolve(tmp_path, "Host *\n ProxyJump a\n")


@pytest.mark.parametrize("port", ["0", "65536", "ssh", "-1", "²"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(UsageError, match="no port number"):
        _resolve(tmp_path, f"Port {port}\n")


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        SshConfig(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host", Endpoint("host")),
        ("me@host:22", Endpoint("host", "me", 22)),
        ("ssh://me@host:22/", Endpoint("host", "me", 22)),
        ("me@[2001:db8::1]:22", Endpoint("2001:db8::1", "me", 22)),
        ("2001:db8::1", Endpoint("2001:db8::1")),
        ("a@b@host", Endpoint("host", "a@b")),
    ],
)
def test_endpoints_are_read(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected


@pytest.mark.parametrize("text", ["", "@host", "host:", "ho st", "host:99999"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoint(text)


def test_known_as_is_ssh_s_name() -> None:
    assert Resolved("Host.Example").known_as == "host.example"
    assert Resolved("10.0.0.1", 2222).known_as == "[10.0.0.1]:2222"
    assert Resolved("10.0.0.1", 2222, host_key_alias="Worker-0").known_as == "worker-0"


def test_patterns() -> None:
    assert name_matches(["a*", "!ab"], "ac")
    assert not name_matches(["a*", "!ab"], "ab")
    assert not name_matches(["a.c"], "abc")


@pytest.mark.skipif(which("ssh") is None, reason="there is no ssh to compare with")
@pytest.mark.parametrize("host", ["worker-0", "worker-1", "bastion", "other"])
def test_ssh_reads_the_same(tmp_path: Path, host: str) -> None:
    text = f"""
Include {tmp_path}/more
Host worker-0 bastion
  HostName %h.example.org
  Port 2222
Host worker-*
  User ubuntu
  ProxyJump root@bastion:22
  HostKeyAlias known
Host *
  User nobody
  IdentityFile ~/one
  IdentityFile ~/two
"""
    (tmp_path / "more").write_text("Host worker-1\n User included\n UserKnownHostsFile /a /b\n")
    found = _resolve(tmp_path, text, host)
    said = subprocess.run(
        ["ssh", "-G", "-F", str(tmp_path / "config"), host], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(" ", 1) for line in said.splitlines() if " " in line]
    options = dict(lines)
    assert (found.host, found.port, found.user) == (options["hostname"], int(options["port"]), options["user"])
    identities = [v for k, v in lines if k == "identityfile"]
    assert [f.name for f in found.identity_files] == [Path(v).name for v in identities]
    jump = options.get("proxyjump", "none")
    assert [j.user for j in found.jumps] == ([] if jump == "none" else [jump.partition("@")[0]])
    if found.host_key_alias:
        assert found.host_key_alias == options["hostkeyalias"]
    if found.known_hosts_files:
        assert [str(f) for f in found.known_hosts_files] == options["userknownhostsfile"].split()
