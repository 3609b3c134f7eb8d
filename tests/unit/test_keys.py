"""Which private keys are offered, and what is said of those that cannot be used."""

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.ssh.errors import KeyUnusable, PassphraseNeeded
from kthw_routes.ssh.key_files import is_encrypted
from kthw_routes.ssh.keys import MAX_KEYS, Keys
from kthw_routes.ssh.session import NewHostKey

pytestmark = pytest.mark.skipif(which("ssh-keygen") is None, reason="there is no ssh-keygen to make keys with")


class Answers:
    """An Asker with one passphrase."""

    def __init__(self, passphrase: str | None) -> None:
        self._passphrase = passphrase
        self.asked: list[str] = []

    def passphrase(self, key_file: str) -> str | None:
        self.asked.append(key_file)
        return self._passphrase

    def sudo_password(self, user: str, node: str) -> str | None:
        raise AssertionError

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        raise AssertionError


def make(file: Path, passphrase: str = "", *, kind: str = "ed25519", pem: bool = False) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    options = ["-m", "PEM"] if pem else []
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-a", "1", "-N", passphrase, *options, "-f", file], check=True, timeout=60
    )
    return file


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An agent of our own; its socket."""
    if which("ssh-agent") is None:
        pytest.skip("there is no ssh-agent")
    sock = tmp_path_factory.mktemp("a") / "s"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # it prints its settings once it listens
    monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
    yield sock
    process.terminate()
    process.wait()
    process.stdout.close()


def names(keys: Keys, files: Sequence[Path] | None = None, *, identities_only: bool = False) -> list[str]:
    return [key.name for key in keys.offered("worker-0", files, identities_only=identities_only)]


def test_the_key_that_the_person_named_is_the_only_one(tmp_path: Path) -> None:
    make(tmp_path / ".ssh" / "id_ed25519")
    keys = Keys(make(tmp_path / "mine"), home=tmp_path, folder=tmp_path)
    assert names(keys, [make(tmp_path / "configured")]) == ["mine"]


def test_kubernetes_ed25519_in_the_current_folder_is_taken(tmp_path: Path) -> None:
    make(tmp_path / "kubernetes.ed25519")
    make(tmp_path / ".ssh" / "id_ed25519")
    assert names(Keys(home=tmp_path, folder=tmp_path)) == ["kubernetes.ed25519"]


def test_else_the_configuration_s_keys_or_ssh_s_own(tmp_path: Path) -> None:
    make(tmp_path / ".ssh" / "id_ed25519")
    make(tmp_path / ".ssh" / "id_ecdsa", kind="ecdsa")
    configured = make(tmp_path / "configured")
    keys = Keys(home=tmp_path, folder=tmp_path)
    assert names(keys, None) == ["id_ed25519", "id_ecdsa"]
    assert names(keys, None, identities_only=True) == ["id_ed25519", "id_ecdsa"]
    assert names(keys, [configured, tmp_path / "missing"]) == ["configured"], "as ssh: its own only where none is named"
    assert names(keys, [configured], identities_only=True) == ["configured"]
    assert names(keys, []) == [], "IdentityFile none"
    assert names(Keys(home=tmp_path, folder=tmp_path, only_identity=True), [configured]) == []


@pytest.mark.parametrize(
    ("kind", "pem"), [("ed25519", False), ("ecdsa", False), ("ecdsa", True), ("rsa", False), ("rsa", True)]
)
@pytest.mark.parametrize("passphrase", ["", "right"])
def test_every_usual_format_is_read(tmp_path: Path, kind: str, pem: bool, passphrase: str) -> None:
    file = make(tmp_path / "key", passphrase, kind=kind, pem=pem)
    assert is_encrypted(file) == bool(passphrase)
    (key,) = Keys(file, asker=Answers("right")).offered("worker-0")
    assert f" {key.pkey.get_base64()} " in (tmp_path / "key.pub").read_text()
    assert key.pkey.can_sign()


def test_the_passphrase_is_asked_once_for_all_hosts(tmp_path: Path) -> None:
    answers = Answers("right")
    keys = Keys(make(tmp_path / "key", "right"), asker=answers)
    with ThreadPoolExecutor(16) as pool:
        offered = list(pool.map(lambda n: list(keys.offered(f"worker-{n}")), range(16)))
    assert len(answers.asked) == 1
    assert len({id(key.pkey) for (key,) in offered}) == 1


@pytest.mark.parametrize(
    ("passphrase", "says"), [("xyzzy", "that is not the passphrase"), (None, "there is no passphrase for it")]
)
@pytest.mark.parametrize(("kind", "pem"), [("ed25519", False), ("rsa", True)])
def test_a_wrong_or_missing_passphrase_is_one_clear_error(
    tmp_path: Path, passphrase: str | None, says: str, kind: str, pem: bool
) -> None:
    answers = Answers(passphrase)
    keys = Keys(make(tmp_path / "key", "right", kind=kind, pem=pem), asker=answers)
    for node in ("worker-0", "worker-1"):
        with pytest.raises(PassphraseNeeded, match=f"{node}: .*{says}") as caught:
            list(keys.offered(node))
        assert "xyzzy" not in f"{caught.value!r}{caught.value.sentence}{caught.value.hint}{vars(caught.value)}"
    assert len(answers.asked) == 1


def test_encrypted_keys_that_nobody_named_are_asked_for_last(tmp_path: Path) -> None:
    make(tmp_path / ".ssh" / "id_ed25519", "right")
    make(tmp_path / ".ssh" / "id_rsa", kind="rsa")
    answers = Answers("right")
    offered = Keys(home=tmp_path, folder=tmp_path, asker=answers).offered("worker-0")
    assert next(offered).name == "id_rsa"
    assert answers.asked == []
    assert next(offered).name == "id_ed25519"


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = make(tmp_path / "key")
    file.chmod(0o640)
    with pytest.raises(KeyUnusable, match=r"can be read by others \(mode 0640\)") as caught:
        list(Keys(file).offered("worker-0"))
    assert caught.value.hint == f"Run: chmod 600 {file}"


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN OPENSSH PRIVATE KEY-----\n!!\n", b"\0" * 99])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(KeyUnusable, match="not a private key that can be used here"):
        list(Keys(file).offered("worker-0"))


def test_the_key_of_one_host_alone_is_the_only_one_there(tmp_path: Path) -> None:
    """Whatever is named for all, or lies in the current folder."""
    of_all, own = make(tmp_path / "kubernetes.ed25519"), make(tmp_path / "worker-0")
    for keys in (Keys(of_all), Keys(home=tmp_path, folder=tmp_path)):
        assert [key.name for key in keys.offered("worker-0", identity=own)] == ["worker-0"]
        assert [key.name for key in keys.offered("worker-1")] == ["kubernetes.ed25519"]


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="cannot be read: No such file"):
        list(Keys(tmp_path / "missing").offered("worker-0"))


def test_a_bad_key_that_nobody_named_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path / ".ssh" / "id_ed25519").chmod(0o644)
    make(tmp_path / ".ssh" / "id_ecdsa", kind="ecdsa")
    assert names(Keys(home=tmp_path, folder=tmp_path)) == ["id_ecdsa"]


def test_an_agent_s_keys_are_offered_and_not_too_many(tmp_path: Path, agent: Path) -> None:
    for number in range(MAX_KEYS + 2):
        subprocess.run(["ssh-add", "-q", make(tmp_path / f"key-{number}")], check=True, capture_output=True)
    keys = Keys(home=tmp_path, folder=tmp_path)
    offered = list(keys.offered("worker-0"))
    assert len(offered) == MAX_KEYS
    assert all(key.name.startswith("agent: ") for key in offered)
    first = names(keys, [tmp_path / "key-6"])
    assert first[0] == "key-6"


def test_a_key_that_the_agent_holds_is_not_asked_for(tmp_path: Path, agent: Path) -> None:
    file = make(tmp_path / "key")
    subprocess.run(["ssh-add", "-q", file], check=True, capture_output=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", file], check=True, capture_output=True)
    answers = Answers(None)
    keys = Keys(file, asker=answers)
    assert names(keys) == ["key"]
    assert answers.asked == []


def test_one_agent_signs_for_many_threads(tmp_path: Path, agent: Path) -> None:
    subprocess.run(["ssh-add", "-q", make(tmp_path / "key")], check=True, capture_output=True)
    keys = Keys(home=tmp_path, folder=tmp_path)
    (key,) = keys.offered("worker-0")
    together = threading.Barrier(16)

    def sign(number: int) -> bytes:
        together.wait()
        signed = key.pkey.sign_ssh_data(b"%d" % number)
        return bytes(signed) if isinstance(signed, bytes) else signed.asbytes()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(sign, range(16)))) == 16


def test_an_agent_that_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert names(Keys(home=tmp_path, folder=tmp_path)) == []


def test_another_look_asks_again_for_a_mistyped_passphrase(tmp_path: Path) -> None:
    """What was wrong is forgotten; what was right is kept."""
    answers = Answers("xyzzy")
    keys = Keys(make(tmp_path / "key", "right"), asker=answers)
    with pytest.raises(PassphraseNeeded):
        names(keys)
    answers._passphrase = "right"
    with pytest.raises(PassphraseNeeded):
        names(keys)
    keys.forget_refusals()
    assert len(names(keys)) == 1
    keys.forget_refusals()
    assert len(names(keys)) == 1
    assert len(answers.asked) == 2
