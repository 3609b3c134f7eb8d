"""The shell's tokenizer: quotes, escapes, expansions, operators, comments, here-documents."""

from typing import Final

from kthw_routes.demo.shell.syntax import (
    OPERATORS,
    HereDocument,
    Literal,
    Parameter,
    Part,
    Redirection,
    ShellSyntaxError,
    Substitution,
    Token,
    Word,
)

_ENDS_WORD: Final = " \t\n;&|<>()`"


class Lexer:
    """Reads one script, token by token."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.waiting: list[HereDocument] = []
        """Here-documents whose bodies begin after the next newline."""

    def next(self) -> Token:
        """Read the next token. Raises ShellSyntaxError."""
        self._skip_blanks()
        line = self.line
        if self.at >= len(self.text):
            if self.waiting:
                self._read_here_documents()
            return Token("end", "", line)
        for operator in OPERATORS:
            if self.text.startswith(operator, self.at):
                self.at += len(operator)
                if operator == "\n":
                    self.line += 1
                    self._read_here_documents()
                return Token("operator", operator, line)
        start = self.at
        word = self._word()
        raw = self.text[start : self.at]
        if raw.isdigit() and self.at < len(self.text) and self.text[self.at] in "<>":
            return Token("io", raw, line)
        plain = len(word) == 1 and isinstance(word[0], Literal) and not word[0].quoted
        return Token("word", raw if plain else "", line, word)

    def _skip_blanks(self) -> None:
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\r":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
                self.line += 1
            elif char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def _word(self) -> Word:
        parts: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] not in _ENDS_WORD:
            char = self.text[self.at]
            if char == "'":
                end = self.text.find("'", self.at + 1)
                if end < 0:
                    raise ShellSyntaxError("Unterminated quoted string", self.line)
                self._add(parts, self.text[self.at + 1 : end], quoted=True)
                self.line += self.text.count("\n", self.at, end)
                self.at = end + 1
            elif char == '"':
                self.at += 1
                self._double_quoted(parts, '"')
            elif char == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                if following != "\n":
                    self._add(parts, following or "\\", quoted=True)
                else:
                    self.line += 1
                self.at += 2
            elif char == "$":
                parts.append(self._dollar(quoted=False))
            else:
                self._add(parts, char, quoted=False)
                self.at += 1
        return tuple(parts)

    def _double_quoted(self, parts: list[Part], close: str) -> None:
        """Read up to the closing quote, or to the end of the text where `close` is empty."""
        parts.append(Literal("", True))
        while True:
            if self.at >= len(self.text):
                if close:
                    raise ShellSyntaxError("Unterminated quoted string", self.line)
                return
            char = self.text[self.at]
            if char == close:
                self.at += 1
                return
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", close or "\\", "\\", "\n"):
                if self.text[self.at + 1] != "\n":
                    self._add(parts, self.text[self.at + 1], quoted=True)
                self.at += 2
            elif char == "$":
                parts.append(self._dollar(quoted=True))
            else:
                self.line += char == "\n"
                self._add(parts, char, quoted=True)
                self.at += 1

    @staticmethod
    def _add(parts: list[Part], text: str, *, quoted: bool) -> None:
        last = parts[-1] if parts else None
        if isinstance(last, Literal) and last.quoted == quoted:
            parts[-1] = Literal(last.text + text, quoted)
        else:
            parts.append(Literal(text, quoted))

    def _dollar(self, *, quoted: bool) -> Part:
        following = self.text[self.at + 1 : self.at + 2]
        if following == "(":
            return Substitution(self._balanced("(", ")"), quoted)
        if following == "{":
            name = self._balanced("{", "}")
            if not name.isidentifier():
                raise ShellSyntaxError("Bad substitution", self.line)
            return Parameter(name, quoted)
        if following == "?":
            self.at += 2
            return Parameter(following, quoted)
        end = self.at + 1
        while end < len(self.text) and (self.text[end].isalnum() or self.text[end] == "_"):
            end += 1
        name = self.text[self.at + 1 : end]
        self.at = end
        return Parameter(name, quoted) if name else Literal("$", quoted)

    def _balanced(self, opens: str, closes: str) -> str:
        """Read the text between `$(` and its `)`, quotes respected; move behind it."""
        start = self.at + 2
        at, depth, quote = start, 1, ""
        while at < len(self.text):
            char = self.text[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char == opens:
                depth += 1
            elif char == closes:
                depth -= 1
                if depth == 0:
                    self.at = at + 1
                    self.line += self.text.count("\n", start, at)
                    return self.text[start:at]
            at += 1
        raise ShellSyntaxError('end of file unexpected (expecting ")")', self.line)

    def _read_here_documents(self) -> None:
        for document in self.waiting:
            lines: list[str] = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = min(end + 1, len(self.text))
                self.line += 1
                if line == document.delimiter:
                    break
                lines.append(line + "\n")
            body = "".join(lines)
            word: Word = (Literal(body, True),) if document.quoted else _here_word(body)
            old = document.redirections[document.index]
            document.redirections[document.index] = Redirection(old.fd, "<<", word)
        self.waiting = []


def _here_word(body: str) -> Word:
    """Read the body of an unquoted here-document: like double quotes, but quotes are plain characters."""
    parts: list[Part] = []
    Lexer(body)._double_quoted(parts, "")
    return tuple(parts)
