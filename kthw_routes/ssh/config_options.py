"""The options of an SSH configuration that hold for one host, and those that would hold and are not followed."""

import getpass
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kthw_routes.sanitize import clean_line
from kthw_routes.ssh.config_lines import Line, name_matches

NO_AGENT: Final = Path(os.devnull)
"""`IdentityAgent none`."""
_ONE_WORD: Final = frozenset({
    "hostname", "hostkeyalias", "identitiesonly", "identityagent", "identityfile", "port", "user",
})  # fmt: skip
_NAMES: Final = frozenset({"hostname", "hostkeyalias", "proxyjump", "user"})
"""What goes to a host or a name server as text; a path may be of any bytes."""
_FOLLOWED: Final = _ONE_WORD | {"proxyjump", "userknownhostsfile"}
ALGORITHMS: Final = (
    *("KexAlgorithms", "Ciphers", "MACs", "HostKeyAlgorithms", "PubkeyAcceptedAlgorithms", "PubkeyAcceptedKeyTypes"),
    *("CASignatureAlgorithms", "RequiredRSASize"),
)
"""Keywords that decide only whether two ends can agree; named where they cannot."""
_NOT_FOLLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "addressfamily": ("any",),
    "bindaddress": (),
    "bindinterface": (),
    "canonicalizehostname": ("no", "false"),
    "certificatefile": ("none",),
    "knownhostscommand": ("none",),
    "pkcs11provider": ("none",),
    "proxycommand": ("none",),
    "securitykeyprovider": ("internal",),
    **{name.lower(): () for name in ALGORITHMS},
}
"""Keywords that decide as well, and the values with which they decide nothing."""
_SPELLED: Final = {
    name.lower(): name
    for name in (
        "AddressFamily", "BindAddress", "BindInterface", "CanonicalizeHostname", "CertificateFile", "HostKeyAlias",
        "HostName", "IdentitiesOnly", "IdentityAgent", "IdentityFile", "Include", "KnownHostsCommand",
        "PKCS11Provider", "Port", "ProxyCommand", "ProxyJump", "SecurityKeyProvider", "User", "UserKnownHostsFile",
        *ALGORITHMS,
    )
}  # fmt: skip
_ALIASES: Final = {"identityfile2": "identityfile"}
_WITHOUT_ARGUMENT: Final = frozenset({"all", "canonical", "final"})
WANTED: Final = _FOLLOWED | set(_NOT_FOLLOWED) | set(_ALIASES) | {"host", "match", "include"}


