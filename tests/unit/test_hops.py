"""The way of a packet, hop by hop, by what was read: masquerading as the bridge plugin's rules write it."""

from dataclasses import replace

import pytest

from kthw_routes.netfilter import iptables
from kthw_routes.proof.path import HostPath
from kthw_routes.teaching.explain import explain
from kthw_routes.teaching.hops import Hop, Kind
from kthw_routes.teaching.trace import trace

from .pairs import CLUSTER, ends, of_pods, path, proof_of

_OF_THE_PLUGIN = """\
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-0a1b - [0:0]
-A POSTROUTING -s 10.200.0.2/32 -m comment --comment "name: \\"bridge\\" id: \\"x\\"" -j CNI-0a1b
-A CNI-0a1b -d {kept} -m comment --comment "name: \\"bridge\\" id: \\"x\\"" -j ACCEPT
-A CNI-0a1b ! -d 224.0.0.0/4 -m comment --comment "name: \\"bridge\\" id: \\"x\\"" -j MASQUERADE
COMMIT
"""


def hops(source: HostPath | None) -> list[Hop]:
    """All hops from worker-0's pod to worker-1's and back, of a pair that works; `source`: what is read of worker-0."""
    pair = of_pods(received=3, **ends(3, 3, 3, 3))
    paths = {"worker-0": source} if source is not None else {}
    found = trace(replace(proof_of(pair), paths=paths), CLUSTER, "worker-0", "worker-1")
    assert found is not None
    return list(found.hops)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (path(tables=iptables.parse_tables(_OF_THE_PLUGIN.format(kept="10.200.0.0/16"))), "no: it keeps 10.200.0.2"),
        (path(), "no: it keeps 10.200.0.2"),
        (path(unread=("iptables",)), "not read: traffic gets through"),
        (None, "not read: traffic gets through"),
    ],
)
def test_the_address_of_a_pod_stays_or_nothing_is_known_of_it(source: HostPath | None, value: str) -> None:
    found = [hop for hop in hops(source) if hop.kind is Kind.MASQUERADING]
    assert [(hop.host, hop.is_back, hop.value) for hop in found] == [("worker-0", False, value)]


def test_what_is_masqueraded_is_answered_to_the_node_and_translated_back() -> None:
    found = hops(path(tables=iptables.parse_tables(_OF_THE_PLUGIN.format(kept="10.200.0.0/24"))))
    out, back = (hop for hop in found if hop.kind is Kind.MASQUERADING)
    assert out.value.startswith("yes, it leaves as 192.168.128.10: -A CNI-0a1b ! -d 224.0.0.0/4 ")
    assert (back.host, back.is_back, back.value) == ("worker-0", True, "from 192.168.128.10 back to 10.200.0.2")
    lookup = next(hop for hop in found if hop.kind is Kind.TABLE and hop.is_back and hop.host == "worker-1")
    assert lookup.command == "ip route get 192.168.128.10"


def test_each_hop_has_its_reason_and_a_command_that_is_explained() -> None:
    for hop in hops(path()):
        assert hop.why
        for command in filter(None, hop.command.split("; ")):
            unknown = [word.text for word in explain(command, CLUSTER).words if word.meaning == "not known here"]
            assert not unknown, f"{command}: {unknown}"
