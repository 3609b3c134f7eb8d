"""Nothing that comes from outside restyles a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.untrusted import clean, clean_line


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
    assert clean(clean(text)) == clean(text)
