"""`iptables`, `iptables-save`: the filter table, with the options that these hosts' rules need."""

import re
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Final

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.net.firewall import BASE, REJECT_WITH, VERSION, Firewall
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.iptables_table import table_of

_HINT: Final = "Try `iptables -h' or 'iptables --help' for more information.\n"
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,28}")
_STATES: Final = frozenset({"NEW", "ESTABLISHED", "RELATED", "INVALID"})
_TARGETS: Final = ("ACCEPT", "DROP", "REJECT", "RETURN")


class _Refused(Exception):
    """iptables gives up."""

    def __init__(self, message: str, status: int = 2, hint: str = _HINT) -> None:
        super().__init__(f"{message}\n{hint}")
        self.status = status


@program("iptables", "iptables-nft")
def iptables(process: Process) -> int:
    """List or change the filter table; see iptables(8)."""
    words = list(process.arguments)
    if words in (["-V"], ["--version"]):
        process.out(f"iptables {VERSION}\n")
        return 0
    if not process.user.is_root:
        return _fail(
            process, _Refused("Could not fetch rule set generation id: Permission denied (you must be root)", 4)
        )
    if "-t" in words:
        place = words.index("-t")
        if words[place + 1 : place + 2] != ["filter"]:
            return _fail(process, _Refused("can't initialize table: only filter can be changed in this lab", 3, ""))
        del words[place : place + 2]
    try:
        with process.net.lock:
            _run(process, process.net.firewall, words)
    except _Refused as refused:
        return _fail(process, refused)
    return 0


def _fail(process: Process, refused: _Refused) -> int:
    process.err(f"iptables {VERSION}: {refused}")
    return refused.status


def _run(process: Process, firewall: Firewall, words: list[str]) -> None:
    if words and words[0] in ("-n", "-v", "-nv", "-vn"):  # as in `iptables -n -L`
        words = [*words[1:], words[0]]
    command, chain, rest = (words[0] if words else ""), words[1] if len(words) > 1 else None, words[2:]
    if command == "-S":
        _known(firewall, chain)
        process.out("".join(f"{line}\n" for line in firewall.listing(chain)))
        return
    if command.startswith("-") and "L" in command and set(command[1:]) <= set("Lnv"):
        names = [word for word in words if not word.startswith("-")]
        letters = "".join(word for word in words if word.startswith("-"))
        _known(firewall, names[0] if names else None)
        process.out(table_of(firewall, names[0] if names else None, verbose="v" in letters, numeric="n" in letters))
        return
    match command:
        case "-P" if chain in BASE and rest in (["ACCEPT"], ["DROP"]):
            firewall.policies[chain] = rest[0]
        case "-N" if chain is not None and _NAME.fullmatch(chain) and chain not in (*firewall.rules, *_TARGETS):
            firewall.rules[chain] = []
        case "-X" if chain is not None and chain not in BASE and not firewall.rules.get(chain, ["used"]):
            del firewall.rules[chain]
        case "-F":
            _known(firewall, chain)
            for name in [chain] if chain is not None else list(firewall.rules):
                firewall.rules[name].clear()
        case "-A" | "-I" | "-D" if chain is not None:
            _known(firewall, chain)
            _change(firewall, command, chain, rest)
        case "":
            raise _Refused("no command specified")
        case _:
            raise _Refused(f"Bad argument `{chain or command}'")
    firewall.is_made = True


def _known(firewall: Firewall, chain: str | None) -> None:
    if chain is not None and chain not in firewall.rules:
        raise _Refused("No chain/target/match by that name.", 1, "")


def _change(firewall: Firewall, command: str, chain: str, words: list[str]) -> None:
    rules, place = firewall.rules[chain], 0
    if command == "-I" and words and words[0].isdecimal():
        place = int(words.pop(0)) - 1
    rule = _normal(firewall, words)
    if command == "-D":
        if rule not in rules:
            raise _Refused("Bad rule (does a matching rule exist in that chain?).", 1, "")
        rules.remove(rule)
    elif command == "-A":
        rules.append(rule)
    elif 0 <= place <= len(rules):
        rules.insert(place, rule)
    else:
        raise _Refused("Index of insertion too big.", 1, "")


def _normal(firewall: Firewall, words: list[str]) -> str:
    """Return a rule as `iptables -S` prints it. Raises _Refused."""
    found: dict[str, str] = {}
    target = ""
    is_not = ""
    while words:
        word = words.pop(0)
        if word == "!":
            is_not = "! "
            continue
        if not words:
            raise _Refused(f'option "{word}" requires an argument')
        value = words.pop(0)
        match word:
            case "-s" | "-d":
                found[word] = f"{is_not}{word} {_network(value)}"
            case "-i" | "-o" if _NAME.fullmatch(value.removesuffix("+")):
                found[word] = f"{is_not}{word} {value}"
            case "-p" if value in ("icmp", "tcp", "udp"):
                found[word] = f"{is_not}{word} {value}"
            case "-m" if value == "conntrack":
                pass
            case "--ctstate" if set(value.split(",")) <= _STATES:
                found[word] = f"-m conntrack {is_not}{word} {value}"
            case "-j" if value in _TARGETS or (value in firewall.rules and value not in BASE):
                target = f"-j {value}" + (f" --reject-with {REJECT_WITH[0]}" if value == "REJECT" else "")
            case "-j":
                raise _Refused(f"Couldn't load target `{value}':No such file or directory")
            case "--reject-with" if value in REJECT_WITH and target.startswith("-j REJECT"):
                target = f"-j REJECT --reject-with {value}"
            case _:
                raise _Refused(f'unknown option "{word}"')
        is_not = ""
    order = ("-s", "-d", "-i", "-o", "-p", "--ctstate")
    return " ".join((*(found[word] for word in order if word in found), *([target] if target else [])))


def _network(value: str) -> IPv4Network:
    try:
        return IPv4Network(value, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise _Refused(f"host/network `{value}' not found") from None


@program("iptables-save", "iptables-nft-save")
def iptables_save(process: Process) -> int:
    """Print all rules; see iptables-save(8)."""
    if not process.user.is_root:
        return process.fail("Could not fetch rule set generation id: Permission denied (you must be root)", 1)
    with process.net.lock:
        lines = list(process.net.firewall.saved(process.net.masquerade, counters="-c" in process.arguments))
    process.out("".join(f"{line}\n" for line in lines))
    return 0
