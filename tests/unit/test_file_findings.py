"""What is said of files: what ends at a reboot, what would come back wrong, what is not read."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.facts import HostFile, NetworkSetup, Route
from kthw_routes.findings.model import Finding, Level
from kthw_routes.findings.plan import ends_at_reboot, of_plan
from kthw_routes.options import Options
from kthw_routes.persistence.managers import MODULES
from kthw_routes.persistence.model import Manager, Persist, PersistedRoute
from kthw_routes.plan import compare as planning

from . import setups
from .builders import cluster, facts, net, pod_route
from .setups import DEBIAN, LINODE, NETPLAN, NOTHING, held, standing

CLUSTER = cluster()
NODE = CLUSTER.node("worker-0")
RIGHT = (held(1), held(2))
AUTO = Options(persist=Persist.AUTO)
TEMPLATE = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, b"127.0.0.1 localhost\n")


def found(network: NetworkSetup, options: Options = Options()) -> dict[str, Finding]:  # noqa: B008 - frozen
    host = facts(NODE, (pod_route(1), pod_route(2)), network=network)
    return {f.code: f for f in of_plan(planning.make(CLUSTER, {"worker-0": host}, options))}


def with_files(manager: Manager, network: NetworkSetup, routes: Iterable[PersistedRoute] = RIGHT) -> NetworkSetup:
    return standing(network, *MODULES[manager].render(tuple(routes), network))


def test_routes_that_no_file_holds_end_at_the_next_reboot() -> None:
    finding = found(LINODE)["not-persisted"]
    assert finding.sentence == "The routes end at the next reboot on worker-0."
    assert (finding.level, finding.node) == (Level.NOTICE, "worker-0")
    assert "not-persisted" not in found(LINODE, AUTO)
    assert "not-persisted" not in found(with_files(Manager.NETWORKD, LINODE))


def test_one_sentence_for_all_hosts_whose_routes_end() -> None:
    given = {n.name: facts(n, network=LINODE) for n in CLUSTER}
    given["worker-1"] = facts(
        CLUSTER.node("worker-1"), network=with_files(Manager.NETWORKD, LINODE, [held(0), held(2)])
    )
    sentences = [f.sentence for f in of_plan(planning.make(CLUSTER, given)) if f.code == "not-persisted"]
    assert sentences == ["The routes end at the next reboot on worker-0 and worker-2."]


def test_where_no_route_is_wanted_none_ends() -> None:
    control = CLUSTER.node("controller-0")
    made = planning.make(CLUSTER, {"controller-0": facts(control, network=LINODE)})
    assert not [f for f in of_plan(made) if f.code == "not-persisted"]


def test_a_file_that_would_bring_another_route_back() -> None:
    sentence = found(with_files(Manager.NETWORKD, LINODE, [held(1, via=9)]))["persisted-differs"].sentence
    assert sentence == (
        "worker-0: 05-eth0.network.d/90-kthw-routes.conf holds 10.200.1.0/24 via 192.168.128.19 instead of "
        "192.168.128.11 and does not hold 10.200.2.0/24 via 192.168.128.12: after the next reboot the routes "
        "are others."
    )
    assert "persisted-differs" not in found(with_files(Manager.NETWORKD, LINODE))


def test_what_should_go_from_a_file() -> None:
    made = found(with_files(Manager.NETPLAN, NETPLAN, (*RIGHT, held(7))), Options(prune=True))
    assert "holds 10.200.7.0/24 via 192.168.128.17, which should go" in made["persisted-differs"].sentence
    assert "persisted-differs" not in found(with_files(Manager.NETPLAN, NETPLAN, (*RIGHT, held(7))))


def test_a_file_that_the_host_does_not_read() -> None:
    unread = standing(LINODE, *MODULES[Manager.NETPLAN].render(RIGHT, NETPLAN))
    (host,) = planning.make(CLUSTER, {"worker-0": facts(NODE, network=unread)}).hosts
    assert ends_at_reboot(host)
    made = found(unread)
    assert made["persisted-not-read"].sentence == (
        "worker-0: /etc/netplan/90-kthw-routes.yaml holds routes, but this host does not read it: eth0 is configured "
        "by /etc/systemd/network/05-eth0.network, which is not netplan's."
    )
    assert "not-persisted" not in made


@pytest.mark.parametrize(
    ("network", "asked", "words"),
    [
        (LINODE, Persist.NETPLAN, "`--persist auto` takes systemd-networkd there"),
        (NOTHING, Persist.AUTO, "systemd is not the init there."),
        (replace(NETPLAN, netplan_problem="tabs"), Persist.AUTO, "netplan does not read its files as they are: tabs."),
        (DEBIAN, Persist.NETWORKD, "eth0 is not managed by systemd-networkd."),
    ],
)
def test_what_cannot_be_done_is_said_and_wants_to_be_acknowledged(
    network: NetworkSetup, asked: Persist, words: str
) -> None:
    made = found(network, Options(persist=asked))
    assert words in made["cannot-persist"].sentence
    assert made["cannot-persist"].sentence.startswith("worker-0: ")
    assert made["cannot-persist"].acknowledge
    assert "not-persisted" not in made
    assert made["cannot-persist"].hint == "They are added all the same, and end at the next reboot."


def test_what_holds_the_routes_already_goes_on_holding_them() -> None:
    made = found(with_files(Manager.NETWORKD, LINODE), Options(persist=Persist.NETPLAN))
    assert made["cannot-persist"].hint == "The files that are there hold them, and are kept right."


def test_names_in_a_file_that_cloud_init_writes_anew() -> None:
    network = replace(LINODE, hosts_template=TEMPLATE)
    given = {n.name: facts(n, network=network) for n in CLUSTER}

    def codes(options: Options) -> list[str]:
        made = of_plan(planning.make(CLUSTER, given, options))
        return [f.sentence for f in made if f.code == "hosts-file-is-rewritten"]

    assert codes(Options()) == [
        "cloud-init rewrites /etc/hosts at each boot on controller-0 (manage_etc_hosts): the workers' names are "
        "gone then."
    ]
    assert codes(Options(hosts_template=True)) == []
    given["controller-0"] = facts(CLUSTER.node("controller-0"), network=LINODE)
    assert codes(Options()) == []


def test_a_prefix_of_the_kernels_own_is_no_route_that_ends() -> None:
    kernel = [
        Route(net(f"10.200.{n}.0/24"), device="eth1", protocol="kernel", scope="link", source=NODE.internal)
        for n in (1, 2)
    ]
    made = planning.make(CLUSTER, {"worker-0": facts(NODE, kernel, network=setups.LINODE)})
    assert not [f for f in of_plan(made) if f.code == "not-persisted"]
