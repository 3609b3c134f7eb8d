"""Where the token and the API's address come from, and that a secret stays one."""

import copy
import json
import pickle
from dataclasses import asdict
from pathlib import Path

import certifi
import pytest

from kthw_routes.errors import ExitCode, UsageError
from kthw_routes.secret import Secret
from kthw_routes.sources.linode.token import (
    ALLOW_HTTP,
    NoToken,
    Token,
    api_url,
    ca_file,
    find_token,
    linode_cli_file,
    token_of,
)
from tests.unit.odd_files import ODD_FILES, odd_file

VARIABLES = ["LINODE_TOKEN", "LINODE_CLI_TOKEN", "LINODE_API_TOKEN"]


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), **more}


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


CONFIG = """\
[DEFAULT]
default-user = learner

[someone]
token = not-this-one

[learner]
token = from-the-file
region = ca-central
authorized_users = 100%sure

[custom_aliases]
"""


# The token


def test_the_order_of_the_places(tmp_path: Path) -> None:
    file = write(tmp_path / ".config" / "linode-cli", CONFIG)
    everywhere = environ(tmp_path, **{v: f"from-{v}" for v in VARIABLES})
    for variable in VARIABLES:
        found = find_token(everywhere)
        assert (found.value.reveal(), found.origin) == (f"from-{variable}", variable)
        everywhere[variable] = "  "
    found = find_token(everywhere)
    assert (found.value.reveal(), found.origin) == ("from-the-file", str(file))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[DEFAULT]\ndefault-user = gone\n[a]\ntoken = x\n", "has no token for its default user gone."),
        ("[a]\ntoken = x\n[b]\ntoken = y\n", "has 2 users, and none is the default one."),
    ],
)
def test_a_user_is_chosen_as_linode_cli_chooses_one(tmp_path: Path, text: str, sentence: str) -> None:
    file = write(tmp_path / "cli", text)
    with pytest.raises(NoToken) as caught:
        find_token(environ(tmp_path, LINODE_CLI_CONFIG=str(file)))
    assert caught.value.sentence == f"{file} {sentence}"
    assert "`linode-cli set-user NAME`" in caught.value.hint


LINODEGO = "[default]\ntoken = of-default\n[Work]\nlinode_api_token = of-work\n[home]\napi_version = v4\n"


@pytest.mark.parametrize(
    ("profile", "token"), [(None, "of-default"), ("work", "of-work"), ("HOME", "of-default"), ("gone", None)]
)
def test_the_profile_of_linodego_and_terraform(tmp_path: Path, profile: str | None, token: str | None) -> None:
    file = write(tmp_path / ".config" / "linode", LINODEGO)
    here = environ(tmp_path, **({"LINODE_PROFILE": profile} if profile else {}))
    if token is None:
        with pytest.raises(NoToken, match=f"LINODE_PROFILE names gone, which {file} does not have"):
            find_token(here)
        return
    found = find_token(here)
    assert (found.value.reveal(), found.origin) == (token, str(file))
    write(tmp_path / ".config" / "linode-cli", CONFIG)
    assert find_token(here).value.reveal() == "from-the-file", "linode-cli's own comes first"
    named = write(tmp_path / "named", "[default]\ntoken = named\n")
    assert find_token(
        {**here, "LINODE_CLI_CONFIG": "/none", "LINODE_CONFIG": str(named), "LINODE_PROFILE": ""}
    ).origin == str(named)


def test_none_anywhere(tmp_path: Path) -> None:
    with pytest.raises(NoToken) as caught:
        find_token(environ(tmp_path))
    assert isinstance(caught.value, UsageError)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.sentence == "There is no Linode API token."
    for part in ("linodes:read_only", "https://cloud.linode.com/profile/tokens", "LINODE_TOKEN"):
        assert part in caught.value.hint


