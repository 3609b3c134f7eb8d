"""The shell's grammar: text to words, words to commands. Nothing is run or expanded here.

What it knows of POSIX sh: quotes, `$NAME`, `$(…)`, here-documents, redirections, lists, pipelines, groups,
subshells, `if`, `for`, `&`. Anything else is refused as a syntax error.
"""

from dataclasses import dataclass, field
from typing import Final


class ShellSyntaxError(Exception):
    """The text is not a shell script. `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Literal:
    """Plain characters; only unquoted ones are taken as patterns."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$NAME` or `${NAME}`."""

    name: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(script)`."""

    script: str
    quoted: bool


Part = Literal | Parameter | Substitution
Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Redirection:
    """`2> file`, `>&1`, `< file`, a here-document."""

    fd: int
    operator: str
    """`<`, `>`, `>>`, `>&`, `&>` or `<<`."""
    word: Word


@dataclass(slots=True)
class HereDocument:
    """A here-document whose body follows after the line."""

    redirections: list[Redirection]
    index: int
    delimiter: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirections: list[Redirection]
    line: int


@dataclass(frozen=True, slots=True)
class Group:
    """`{ list; }`, or `( list )` in a subshell."""

    body: "Script"
    subshell: bool
    redirections: list[Redirection]


@dataclass(frozen=True, slots=True)
class If:
    """`if … then … elif … else … fi`."""

    branches: tuple[tuple["Script", "Script"], ...]
    otherwise: "Script | None"
    redirections: list[Redirection]


@dataclass(frozen=True, slots=True)
class For:
    """`for NAME in WORDS; do … done`."""

    name: str
    words: tuple[Word, ...]
    body: "Script"
    redirections: list[Redirection]


Command = Simple | Group | If | For


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`a | b | c`, or `! a`."""

    commands: tuple[Command, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class AndOr:
    """Pipelines joined by `&&` and `||`; each operator precedes its pipeline."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...]
    background: bool = False
    """Whether `&` follows: nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Script:
    """A list of commands."""

    items: tuple[AndOr, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Token:
    """A word, an operator or the end. `text` is the operator, or the word where it is plain and unquoted."""

    kind: str
    """`word`, `operator`, `io` (a number before a redirection) or `end`."""
    text: str
    line: int
    word: Word = ()


RESERVED: Final = frozenset(
    ("if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until", "case", "esac", "{", "}", "!")
)
REDIRECTIONS: Final = ("<<", ">>", ">&", "&>", "<", ">")
OPERATORS: Final = ("&>", "&&", "||", ";;", *REDIRECTIONS, ";", "&", "|", "(", ")", "`", "\n")
"""Longer ones first, as the first that fits is taken."""
