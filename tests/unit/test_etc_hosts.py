"""The block in /etc/hosts, and the lines that the lab's `tee -a` left."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.plan.changes import ChangeKind
from kthw_routes.plan.etc_hosts import edit
from kthw_routes.plan.hosts_lines import BrokenBlock, resolve, split

from .builders import ip

WANTED = {"worker-0": ip("192.168.128.10"), "worker-1": ip("192.168.128.11")}
BLOCK = b"# BEGIN kthw-routes\n192.168.128.10 worker-0\n192.168.128.11 worker-1\n# END kthw-routes\n"
UBUNTU = b"127.0.0.1\tlocalhost\n\n# IPv6\n::1 ip6-localhost\n"


def kinds(content: bytes, **how: object) -> dict[str, str]:
    return {n.name: n.kind.value for n in edit(content, WANTED, **how).names}  # type: ignore[arg-type]


def test_names_are_added_in_a_block_at_the_end() -> None:
    made = edit(UBUNTU, WANTED)
    assert made.after == UBUNTU + BLOCK
    assert kinds(UBUNTU) == {"worker-0": "add", "worker-1": "add"}
    assert not made.is_empty


def test_a_second_time_there_is_nothing_to_do() -> None:
    again = edit(UBUNTU + BLOCK, WANTED)
    assert again.is_empty
    assert {n.kind for n in again.names} == {ChangeKind.KEEP}


def test_a_file_without_a_last_newline_gets_one_before_the_block() -> None:
    assert edit(b"127.0.0.1 localhost", WANTED).after == b"127.0.0.1 localhost\n" + BLOCK


def test_a_stale_line_of_the_lab_is_taken_over() -> None:
    made = edit(UBUNTU + b"192.168.177.9 worker-1\n", WANTED)
    assert made.after == UBUNTU + BLOCK
    row = next(n for n in made.names if n.name == "worker-1")
    assert row.kind is ChangeKind.REPLACE
    assert row.has == ("192.168.177.9 worker-1",)
    assert "192.168.177.9" in row.reason


def test_a_right_line_typed_by_hand_stays_where_it_is() -> None:
    content = UBUNTU + b"192.168.128.11 worker-1\n"
    made = edit(content, WANTED)
    assert kinds(content) == {"worker-0": "add", "worker-1": "keep"}
    assert made.after == content + b"# BEGIN kthw-routes\n192.168.128.10 worker-0\n# END kthw-routes\n"


def test_five_stale_lines_and_a_right_one() -> None:
    stale = b"".join(b"192.168.177.%d worker-1\n" % n for n in range(5))
    made = edit(UBUNTU + stale + b"192.168.128.11 worker-1\n" * 2, WANTED)
    assert made.after.count(b"worker-1") == 1
    assert b"192.168.177" not in made.after


OTHER_LINES = [
    b"%s worker-1 w1",
    b"%s worker-1 # mine",
    b"%s other worker-1",
    b"%s worker-1.kubernetes.local worker-1",
    b" %s worker-1",
    b"%s\tWORKER-1",
    b"%s\x0bworker-1\r",
    b"::ffff:%s worker-1",
]


@pytest.mark.parametrize("line", OTHER_LINES)
def test_a_right_line_of_any_shape_is_enough(line: bytes) -> None:
    content = UBUNTU + line % b"192.168.128.11" + b"\n"
    made = edit(content, WANTED)
    assert made.after == content + b"# BEGIN kthw-routes\n192.168.128.10 worker-0\n# END kthw-routes\n"
    row = next(n for n in made.names if n.name == "worker-1")
    assert (row.kind, row.reason) == (ChangeKind.KEEP, "line 5 says it")
    assert made.odd_lines == ()


@pytest.mark.parametrize("block", [b"", BLOCK])
@pytest.mark.parametrize("line", OTHER_LINES)
def test_a_wrong_line_of_any_shape_is_drift_and_goes_below_our_block(line: bytes, block: bytes) -> None:
    """It is not ours to change; the first line that has a name counts."""
    other = line % b"192.168.177.9"
    made = edit(UBUNTU + other + b"\n" + block, WANTED)
    assert made.after == UBUNTU + BLOCK + other + b"\n"
    row = next(n for n in made.names if n.name == "worker-1")
    assert (row.kind, row.address) == (ChangeKind.REPLACE, WANTED["worker-1"])
    assert row.reason.startswith("line 5 says 192.168.177.9: ")
    assert len(made.odd_lines) == 1
    assert edit(made.after, WANTED).is_empty


def test_a_wrong_line_below_our_block_does_no_harm_and_is_told() -> None:
    content = BLOCK + b"192.168.177.9 worker-1 w1\n"
    made = edit(content, WANTED)
    assert made.is_empty
    assert made.odd_lines == ("192.168.177.9 worker-1 w1",)


def test_a_line_for_ipv6_is_left_alone_and_told() -> None:
    made = edit(UBUNTU + b"fe80::1 worker-1\n", WANTED)
    assert made.after == UBUNTU + b"fe80::1 worker-1\n" + BLOCK
    assert made.odd_lines == ("fe80::1 worker-1",)


def test_the_lines_that_lab_3_writes_are_enough() -> None:
    lines = "".join(f"{ip} {name}.kubernetes.local {name}\n" for name, ip in WANTED.items()).encode()
    assert edit(UBUNTU + lines, WANTED).is_empty
    assert kinds(UBUNTU + lines) == {"worker-0": "keep", "worker-1": "keep"}


def test_our_block_with_the_line_ends_of_dos_is_read() -> None:
    content = (UBUNTU + BLOCK).replace(b"\n", b"\r\n")
    assert edit(content, WANTED).is_empty
    assert edit(content.replace(b".10 w", b".99 w"), WANTED).after == UBUNTU.replace(b"\n", b"\r\n") + BLOCK


def test_a_comment_and_a_longer_name_are_not_odd() -> None:
    content = UBUNTU + b"# worker-1 is gone\n192.168.1.1 worker-11\n"
    assert edit(content, WANTED).odd_lines == ()


def test_the_block_stays_in_its_place() -> None:
    old = b"# BEGIN kthw-routes\n192.168.128.99 worker-0\n# END kthw-routes\n"
    made = edit(b"1.1.1.1 first\n" + old + b"2.2.2.2 last\n", WANTED)
    assert made.after == b"1.1.1.1 first\n" + BLOCK + b"2.2.2.2 last\n"


def test_a_worker_removed_for_good_goes_an_unlisted_one_only_with_prune() -> None:
    content = BLOCK.replace(b"# END", b"192.168.128.12 worker-2\n# END")
    assert edit(content, WANTED).is_empty
    assert edit(content, WANTED).names[-1].kind is ChangeKind.STALE
    assert edit(content, WANTED, prune=True).after == BLOCK
    (name,) = (n.name for n in edit(content, WANTED).names if n.kind is ChangeKind.STALE)
    assert edit(content, WANTED, marked={name}).after == BLOCK
    assert edit(content, WANTED, marked={"another"}).after == content
    assert edit(content, WANTED, gone={"worker-2"}).after == BLOCK
    with_line = UBUNTU + b"192.168.128.12 worker-2\n"
    assert edit(with_line, WANTED, gone={"worker-2"}).after == UBUNTU + BLOCK
    assert edit(with_line, WANTED, prune=True).after == with_line + BLOCK


OLD = b"192.168.128.11 worker-9\n"
THIRD = b"192.168.9.9 worker-3\n"
LISTED = ("worker-0", "worker-1", "worker-7", "controller-0")


@pytest.mark.parametrize(
    ("line", "why"), [(OLD, "worker-1 has this address now: renamed"), (THIRD, "no worker listed")]
)
def test_a_line_of_the_lab_for_a_worker_that_is_no_more_is_stale(line: bytes, why: str) -> None:
    content = UBUNTU + line + BLOCK
    (row,) = (n for n in edit(content, WANTED, listed=LISTED).names if n.kind is ChangeKind.STALE)
    assert row.has == (line.decode().strip(),)
    assert row.reason.startswith(why)
    assert edit(content, WANTED, listed=LISTED).is_empty
    assert edit(content, WANTED, listed=LISTED, marked={"another"}).after == content
    for how in ({"prune": True}, {"marked": {row.name}}):
        gone = edit(content, WANTED, listed=LISTED, **how)
        assert gone.after == UBUNTU + BLOCK
        assert [(n.name, n.has) for n in gone.names if n.kind is ChangeKind.REMOVE] == [(row.name, row.has)]


def test_a_stale_name_in_the_block_and_beside_it_is_one_row() -> None:
    content = UBUNTU + THIRD + BLOCK.replace(b"# END", b"192.168.9.8 worker-3\n# END") + THIRD
    (row,) = (n for n in edit(content, WANTED, listed=LISTED).names if n.kind is ChangeKind.STALE)
    assert row.has == ("192.168.9.9 worker-3", "192.168.9.8 worker-3", "192.168.9.9 worker-3")
    assert edit(content, WANTED, listed=LISTED).is_empty
    assert edit(content, WANTED, listed=LISTED, prune=True).after == UBUNTU + BLOCK
    repaired = edit(content.replace(b".10 worker-0", b".99 worker-0"), WANTED, listed=LISTED)
    assert repaired.after == content, "what is stale stays where it stands, in the block and beside it"


@pytest.mark.parametrize(
    "line",
    [
        b"192.168.128.11 db-1\n",
        b"192.168.128.11 worker\n",
        b"192.168.128.11 worker-1a\n",
        b"192.168.128.11 my-worker-9\n",
        b"192.168.9.9 worker-3 w3\n",
        b"192.168.9.9 worker-3 # mine\n",
        b"192.168.9.9 worker-7\n",
        b"192.168.9.9 WORKER-7\n",
        b"192.168.128.10 Worker-0\n",
        b"127.0.1.1 worker-3\n",
    ],
)
def test_a_line_that_is_not_like_a_workers_or_is_a_nodes_is_not_stale(line: bytes) -> None:
    content = UBUNTU + line + BLOCK
    made = edit(content, WANTED, listed=LISTED, prune=True, marked={"db-1", "worker-7", "worker-3"})
    assert made.is_empty
    assert not [n for n in made.names if n.kind is not ChangeKind.KEEP]


def test_where_it_is_not_known_who_is_listed_a_line_is_stale_by_its_address_alone() -> None:
    content = UBUNTU + OLD + THIRD + BLOCK
    assert [n.name for n in edit(content, WANTED).names if n.kind is ChangeKind.STALE] == ["worker-9"]
    assert edit(content, WANTED, prune=True).after == UBUNTU + THIRD + BLOCK


@pytest.mark.parametrize(
    "content",
    [
        b"# BEGIN kthw-routes\n",
        b"# END kthw-routes\n",
        BLOCK + BLOCK,
        b"# BEGIN kthw-routes\n# BEGIN kthw-routes\n# END kthw-routes\n",
    ],
)
def test_a_broken_block_is_not_touched(content: bytes) -> None:
    with pytest.raises(BrokenBlock):
        edit(content, WANTED)


@pytest.mark.parametrize("name", ["worker-0 localhost", "worker-0\n1.2.3.4 x", "worker-ü", ""])
def test_no_odd_name_is_ever_written(name: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        edit(UBUNTU, {name: ip("192.168.128.10")})


_LINE = st.one_of(
    st.binary(max_size=20).filter(lambda b: b"\n" not in b and b"kthw-routes" not in b),
    st.sampled_from(
        [
            *(b"127.0.0.1 localhost", b"192.168.128.10 worker-0", b"192.168.1.1 worker-0", b"1.2.3.4 worker-1 x"),
            *(b"", b"\r", b"192.168.128.11 x Worker-1", b"1.2.3.5 WORKER-0 # y"),
        ]
    ),
)


@given(st.lists(_LINE, max_size=8), st.booleans())
def test_every_other_byte_stays_and_twice_is_once(lines: list[bytes], ended: bool) -> None:
    content = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    made = edit(content, WANTED)
    assert edit(made.after, WANTED).is_empty
    others = [line for line in lines if not re.fullmatch(rb"[0-9.]{7,15}[ \t]+worker-[01][ \t]*", line)]
    rest = made.after.replace(b"\n", b"\n").split(b"\n")
    kept = iter(rest)
    assert all(any(line == other for line in kept) for other in others)
    says = resolve(split(made.after, WANTED), WANTED)
    assert {name: found.address for name, found in says.items()} == WANTED


_TYPED = st.sampled_from(
    [
        b"127.0.0.1 localhost",
        b"127.0.1.1 worker-3",
        b"192.168.128.10 worker-0",
        b"192.168.1.1 worker-0",
        b"192.168.128.11 worker-9",
        b"192.168.9.9 worker-3",
        b"192.168.9.9 worker-7",
        b"192.168.9.9 worker-3 w3",
        b"192.168.128.11 db-1",
        b"",
    ]
)


@given(st.lists(_TYPED, max_size=8), st.booleans(), st.sets(st.sampled_from(["worker-3", "worker-9", "worker-7"])))
def test_stale_lines_go_when_asked_and_nothing_else_does(lines: list[bytes], prune: bool, marked: set[str]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    made = edit(content, WANTED, listed=LISTED, prune=prune, marked=marked)
    assert edit(made.after, WANTED, listed=LISTED, prune=prune, marked=marked).is_empty
    stale = {"worker-9": b"192.168.128.11 worker-9", "worker-3": b"192.168.9.9 worker-3"}
    asked = {line for name, line in stale.items() if prune or name in marked}
    taken = {b"192.168.128.10 worker-0", b"192.168.1.1 worker-0", *asked}
    own = (b"", b"# BEGIN kthw-routes", b"# END kthw-routes", *(f"{a} {n}".encode() for n, a in WANTED.items()))
    after = [line for line in made.after.split(b"\n") if line not in own]
    assert after == [line for line in lines if line and line not in taken]
    shown = {n.name for n in made.names if n.kind is ChangeKind.STALE}
    assert shown == {name for name, line in stale.items() if line in lines and line not in asked}
