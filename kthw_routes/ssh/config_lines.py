"""The lines of an OpenSSH client configuration and of what it includes, read within limits. Nothing is executed."""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from kthw_routes.errors import UsageError
from kthw_routes.local_files import read_file
from kthw_routes.sanitize import clean, clean_line

MAX_DEPTH: Final = 16
"""Files within files, as OpenSSH."""
MAX_FILE: Final = 1024 * 1024
"""Bytes of one file."""
MAX_FILES: Final = 1000
MAX_TOTAL: Final = 4 * 1024 * 1024
"""Bytes of all files together."""
MAX_ENTRIES: Final = 20_000
"""Entries of folders that are read for the patterns of all Include lines."""

_BLANK: Final = " \t\r\n\f"
_KEYWORD: Final = re.compile(r'(?:"(?P<quoted>[^"]*)"|(?P<bare>[^ \t\r\n"=]+)[ \t\r\n]*=?)[ \t\r\n]*')
_HINT: Final = "Correct it, name another configuration with -F, or /dev/null for none."


@dataclass(frozen=True, slots=True)
class Line:
    """One line that has a keyword which counts."""

    keyword: str
    """In lower case."""
    words: tuple[str, ...]
    """The arguments, without quotes and trailing comment."""
    where: str
    """`FILE line N`, to be shown."""
    included: tuple[tuple["Line", ...], ...] = ()
    """The lines of each file that an Include line names."""

    def fault(self, complaint: str) -> UsageError:
        """Return the error for a line that cannot be followed as it is."""
        return UsageError(f"The SSH configuration {self.where}: {complaint}.", _HINT)


def is_none(file: Path) -> bool:
    """Whether -F names no file: `none`, as with ssh, or the null device."""
    if str(file).lower() == "none":
        return True
    try:
        return _is_null(file.expanduser().stat())
    except (OSError, ValueError):
        return False


@dataclass(slots=True)
class LineReader:
    """Reads a configuration with all that it includes."""

    wanted: frozenset[str]
    """The keywords, in lower case, whose lines are kept."""
    folder: Path
    """Where relative names of Include lines begin."""
    _files: int = 0
    _bytes: int = 0
    _entries: int = 0
    _globbed: dict[str, tuple[Path, ...]] = field(default_factory=dict)

    def read(self, file: Path, included_at: str = "", depth: int = 0) -> tuple[Line, ...]:
        """Read the lines of `file`; none where it does not exist, is a folder (both as ssh has it) or the null device.

        Raises UsageError: it cannot be read, a limit is passed, or a line is broken.
        """
        shown = clean_line(str(file))
        if depth > MAX_DEPTH:
            raise UsageError(
                f"The SSH configuration {included_at}: too many recursive includes ({shown}).",
                f"Does a file include itself? ssh follows {MAX_DEPTH} levels and then stops as well.",
            )
        try:
            status = file.stat()
            if _is_null(status) or (included_at and stat.S_ISDIR(status.st_mode)):
                return ()
            content = read_file(file, MAX_FILE)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            where = f" (included by {included_at})" if included_at else ""
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"The SSH configuration {shown}{where} cannot be read: {reason}.",
                "Name another one with -F, or /dev/null for none.",
            ) from error
        self._files += 1
        self._bytes += len(content)
        if self._files > MAX_FILES or self._bytes > MAX_TOTAL:
            raise UsageError(
                f"The SSH configuration includes more than {MAX_FILES} files or {MAX_TOTAL // 1024} KiB ({shown}).",
                "Name a smaller one with -F.",
            )
        text = content.decode("utf-8", "surrogateescape")
        return tuple(self._line(raw, f"{shown} line {n}", depth) for n, raw in _kept(text, self.wanted))

    def _line(self, raw: tuple[str, str], where: str, depth: int) -> Line:
        keyword, rest = raw
        words = split_words(rest)
        line = Line(keyword, tuple(words or ()), where)
        readable = rest.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if clean(readable) != readable:
            raise line.fault(f"control characters after {keyword}")
        if words is None:
            raise line.fault("a quote that is not closed")
        if not rest or (not words and keyword != "host"):  # `Host #` is a block for nobody, with ssh too
            raise line.fault(f"nothing follows {keyword}")
        if keyword != "include":
            return line
        files = [self.read(f, where, depth + 1) for word in words for f in self._glob(word, line)]
        return Line(keyword, line.words, where, tuple(files))

    def _glob(self, word: str, line: Line) -> tuple[Path, ...]:
        """List the files that an Include's word names, in their order; a name that does not exist is none."""
        if word not in self._globbed:
            # joinpath leaves an absolute path as it is
            whole = self.folder.joinpath(os.path.expanduser(word))
            found = [Path(whole.anchor)]
            for part in whole.parts[1:]:
                if any(c in part for c in "*?["):
                    found = [base / name for base in found for name in sorted(self._matching(base, part, line))]
                else:
                    found = [base / part for base in found]
            self._globbed[word] = tuple(found)
        return self._globbed[word]

    def _matching(self, folder: Path, pattern: str, line: Line) -> Iterator[str]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._entries += 1
                    if self._entries > MAX_ENTRIES:
                        raise line.fault(f"a pattern over more than {MAX_ENTRIES} files")
                    hidden = entry.name.startswith(".") and not pattern.startswith(".")
                    if not hidden and fnmatch.fnmatchcase(entry.name, pattern):
                        yield entry.name
        except OSError:  # no folder, or not ours to read: nothing matches, as with ssh
            return


def split_words(text: str) -> list[str] | None:
    """Split a line into words as OpenSSH 8.7 and newer do; None where a quote is not closed.

    A word that begins with `#` begins a comment. Within and without quotes, a backslash only escapes a quote or
    a backslash after it; without, for a space as well.
    """
    words: list[str] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in " \t":
            at += 1
        if at == end or text[at] == "#":
            return words
        word: list[str] = []
        quote = ""
        while at < end and (quote or text[at] not in " \t"):
            char, after = text[at], text[at + 1 : at + 2]
            if char == "\\" and after and (after in "'\"\\" or (after == " " and not quote)):
                word.append(after)
                at += 1
            elif not quote and char in "'\"":
                quote = char
            elif char == quote:
                quote = ""
            else:
                word.append(char)
            at += 1
        if quote:
            return None
        words.append("".join(word))


def name_matches(patterns: tuple[str, ...] | list[str], name: str, *, exact_case: bool = False) -> bool:
    """Whether `name` matches one of the patterns (`*`, `?`) and none that begins with `!`."""
    hit = False
    folded = name if exact_case else name.lower()
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        if _pattern(bare if exact_case else bare.lower()).fullmatch(folded):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit


@lru_cache(4096)
def _pattern(text: str) -> re.Pattern[str]:
    """Compile `text` to an expression that never tries a `*` again; brackets mean nothing to ssh."""
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def _kept(text: str, wanted: frozenset[str]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Number, keyword and rest of each line whose keyword is wanted."""
    for number, raw in enumerate(text.split("\n"), 1):
        match = _KEYWORD.match(raw.strip(_BLANK))
        if match is None:
            continue
        keyword = (match["quoted"] or match["bare"] or "").lower()
        if keyword in wanted:
            yield number, (keyword, match.string[match.end() :])


def _is_null(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev
