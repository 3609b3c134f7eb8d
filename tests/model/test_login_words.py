"""Logins that run no commands, or in a shell of their own kind, behind a real OpenSSH."""

import os
import time
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.facts import Privilege
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.errors import CommandNotRun, NotSsh
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.sudo import detect_privilege
from tests.model.ssh_hosts import SSHD, Bench, healthy, me, openssh

pytestmark = pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")


def opened(bench: Bench, port: int, silence: float = 30.0) -> SshSession:
    session = bench.session(port, bench.access(user=me(), silence=silence))
    session.open()
    return session


def refusal(session: SshSession) -> CommandNotRun:
    """What is said of the login, by the first command that is run there."""
    with pytest.raises(CommandNotRun) as caught:
        detect_privilege(session, session.access.sudo)
    assert session.privilege is Privilege.NONE
    return caught.value


CLOUD = 'Please login as the user \\"ubuntu\\" rather than the user \\"root\\".'


def test_the_forced_command_of_cloud_images_names_the_right_user(bench: Bench) -> None:
    """As cloud-init writes it, with a shorter sleep."""
    public = bench.key.with_suffix(".ed25519.pub").read_text()
    keys = bench.folder / "authorized_keys"
    keys.write_text(f"command=\"echo '{CLOUD}';echo;sleep 1;exit 142\" {public}")
    with openssh(bench, AuthorizedKeysFile=str(keys)) as port:
        error = refusal(opened(bench, port))
    assert error.sentence == (
        f"worker-0: no command is run there as {me()}: the login ended with status 142 before it, and said: "
        '“Please login as the user "ubuntu" rather than the user "root".”.'
    )
    assert error.hint == "Log in as that user: --user ubuntu."


def test_what_it_says_counts_also_where_it_does_not_end_in_time(bench: Bench) -> None:
    begun = time.monotonic()
    with openssh(bench, ForceCommand="echo 'Please login as the user \"core\".'; sleep 100") as port:
        error = refusal(opened(bench, port, silence=1))
    assert "did not come to it within 3 s, and said: “Please login" in error.sentence
    assert error.hint == "Log in as that user: --user core."
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("force", "words", "hint"),
    [
        ("internal-sftp", "This service allows sftp connections only.", "is for SFTP only"),
        ("/usr/sbin/nologin", "This account is", "is nologin"),
        ('rbash -c "$SSH_ORIGINAL_COMMAND"', "exec: restricted", "is a restricted one"),
        ('git-shell -c "$SSH_ORIGINAL_COMMAND"', "unrecognized command", "is git's"),
        ("true", "without a word", "Is there a command= in"),
        ("echo go away >&2; kill -9 $$", "go away", "Is there a command= in"),
    ],
)
def test_a_login_for_something_else_says_so_itself(bench: Bench, force: str, words: str, hint: str) -> None:
    program = force.split()[0]
    if program not in ("internal-sftp", "echo", "true") and which(program) is None:
        pytest.skip(f"there is no {program} on this machine")
    with openssh(bench, ForceCommand=force) as port:
        error = refusal(opened(bench, port))
    assert words in error.sentence
    assert hint in error.hint


@pytest.mark.parametrize(
    ("bashrc", "words"),
    [
        ("echo no shell for you; exit", "the login ended with status 0 before it, and said: “no shell for you”."),
        ("exit 3", "the login ended with status 3 before it, without a word."),
        ("exec true", "the login ended with status 0 before it, without a word."),
        ("exec no-such-shell", "no-such-shell: not found”."),
        ("exec >/dev/null", "the login of "),
        ("exec 2>/dev/null", "the login of "),
        ("exec 2>&1", "the login of "),
    ],
)
def test_a_bashrc_that_ends_replaces_or_redirects_the_shell_is_told(bench: Bench, bashrc: str, words: str) -> None:
    shell = Path(os.environ.get("SHELL", "/bin/bash"))
    if shell.name != "bash":
        pytest.skip("bash is not the shell here")
    (bench.folder / ".bashrc").write_text(f"{bashrc}\n")
    with openssh(bench) as port:
        error = refusal(opened(bench, port))
    assert words in error.sentence
    assert "bashrc" in error.hint


WORDS = ("a b", "it's", "back\\", "\\'", "hey!you", '"$HOME`id`*~{a,b}^', "é", "")


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "tcsh", "fish"])
def test_commands_are_the_same_in_every_login_shell(bench: Bench, shell: str) -> None:
    program = which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} on this machine")
    with openssh(bench, ForceCommand=f'{program} -c "$SSH_ORIGINAL_COMMAND"') as port:
        session = opened(bench, port)
        assert session.run(Command(("printf", "%s|", *WORDS))).out == "".join(f"{word}|" for word in WORDS)
        assert session.run(Command(("sh", "-c", "exit 7"))).status == 7


@pytest.mark.parametrize(
    ("option", "offer", "kind"),
    [
        ("Ciphers", "chacha20-poly1305@openssh.com", "cipher"),
        ("KexAlgorithms", "sntrup761x25519-sha512@openssh.com", "key exchange"),
        ("MACs", "umac-64@openssh.com", "MAC"),
    ],
)
def test_which_algorithms_do_not_match_is_said(bench: Bench, option: str, offer: str, kind: str) -> None:
    extra = {} if option != "MACs" else {"Ciphers": "aes256-ctr"}
    with openssh(bench, **{option: offer}, **extra) as port, pytest.raises(NotSsh) as caught:
        opened(bench, port)
    words = (
        f"and this program have no {kind} in common: the server offers only {offer.replace(',', ', ')}; this program"
    )
    assert words in caught.value.sentence
    assert "very old" not in caught.value.sentence + caught.value.hint
    assert f"({option})" in caught.value.hint


def test_a_host_key_algorithm_that_does_not_match_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    server = bench.server(manners=healthy(users=frozenset({me()})))
    monkeypatch.setattr("kthw_routes.ssh.login.HostKeyCheck.prefer_known_type", _only_rsa)
    with pytest.raises(NotSsh, match=r"no host key algorithm in common: .* only .*; this program offers rsa"):
        opened(bench, server.port)


def _only_rsa(_check: object, transport: object) -> None:
    transport.get_security_options().key_types = ["rsa-sha2-512"]  # type: ignore[attr-defined] # paramiko's
