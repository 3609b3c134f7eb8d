"""The word that visitors type: who has typed it is known by a cookie; wrong ones are limited per address."""

import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Final

COOKIE: Final = "kthw-routes"
MAX_TRIES: Final = 10
"""Wrong words from one address within WINDOW."""
WINDOW: Final = 60.0
"""Seconds after which a wrong word counts no more."""
MAX_ADDRESSES: Final = 4096
"""Addresses with wrong words that are remembered; beyond that all wait."""

_CONSONANTS: Final = "bdfgkmnprstvz"
_VOWELS: Final = "aeiou"
_SYLLABLES: Final = 6


def new_word() -> str:
    """Make a word that can be read out: `bakuti-remosa`. There are 75 thousand million of them."""
    letters = "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(_SYLLABLES))
    return f"{letters[:_SYLLABLES]}-{letters[_SYLLABLES:]}"


class Door:
    """Lets in who typed the word, or everybody where there is none."""

    def __init__(self, word: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, for the limit of tries."""
        self.word: Final = word
        self._pass: Final = secrets.token_urlsafe(32)
        self._clock = clock
        self._wrong: dict[str, deque[float]] = {}

    def is_open_to(self, cookie: str | None) -> bool:
        """Return whether a visitor with this cookie has typed the word."""
        return self.word is None or secrets.compare_digest((cookie or "").encode(), self._pass.encode())

    def must_wait(self, address: str) -> bool:
        """Return whether too many wrong words came from this address."""
        self._forget()
        wrong = self._wrong.get(address)
        return len(wrong) >= MAX_TRIES if wrong is not None else len(self._wrong) >= MAX_ADDRESSES

    def enter(self, address: str, typed: str) -> str | None:
        """Compare what was typed there. Returns the cookie to give; None: it is wrong, or comes too soon."""
        if self.word is None or self.must_wait(address):
            return None
        if secrets.compare_digest(_letters(typed).encode(), _letters(self.word).encode()):
            return self._pass
        self._wrong.setdefault(address, deque()).append(self._clock())
        return None

    def _forget(self) -> None:
        oldest = self._clock() - WINDOW
        for address, times in list(self._wrong.items()):
            while times and times[0] <= oldest:
                times.popleft()
            if not times:
                del self._wrong[address]


def _letters(text: str) -> str:
    """Reduce what was typed to what counts."""
    return "".join(letter for letter in text[:100].casefold() if letter.isalnum())
