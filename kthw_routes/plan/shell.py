"""The one writer of shell: commands for people to type, and the guarded lines of an automatic rollback. Pure text.

A command is for root, begins with the name of a program, and is one string, its here-document included.
"""

import base64
import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath
from textwrap import wrap
from typing import Final

from kthw_routes.sanitize import clean

MAX_PASTED: Final = 128 * 1024
"""Bytes of a file's former content that are shown, to be pasted."""


def with_sudo(commands: Iterable[str]) -> tuple[str, ...]:
    """Return the commands as a user who is not root types them."""
    return tuple(_with_sudo(command) for command in commands)


def _with_sudo(command: str) -> str:
    first, newline, rest = command.partition("\n")
    if first.startswith("#"):
        return command
    return " && ".join(f"sudo {part}" for part in first.split(" && ")) + newline + rest


def lines(commands: Iterable[str]) -> tuple[str, ...]:
    """Return the commands line by line."""
    return tuple(line for command in commands for line in command.split("\n"))


def write_file(path: PurePosixPath, content: bytes) -> tuple[str, ...]:
    """Return the command that gives a file this content, or a comment on where that is if it is too long to paste."""
    if len(content) > MAX_PASTED:
        return (
            f"# {path}: its {len(content)} bytes are too many to paste; `kthw-routes undo` puts them back, and the\n"
            "# run's journal.jsonl has them (base64).",
        )
    name, delimiter = shlex.quote(str(path)), f"END-OF-{path.name.split('.')[0].upper()}"
    text = content.decode("utf-8", "replace")
    body = text.split("\n")
    if text.encode() == content and clean(text) == text and body[-1] == "" and delimiter not in body:
        return ("\n".join((f"tee {name} >/dev/null <<'{delimiter}'", *body[:-1], delimiter)),)
    # Not a text that could be shown and pasted as it is: control characters, no newline at the end, …
    decode = shlex.join(("sh", "-c", f"base64 -d > {name}"))
    return ("\n".join((f"{decode} <<'{delimiter}'", *wrap(encode(content), 76), delimiter)),)


def guarded_replace(
    path: PurePosixPath, new: PurePosixPath, *, now: bytes | None, then: bytes | None, mode: int | None = None
) -> tuple[str, ...]:
    """Return the lines that put a file in its place, or remove it, if it is as expected; nothing is done otherwise.

    Args:
        path: the file.
        new: where it is written first, in the same folder.
        now: the content that it has to have; None: there has to be none.
        then: the content that it gets; None: it goes.
        mode: its permission bits; None: owner, mode and attributes stay.
    """
    name, made = shlex.quote(str(path)), shlex.quote(str(new))
    test = f"! -e {name}" if now is None else f'"$(base64 -w 0 < {name})" = {shlex.quote(encode(now))}'
    if then is None:
        return (f"if [ {test} ]; then", f"rm -f {name}", "fi")
    attributes = f"cp --attributes-only --preserve=all {name} {made}"
    return (
        f"if [ {test} ]; then",
        *((f"mkdir -p -m 755 {shlex.quote(str(path.parent))}",) if now is None else ()),
        f"rm -f {made}",
        attributes if mode is None else f"install -m {mode & 0o777:o} /dev/null {made}",
        f"printf %s {shlex.quote(encode(then))} | base64 -d > {made} && mv -fT {made} {name}",
        "fi",
    )


def encode(content: bytes) -> str:
    """Return the content in base64, on one line."""
    return base64.b64encode(content).decode("ascii")
