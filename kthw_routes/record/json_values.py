"""Reading JSON that anybody may have written: each value through a type, each error with the place of the value."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from kthw_routes.sanitize import clean, clean_line

E = TypeVar("E", bound=StrEnum)

MAX_VALUES: Final = 4_000_000
"""The most values in one text of JSON, by its commas and brackets: a route takes 20, so 200,000 routes fit."""
MAX_TEXT: Final = 4096
"""The longest text in characters, but for file contents."""
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Between these two a moment can be printed in every time zone."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Unfit(ValueError):
    """A text of JSON, or a value in it, is another than was written there. The message is a clause on one line."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value, and where in its text it is."""

    raw: object
    where: str = ""
    """Such as `nodes[2].ssh`; empty for the whole."""

    def fail(self, words: str) -> NoReturn:
        """Raise Unfit: `words` go after the name of the value, such as `is not text`."""
        raise Unfit(f"`{self.where}` {words}" if self.where else f"it {words}")

    def __getitem__(self, key: str) -> "Value":
        """Return the member of this key; it may be null. Raises Unfit where there is none."""
        members = self._mapping()
        if key not in members:
            self._at(key).fail("is missing")
        return self._at(key, members[key])

    def __contains__(self, key: str) -> bool:
        """Return whether there is such a member. Raises Unfit where the value is not an object."""
        return key in self._mapping()

    def get(self, key: str) -> "Value | None":
        """Return the member of this key; None where there is none, or null. Raises Unfit where it is not an object."""
        found = self._mapping().get(key)
        return None if found is None else self._at(key, found)

    def or_none(self) -> "Value | None":
        """Return the value itself; None where it is null."""
        return None if self.raw is None else self

    def members(self) -> Iterator[tuple[str, "Value"]]:
        """Return key -> value, of an object. Raises Unfit."""
        for key, value in self._mapping().items():
            yield Value(key, self._at(key).where).text(), self._at(key, value)

    def items(self) -> tuple["Value", ...]:
        """Return the items of an array. Raises Unfit."""
        if not isinstance(self.raw, list):
            self.fail("is not an array")
        return tuple(Value(item, f"{self.where}[{number}]") for number, item in enumerate(self.raw))

    def text(self, longest: int = MAX_TEXT) -> str:
        """Return a text on one line, without control characters. Raises Unfit."""
        text = self._text(longest)
        if clean(text) != text or "\n" in text or "\t" in text:
            self.fail("holds characters that no such text has")
        return text

    def word(self, pattern: "re.Pattern[str]") -> str:
        """Return a text of which all is of this form. Raises Unfit."""
        text = self.text()
        if not pattern.fullmatch(text):
            self.fail(f"is not of the expected form: {text[:60]!r}")
        return text

    def path(self) -> Path:
        """Return a path, as it was, whatever its characters (but NUL). Raises Unfit."""
        text = self._text(MAX_TEXT, surrogates=True)
        if not text or "\0" in text:
            self.fail("is not a path")
        return Path(text)

    def flag(self) -> bool:
        """Return true or false. Raises Unfit."""
        if not isinstance(self.raw, bool):
            self.fail("is neither true nor false")
        return self.raw

    def integer(self, lowest: int, highest: int) -> int:
        """Return a whole number, both bounds included. Raises Unfit."""
        if not isinstance(self.raw, int) or isinstance(self.raw, bool) or not lowest <= self.raw <= highest:
            self.fail(f"is not a whole number from {lowest} to {highest}")
        return self.raw

    def choice(self, of: type[E]) -> E:
        """Return one of some words. Raises Unfit."""
        text = self.text()
        try:
            return of(text)
        except ValueError:
            self.fail(f"is none of {', '.join(of)}")

    def address(self) -> IPv4Address:
        """Return an IPv4 address. Raises Unfit."""
        try:
            return IPv4Address(self.text())
        except Unfit:
            raise
        except ValueError:
            self.fail("is not an IPv4 address")

    def network(self) -> IPv4Network:
        """Return an IPv4 network in CIDR notation. Raises Unfit."""
        try:
            return IPv4Network(self.text())
        except Unfit:
            raise
        except ValueError:
            self.fail("is not an IPv4 network")

    def moment(self) -> datetime:
        """Return a moment in UTC. Raises Unfit."""
        text = self.text()
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            moment = LATEST
        if not EARLIEST <= moment < LATEST:
            self.fail("is not a time such as 2026-11-22T10:15:00+00:00")
        return moment

    def content(self) -> bytes:
        """Return bytes, from base64. Raises Unfit."""
        if not isinstance(self.raw, str):
            self.fail("is not text")
        try:
            return base64.b64decode(self.raw.encode("ascii"), validate=True)
        except ValueError:  # UnicodeEncodeError and binascii.Error among them
            self.fail("is not base64")

    def _mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.raw, dict):
            self.fail("is not an object")
        return self.raw

    def _at(self, key: str, raw: object = None) -> "Value":
        shown = clean_line(key[:60])
        return Value(raw, f"{self.where}.{shown}" if self.where else shown)

    def _text(self, longest: int, *, surrogates: bool = False) -> str:
        if not isinstance(self.raw, str):
            self.fail("is not text")
        if len(self.raw) > longest:
            self.fail(f"is longer than {longest} characters")
        if not surrogates and _SURROGATE.search(self.raw):
            self.fail("holds characters that no such text has")
        return self.raw


def holds_too_many(data: bytes) -> bool:
    """Return whether a text of JSON has more values than are read."""
    return sum(data.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES


def parse(data: bytes) -> Value:
    """Return the value that a text of JSON holds.

    Raises Unfit: it is none, is not UTF-8, has a key twice, a number that is none (NaN), more than MAX_VALUES values,
    or is too deep.
    """
    if holds_too_many(data):
        raise Unfit(f"it holds more than {MAX_VALUES} values")
    try:
        return Value(json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_number))
    except Unfit:
        raise
    except UnicodeDecodeError as error:
        raise Unfit("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise Unfit(f"it is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise Unfit("it holds a number of too many digits") from error
    except RecursionError as error:
        raise Unfit("it is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Unfit(f"it holds the key `{clean_line(twice[:60])}` twice")
    return members


def _no_number(word: str) -> NoReturn:
    raise Unfit(f"it holds {word}, which is not a number")
