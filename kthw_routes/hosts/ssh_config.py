"""An OpenSSH client configuration, as far as this program follows it.

Read by us, because the libraries at hand run `Match exec`, look names up in the DNS, or take
`ProxyJump none` for a host. `Match` blocks other than `Match all` are ignored, and so is everything
that is not listed in `Resolved`. Nothing is ever executed.
"""

import getpass
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Endpoint
from kthw_routes.errors import UsageError
from kthw_routes.untrusted import clean_line

DEFAULT_PORT: Final = 22
DEFAULT_USER: Final = "root"
_DEEPEST_INCLUDE: Final = 16  # as OpenSSH
_LONGEST_CHAIN: Final = 8
_MANY: Final = frozenset({"identityfile"})
"""Keywords of which every value counts; of the others the first one found does."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where and as whom to connect, after the configuration was asked."""

    host: str
    """The name or address to connect to."""
    port: int = DEFAULT_PORT
    user: str = DEFAULT_USER
    identity_files: tuple[Path, ...] = ()
    """The private keys that the configuration names for this host, in order; they need not exist."""
    identities_only: bool = False
    """Whether no key but `identity_files` may be offered."""
    host_key_alias: str | None = None
    known_hosts_files: tuple[Path, ...] | None = None
    """The known_hosts files that the configuration names (`UserKnownHostsFile`); None for ssh's own."""
    jumps: tuple["Resolved", ...] = ()
    """The hosts to go through, the first one to connect to first. Their own `jumps` are empty."""

    @property
    def known_as(self) -> str:
        """The name in known_hosts: the alias, else `host`, with `[host]:port` for another port than 22."""
        if self.host_key_alias:
            return self.host_key_alias.lower()
        host = self.host.lower()
        return host if self.port == DEFAULT_PORT else f"[{host}]:{self.port}"

    def __str__(self) -> str:
        """`host`, or `host:port` for another port than 22."""
        return self.host if self.port == DEFAULT_PORT else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Block:
    """The options below one `Host` line, or above the first."""

    patterns: tuple[str, ...] = ("*",)
    options: list[tuple[str, str]] = field(default_factory=list)

    def matches(self, host: str) -> bool:
        return name_matches(self.patterns, host)


