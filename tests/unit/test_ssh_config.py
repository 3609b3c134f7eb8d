"""Our reading of an OpenSSH client configuration."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kthw_routes.cluster import Endpoint
from kthw_routes.errors import UsageError
from kthw_routes.ssh.config import Resolved, SshConfig, parse_jump
from kthw_routes.ssh.config_lines import name_matches
from kthw_routes.ssh.config_options import NO_AGENT


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


def files_of(folder: Path, count: int, text: str) -> None:
    for number in range(count):
        (folder / f"f{number}").write_text(text.format(next=folder / f"f{number + 1}", folder=folder))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Include {0}/config\nInclude {0}/config\n", r"config line 1: too many recursive includes \(.*/config\)"),
        ("Include {0}/conf*\nInclude {0}/*\n", "too many recursive includes"),
        ("Include {0}/two/f0\n", "includes more than 1000 files or 4096 KiB"),
        ("Include {0}/deep/f0\n", "too many recursive includes"),
        ("Include {0}/pipe\n", r"pipe \(included by .*/config line 1\) cannot be read: it is a named pipe"),
        ("Include {0}/huge\n", "cannot be read: it is larger than 1024 KiB"),
        ("Host other\n Include {0}/huge\n", "config line 2.* cannot be read: it is larger than 1024 KiB"),
        ("Include {0}/circle\n", "cannot be read: Too many levels of symbolic links"),
        ("Include /proc/self/mem\n", "cannot be read: Input/output error"),
        ("Include /dev/zero\n", "cannot be read: it is a device, not a file"),
        ("Include {0}/big/*\n", "includes more than 1000 files or 4096 KiB"),
        ("Include {0}/wide/*/*\n", "config line 1: a pattern over more than 50 files"),
    ],
)  # fmt: skip
def test_what_is_included_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str) -> None:
    monkeypatch.setattr("kthw_routes.ssh.config_lines.MAX_ENTRIES", 50)
    for name in ("two", "deep", "big", "wide"):
        (tmp_path / name).mkdir()
    files_of(tmp_path / "two", 15, "Include {next}\nInclude {next}\n")
    (tmp_path / "two" / "f15").write_text("User me\n")
    files_of(tmp_path / "deep", 30, "Include {next}\n")
    files_of(tmp_path / "big", 5, "# " + "x" * 1_000_000 + "\n")
    for number in range(60):
        (tmp_path / "wide" / f"d{number}").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 200_000_000)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    begun = time.monotonic()
    with pytest.raises(UsageError, match=says):
        _resolve(tmp_path, text.format(tmp_path))
    assert time.monotonic() - begun < 20


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_include_is_refused(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("")
    (tmp_path / "more").chmod(0)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        _resolve(tmp_path, f"Include {tmp_path}/more\n")


def test_what_is_no_file_to_include_is_passed_over_as_by_ssh(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    text = f"Include / {tmp_path} **foo {tmp_path}/gone {tmp_path}/none/* /dev/null\nUser me\n"
    assert _resolve(tmp_path, text).user == "me"


@pytest.mark.parametrize("name", ["none", "NONE", "/dev/null", "/dev/../dev/null", "link"])
def test_no_configuration_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("/dev/null")
    assert SshConfig(Path(name)).resolve(Endpoint("a")) == Resolved("a")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: os.mkfifo(file), "it is a named pipe"),
        (lambda file: file.symlink_to("/dev/zero"), "it is a device"),
        (lambda file: file.symlink_to("/proc/self/mem"), "Input/output error"),
        (lambda file: file.write_bytes(b"#" * 2_000_000), "it is larger than 1024 KiB"),
        (lambda file: file.symlink_to(file), "Too many levels of symbolic links"),
    ],
)
def test_a_configuration_that_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    make(tmp_path / "c")
    with pytest.raises(UsageError, match=f"The SSH configuration .*c cannot be read: {says}"):
        SshConfig(tmp_path / "c")


@pytest.mark.parametrize("value", ["a\x1b]0;owned\x07", "a\x9b31m", "a\u202eb", "a\x00b", "\x1b[2J", "a\u2028b"])
@pytest.mark.parametrize(
    "keyword", ["User", "HostName", "HostKeyAlias", "IdentityFile", "ProxyJump", "Include", "Host"]
)
def test_control_characters_are_refused_with_file_and_line(tmp_path: Path, keyword: str, value: str) -> None:
    with pytest.raises(UsageError, match=r"config line 2: control characters after") as caught:
        _resolve(tmp_path, f"# one\n{keyword} {value}\n")
    assert caught.value.sentence.isprintable()


def test_what_is_not_utf_8_names_files_only(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(b"# caf\xe9\nHost worker-0\n IdentityFile /caf\xe9\n")
    assert SshConfig(file).resolve(Endpoint("worker-0")).identity_files == (Path(os.fsdecode(b"/caf\xe9")),)
    for keyword in (b"User", b"HostName", b"HostKeyAlias", b"ProxyJump"):
        file.write_bytes(keyword + b" caf\xe9\n")
        with pytest.raises(UsageError, match=r"config line 1: \w+ is not UTF-8"):
            SshConfig(file).resolve(Endpoint("worker-0"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ProxyCommand nc %h %p\n", ["ProxyCommand (1)"]),
        ("ProxyCommand none\nAddressFamily any\nCertificateFile none\n", []),
        ("Host worker-0\n ProxyJump bastion\n ProxyCommand nc\n", []),
        ("Host other\n ProxyCommand nc\n", []),
        ("BindAddress 192.0.2.1\n", ["BindAddress (1)"]),
        ("AddressFamily inet6\nBindInterface eth0\n", ["AddressFamily (1)", "BindInterface (2)"]),
        ("CanonicalizeHostname yes\n", ["CanonicalizeHostname (1)"]),
        ("CertificateFile ~/c\nPKCS11Provider /p\n", ["CertificateFile (1)", "PKCS11Provider (2)"]),
        (
            'Match exec "true"\n HostName x\n Compression yes\n User y\n',
            ["HostName (2, under Match exec)", "User (4, under Match exec)"],
        ),
        ('User one\nMatch exec "true"\n User two\n', []),
        ('Match host other exec "true"\n User two\n', []),
        ('Match exec "true" host other\n User two\n', []),
        ('Match !exec "true"\n Host worker-0\n  Port 7\n', []),
        ("Match localnetwork 10.0.0.0/8\n IdentityFile ~/k\n", ["IdentityFile (2, under Match localnetwork)"]),
        ("IdentityFile ~/%C\n", ["IdentityFile (1, %C is not expanded)"]),
        ("IdentityFile ${NOT_SET}/k\n", ["IdentityFile (1, ${NOT_SET} is not set)"]),
        ("IdentityFile ~nobody-of-that-name/k\n", ["IdentityFile (1, no such user)"]),
        ("IdentityAgent $NOT_SET\n", ["IdentityAgent (1, $NOT_SET is not set)"]),
        ("HostName %z\n", ["HostName (1, %z is not expanded)"]),
        ("Include %d/x\n", ["Include (1, its tokens are not expanded)"]),
    ],
)  # fmt: skip
def test_what_decides_and_is_not_followed_is_named(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = _resolve(tmp_path, text)
    assert [name.replace(f"{tmp_path}/config line ", "") for name in found.not_followed] == expected


def test_an_included_block_under_a_match_exec_is_named(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host worker-*\n User me\n")
    found = _resolve(tmp_path, f'Match exec "true"\n Include {tmp_path}/more\n')
    assert found.user == "root"
    assert found.not_followed == (f"User ({tmp_path}/more line 2, under Match exec)",)


def test_the_agent_is_the_configuration_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "/run/other")
    for value, expected in {
        "SSH_AUTH_SOCK": None,
        "none": NO_AGENT,
        "$OTHER": Path("/run/other"),
        "${OTHER}/s": Path("/run/other/s"),
        "~/a-%u": tmp_path / "a-learner",
    }.items():
        assert _resolve(tmp_path, f"IdentityAgent {value}\n").identity_agent == expected


def test_the_machine_s_own_configuration_comes_second(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "more").write_text("Port 7\n")
    (tmp_path / "etc" / "ssh_config").write_text("Include more\nUser system\n")
    (tmp_path / "config").write_text("Host worker-0\n User mine\n")
    config = SshConfig(tmp_path / "config", system=tmp_path / "etc" / "ssh_config")
    assert config.resolve(Endpoint("worker-0")) == Resolved("worker-0", 7, "mine")
    assert config.resolve(Endpoint("worker-1")) == Resolved("worker-1", 7, "system")


def test_patterns_are_matched_in_no_time(tmp_path: Path) -> None:
    stars = "*a" * 200 + "b"
    begun = time.monotonic()
    assert not name_matches([stars, "!" + stars], "a" * 5000)
    assert time.monotonic() - begun < 10


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


@pytest.mark.parametrize("port", ["0", "65536", "nonsense", "-1", "²"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(UsageError, match="is not a port"):
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
    assert parse_jump(text) == expected


@pytest.mark.parametrize("text", ["", "@host", "host:", "ho st", "host:99999"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_jump(text)


def test_known_as_is_ssh_s_name() -> None:
    assert Resolved("Host.Example").known_as == "host.example"
    assert Resolved("10.0.0.1", 2222).known_as == "[10.0.0.1]:2222"
    assert Resolved("10.0.0.1", 2222, host_key_alias="Worker-0").known_as == "worker-0"


def test_patterns() -> None:
    assert name_matches(["a*", "!ab"], "ac")
    assert not name_matches(["a*", "!ab"], "ab")
    assert not name_matches(["a.c"], "abc")
