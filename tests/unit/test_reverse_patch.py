"""Taking an edit of a file back though the file was edited since."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.plan import etc_hosts
from kthw_routes.undo.reverse_patch import reverse
from tests.unit.builders import ip

ADDRESSES = {f"worker-{n}": ip(f"192.168.128.{10 + n}") for n in range(3)}

_line = st.sampled_from(
    ["127.0.0.1 localhost", "10.0.0.9 worker-1", "192.168.128.10 worker-0", "", "# note", "10.0.0.1 a b"]
)
_text = st.builds(
    lambda lines, ending: ("\n".join(lines) + ending).encode(), st.lists(_line, max_size=8), st.sampled_from(["\n", ""])
)
_added = st.lists(st.tuples(st.integers(0, 20), st.sampled_from([b"10.9.9.9 printer\n", b"# mine\n"])), max_size=3)


def text(words: str) -> bytes:
    """Return a file with a word a line."""
    return "".join(f"{word}\n" for word in words.split()).encode()


@given(_text)
def test_without_other_edits_it_is_exact(before: bytes) -> None:
    after = etc_hosts.edit(before, ADDRESSES).after
    assert reverse(after, (before, after)).content == before
    assert reverse(before, (before, after)).content == before


@given(_text, _added)
def test_lines_of_others_stay_and_doing_it_twice_changes_nothing(before: bytes, added: list[tuple[int, bytes]]) -> None:
    after = etc_hosts.edit(before, ADDRESSES).after
    lines = after.splitlines(keepends=True)
    for at, line in added:
        lines.insert(min(at, len(lines)), line)
    now = b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines)
    back = reverse(now, (before, after))
    for line in {line for _, line in added}:
        assert back.content.splitlines().count(line.strip()) >= sum(1 for _, one in added if one == line)
    assert reverse(back.content, (before, after)).content == back.content


@given(_text, _text)
def test_a_line_that_neither_wrote_is_never_lost(before: bytes, now: bytes) -> None:
    after = etc_hosts.edit(before, ADDRESSES).after
    kept = reverse(now, (before, after)).content.splitlines()
    written = set(after.splitlines())
    assert all(line in kept for line in now.splitlines() if line not in written)


@pytest.mark.parametrize(
    ("now", "content", "left"),
    [
        (b"a\nNEW\nb\nx\n", b"a\nold\nb\nx\n", ()),
        (b"x\na\nNEW\nb\n", b"x\na\nold\nb\n", ()),
        (b"a\nother\nb\n", b"a\nother\nb\n", (b"NEW\n",)),
        (b"a\nold\nb\nx\n", b"a\nold\nb\nx\n", ()),
        (b"x\n", b"x\n", (b"NEW\n",)),
    ],
)
def test_parts_that_others_changed_are_left_and_told(now: bytes, content: bytes, left: tuple[bytes, ...]) -> None:
    back = reverse(now, (b"a\nold\nb\n", b"a\nNEW\nb\n"))
    assert (back.content, back.left) == (content, left)


@pytest.mark.parametrize(
    ("before", "after", "now", "content"),
    [
        ("old a b", "a b", "a b x", "old a b x"),
        ("a old b", "a b", "x a b y", "x a old b y"),
        ("a b old", "a b", "x a b", "x a b old"),
        ("a old b", "a b", "a mine b", "a old mine b"),
        ("a old b", "a b", "x b", "x b"),
        ("a b", "a NEW b", "x a NEW b", "x a b"),
        ("a b", "a N1 N2 b", "a N1 mine N2 b", "a N1 mine N2 b"),
        # another part was undone already
        ("a old b c", "a NEW b N2 c", "a old b N2 c", "a old b c"),
        # the person moved a line: the removed one, or another
        ("a old b c", "a b c", "a b c old", "a b c old"),
        ("a b c d e", "a b NEW c d e", "e a b NEW c d", "e a b c d"),
        ("a b c d e f", "a b c NEW d e f", "d c a b NEW e f x", "d c a b e f x"),
        # one of two equal lines: elsewhere it counts for nothing, in its place it is there already
        ("a old b old", "a b old", "x a b old", "x a old b old"),
        ("same a c same d b", "same a c d b", "a c same d b", "a c same d b"),
    ],
)
def test_where_an_edit_was_is_found_again(before: str, after: str, now: str, content: str) -> None:
    assert reverse(text(now), (text(before), text(after))).content == text(content)


@pytest.mark.parametrize(
    ("before", "after", "now", "left"),
    [
        ("a old b older c", "a N1 b N2 c", "a mine b yours c", "N1 N2"),
        ("a b c", "a N1 N2 b N3 N4 c", "a N1 mine N2 b N3 yours N4 c", "N1 N2 N3 N4"),
        ("# same #", "# same same #", "# same same same # same", "# same same #"),
    ],
)
def test_all_that_is_left_is_named(before: str, after: str, now: str, left: str) -> None:
    back = reverse(text(now), (text(before), text(after)))
    assert back.content == text(now)
    assert b"".join(back.left) == text(left)


def test_lines_that_differ_in_a_space_are_two() -> None:
    assert reverse(b"a\nb\nc\nx\n", (b"a\nb \nc\n", b"a\nc\n")).content == b"a\nb \nb\nc\nx\n"


@given(
    st.lists(st.sampled_from(["keep", "insert", "remove", "replace"]), max_size=12),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_each_line_goes_back_to_its_place_whatever_others_wrote_between(edits: list[str], added: list[int]) -> None:
    before, after = [b"first\n"], [b"first\n"]
    for number, edit in enumerate(edits):
        if edit in ("remove", "replace"):
            before.append(b"old %d\n" % number)
        if edit in ("insert", "replace"):
            after.append(b"new %d\n" % number)
        before.append(b"kept %d\n" % number)
        after.append(b"kept %d\n" % number)
    now = list(after)
    mine = [b"mine %d\n" % number for number in range(len(added))]
    for line, at in zip(mine, added, strict=True):
        now.insert(min(at, len(now)), line)
    back = reverse(b"".join(now), (b"".join(before), b"".join(after)))
    lines = back.content.splitlines(keepends=True)
    assert back.left == ()
    assert [line for line in lines if line not in mine] == before
    assert [line for line in lines if line in mine] == [line for line in now if line in mine]


def test_two_lines_never_become_one() -> None:
    assert reverse(b"a\nNEW\nb", (b"a", b"a\nNEW\n")).content == b"a\nb"


@pytest.mark.timeout(120)
def test_a_long_file_with_the_same_lines_over_and_over_is_no_hour_of_work() -> None:
    """A bound against work that grows with the square of the file, which took minutes for a tenth of this."""
    block_list = b"".join(b"0.0.0.0 ads%d.example.com\n%s" % (n, b"\n# more\n" * (n % 2)) for n in range(20_000))
    before = b"127.0.0.1 localhost\n" + block_list
    after = before + b"# BEGIN kthw-routes\n192.168.128.10 worker-0\n# END kthw-routes\n"
    now = b"10.0.0.7 printer\n" + after.replace(b"ads7.", b"ads-7.") + b"# since\n"
    back = b"10.0.0.7 printer\n" + before.replace(b"ads7.", b"ads-7.") + b"# since\n"
    assert reverse(now, (before, after)).content == back
    assert reverse(b"# more\n" * 20_000, (before, after)).content == b"# more\n" * 20_000


SAME = b"10.0.0.9 printer\n"


@pytest.mark.parametrize("there", range(5))
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (0, 2), (3, 1), (1, 3)])
def test_undoing_twice_is_undoing_once_where_the_same_line_is_there_many_times(
    before: int, after: int, there: int
) -> None:
    """Nothing tells equal lines apart, so a second undo must not take the person's own away."""
    edit = (b"# a\n" + SAME * before + b"# b\n", b"# a\n" + SAME * after + b"# b\n")
    once = reverse(b"# a\n" + SAME * there + b"# b\n" + SAME, edit)
    again = reverse(once.content, edit)
    assert again.content == once.content
    assert reverse(again.content, edit).content == once.content


@pytest.mark.timeout(60)
@pytest.mark.parametrize("length", [500, 20_000])
def test_a_line_that_is_repeated_between_lines_that_differ_is_no_hour_of_work(length: int) -> None:
    """The shorter of the two, which has 3.4 KB, took 9 s."""
    one, two, now = (b"".join(b"x\n%s%d\n" % (tag, n) for n in range(length)) for tag in (b"a", b"b", b"c"))
    assert reverse(now, (one, two)).content == now
    begun = time.process_time()
    assert reverse(two + b"mine\n", (one, two)).content == one + b"mine\n"
    assert time.process_time() - begun < 4
