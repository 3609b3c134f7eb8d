"""Passwords and passphrases that a host may say back: found and hidden in all that any host of a run says.

The rule:
- In words to be read by people (lines, errors, a host's name) a secret becomes `***`.
- Output that is parsed, compared or written back is never altered: where it holds a secret, the host is refused.
- A secret that is an ordinary word of this work is not hidden at all: `eth0`, `kernel`, a node's name, three
  characters, a short number. It occurs in honest output by chance, where hiding it would spoil what is read and reveal
  which word it is; and what everybody writes reveals nothing.

A secret is found as it is, in any case of letters, over line ends and removed control bytes, and quoted for a shell,
escaped (JSON, C, percent), or in base64 or hexadecimal digits. A host that means to give a password away can always do
so in a form that is not known here, or without us.
"""

import base64
import json
import re
import threading
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

from kthw_routes.sanitize import clean
from kthw_routes.secret import Secret
from kthw_routes.ssh.errors import HostError

MASK: Final = "***"
MIN_HIDDEN: Final = 4
"""Characters that a secret has at least which is hidden."""
MAX_HIDDEN: Final = 1024
"""Characters of a secret that are looked for; no password is longer."""

_MIN_BASE64: Final = 6  # shorter ones occur in any base64 by chance
_ORDINARY: Final = re.compile(
    r"[0-9a-fx.:/-]{1,7}"  # a number, a part of an address, of a MAC or of an identifier
    r"|(?:lo|eth|en[ospx]|wl[ospx]|wlan|br|vmbr|cni|cnio|veth|docker|bond|vlan|tun|tap|wg|dummy)[0-9]*(?:[spfdnu][0-9]+)*",
    re.I,
)
_WORDS: Final = """
    kthw-routes kubernetes kubelet containerd kube-proxy worker controller control-plane master server node
    cluster localhost localdomain ip6-localhost ip6-loopback ip6-allnodes ip6-allrouters ip6-localnet
    ip6-mcastprefix internal ifindex ifname flags broadcast multicast loopback noprefixroute running lower_up
    qdisc noqueue fq_codel operstate unknown group default qlen link_type ether address addr_info family inet
    inet6 local prefixlen scope global host label dynamic valid_life_time preferred_life_time 4294967295 gateway
    protocol kernel static boot metric prefsrc unicast blackhole unreachable prohibit nexthops linkdown onlink
    bridge type iproute2 libbpf network networks version renderer networkd ethernets bridges addresses routes
    nameservers search optional match name dhcp4 dhcp6 linklocaladdressing ipv6acceptra domains macaddress
    set-name iface auto hotplug netmask connection interface-name method manual autoconnect uuid timestamp ipv4
    ipv6 address1 route1 setup configured configuring carrier routable managed connected failed enabled disabled
    active inactive netplan networkmanager cniversion isgateway ipmasq ipam host-local ranges subnet podcidr
    plugins portmap capabilities manage_etc_hosts cloud-init template debian ubuntu alpine fedora linux system
    systemd service timer target unit password passwd incorrect attempt sorry again terminal required permission
    denied cannot command file directory operation permitted read-only space left device invalid argument exists
    process error warning bytes from packets transmitted received loss time ttl statistics average reachable
    stale delay permanent root admin administrator user learner guest
"""
"""Words that files and programs of honest hosts are full of; a part of one is ordinary, too."""
_ESCAPED: Final = re.compile(
    r"\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|\\([0-7]{3})|%([0-9a-f]{2})|&#x([0-9a-f]{2,4});|\\(.)", re.I
)
_BASES: Final = (16, 16, 8, 16, 16)
_SEPARATORS: Final = {ord(" "): None, ord(":"): None}
"""What separates hexadecimal digits."""
_MAX_ESCAPES: Final = 3
"""How many times one within the other escapes are undone."""