class SshConfig:
    """The options of a configuration file; without a file there are none."""

    def __init__(self, file: Path | None = None, folder: Path | None = None) -> None:
        """Read `file` and what it includes. None, or a file that is not there: empty.

        `folder`: where the relative paths of keys and known_hosts files in it begin; None: the current folder.

        Raises UsageError where it is there but cannot be read.
        """
        self._folder: Final = folder or Path()
        self._blocks: list[_Block] = []
        if file is not None:
            self._read(file, depth=0, outer=("*",), top=True)

    def resolve(
        self, endpoint: Endpoint, *, user: str | None = None, port: int | None = None, default_user: str = DEFAULT_USER
    ) -> Resolved:
        """Where `endpoint` is: what it says itself, then `user` and `port`, then the file, then the defaults.

        Raises UsageError for a ProxyJump that leads back to itself, and for a port that is no number.
        """
        return self._resolve(endpoint, user, port, default_user, seen=())

    def _resolve(
        self, endpoint: Endpoint, user: str | None, port: int | None, default_user: str, seen: tuple[str, ...]
    ) -> Resolved:
        options = self._options(endpoint.host)
        host = _expand(options.get("hostname", [endpoint.host])[0], {"%": "%", "h": endpoint.host})
        chosen_user = endpoint.user or user or options.get("user", [default_user])[0]
        chosen_port = endpoint.port or port or _port(options.get("port", [str(DEFAULT_PORT)])[0], endpoint.host)
        home = str(Path.home())
        tokens = {
            "%": "%",
            "h": host,
            "n": endpoint.host,
            "p": str(chosen_port),
            "r": chosen_user,
            "u": _local_user(),
            "d": home,
        }
        identities = [v for v in options.get("identityfile", []) if v.lower() != "none"]
        known = options.get("userknownhostsfile")
        return Resolved(
            host=host,
            port=chosen_port,
            user=chosen_user,
            identity_files=tuple(self._folder / _path(v, tokens) for v in identities),
            identities_only=options.get("identitiesonly", ["no"])[0].lower() in ("yes", "true"),
            host_key_alias=options.get("hostkeyalias", [None])[0],
            known_hosts_files=None
            if known is None
            else tuple(self._folder / _path(v, tokens) for v in _words(known[0]) if v.lower() != "none"),
            jumps=self._jumps(options.get("proxyjump", ["none"])[0], tokens, (*seen, endpoint.host)),
        )

    def _jumps(self, value: str, tokens: Mapping[str, str], seen: tuple[str, ...]) -> tuple[Resolved, ...]:
        """The chain of a ProxyJump. Only the first host of the list brings its own ProxyJump, as with ssh."""
        if value.lower() == "none":
            return ()
        chain: list[Resolved] = []
        for index, text in enumerate(_expand(value, tokens).split(",")):
            jump = parse_endpoint(text)
            if jump.host in seen or len(seen) > _LONGEST_CHAIN:
                raise UsageError(
                    clean_line(f"The SSH configuration's ProxyJump for {seen[0]} leads in a circle ({jump.host})."),
                    "Give the jump host a block of its own with `ProxyJump none`.",
                )
            found = self._resolve(jump, None, None, _local_user(), seen if index == 0 else (*seen, "-"))
            if index == 0:
                chain.extend(found.jumps)
            chain.append(_without_jumps(found))
        return tuple(chain)

    def _options(self, host: str) -> dict[str, list[str]]:
        """Every option that holds for the host as it was typed, keyword in lower case."""
        options: dict[str, list[str]] = {}
        for block in self._blocks:
            if block.matches(host):
                for key, value in block.options:
                    if key in _MANY or key not in options:
                        options.setdefault(key, []).append(value)
        return options

    def _read(self, file: Path, *, depth: int, outer: tuple[str, ...], top: bool = False) -> None:
        try:
            text = file.expanduser().read_text("utf-8", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            if not top:
                return
            raise UsageError(
                f"The SSH configuration {clean_line(str(file))} cannot be read: {error.strerror}.",
                "Name another one with -F, or /dev/null for none.",
            ) from error
        block = self._begin(outer)
        for key, value in _lines(text):
            if key == "host":
                # Inside an included file a Host line narrows the block that the file is included from.
                block = self._begin(tuple(_words(value)) if outer == ("*",) else ())
            elif key == "match":
                block = self._begin(outer if value.lower() == "all" else ())
            elif key == "include":
                if depth < _DEEPEST_INCLUDE:
                    for included in _included(value):
                        self._read(included, depth=depth + 1, outer=block.patterns)
                block = self._begin(block.patterns)
            else:
                block.options.append((key, value))

    def _begin(self, patterns: tuple[str, ...]) -> _Block:
        block = _Block(patterns)
        self._blocks.append(block)
        return block


def parse_endpoint(text: str) -> Endpoint:
    """`[user@]host[:port]`, `[user@][v6]:port` or `ssh://…`, as ProxyJump takes it. Raises UsageError."""
    rest = text.strip().removeprefix("ssh://").rstrip("/")
    user, at, rest = rest.rpartition("@")
    match = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:\s]+)(?::(\d+))?|([0-9A-Fa-f:.]+)", rest)
    if match is None or (at and not user):
        raise UsageError(
            clean_line(f"{text!r} is no host that ssh could reach."), "Write it as user@host or user@host:port."
        )
    port = match[2] or match[4]
    host = match[1] or match[3] or match[5]
    return Endpoint(host, user or None, _port(port, host) if port else None)


def name_matches(patterns: tuple[str, ...] | list[str], name: str) -> bool:
    """Whether `name` matches one of the patterns (`*`, `?`) and none that begins with `!`."""
    hit = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in bare.lower())
        if re.fullmatch(expression, name.lower()):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit


def _without_jumps(found: Resolved) -> Resolved:
    return Resolved(
        found.host,
        found.port,
        found.user,
        found.identity_files,
        found.identities_only,
        found.host_key_alias,
        found.known_hosts_files,
    )


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Keyword (lower case) and value of each line that has both."""
    for raw in text.splitlines():
        line = raw.strip()
        match = re.match(r"([A-Za-z]+)(?:\s*=\s*|\s+)(.+)$", line)
        if match is None or line.startswith("#"):
            continue
        value = match[2].strip()
        if value.startswith('"') and value.count('"') == 2 and value.endswith('"'):
            value = value[1:-1]
        yield match[1].lower(), value


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # an odd quote
        return value.split()


def _included(value: str) -> Iterator[Path]:
    """The files of an Include line: globs, relative to ~/.ssh."""
    for word in _words(value):
        path = Path(os.path.expanduser(word))
        base = path if path.is_absolute() else Path.home() / ".ssh" / path
        yield from sorted(Path(base.anchor).glob(str(base.relative_to(base.anchor))))


def _expand(value: str, tokens: Mapping[str, str]) -> str:
    """`value` with its `%x` replaced; a token that we do not know stays as it is."""
    return re.sub(r"%(.)", lambda m: tokens.get(m[1], m[0]), value)


def _path(value: str, tokens: Mapping[str, str]) -> Path:
    bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return Path(os.path.expanduser(_expand(bare, tokens)))


def _port(text: str, host: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise UsageError(
        clean_line(f"{text!r} is no port number (SSH configuration or address of {host})."),
        "A port is a number from 1 to 65535.",
    )


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry in its user database
        return DEFAULT_USER
