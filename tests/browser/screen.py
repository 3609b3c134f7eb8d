"""What a terminal shows after all that it was sent: as much of a terminal as Textual needs."""

import re
from typing import Final

_ITEM: Final = re.compile(
    r"\x1b\[([0-9;?$]*)([A-Za-z])|\x1b\[\?[0-9;]*\$p|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|[\r\n]"
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-9;?$]*|\][^\x07]*)?$")


class Screen:
    """Lines of characters, without their colours; underlined ones are known, as the button that has the focus is."""

    def __init__(self) -> None:
        self.columns = self.lines = 0
        """As wide and high as the largest text so far."""
        self._cells: dict[int, dict[int, str]] = {}
        self._underlined: set[tuple[int, int]] = set()
        self._is_underlined = False
        self._column = self._line = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take what is sent to the terminal."""
        text = self._rest + text
        self._rest = unfinished[0] if (unfinished := _UNFINISHED.search(text)) else ""
        text = text[: len(text) - len(self._rest)]
        at = 0
        for item in _ITEM.finditer(text):
            self._put(text[at : item.start()])
            at = item.end()
            if item[0] == "\r":
                self._column = 0
            elif item[0] == "\n":
                self._line += 1
            elif item[2] == "H":
                line, _, column = (item[1] or "1;1").partition(";")
                self._line, self._column = int(line or 1) - 1, int(column or 1) - 1
            elif item[2] == "m":
                self._is_underlined = _underlines(item[1], self._is_underlined)
            elif item[2] == "J":
                self._cells.clear()
        self._put(text[at:])

    def _put(self, text: str) -> None:
        for character in text:
            self._cells.setdefault(self._line, {})[self._column] = character
            (self._underlined.add if self._is_underlined else self._underlined.discard)((self._line, self._column))
            self._column += 1
        self.columns, self.lines = max(self.columns, self._column), max(self.lines, self._line + 1)

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self._text_of(number) for number in range(self.lines))

    @property
    def underlined(self) -> str:
        """All that is underlined."""
        return "".join(self._cells[line][column] for line, column in sorted(self._underlined))

    def _text_of(self, number: int) -> str:
        line = self._cells.get(number, {})
        return "".join(line.get(column, " ") for column in range(max(line, default=-1) + 1)).rstrip()

    def find(self, words: str, *, last: bool = False) -> tuple[int, int]:
        """Return column and line of words, the last of them or the first."""
        numbers = range(self.lines)
        for number in reversed(numbers) if last else numbers:
            text = self._text_of(number)
            if (column := text.rfind(words) if last else text.find(words)) >= 0:
                return column, number
        raise AssertionError(f"{words!r} is not on the screen:\n{self.text}")


def _underlines(parameters: str, before: bool) -> bool:
    """Whether text is underlined after `CSI … m`."""
    numbers = iter(parameters.split(";"))
    for number in numbers:
        if number in ("38", "48"):  # a colour: its numbers mean something else
            for _ in range(3 if next(numbers, "") == "2" else 1):
                next(numbers, "")
        elif number == "4":
            before = True
        elif number in ("", "0", "24"):
            before = False
    return before
