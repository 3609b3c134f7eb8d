"""Nothing that comes from outside restyles a terminal, and no text takes more than its length to clean."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


_INTRODUCERS = [*(f"\x1b{c}" for c in "]PX^_[\\ (#%c0"), *map(chr, range(0x80, 0xA0))]
_CLASSES = [
    *map(chr, range(0x20)),
    "\x7f",
    *("\u200b", "\u202e", "\u2066", "\ufeff", "\ud800", "\udfff", "\u0301", "é", "€", "\U0001f600", " ", "a"),
    *_INTRODUCERS,
    *(f"a{introducer}" for introducer in _INTRODUCERS),
    *(f"{introducer}a" for introducer in _INTRODUCERS),
    *(f"{introducer}\n" for introducer in _INTRODUCERS),
    *(
        "\x1b[0",
        "\x1b[0;",
        "\x1b[ ",
        "\x9b?1",
        "\x1b(B",
        "\x1b]0;",
        "\x1b]\x07",
        "\x1b]\x1b\\",
        "\x1bP\x9c",
        "\x9d\x1b",
    ),
    *("\x1b\x1b\x1b", "\x9d\x90", "\x90\x9b\x1b", "a\r", "\r\n", "a\x01", "\u200ba", "\x01\u2066\ud800", "\x1b\u202e"),
]
_LENGTH = 60_000
"""Characters; what looks at each of them from each of them takes half a minute."""


@pytest.mark.parametrize("function", [clean, clean_line])
def test_every_class_of_character_and_every_unfinished_sequence_is_cleaned_in_one_pass(
    function: Callable[[str], str],
) -> None:
    for piece in _CLASSES:
        text = piece * (_LENGTH // len(piece))
        for hostile in (f"{text}\x1b", f"\x9d{text}\x1b[\u202e\n"):
            begun = time.process_time()
            function(hostile)
            assert time.process_time() - begun < 3, ascii(piece)


def test_megabytes_of_one_class_are_cleaned_in_one_pass() -> None:
    for piece in ("\x9d", "\x90", "\x1b]", "\x1b["):
        begun = time.process_time()
        clean(piece * (10_000_000 // len(piece)) + "\x1b")
        assert time.process_time() - begun < 20, ascii(piece)


def test_a_value_is_cut_before_it_is_cleaned() -> None:
    assert clean_value("worker-0\n") == "worker-0"
    assert clean_value("a" * MAX_VALUE) == "a" * MAX_VALUE
    assert clean_value("a" * 10 * MAX_VALUE) == f"{'a' * MAX_VALUE}…"
    assert clean_value("\x1b]" * MAX_VALUE + "a") == "…"
