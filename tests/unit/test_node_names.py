"""What a node's name tells."""

import re
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.node_names import expected_pod_cidr, is_host_name, natural_order, number_in, shortened


@pytest.mark.parametrize("name", ["worker-0", "Worker-0", "w", "0", "a.b", "worker-0.example.com", "x" * 63])
def test_host_names(name: str) -> None:
    assert is_host_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "worker_0",
        "-worker",
        "worker-",
        "a..b",
        "a.",
        ".a",
        "x" * 64,
        ".".join(["x" * 63] * 4),
        "wörker-0",
        "worker 0",
        "worker-0\n",
        "worker-٣",
        "10.0.0.1",
    ],
)
def test_no_host_names(name: str) -> None:
    assert not is_host_name(name)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("worker-0", 0),
        ("worker-10", 10),
        ("worker-007", 7),
        ("k8s-worker-2", 2),
        ("worker-2-blue", 2),
        ("k8s-worker-2-blue", None),
        ("worker", None),
        ("worker-٣", None),
        ("worker-" + "9" * 5000, None),
    ],
)
def test_number_in_a_name(name: str, number: int | None) -> None:
    assert number_in(name) == number


@pytest.mark.parametrize(
    ("name", "cluster", "expected"),
    [
        ("worker-0", "10.200.0.0/16", "10.200.0.0/24"),
        ("worker-255", "10.200.0.0/16", "10.200.255.0/24"),
        ("worker-256", "10.200.0.0/16", None),
        ("worker-256", "10.0.0.0/8", "10.1.0.0/24"),
        ("worker-0", "10.200.5.0/24", "10.200.5.0/24"),
        ("worker-1", "10.200.5.0/24", None),
        ("worker-0", "10.200.5.0/25", None),
        ("worker", "10.200.0.0/16", None),
    ],
)
def test_expected_pod_cidr(name: str, cluster: str, expected: str | None) -> None:
    assert expected_pod_cidr(name, IPv4Network(cluster)) == (IPv4Network(expected) if expected else None)


def test_natural_order() -> None:
    names = ["worker-2", "worker-10", "Worker-1", "worker-01", "worker", "controller-3", "9", "worker-1-b"]
    assert sorted(names, key=natural_order) == [
        "9",
        "controller-3",
        "worker",
        "worker-01",
        "Worker-1",
        "worker-1-b",
        "worker-2",
        "worker-10",
    ]


@given(st.lists(st.text(), unique=True))
def test_natural_order_orders_any_text_and_never_ties(names: list[str]) -> None:
    assert len({natural_order(n) for n in names}) == len(names)
    assert sorted(sorted(names), key=natural_order) == sorted(sorted(names, reverse=True), key=natural_order)


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_natural_order_counts(one: int, other: int) -> None:
    assert (natural_order(f"worker-{one}") < natural_order(f"worker-{other}")) == (one < other)


@given(st.text(alphabet="ab0-._\n ", max_size=70))
def test_a_host_name_is_made_of_the_characters_that_rfc_1123_lists(name: str) -> None:
    if is_host_name(name):
        assert re.fullmatch(r"[ab0.-]+", name)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("", ""),
        ("worker-0", "worker-0"),
        ("worker-1 worker-0", "worker-0, worker-1"),
        ("worker-2 worker-0 controller-0 worker-1", "controller-0, worker-0…2"),
        ("worker-8 worker-9 worker-10 worker-12", "worker-8…10, worker-12"),
        ("worker-01 worker-02 worker-03", "worker-01, worker-02, worker-03"),
        ("w0a w1a w2a", "w0a, w1a, w2a"),
        ("a b c d e f g worker-0 worker-1 worker-2", "a, b, c, d, e, f and 4 more"),
    ],
)
def test_names_in_few_words(names: str, words: str) -> None:
    assert shortened(names.split()) == words