def test_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINODE_TOKEN", " abc\n")
    monkeypatch.setenv("LINODE_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("LINODE_CA", raising=False)
    assert find_token().value == Secret("abc")
    assert (api_url(), ca_file()) == ("http://127.0.0.1:1/v4", None)


@pytest.mark.parametrize("text", ["two words", "tök", "a\x1bb", "a\nb"])
def test_what_cannot_be_a_token_is_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_token(environ(tmp_path, LINODE_TOKEN=text))
    assert "LINODE_TOKEN" in caught.value.sentence
    assert text not in caught.value.sentence + caught.value.hint
    with pytest.raises(UsageError):
        token_of(text, "the field")


# linode-cli's file


def test_where_linode_cli_keeps_it(tmp_path: Path) -> None:
    xdg = tmp_path / "xdg"
    assert linode_cli_file(environ(tmp_path)) == tmp_path / ".config" / "linode-cli"
    assert linode_cli_file(environ(tmp_path, XDG_CONFIG_HOME=str(xdg))) == xdg / "linode-cli"
    legacy = write(tmp_path / ".linode-cli", CONFIG)
    assert linode_cli_file(environ(tmp_path, XDG_CONFIG_HOME=str(xdg))) == legacy
    assert linode_cli_file(environ(tmp_path, LINODE_CLI_CONFIG="/etc/x")) == Path("/etc/x")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (CONFIG, "from-the-file"),
        ("[DEFAULT]\ntoken = very-old\n", "very-old"),
        ("[DEFAULT]\ntoken = very-old\ndefault-user = gone\n", None),
        ("[DEFAULT]\ntoken = of-all\ndefault-user = a\n[a]\nregion = x\n", "of-all"),
        ("[DEFAULT]\ndefault-user = a\n[a]\ntoken = 50%(token)s\n", "50%(token)s"),
        ("[DEFAULT]\ndefault-user = a\n[a]\nregion = x\n", None),
        ("[DEFAULT]\ndefault-user = a\n[a]\ntoken =\n", None),
        ("[a]\ntoken = x\n", "x"),
        ("[a]\ntoken = x\n[b]\nregion = y\n", "x"),
        ("[a]\ntoken = x\n[b]\ntoken = y\n", None),
        ("[DEFAULT]\ntoken = x\ntoken = last\n", "last"),
        ("", None),
    ],
)
def test_what_the_file_says(tmp_path: Path, text: str, token: str | None) -> None:
    file = write(tmp_path / "cli", text)
    here = environ(tmp_path, LINODE_CLI_CONFIG=str(file))
    if token is None:
        with pytest.raises(NoToken):
            find_token(here)
    else:
        assert find_token(here) == Token(Secret(token), str(file))


@pytest.mark.parametrize("content", [b"token secret-in-here\n", b"[a\nsecret-in-here", b"\xff\xfesecret-in-here"])
def test_a_file_that_is_none_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cli"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        find_token(environ(tmp_path, LINODE_CLI_CONFIG=str(file)))
    assert caught.value.sentence == f"{file} is not a configuration file of linode-cli."
    assert caught.value.__suppress_context__


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "cli", CONFIG)

    def refuse(*_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("kthw_routes.sources.linode.token.read_file", refuse)
    with pytest.raises(UsageError, match=r"cli cannot be read: Permission denied\."):
        find_token(environ(tmp_path, LINODE_CLI_CONFIG=str(file)))


# The address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "https://api.linode.com/v4"),
        ("https://api.linode.com", "https://api.linode.com/v4"),
        ("https://api.linode.com/", "https://api.linode.com/v4"),
        ("https://api.linode.com/v4/", "https://api.linode.com/v4"),
        ("https://api.linode.com/v4beta", "https://api.linode.com/v4beta"),
        ("api.linode.com", "https://api.linode.com/v4"),
        ("localhost:8080", "https://localhost:8080/v4"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010/v4"),
        ("https://proxy/linode", "https://proxy/linode/v4"),
        ("https://proxy/linode/v5", "https://proxy/linode/v5"),
        ("https://proxy/v4wheels", "https://proxy/v4wheels/v4"),
    ],
)
def test_the_apis_address(text: str, url: str) -> None:
    assert api_url({"LINODE_URL": text}) == url