class _Hidden:
    """One secret, as it is looked for. What matches it is in functions, whose `repr` does not reveal it."""

    __slots__ = ("_holds", "_mask")

    def __init__(self, secret: str) -> None:
        core = " ".join(clean(secret).split())
        raw = core.encode("utf-8", "surrogatepass")
        coded = {quote(core, safe=""), quote_plus(core), quote_plus(secret), json.dumps(core)[1:-1]}
        plain = {form.casefold() for form in (*coded, core, core.replace("'", "'\"'\"'"))}
        digits, in_base64 = raw.hex(), _base64(raw)

        def holds(text: str) -> bool:
            words = " ".join(text.casefold().split())
            return (
                any(form in words for form in plain)
                or any(form in text for form in in_base64)
                or digits in words.translate(_SEPARATORS)
            )

        self._holds = holds
        self._mask = _pattern(plain, raw, in_base64).sub

    def is_in(self, text: str) -> bool:
        """Whether clean text holds it in any form, those included that come out where escapes are undone."""
        for _ in range(_MAX_ESCAPES):
            if self._holds(text):
                return True
            if "\\" not in text and "%" not in text and "&" not in text:
                return False
            before, text = text, clean(_ESCAPED.sub(_character, text))
            if text == before:
                return False
        return self._holds(text)

    def masked_in(self, text: str) -> str:
        """Return clean text without it; a mask alone where it is escaped in a way of its own."""
        if not self.is_in(text):
            return text
        text = self._mask(MASK, text)
        return MASK if self.is_in(text) else text


class Echoes:
    """The secrets of one run that a host may say back. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: tuple[Secret, ...] = ()
        self._known = ""
        self._hidden: tuple[_Hidden, ...] = ()

    def hide(self, secret: Secret) -> None:
        """Hide this one from now on."""
        with self._lock:
            if secret not in self._secrets:
                self._secrets = (*self._secrets, secret)
                self._look()

    def expect(self, *words: str) -> None:
        """Take these (nodes' names, users) for ordinary words."""
        with self._lock:
            self._known += "".join(f"\n{word.casefold()}" for word in words)
            self._look()

    def is_in(self, data: bytes) -> bool:
        """Whether a host's bytes hold a secret in any form."""
        if not self._hidden or not data:
            return False
        text = clean(data.decode("utf-8", "replace"))
        return any(secret.is_in(text) for secret in self._hidden)

    def hidden_in(self, text: str) -> str:
        """Return a host's words, clean, each secret masked; all of them where one is escaped in its own way."""
        for secret in self._hidden:
            text = secret.masked_in(text)
        return text

    def hidden_in_bytes(self, data: bytes) -> bytes:
        """Return a host's bytes: as they are where they hold no secret, else clean and masked."""
        return self.hidden_in(clean(data.decode("utf-8", "replace"))).encode() if self.is_in(data) else data

    def hidden_in_error(self, error: HostError) -> HostError:
        """Mask secrets in an error, whose words may be a host's."""
        error.sentence, error.complaint, error.hint = map(self.hidden_in, (error.sentence, error.complaint, error.hint))
        error.args = (error.sentence,)
        return error

    def _look(self) -> None:
        ordinary = "\n".join(_WORDS.split()) + self._known
        texts = (" ".join(clean(secret.reveal())[:MAX_HIDDEN].casefold().split()) for secret in self._secrets)
        self._hidden = tuple(
            _Hidden(secret.reveal()[:MAX_HIDDEN])
            for secret, text in zip(self._secrets, texts, strict=True)
            if len(text) >= MIN_HIDDEN and not _ORDINARY.fullmatch(text) and text not in ordinary
        )


def _pattern(plain: Iterable[str], raw: bytes, in_base64: Iterable[str]) -> re.Pattern[str]:
    """Compile what matches a secret in clean text, whatever its case and white space, in time linear in the text."""
    forms = [r"\s+".join(map(re.escape, form.split())) for form in sorted(plain, key=len, reverse=True)]
    forms.append(r"[\s:]*".join(f"{byte:02x}" for byte in raw))
    return re.compile("|".join([f"(?i:{'|'.join(forms)})", *map(re.escape, in_base64)]))


def _base64(raw: bytes) -> set[str]:
    """Return the characters that encode these bytes in base64, wherever in the encoded text they begin."""
    found: set[str] = set()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(shift) + raw).decode("ascii").rstrip("=")
            first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
            if last - first >= _MIN_BASE64:
                found.add(whole[first:last])
    return found


def _character(match: re.Match[str]) -> str:
    *codes, plain = match.groups()
    if plain is not None:
        return " " if plain in "nrt" else str(plain)
    return next(chr(int(code, base)) for code, base in zip(codes, _BASES, strict=True) if code is not None)
