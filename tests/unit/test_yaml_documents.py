"""YAML of hosts: what is behind its aliases counts before anything is made of it."""

import time
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.facts import HostFile
from kthw_routes.hosts.cni import read_kubelet
from kthw_routes.persistence import netplan
from kthw_routes.persistence.yaml_documents import MAX_LENGTH, MAX_NODES, compose, load

ROUTES = ",".join("{to: 10.200.1.0/24, via: 10.0.0.1}" for _ in range(1200))
BOMBS = {
    "one list in many places": f"ethernets:\n  a: &a\n    routes: [{ROUTES}]\n"
    + "".join(f"  b{n}: *a\n" for n in range(4000)),
    "merged many times": f"a: &a {{{','.join(f'k{n}: 1' for n in range(4000))}}}\nb:\n  <<: [{'*a, ' * 9000}]\n",
    "merged into what is merged": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
    "laughs": "a0: &a0 [lol]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 20)),
    "a circle": "ethernets: &a\n  a: *a\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_aliases_multiply_is_refused_at_once(bomb: str) -> None:
    text = BOMBS[bomb]
    assert len(text) < MAX_LENGTH
    begun = time.process_time()
    for parse in (load, compose):
        with pytest.raises(ValueError, match="it is not valid YAML"):
            parse(text)
    assert netplan.parse(HostFile(netplan.PATH, 0o600, text.encode())) == ()
    assert read_kubelet(PurePosixPath("/k.yaml"), text) == (None, "k.yaml: it is not valid YAML")
    assert time.process_time() - begun < 20


@pytest.mark.parametrize("over", [0, 1])
def test_aliases_count_as_what_they_stand_for(over: int) -> None:
    head = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\nb: "  # three keys and lists, ten in the anchor
    aliases = (MAX_NODES - 1 - 14) // 10
    rest = (MAX_NODES - 1 - 14) % 10
    text = f"{head}[{', '.join([*['*a'] * aliases, *['0'] * (rest + over)])}]\n"
    if over:
        with pytest.raises(ValueError, match="not valid"):
            load(text)
    else:
        assert load(text) == yaml.safe_load(text)


@given(st.text("a:-[]{}&*<! \n\t\"'#|>?,0.1é\x1b", max_size=80))
def test_what_is_not_bounded_is_read_as_ever(text: str) -> None:
    try:
        wanted = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        wanted = ValueError
    try:
        found = load(text)
    except ValueError:
        found = ValueError
    assert repr(found) == repr(wanted) or "*" in text