@pytest.mark.parametrize(
    "text",
    [
        "ftp://api.linode.com",
        "https://",
        "https://user:password@api.linode.com",
        "https://api.linode.com/v4?x",
        "https://api.linode.com/#x",
        "https://api.linode.com:port",
        "https://api.linode.com:0",
        "https://[",
        "https://[::1]api.linode.com",
        "https://api.linode.com[::1]",
        "https://api.linode.com\\.example",
        "https://a b",
        "https://a\x1bb",
    ],
)
def test_no_address(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        api_url({"LINODE_URL": text})
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4010/v4",
        "http://127.255.0.9/v4",
        "http://[::1]:80/v4",
        "http://[0:0:0:0:0:0:0:1]/v4",
        "http://localhost/v4",
        "HTTP://LocalHost:80/v4",
    ],
)
def test_unencrypted_to_this_machine(url: str) -> None:
    assert api_url({"LINODE_URL": url}) == url.replace("HTTP:", "http:")


@pytest.mark.parametrize(
    "host",
    [
        "api.linode.com",
        "192.0.2.1:8080",
        "127.0.0.1.nip.io",
        "localhost.example.com",
        "evil.localhost",
        "localhost.",
        "ｌocalhost",
        "127.1",
        "127.0.0.01",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",
        "128.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[::]",
        "[::2]:80",
    ],
)
def test_unencrypted_to_another_machine_only_where_that_is_allowed(host: str) -> None:
    for more in ({}, {ALLOW_HTTP: ""}, {ALLOW_HTTP: "0"}, {ALLOW_HTTP: "no"}):
        with pytest.raises(UsageError) as caught:
            api_url({"LINODE_URL": f"http://{host}"} | more)
        assert caught.value.exit_code is ExitCode.USAGE
        assert f"way to {host} could read the token" in caught.value.sentence
        assert f"{ALLOW_HTTP}=1" in caught.value.hint
    assert api_url({"LINODE_URL": f"http://{host}", ALLOW_HTTP: " 1 "}) == f"http://{host}/v4"


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1@evil.example", "http://localhost:80@evil.example", "http://127.0.0.1\\@evil.example"]
)
def test_a_user_name_that_looks_like_this_machine(text: str) -> None:
    with pytest.raises(UsageError):
        api_url({"LINODE_URL": text})


# Certificates


def test_certificates(tmp_path: Path) -> None:
    assert ca_file({}) is None
    file = tmp_path / "ca.pem"
    file.write_bytes(Path(certifi.where()).read_bytes())
    assert ca_file({"LINODE_CA": str(file)}) == file


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_certificates(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"ca\.pem, which holds no usable certificates\."):
        ca_file({"LINODE_CA": str(write(tmp_path / "ca.pem", text))})


@pytest.mark.parametrize("odd", ODD_FILES)
def test_what_is_no_file_is_refused_at_once(odd: str, tmp_path: Path) -> None:
    with odd_file(odd, tmp_path) as path:
        with pytest.raises(UsageError, match="which cannot be read: ") as caught:
            ca_file({"LINODE_CA": str(path)})
        assert caught.value.hint
        with pytest.raises(NoToken if odd in ("nothing", "a folder") else UsageError) as caught:
            find_token(environ(tmp_path, LINODE_CLI_CONFIG=str(path)))
        assert ("odd cannot be read: " in caught.value.sentence) is (odd not in ("nothing", "a folder"))


# The secret


def test_a_secret_is_shown_nowhere() -> None:
    secret = Secret("hunter2")
    token = Token(secret, "LINODE_TOKEN")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr(token), str(asdict(token))]  # noqa: UP031
    assert not any("hunter2" in s for s in shown)
    assert secret.reveal() == "hunter2"


def test_a_secret_is_written_nowhere() -> None:
    with pytest.raises(TypeError, match="written"):
        pickle.dumps(Secret("x"))
    with pytest.raises(TypeError):
        json.dumps(Secret("x"))
    with pytest.raises(TypeError):
        vars(Secret("x"))


def test_secrets_compare_and_copy() -> None:
    assert Secret("ä") == Secret("ä") == copy.deepcopy(Secret("ä")) == copy.copy(Secret("ä"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert not Secret("")
    assert Secret("a")
