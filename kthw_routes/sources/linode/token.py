"""Where the Linode token and the API's address come from: the environment, else the files of Linode's own tools.

These are linode-cli's, then that of linodego and Terraform. In the former the default user counts, whom
`linode-cli set-user` chooses; in the latter the profile of LINODE_PROFILE, else `default`.
"""

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kthw_routes.errors import UsageError
from kthw_routes.local_files import read_file
from kthw_routes.sanitize import clean_line
from kthw_routes.secret import Secret

DEFAULT_URL: Final = "https://api.linode.com/v4"

TOKEN_VARIABLES: Final = ("LINODE_TOKEN", "LINODE_CLI_TOKEN", "LINODE_API_TOKEN")
"""Read in this order: linodego and Terraform, linode-cli, Ansible."""

WHERE_TO_MAKE_ONE: Final = (
    "Make one with the scope linodes:read_only in the Cloud Manager (your profile, API Tokens: "
    "https://cloud.linode.com/profile/tokens) and put it into LINODE_TOKEN."
)

ALLOW_HTTP: Final = "LINODE_ALLOW_HTTP"
"""The variable that lets the token travel unencrypted, where it is 1."""
MAX_CONFIGURATION: Final = 1024 * 1024
"""Bytes of linode-cli's file."""
MAX_CERTIFICATES: Final = 4 * 1024 * 1024
"""Bytes of the file of LINODE_CA; all authorities that browsers trust are a quarter of a MB."""

_OR_A_VARIABLE: Final = "or put a token into LINODE_TOKEN."
_CORRECT_IT: Final = f"Correct the file, {_OR_A_VARIABLE}"
_VERSION: Final = re.compile(r"/v\d+(?:beta|alpha)?", re.ASCII)
_HOST_AND_PORT: Final = re.compile(r"(?:\[[0-9a-f:.]+\]|[^\[\]:@\\]+)(?::\d*)?", re.IGNORECASE)


class NoToken(UsageError):
    """None of the places holds a token. The wizard asks for one instead."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it was found, such as `LINODE_TOKEN` or a file's path."""

    value: Secret
    origin: str


def find_token(environ: Mapping[str, str] | None = None) -> Token:
    """Find the token in the first place that has one.

    Raises:
        NoToken: there is none.
        UsageError: what is there cannot be a token, or linode-cli's file cannot be read.
    """
    environ = os.environ if environ is None else environ
    for variable in TOKEN_VARIABLES:
        text = environ.get(variable, "").strip()
        if text:
            return token_of(text, variable)
    for file, read in ((linode_cli_file(environ), _of_linode_cli), (linodego_file(environ), _of_linodego)):
        config = _configuration(file) if file is not None else None
        if config is not None and (found := read(config, clean_line(str(file)), environ)):
            return token_of(found, str(file))
    raise NoToken("There is no Linode API token.", WHERE_TO_MAKE_ONE)


def token_of(text: str, origin: str) -> Token:
    """Check a token that was typed or read. Raises UsageError, without the text, if it cannot be one."""
    text = text.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):  # else the HTTP library quotes it in its complaint about the header
        raise UsageError(
            f"What {origin} holds is not a Linode API token: it has blanks or other characters.", WHERE_TO_MAKE_ONE
        )
    return Token(Secret(text), origin)


def linode_cli_file(environ: Mapping[str, str]) -> Path | None:
    """Find linode-cli's configuration: its own rules, also the old place. None: no home folder is known."""
    if named := environ.get("LINODE_CLI_CONFIG"):
        return Path(named).expanduser()
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:
        return None
    legacy = home / ".linode-cli"
    if legacy.is_file():
        return legacy
    folder = environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else home / ".config") / "linode-cli"


