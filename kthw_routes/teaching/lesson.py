"""The lessons of this lab: short texts with the cluster's own names and addresses, each with a question."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Cluster, Node
from kthw_routes.overlay.model import gateway_of

_TUTORIAL: Final = {
    "a": "worker-0",
    "b": "worker-1",
    "a_node": "192.168.8.20",
    "b_node": "192.168.8.21",
    "a_pods": "10.200.0.0/24",
    "b_pods": "10.200.1.0/24",
    "cluster_cidr": str(DEFAULT_CLUSTER_CIDR),
}
"""What stands in for what is not known of a cluster: the values of the tutorial."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to choose."""

    text: str
    is_right: bool
    reason: str
    """Why it is right, or is not."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson, with the values of a cluster filled in."""

    name: str
    title: str
    paragraphs: tuple[str, ...]
    """Plain text; `…` marks what is typed. The last one says what goes wrong without it."""
    question: str
    answers: tuple[Answer, ...]


def lesson_names() -> tuple[str, ...]:
    """Return the names of all lessons, in the order in which they build on each other."""
    return tuple(_sources())


def lesson(name: str, cluster: Cluster | None = None) -> Lesson:
    """Return a lesson. Raises KeyError for another name than those of `lesson_names`.

    Args:
        name: its name.
        cluster: whose names and addresses are in it; without one, or where it has none, those of the tutorial.
    """
    values = _values(cluster)
    text = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], _sources()[name])
    body, _, quiz = text.partition("\n## ")
    head, *paragraphs = (" ".join(part.split()) for part in body.strip().split("\n\n"))
    question, *rows = (line for line in quiz.splitlines() if line)
    return Lesson(
        name=name,
        title=head.removeprefix("# "),
        paragraphs=tuple(paragraphs),
        question=question,
        answers=tuple(_answer(row) for row in rows),
    )


def _answer(row: str) -> Answer:
    text, _, reason = row[2:].partition(": ")
    return Answer(text=text, is_right=row.startswith("+ "), reason=reason)


@cache
def _sources() -> Mapping[str, str]:
    found = sorted((file for file in files(__package__).joinpath("lessons").iterdir()), key=lambda file: file.name)
    return {
        file.name.removesuffix(".md").partition("-")[2]: file.read_text(encoding="utf-8")
        for file in found
        if file.name.endswith(".md")
    }


def _values(cluster: Cluster | None) -> Mapping[str, str]:
    """Return what is filled in: two workers, their internal addresses and pod CIDRs, a pod of each."""
    values = dict(_TUTORIAL)
    if cluster is not None:
        values["cluster_cidr"] = str(cluster.cidr)
        complete = [n for n in cluster.workers if n.pod_cidr is not None and n.internal is not None]
        if len(complete) >= 2:
            for key, node in zip("ab", complete, strict=False):
                values |= _of_node(key, node)
    for key in "ab":
        pods = IPv4Network(values[f"{key}_pods"])
        values |= {f"{key}_pod": str(_pod(pods)), f"{key}_hop": str(gateway_of(pods))}
    return values


def _of_node(key: str, node: Node) -> Mapping[str, str]:
    return {key: node.name, f"{key}_node": str(node.internal), f"{key}_pods": str(node.pod_cidr)}


def _pod(network: IPv4Network) -> IPv4Address:
    """Return an address that a pod may have: the fifth, as the first ones are the network's and the bridge's."""
    return network[min(5, network.num_addresses - 1)]