@dataclass(slots=True)
class Options:
    """What holds for one host, gathered line by line in the order in which ssh reads: `Match` sees what was found."""

    typed: str
    """The host as it was typed."""
    given_user: str | None
    default_user: str
    wants_final: bool = False
    """Whether a `Match final` asks for a second reading, with the host name that the first one found."""
    not_followed: dict[str, None] = field(default_factory=dict)
    _found: dict[str, list[Line]] = field(default_factory=dict)
    _final_host: str | None = None

    def begin(self, *, final: bool) -> None:
        """Begin a reading."""
        self._final_host = self.host().lower() if final else None

    def walk(self, lines: Sequence[Line], *, outer: bool | str) -> None:
        """Take the lines of one file. `outer`: whether the block that includes it holds, or why that is not known."""
        holds = outer
        for line in lines:
            match line.keyword:
                case "host":
                    name = self._final_host or self.typed
                    holds = outer if outer and name_matches(line.words, name, exact_case=True) else False
                case "match":
                    inner = self._match(line)
                    holds = inner if outer is True or not inner else outer
                case "include":
                    for included in line.included:
                        self.walk(included, outer=holds)
                    if holds and not any(line.included) and any("%" in w or "${" in w for w in line.words):
                        self._pass_over(line, "its tokens are not expanded")
                case _ if holds:
                    self._take(line, holds)

    def first(self, keyword: str) -> Line | None:
        """Return the line that counts for a keyword."""
        found = self._found.get(keyword)
        return found[0] if found else None

    def word(self, keyword: str) -> str | None:
        """Return its first word."""
        line = self.first(keyword)
        return line.words[0] if line else None

    def user(self) -> str:
        """Return whom to log in as, as far as is known."""
        return self.given_user or self.word("user") or self.default_user

    def host(self) -> str:
        """Return where to connect to, as far as is known."""
        if self._final_host is not None:
            return self._final_host
        line = self.first("hostname")
        if line is None:
            return self.typed
        host, unknown = expand(line.words[0], {"h": self.typed}, only="%h")
        if unknown:
            self._pass_over(line, unknown)
        return host

    def identity_files(self, tokens: Mapping[str, str]) -> tuple[Path, ...] | None:
        """Return the files of the IdentityFile lines; None where there is no such line."""
        lines = self._found.get("identityfile")
        return tuple(p for line in lines for p in self.paths(line, tokens)) if lines else None

    def paths(self, line: Line, tokens: Mapping[str, str]) -> Iterator[Path]:
        """Return the paths that a line names, without those that cannot be known."""
        for word in line.words:
            if word.lower() == "none":
                continue
            path, unknown = expand(os.path.expanduser(word), {**tokens, **_machine_tokens()}, only="$")
            if not unknown and path.startswith("~"):
                unknown = "no such user"
            if unknown:
                self._pass_over(line, unknown)
            else:
                yield Path(path)

    def agent(self, tokens: Mapping[str, str]) -> Path | None:
        """Return the socket of IdentityAgent; None for that of SSH_AUTH_SOCK, NO_AGENT for none."""
        line = self.first("identityagent")
        if line is None or line.words[0] == "SSH_AUTH_SOCK":
            return None
        named = re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", line.words[0])
        if named is None:
            return next(self.paths(line, tokens), NO_AGENT)
        path = os.environ.get(named[1])
        if not path:
            self._pass_over(line, f"{line.words[0]} is not set")
        return Path(path) if path else NO_AGENT

    def _take(self, line: Line, holds: bool | str) -> None:
        keyword = _ALIASES.get(line.keyword, line.keyword)
        if len(line.words) > 1 and keyword in _ONE_WORD:
            raise line.fault(f"more than one word after {_SPELLED[keyword]}")
        if not line.words[0] and keyword in _FOLLOWED:
            raise line.fault(f"nothing follows {_SPELLED[keyword]}")
        if keyword in _NAMES and any("\ud800" <= char <= "\udfff" for char in line.words[0]):
            raise line.fault(f"{_SPELLED[keyword]} is not UTF-8")
        if self._is_settled(keyword, line):
            return
        if keyword in _NOT_FOLLOWED or holds is not True:
            if line.words[0].lower() not in _NOT_FOLLOWED.get(keyword, ()):
                self._pass_over(line, None if holds is True else str(holds))
            if holds is not True:
                return
        self._found.setdefault(keyword, []).append(line)

    def _is_settled(self, keyword: str, line: Line) -> bool:
        """Whether an earlier line has set it: the first one counts, and of the two kinds of proxy either."""
        if keyword == "identityfile":
            return any(known.words == line.words for known in self._found.get(keyword, ()))
        if keyword == "proxycommand" and (jump := self.word("proxyjump")) and jump.lower() != "none":
            return True
        return keyword in self._found or (keyword == "proxyjump" and "proxycommand" in self._found)

    def _match(self, line: Line) -> bool | str:
        """Return whether a Match line holds; why that is not known, where it depends on what is not read here."""
        holds, unknown = True, ""
        words = iter(line.words)
        for word in words:
            name, _, argument = word.removeprefix("!").partition("=")
            criterion = name.lower()
            if criterion == "final":
                self.wants_final = True
            if criterion not in _WITHOUT_ARGUMENT:
                argument = argument or next(words, "")
                if not argument:
                    raise line.fault(f"nothing follows {name}")
            found = self._criterion(criterion, argument)
            if found is None:
                unknown = unknown or f"under Match {name}"
            elif found == word.startswith("!"):
                holds = False
        return holds and (unknown or True)

    def _criterion(self, name: str, argument: str) -> bool | None:
        """Return whether a criterion of a Match line holds; None where that cannot be known here."""
        patterns = argument.split(",")
        match name:
            case "all":
                return True
            case "canonical" | "final":
                return self._final_host is not None
            case "host":
                return name_matches(patterns, self.host())
            case "originalhost":
                return name_matches(patterns, self.typed)
            case "user":
                return name_matches(patterns, self.user(), exact_case=True)
            case "localuser":
                return name_matches(patterns, local_user(), exact_case=True)
        return None

    def _pass_over(self, line: Line, why: str | None) -> None:
        keyword = _ALIASES.get(line.keyword, line.keyword)
        self.not_followed[clean_line(f"{_SPELLED[keyword]} ({line.where}{f', {why}' if why else ''})")] = None


def expand(value: str, tokens: Mapping[str, str], *, only: str = "") -> tuple[str, str | None]:
    """Replace the `%x` in `value` (where `only` is `$`, its `${NAME}`); return it and its error, if any.

    A token that is not known stays as it is.
    """
    wrong: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        if match[2] is not None:
            known = os.environ.get(match[2]) if only == "$" else match[0]
            wrong.extend([f"${{{match[2]}}} is not set"] if known is None else [])
            return match[0] if known is None else known
        known = "%" if match[1] == "%" else tokens.get(match[1])
        wrong.extend([f"%{match[1]} is not expanded"] if known is None else [])
        return match[0] if known is None else known

    expanded = re.sub(r"%(.)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}", replaced, value, flags=re.DOTALL)
    return expanded, wrong[0] if wrong else None


def _machine_tokens() -> dict[str, str]:
    """Return the tokens that say where ssh runs, and as whom."""
    name = socket.gethostname()
    return {"d": str(Path.home()), "i": str(os.getuid()), "l": name, "L": name.partition(".")[0], "u": local_user()}


def local_user() -> str:
    """Return the name of whoever runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry in its user database
        return "root"
