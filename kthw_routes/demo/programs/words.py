"""How the programs on files read their command line, and how they write the names in it."""

from collections.abc import Callable

from kthw_routes.demo.linux.nodes import FileError, Node
from kthw_routes.demo.linux.process import Process


def options(process: Process, with_value: str = "") -> tuple[str, list[str], list[str]]:
    """Split words into letters, long options with the values that follow letters of `with_value`, and operands."""
    letters = ""
    long: list[str] = []
    names: list[str] = []
    words = process.arguments
    while words:
        word, words = words[0], words[1:]
        if word == "--":
            return letters, long, names + words
        if word.startswith("--"):
            long.append(word)
        elif word.startswith("-") and len(word) > 1:
            letters += word[1:]
            if word[-1] in with_value and words:
                long.append(words[0])
                words = words[1:]
        else:
            names.append(word)
    return letters, long, names


def owner_name(process: Process, uid: int) -> str:
    """Return the account's name, or its number."""
    return next((user.name for user in process.host.users.values() if user.uid == uid), str(uid))


def quoted(process: Process, text: str) -> str:
    """Quote a word with the marks of the process's character set, as most of coreutils' complaints have it."""
    return f"‘{text}’" if speaks_utf8(process) else f"'{text}'"


def speaks_utf8(process: Process) -> bool:
    """Whether a program may print more than ASCII."""
    env = process.env
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "C"
    return locale.lower().endswith(("utf-8", "utf8"))


def try_help(process: Process, message: str, status: int = 1) -> int:
    """Complain about the command line as GNU programs do."""
    process.fail(message)
    process.err(f"Try '{process.name} --help' for more information.\n")
    return status


def lacks_operand(process: Process, names: list[str]) -> int:
    """Complain that a program which wants a source and a target was given less."""
    what = f"missing destination file operand after '{names[0]}'" if names else "missing file operand"
    return try_help(process, what)


def found(process: Process, name: str, *, follow: bool = True) -> Node | None:
    """Find what is at a path; None for nothing, or where it cannot be looked at."""
    try:
        return process.host.files.node(name, process, follow=follow)
    except FileError:
        return None


def is_directory(process: Process, name: str) -> bool:
    """Whether there is a directory, or a link to one."""
    node = found(process, name)
    return node is not None and node.type == "directory"


def for_each(process: Process, names: list[str], act: Callable[[str], None], complaint: str) -> int:
    """Do something with each of several files, whatever becomes of the others, and return the status."""
    status = 0
    for name in names:
        try:
            act(name)
        except FileError as error:
            status = process.fail(f"{complaint} '{name}': {error.reason}")
    return status
