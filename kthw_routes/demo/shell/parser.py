"""The shell's parser: tokens to a list of commands, by recursive descent."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from kthw_routes.demo.shell.lexer import Lexer
from kthw_routes.demo.shell.syntax import (
    REDIRECTIONS,
    RESERVED,
    AndOr,
    Command,
    For,
    Group,
    HereDocument,
    If,
    Literal,
    Pipeline,
    Redirection,
    Script,
    ShellSyntaxError,
    Simple,
    Token,
    Word,
)

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


@lru_cache(maxsize=256)  # every host is asked the same
def parse(text: str) -> Script:
    """Parse a script. Raises ShellSyntaxError."""
    parser = _Parser(text)
    script = parser.script(frozenset())
    if parser.token.kind != "end":
        raise parser.unexpected()
    return script


class _Parser:
    def __init__(self, text: str) -> None:
        self._lexer = Lexer(text)
        self.token = self._lexer.next()

    def _advance(self) -> Token:
        token = self.token
        self.token = self._lexer.next()
        return token

    def unexpected(self) -> ShellSyntaxError:
        """Say what is wrong at this token, in dash's words."""
        if self.token.kind == "end":
            return ShellSyntaxError("end of file unexpected", self.token.line)
        if self.token.text == "\n":
            return ShellSyntaxError("newline unexpected", self.token.line)
        if self.token.kind == "operator" or self.token.text in RESERVED:
            return ShellSyntaxError(f'"{self.token.text}" unexpected', self.token.line)
        return ShellSyntaxError("word unexpected", self.token.line)

    def _is(self, *texts: str) -> bool:
        return self.token.kind in ("word", "operator") and self.token.text in texts

    def _expect(self, text: str) -> None:
        if not self._is(text):
            raise self.unexpected()
        self._advance()

    def _skip_newlines(self) -> None:
        while self._is("\n"):
            self._advance()

    def script(self, ends: frozenset[str]) -> Script:
        """Parse a list of commands up to one of the reserved words `ends`, or the end."""
        items: list[AndOr] = []
        while True:
            while self._is("\n"):
                self._advance()
            if self.token.kind == "end" or self.token.text in ends or (self._is(")") and ")" in ends):
                return Script(tuple(items))
            items.append(self._and_or())
            if self._is("&"):
                items[-1] = replace(items[-1], background=True)
                self._advance()
            elif self._is(";", "\n"):
                self._advance()
            elif self.token.kind != "end" and self.token.text not in ends:
                raise self.unexpected()

    def _and_or(self) -> AndOr:
        first = self._pipeline()
        rest: list[tuple[str, Pipeline]] = []
        while self._is("&&", "||"):
            operator = self._advance().text
            self._skip_newlines()
            rest.append((operator, self._pipeline()))
        return AndOr(first, tuple(rest))

    def _pipeline(self) -> Pipeline:
        negated = self._is("!") and self.token.kind == "word"
        if negated:
            self._advance()
        commands = [self._command()]
        while self._is("|"):
            self._advance()
            self._skip_newlines()
            commands.append(self._command())
        return Pipeline(tuple(commands), negated)

    def _command(self) -> Command:
        if self.token.kind == "operator" and self.token.text == "(":
            self._advance()
            body = self.script(frozenset({")"}))
            self._expect(")")
            return Group(body, True, self._redirections())
        if self.token.kind == "word":
            match self.token.text:
                case "{":
                    self._advance()
                    body = self.script(frozenset({"}"}))
                    self._expect("}")
                    return Group(body, False, self._redirections())
                case "if":
                    return self._if()
                case "for":
                    return self._for()
                case text if text in RESERVED and text != "in":
                    raise self.unexpected()
        return self._simple()

    def _do_group(self) -> Script:
        self._expect("do")
        body = self.script(frozenset({"done"}))
        self._expect("done")
        return body

    def _if(self) -> If:
        branches: list[tuple[Script, Script]] = []
        otherwise = None
        while self._is("if", "elif"):
            self._advance()
            condition = self.script(frozenset({"then"}))
            self._expect("then")
            branches.append((condition, self.script(frozenset({"elif", "else", "fi"}))))
        if self._is("else"):
            self._advance()
            otherwise = self.script(frozenset({"fi"}))
        self._expect("fi")
        return If(tuple(branches), otherwise, self._redirections())

    def _for(self) -> For:
        self._advance()
        if self.token.kind != "word" or not self.token.text.isidentifier():
            raise ShellSyntaxError("Bad for loop variable", self.token.line)
        name = self._advance().text
        words: list[Word] = []
        self._skip_newlines()
        if self._is("in"):
            self._advance()
            while self.token.kind == "word":
                words.append(self._advance().word)
        if self._is(";", "\n"):
            self._advance()
        self._skip_newlines()
        return For(name, tuple(words), self._do_group(), self._redirections())

    def _simple(self) -> Simple:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        line = self.token.line
        while True:
            if self._redirection(redirections):
                continue
            if self.token.kind != "word":
                break
            word = self._advance().word
            assignment = _assignment(word) if not words else None
            if assignment:
                assignments.append(assignment)
            else:
                words.append(word)
        if not (assignments or words or redirections):
            raise self.unexpected()
        return Simple(tuple(assignments), tuple(words), redirections, line)

    def _redirections(self) -> list[Redirection]:
        found: list[Redirection] = []
        while self._redirection(found):
            pass
        return found

    def _redirection(self, found: list[Redirection]) -> bool:
        """Read one redirection into `found`; False if there is none."""
        fd = None
        if self.token.kind == "io":
            fd = int(self._advance().text)
        if self.token.kind != "operator" or self.token.text not in REDIRECTIONS:
            if fd is not None:
                raise self.unexpected()
            return False
        operator = self._advance().text
        if self.token.kind != "word":
            raise self.unexpected()
        fd = fd if fd is not None else 0 if operator.startswith("<") else 1
        if operator == "<<":
            word = self.token.word
            delimiter = "".join(part.text for part in word if isinstance(part, Literal))
            quoted = any(isinstance(part, Literal) and part.quoted for part in word)
            found.append(Redirection(fd, "<<", ()))
            self._lexer.waiting.append(HereDocument(found, len(found) - 1, delimiter, quoted))
            self._advance()
            return True
        found.append(Redirection(fd, operator, self._advance().word))
        return True


def _assignment(word: Word) -> tuple[str, Word] | None:
    first = word[0] if word else None
    if not isinstance(first, Literal) or first.quoted:
        return None
    match = _ASSIGNMENT.match(first.text)
    if not match:
        return None
    rest = first.text[match.end() :]
    return match[1], ((Literal(rest, False), *word[1:]) if rest else word[1:])
