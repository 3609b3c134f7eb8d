"""The layer of the MTU: small packets get through, and those of full size do not. Pure."""

import re
from typing import Final

from kthw_routes.proof.answers import parse_answer
from kthw_routes.proof.case import Case
from kthw_routes.proof.causes import Cause, Layer

_LIMIT: Final = re.compile(r"mtu ?= ?([0-9]{2,5})")
"""How large a packet may be: in the words of routers, and of the sender's own kernel."""


def full_size(case: Case) -> Cause | None:
    """Find a way on which small packets pass and those of full size do not."""
    pair = case.pair
    if not pair.is_narrow or pair.full_size is None:
        return None
    who, part, limit = _narrowest(case)
    told = f"{who}{part} passes on no more than {limit} bytes." if who and limit else "Nobody says why."
    files = case.source.cidr_files.cni if case.source is not None else None
    where = f"the CNI configuration ({files})" if files is not None else "the CNI configuration"
    value = limit or "the largest number that passes"
    return Cause(
        layer=Layer.MTU,
        what=f"Small packets get through, packets of {pair.full_size} bytes do not: {_meaning(pair.full_size_lost)} "
        f"{told}",
        seen=f"{pair.source} heard: {pair.full_size_lost}." if pair.full_size_lost else "",
        shows=f"On {pair.source}: ping -c 1 -M do -s {pair.full_size - 28} -I {pair.source_address} "
        f"{pair.target_address}",
        fix=f'On each worker: "mtu": {value} in {where}, then create the pods again; '
        "or raise the MTU of what is between.",
        host=who,
    )


def _meaning(answer: str | None) -> str:
    """Return what it means for transfers: a sender that is told makes its packets smaller, if it hears that."""
    if answer and _LIMIT.search(answer):
        return "large transfers go on only where the sender hears of it and makes its packets smaller."
    return "large transfers stall."


def _narrowest(case: Case) -> tuple[str | None, str, str | None]:
    """Find who passes on no packets of full size: a host, its interface, and the bytes that it does pass on.

    What was read of both ends' interfaces counts before what was answered: nobody answers for a packet that is too
    large to be received (measured), and a kernel remembers what it was answered as its own.
    """
    pair = case.pair
    for host, other in ((pair.source, pair.target), (pair.target, pair.source)):
        facts, table = case.proof.facts.get(host), case.table(other)
        address = table.next_hops.get(host) if table is not None else None
        size = facts.mtu_of(address) if facts is not None else None
        if facts is not None and size is not None and size < (pair.full_size or 0):
            return host, f"'s {facts.device_of(address)}", str(size)
    answer = parse_answer(pair.full_size_lost or "")
    limit = next(iter(_LIMIT.findall(pair.full_size_lost or "")), None)
    if answer is None or answer.by is None:
        return (pair.source if answer is not None else None), "", limit
    owner = case.owner(answer.by)
    return owner or str(answer.by), "" if owner else ", an address of none of the nodes,", limit
