"""Nothing that comes from outside restyles a terminal, and no text takes more than its length to clean."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes import sanitize
from kthw_routes.sanitize import MAX_VALUE, clean, clean_line, clean_value


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
        ("a\x1b]0;title\x1b\\b", "ab"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("a\x1b]52;never ended", "a"),
        ("a\x1b]52;never ended\nb", "a\nb"),
        ("a\x9d0;cut by another\x1b[31mb", "ab"),
        ("a\x90cut by another\x9d0;title\x07b", "ab"),
        ("a\x1b_tmux\x1b\\b\x98sos\x9cc\x1b^pm\x1b\\d", "abcd"),
        ("a\x1b\x1b\x1b[1;2", "a"),
        ("a\x1b[31\x01mb", "ab"),
        ("a\x1b\nb", "a\nb"),
        ("10%\r100%", "10%\n100%"),
        ("one\r\ntwo", "one\ntwo"),
        ("\x00\x07\x08bell", "bell"),
        ("\u202eevil\u2066", "evil"),
        ("tab\tstays", "tab\tstays"),
        ("\x1b", ""),
        ("\x1b(B", ""),
        ("größe ✓ [/foo]", "größe ✓ [/foo]"),
        ("half a \ud800 letter", "half a  letter"),
    ],
)
def test_escape_sequences_and_controls_go(hostile: str, harmless: str) -> None:
    assert clean(hostile) == harmless


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert not [c for c in clean(text) if (ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0]
    assert "\n" not in clean_line(text)
    assert clean(f"€{text}") == f"€{clean(text)}"
    assert clean(clean(text)) == clean(text)


_SKIPPED = re.compile(
    "[\x00-\x06\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x8f\x91-\x97\x99\x9a\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SEQUENCES = re.compile(
    r"""(?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]?
      | (?: \x1b[]PX^_] | [\x90\x98\x9d-\x9f] ) [^\n\x07\x1b\x90\x98\x9b-\x9f]*
      | \x1b [ -/]* [0-~]?
      | [\x07\x9c]""",
    re.VERBOSE,
)


def _clean_by_patterns(text: str) -> str:
    """What `clean` does, as patterns that are easy to check and slow on hostile text."""
    return _SEQUENCES.sub("", _SKIPPED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 14])
@given(
    text=st.text(
        st.sampled_from(
            "\x1b[]P\\ (#0;@~aé€\U0001f600\n\r\t\x01\x07\x80\x90\x9b\x9c\x9d\xa0\u200b\u202e\u2066\ufeff\ud800"
        )
    )
)
def test_every_text_is_cleaned_as_the_patterns_do_wherever_it_is_divided(chunk: int, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sanitize, "_CHUNK", chunk)
        assert clean(text) == _clean_by_patterns(text)


@given(st.text())
def test_any_text_is_cleaned_as_the_patterns_do(text: str) -> None:
    assert clean(text) == _clean_by_patterns(text)


_INTRODUCERS = [*(f"\x1b{c}" for c in "]PX^_[\\ (#%c0a"), *map(chr, range(0x80, 0xA0))]
_CLASSES = [
    *map(chr, range(0x20)),
    "\x7f",
    *("\u200b", "\u202e", "\u2066", "\ufeff", "\ud800", "\udfff", "\u0301", "é", "€", "\U0001f600", " ", "a"),
    *_INTRODUCERS,
    *(f"a{introducer}" for introducer in _INTRODUCERS),
    *(f"é{introducer}" for introducer in _INTRODUCERS),
    *(f"{introducer}a" for introducer in _INTRODUCERS),
    *(f"{introducer}\n" for introducer in _INTRODUCERS),
    *("\x1b[0", "\x1b[0;", "\x1b[ ", "\x1b[31m", "\x9b?1", "\x9bm", "\x1b(B", "\x1b((", "€\x1b((", "a\x1b(B"),
    *("\x1b]0;", "\x1b]\x07", "\x1b]\x1b\\", "\x1bP\x9c", "\x9d\x1b", "\x9d\x90", "\x90\x9b\x1b"),
    *("\x1b\x1b\x1b", "a\r", "\r\n", "a\x01", "\u200ba", "\ud800a", "\x01\u2066\ud800", "\x1b\u202e"),
]


def _cpu_seconds(function: Callable[[str], str], text: str) -> float:
    begun = time.process_time()
    function(text)
    return time.process_time() - begun


@pytest.mark.parametrize("function", [clean, clean_line])
def test_every_class_of_character_and_every_unfinished_sequence_is_cleaned_in_one_pass(
    function: Callable[[str], str],
) -> None:
    """50 KB, which take 1 ms; what is not linear takes half a minute."""
    for piece in _CLASSES:
        text = piece * (50_000 // len(piece.encode("utf-8", "surrogatepass")))
        for hostile in (f"{text}\x1b", f"\x9d{text}\x1b[\u202e\n"):
            assert any(_cpu_seconds(function, hostile) < 0.05 for _ in range(5)), ascii(piece)


@pytest.mark.parametrize("piece", ["a", "\x9d", "€\x9b", "\x1b((", "\x1ba", "a\x1b(B", "\ud800a", "a\n\x9d"])
def test_ten_megabytes_of_one_class_are_cleaned_in_less_than_half_a_second(piece: str) -> None:
    """A tenth of the time on an idle machine; any of a few tries counts, as others may work on this one."""
    text = f"\x1b{piece * (10_000_000 // len(piece.encode('utf-8', 'surrogatepass')))}"
    assert any(_cpu_seconds(clean, text) < 0.5 for _ in range(5))


def test_a_chunk_and_what_is_kept_of_it_are_short() -> None:
    """However long a text is, only a chunk of it is worked on at a time, and no beginning grows from chunk to chunk."""
    for piece in _CLASSES:
        unfinished = ""
        for _ in range(3):
            unfinished = sanitize._clean_chunk(unfinished + piece * 100)[1]
            assert len(unfinished) <= 3


def test_a_value_is_cut_before_it_is_cleaned() -> None:
    assert clean_value("worker-0\n") == "worker-0"
    assert clean_value("a" * MAX_VALUE) == "a" * MAX_VALUE
    assert clean_value("a" * 10 * MAX_VALUE) == f"{'a' * MAX_VALUE}…"
    assert clean_value("\x1b]" * MAX_VALUE + "a") == "…"
