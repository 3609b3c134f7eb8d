"""Where the Linode token and the API's address come from: the environment, else linode-cli's configuration file."""

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kthw_routes.errors import UsageError
from kthw_routes.secret import Secret
from kthw_routes.untrusted import clean_line

DEFAULT_URL: Final = "https://api.linode.com/v4"

TOKEN_VARIABLES: Final = ("LINODE_TOKEN", "LINODE_CLI_TOKEN", "LINODE_API_TOKEN")
"""Read in this order: linodego and Terraform, linode-cli, Ansible."""

WHERE_TO_MAKE_ONE: Final = (
    "Make one with the scope linodes:read_only in the Cloud Manager (your profile, API Tokens: "
    "https://cloud.linode.com/profile/tokens) and put it into LINODE_TOKEN."
)

_VERSION: Final = re.compile(r"/v\d+(?:beta|alpha)?", re.ASCII)


class NoToken(UsageError):
    """None of the places holds a token. The wizard asks for one instead."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it was found, such as `LINODE_TOKEN` or a file's path."""

    value: Secret
    origin: str


def find_token(environ: Mapping[str, str] | None = None) -> Token:
    """The token from the first place that has one.

    Raises:
        NoToken: there is none.
        UsageError: what is there cannot be a token, or linode-cli's file cannot be read.
    """
    environ = os.environ if environ is None else environ
    for variable in TOKEN_VARIABLES:
        text = environ.get(variable, "").strip()
        if text:
            return token_of(text, variable)
    file = linode_cli_file(environ)
    text = _token_in(file) if file is not None and file.is_file() else ""
    if text:
        return token_of(text, str(file))
    raise NoToken("There is no Linode API token.", WHERE_TO_MAKE_ONE)


def token_of(text: str, origin: str) -> Token:
    """A token that was typed or read. Raises UsageError, without the text, if it cannot be one."""
    text = text.strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):  # else the HTTP library quotes it in its complaint about the header
        raise UsageError(
            f"What {origin} holds is no Linode API token: it has blanks or other characters.", WHERE_TO_MAKE_ONE
        )
    return Token(Secret(text), origin)


def linode_cli_file(environ: Mapping[str, str]) -> Path | None:
    """Where linode-cli keeps its configuration: its own rules, also the old place. None: no home folder is known."""
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
    """The API's address from LINODE_URL, with `/v4` where it names no version. Raises UsageError if it is none."""
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
        raise UsageError("LINODE_URL is no web address.", hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError("LINODE_URL may hold a host and a path, but no user name, `?` or `#`.", hint)
    path = parts.path.rstrip("/")
    last = f"/{path.rpartition('/')[2]}"
    version = "" if _VERSION.fullmatch(last) else "/v4"
    return f"{parts.scheme}://{parts.netloc}{path}{version}"


def ca_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file of LINODE_CA, with certificates to trust. None: the usual ones. Raises UsageError if unreadable."""
    environ = os.environ if environ is None else environ
    text = environ.get("LINODE_CA", "").strip()
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.exists() or not os.access(path, os.R_OK):
        raise UsageError(f"LINODE_CA names {path}, which cannot be read.", "Correct it, or take it away.")
    return path


def _token_in(file: Path) -> str:
    """The token of the default user in linode-cli's file; empty if it has none."""
    config = configparser.RawConfigParser(strict=False)  # raw: a % in a value means nothing
    hint = "Correct the file, or put the token into LINODE_TOKEN."
    try:
        config.read_string(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", hint) from None
    except (configparser.Error, UnicodeDecodeError):  # their texts quote lines of the file: not shown
        raise UsageError(f"{file} is no configuration file of linode-cli.", hint) from None
    defaults = config.defaults()
    user = defaults.get("default-user", "")
    if config.has_section(user):
        return config.get(user, "token", fallback="").strip()
    return defaults.get("token", "").strip()  # a very old file has no users
