"""An OpenSSH client configuration, as far as this program follows it.

Read by us, because the libraries at hand run `Match exec`, look names up in the DNS, or take
`ProxyJump none` for a host. Nothing is ever executed. What decides where a host is, or who one is there, and is not
followed, is named in `Resolved.not_followed`; everything else that is not listed in `Resolved` is passed over.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Endpoint, parse_port
from kthw_routes.errors import InvalidInput, UsageError
from kthw_routes.sanitize import clean_line, quoted
from kthw_routes.ssh.config_lines import Line, LineReader, is_none
from kthw_routes.ssh.config_options import WANTED, Options, expand, local_user

DEFAULT_PORT: Final = 22
DEFAULT_USER: Final = "root"
SYSTEM_CONFIG: Final = Path("/etc/ssh/ssh_config")
"""What counts after the person's own configuration, unless one was named with -F; as with ssh."""
_MAX_CHAIN: Final = 8


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where and as whom to connect, after the configuration was asked."""

    host: str
    """The name or address to connect to."""
    port: int = DEFAULT_PORT
    user: str = DEFAULT_USER
    identity_files: tuple[Path, ...] | None = None
    """The keys that the configuration names for this host, in order; they need not exist. None: ssh's own."""
    identities_only: bool = False
    """Whether no key but those of the files may be offered, be they held by an agent or not."""
    host_key_alias: str | None = None
    known_hosts_files: tuple[Path, ...] | None = None
    """The known_hosts files that the configuration names (`UserKnownHostsFile`); None for ssh's own."""
    jumps: tuple["Resolved", ...] = ()
    """The hosts to go through, the first one to connect to first. Their own `jumps` are empty."""
    identity_agent: Path | None = None
    """The agent's socket; None for that of SSH_AUTH_SOCK, NO_AGENT for none."""
    not_followed: tuple[str, ...] = ()
    """The options that ssh would follow and this program does not, each with its file and line."""
    identity: Path | None = None
    """The only key that is offered there, as the nodes' source names one for this host alone."""

    @property
    def known_as(self) -> str:
        """The name in known_hosts: the alias, else `host`, with `[host]:port` for another port than 22."""
        if self.host_key_alias:
            return self.host_key_alias.lower()
        host = self.host.lower()
        return host if self.port == DEFAULT_PORT else f"[{host}]:{self.port}"

    def __str__(self) -> str:
        """Return `host`, or `host:port` for another port than 22."""
        return self.host if self.port == DEFAULT_PORT else f"{self.host}:{self.port}"


class SshConfig:
    """The options of a configuration; without a file there are none."""

    def __init__(self, file: Path | None = None, *, system: Path | None = None, folder: Path | None = None) -> None:
        """Read `file`, then `system`, and what they include.

        Args:
            file: None, `none`, the null device, or one that does not exist: nothing.
            system: the machine's own configuration; its relative Include lines begin in its folder.
            folder: where the relative paths of keys and known_hosts files begin; None: the current folder.

        Raises:
            UsageError: a file is there but cannot be read, or a line that counts is broken.
        """
        self._folder: Final = folder or Path()
        self._files: list[tuple[Line, ...]] = []
        if file is not None and not is_none(file):
            self._files.append(LineReader(WANTED, Path.home() / ".ssh").read(file.expanduser()))
        if system is not None:
            self._files.append(LineReader(WANTED, system.parent).read(system))

    def resolve(
        self, endpoint: Endpoint, *, user: str | None = None, port: int | None = None, default_user: str = DEFAULT_USER
    ) -> Resolved:
        """Find out where `endpoint` is: by itself, then `user` and `port`, then the file, then the defaults.

        Raises UsageError for a ProxyJump that loops back to itself, and for a port that is not a number.
        """
        return self._resolve(endpoint, user, port, default_user, seen=())

    def _resolve(
        self, endpoint: Endpoint, user: str | None, port: int | None, default_user: str, seen: tuple[str, ...]
    ) -> Resolved:
        options = Options(endpoint.host, endpoint.user or user, default_user)
        for final in (False, True):
            if final and not options.wants_final:
                break
            options.begin(final=final)
            for lines in self._files:
                options.walk(lines, outer=True)
        host = options.host()
        line = options.first("port")
        chosen_port = endpoint.port or port or (_config_port(line) if line else DEFAULT_PORT)
        alias = options.word("hostkeyalias")
        tokens = {
            "h": host,
            "n": endpoint.host,
            "p": str(chosen_port),
            "r": options.user(),
            "k": alias or endpoint.host,
        }
        known = options.first("userknownhostsfile")
        paths = None if known is None else options.paths(known, tokens)
        keys = options.identity_files(tokens)
        chain = options.first("proxyjump")
        return Resolved(
            host=host,
            port=chosen_port,
            user=options.user(),
            identity_files=None if keys is None else tuple(self._folder / path for path in keys),
            identities_only=(options.word("identitiesonly") or "no").lower() in ("yes", "true"),
            host_key_alias=alias,
            known_hosts_files=None if paths is None else tuple(self._folder / path for path in paths),
            jumps=self._jumps(chain, tokens, (*seen, endpoint.host)) if chain else (),
            identity_agent=options.agent(tokens),
            not_followed=tuple(options.not_followed),
        )

    def _jumps(self, line: Line, tokens: Mapping[str, str], seen: tuple[str, ...]) -> tuple[Resolved, ...]:
        """Return the chain of a ProxyJump. Only the first host of the list brings its own ProxyJump, as with ssh."""
        value = line.words[0]
        if value.lower() == "none":
            return ()
        chain: list[Resolved] = []
        for index, text in enumerate(expand(value, tokens)[0].split(",")):
            jump = parse_jump(text)
            if jump.host in seen or len(seen) > _MAX_CHAIN:
                raise UsageError(
                    clean_line(f"The SSH configuration's ProxyJump for {seen[0]} leads in a circle ({jump.host})."),
                    "Give the jump host a block of its own with `ProxyJump none`.",
                )
            found = self._resolve(jump, None, None, local_user(), seen if index == 0 else (*seen, "-"))
            if index == 0:
                chain.extend(found.jumps)
            chain.append(replace(found, jumps=()))
        return tuple(chain)


def parse_jump(text: str) -> Endpoint:
    """Read an endpoint as ProxyJump takes it: also with an IPv6 address, or as `ssh://…`. Raises UsageError."""
    try:
        return Endpoint.parse(text.strip().removeprefix("ssh://").rstrip("/"), ipv6=True)
    except InvalidInput as error:
        raise UsageError(f"ProxyJump {quoted(text)} {error}.") from None


def _config_port(line: Line) -> int:
    """Read the port of a line: a number, or the name of a service."""
    text = line.words[0]
    if text.isalpha():
        try:
            return socket.getservbyname(text, "tcp")
        except OSError:
            pass
    try:
        return parse_port(text)
    except InvalidInput as error:
        raise line.fault(f"{quoted(text)} {error}") from error
