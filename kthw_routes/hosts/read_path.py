"""Reading what decides on a host whether packets between pods pass, beyond its main table. Nothing is changed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.facts import HostFacts
from kthw_routes.hosts import programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.iproute2.output import failed_lines
from kthw_routes.netfilter import iptables, nft
from kthw_routes.netfilter.rules import Table
from kthw_routes.proof.path import HostPath, Lookup, PolicyRule, Way
from kthw_routes.sanitize import clean_value
from kthw_routes.ssh.command import CANNOT_RUN, NO_SUCH_PROGRAM, Command, Result
from kthw_routes.ssh.errors import OutputCut, SecretEchoed, TookTooLong

_RULE: Final = re.compile(r"([0-9]{1,10}):\s+(.+)")
_TABLE: Final = re.compile(r"\b(?:lookup|table) (\S{1,64})")
_DEFAULT_TABLES: Final = ("local", "main", "default")
_SETTING: Final = re.compile(r"/proc/sys/net/ipv4/conf/([^/]{1,15})/rp_filter:([0-2])")
_ROUTE: Final = re.compile(r"(\S.{0,1000}?) table (\S{1,64})( .{0,1000})?")
_MAX: Final = 200
"""Policy rules that are kept, and routes of a table that one leads to."""


@dataclass(frozen=True, slots=True)
class Partner:
    """A pair of ends that fails: this host's own, and the other worker's."""

    name: str
    own: IPv4Address
    other: IPv4Address
    is_pod: bool
    """Whether the ends are pods, so that this host forwards their packets."""


def read_path(task: HostTask, facts: HostFacts, in_device: str | None, partners: Sequence[Partner]) -> HostPath:
    """Read one host: policy rules, what the kernel would do with packets, reverse path filter, rules of firewalls.

    Args:
        task: an open session.
        facts: what was read of the host before.
        in_device: the interface at which packets of other workers arrive; None where that is not known.
        partners: the pairs that fail.
    """
    tables, unread = _firewall(task)
    rules = _ask(task, programs.policy_rules())
    devices = [device for device in (in_device, facts.bridge.device if facts.bridge else None) if device]
    settings = _ask(task, programs.rp_filters(devices))
    return HostPath(
        policy_rules=parse_policy_rules(rules.out) if rules is not None else (),
        lookups=_lookups(task, facts, in_device, partners),
        tables=tables,
        unread=unread,
        rp_filter={m[1]: int(m[2]) for m in _SETTING.finditer(settings.out)} if settings is not None else {},
        in_device=in_device,
    )


def parse_policy_rules(text: str) -> tuple[PolicyRule, ...]:
    """Parse what `ip rule` printed, and `ip route show table all` after it.

    Returns the rules that are not there by default, each with the routes of the table that it leads to.
    """
    found: list[PolicyRule] = []
    routes: dict[str, list[str]] = {}
    rules = 0
    for line in text.splitlines():
        if (match := _RULE.fullmatch(line.strip())) is None:
            if (route := _ROUTE.fullmatch(line)) is not None and len(known := routes.setdefault(route[2], [])) < _MAX:
                known.append(clean_value(f"{route[1]}{route[3] or ''}".strip()))
            continue
        rules += 1
        if rules > _MAX:
            continue
        words = clean_value(match[2])
        table = _TABLE.search(words)
        if table is not None and words == f"from all lookup {table[1]}" and table[1] in _DEFAULT_TABLES:
            continue
        found.append(PolicyRule(f"{match[1]}: {words}", table[1] if table is not None else None))
    return tuple(replace(rule, routes=tuple(routes.get(rule.table or "", ()))) for rule in found)


def _lookups(
    task: HostTask, facts: HostFacts, in_device: str | None, partners: Sequence[Partner]
) -> Mapping[tuple[Way, str], Lookup]:
    asked: list[tuple[Way, str]] = []
    packets: list[tuple[IPv4Address, IPv4Address, str | None]] = []
    for partner in partners:
        out_of = facts.bridge.device if partner.is_pod and facts.bridge else None
        if not partner.is_pod or out_of:
            asked.append((Way.OUT, partner.name))
            packets.append((partner.other, partner.own, out_of))
        if in_device:
            asked.append((Way.IN, partner.name))
            packets.append((partner.own, partner.other, in_device))
    if not asked:
        return {}
    result = _ask(task, programs.route_lookups(packets))
    answers = answers_in_order(result, len(asked)) if result is not None else ()
    return dict(zip(asked, answers, strict=False))


def answers_in_order(result: Result, count: int) -> tuple[Lookup, ...]:
    """Assign what a batch of `ip route get` printed to its lines; none where that is not certain."""
    refused = failed_lines(result.err)
    records: list[list[str]] = []
    for line in result.out.splitlines():
        if line[:1].isspace() and records:
            records[-1].append(line)
        elif line.strip():
            records.append([line])
    if len(records) + len(refused) != count:
        return ()
    answers = iter(records)
    return tuple(
        Lookup(refused[n], is_refused=True) if n in refused else Lookup(clean_value(" ".join(next(answers))), False)
        for n in range(1, count + 1)
    )


def _firewall(task: HostTask) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Read the rules of both programs. Returns the tables, and what is there and could not be read."""
    unread: list[str] = []
    legacy = _ask(task, programs.legacy_iptables_tables())
    native, older = _ask(task, programs.nft_rules()), _ask(task, programs.iptables_rules())
    tables: list[Table] = []
    if older is not None and older.ok:
        tables += iptables.parse_tables(older.out)
        if "legacy" in older.err:
            unread.append("iptables-legacy")
    elif (
        older is None
        or older.status not in (CANNOT_RUN, NO_SUCH_PROGRAM)
        or (legacy is not None and legacy.out.strip())
    ):
        unread.append("iptables")
    if native is not None and native.ok:
        tables += without_twins(nft.parse_tables(native.out), tables)
    elif native is None or native.status not in (CANNOT_RUN, NO_SUCH_PROGRAM) or older is None or not older.ok:
        unread.append("nft")  # of rules that something else made nothing is known where neither program is there
    return tuple(tables), tuple(unread)


def without_twins(native: Sequence[Table], older: Sequence[Table]) -> list[Table]:
    """Return the tables of nftables without those that iptables made and lists too, in words that people know."""

    by_name = {(table.family, table.name): table for table in older}

    def is_twin(table: Table) -> bool:
        other = by_name.get((table.family, table.name))
        return other is not None and all(
            name in other.chains and len(other.chains[name].rules) == len(chain.rules)
            for name, chain in table.chains.items()
        )

    return [table for table in native if not is_twin(table)]


def _ask(task: HostTask, command: Command) -> Result | None:
    """Run a command; None where its answer is too long or takes too long: then nothing is known of it."""
    try:
        return task.run(command, silent=True)
    except (OutputCut, SecretEchoed, TookTooLong) as error:
        task.note(error.sentence)
        return None