def api_url(environ: Mapping[str, str] | None = None) -> str:
    """Read the API's address from LINODE_URL, with `/v4` where it names no version.

    Raises:
        UsageError: it is none, or the token would travel to another machine unencrypted and nobody allowed that.
    """
    environ = os.environ if environ is None else environ
    text = environ.get("LINODE_URL", "").strip()
    if not text:
        return DEFAULT_URL
    if "://" not in text:
        text = f"https://{text}"
    hint = "It looks like https://api.linode.com or https://api.linode.com/v4."
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or text != clean_line(text) or " " in text:
        raise UsageError("LINODE_URL is not a web address.", hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError("LINODE_URL may hold a host and a path, but no user name, `?` or `#`.", hint)
    if not _HOST_AND_PORT.fullmatch(parts.netloc):
        raise UsageError("LINODE_URL is not a web address.", hint)
    if parts.scheme == "http" and not (is_loopback(parts.hostname or "") or allows_http(environ)):
        raise sent_unencrypted(parts.netloc)
    path = parts.path.rstrip("/")
    last = f"/{path.rpartition('/')[2]}"
    version = "" if _VERSION.fullmatch(last) else "/v4"
    return f"{parts.scheme}://{parts.netloc}{path}{version}"


def is_loopback(host: str) -> bool:
    """Whether a host, as it is in an address, is this machine: an address of 127.0.0.0/8, `::1`, or `localhost`.

    No other spelling counts (`127.1`, `::ffff:127.0.0.1`, `localhost.`): programs do not read them alike.
    """
    try:
        ip = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return ip.is_loopback if isinstance(ip, IPv4Address) else ip == IPv6Address("::1")


def allows_http(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the person lets the token travel unencrypted."""
    return (os.environ if environ is None else environ).get(ALLOW_HTTP, "").strip() == "1"


def sent_unencrypted(where: str) -> UsageError:
    """Make the error for an address to which the token is not sent. `where`: host and port, safe to show."""
    sentence = (
        f"LINODE_URL begins with http://, so anybody on the way to {where} could read the token: nothing was sent."
    )
    return UsageError(sentence, f"Begin it with https://, or allow this with {ALLOW_HTTP}=1.")


def ca_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the file of LINODE_CA, with certificates to trust. None: the usual ones. Raises UsageError."""
    environ = os.environ if environ is None else environ
    text = environ.get("LINODE_CA", "").strip()
    if not text:
        return None
    hint = "Name a file with certificates (PEM), or take LINODE_CA away."
    shown = clean_line(text)
    try:
        path = Path(text).expanduser()
        read_file(path, MAX_CERTIFICATES)  # OpenSSL would wait for a FIFO, and read a device without end
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL in the name; RuntimeError: no such home
        reason = clean_line((error.strerror if isinstance(error, OSError) else None) or str(error))
        raise UsageError(f"LINODE_CA names {shown}, which cannot be read: {reason}.", hint) from None
    from ssl import PROTOCOL_TLS_CLIENT, SSLContext, SSLError

    try:
        SSLContext(PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (SSLError, OSError):
        raise UsageError(f"LINODE_CA names {shown}, which holds no usable certificates.", hint) from None
    return path


def linodego_file(environ: Mapping[str, str]) -> Path | None:
    """Find the configuration of linodego and of what is made with it. None: no home folder is known."""
    if named := environ.get("LINODE_CONFIG"):
        return Path(named).expanduser()
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:
        return None
    return home / ".config" / "linode"


def _configuration(file: Path) -> configparser.RawConfigParser | None:
    """Read a configuration file; None where there is none. Raises UsageError."""
    config = configparser.RawConfigParser(strict=False)  # raw: a % in a value means nothing
    shown = clean_line(str(file))
    try:
        config.read_string(read_file(file, MAX_CONFIGURATION).decode())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror}.", _CORRECT_IT) from None
    except (configparser.Error, ValueError):  # their texts quote lines of the file: not shown
        raise UsageError(f"{shown} is not a configuration file of linode-cli.", _CORRECT_IT) from None
    return config


def _of_linode_cli(config: configparser.RawConfigParser, shown: str, _environ: Mapping[str, str]) -> str | None:
    """Read the token of the default user, or of the only one; None where there are no users. Raises NoToken."""
    defaults = config.defaults()
    user = defaults.get("default-user", "")
    users = [name for name in config.sections() if config.has_option(name, "token")]
    if user:
        if user not in users:
            name = clean_line(user)[:64]
            sentence = f"{shown} has no token for its default user {name}."
            raise NoToken(sentence, f"Choose another with `linode-cli set-user NAME`; {_OR_A_VARIABLE}")
        return config.get(user, "token").strip()
    if token := defaults.get("token", "").strip():
        return token  # a very old file has no users
    if len(users) > 1:
        sentence = f"{shown} has {len(users)} users, and none is the default one."
        raise NoToken(sentence, f"Choose one with `linode-cli set-user NAME`; {_OR_A_VARIABLE}")
    return config.get(users[0], "token").strip() if users else None


def _of_linodego(config: configparser.RawConfigParser, shown: str, environ: Mapping[str, str]) -> str | None:
    """Read the token of the chosen profile; None where nobody chose one, and there is no default. Raises NoToken."""
    chosen = environ.get("LINODE_PROFILE", "").strip()
    profiles = {name.lower(): name for name in config.sections()}
    for name in dict.fromkeys((chosen.lower() or "default", "default")):
        for key in ("token", "linode_api_token"):
            if name in profiles and (token := config.get(profiles[name], key, fallback="").strip()):
                return token
        if chosen and name not in profiles:
            sentence = f"LINODE_PROFILE names {clean_line(chosen)[:64]}, which {shown} does not have."
            raise NoToken(sentence, f"Name one of its sections; {_OR_A_VARIABLE}")
    return None
