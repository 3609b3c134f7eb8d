"""Programs to look at files, and editors, which the model has not: they say how to edit without them."""

from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import try_help


@program("vi", "vim", "nano", "emacs")
def editor(process: Process) -> int:
    """Say how a file is changed here without an editor."""
    name = process.arguments[-1] if process.arguments else "FILE"
    process.err(
        f"{process.name} needs a whole terminal, which this lab has not. To look and to edit without it:\n"
        f"  cat {name}\n"
        f"  sed -i 's,OLD,NEW,' {name}      replaces text in every line that has it\n"
        f"  sed -i '/TEXT/d' {name}         deletes the lines with TEXT\n"
        f"  echo 'LINE' >> {name}           adds a line at the end\n"
    )
    return 1


CLEARED: Final = "\x1b[H\x1b[2J\x1b[3J"
"""What empties a terminal."""


@program("clear")
def clear(process: Process) -> int:
    """Empty the terminal."""
    process.out(CLEARED)
    return 0


@program("less", "more")
def less(process: Process) -> int:
    """Print files whole: there are no pages here."""
    return process.run(["cat", *(word for word in process.arguments if not word.startswith("-"))])


@program("head", "tail")
def head(process: Process) -> int:
    """Print the first or the last lines of a file or of stdin: `head [-n N] [FILES]`."""
    words, count = process.arguments, 10
    if words and words[0] == "-n" and len(words) > 1:
        words, number = words[2:], words[1]
    elif words and words[0].startswith("-") and words[0] != "-":
        words, number = words[1:], words[0].lstrip("-n")
    else:
        number = "10"
    if not number.lstrip("-").isdecimal():
        return try_help(process, f"invalid number of lines: '{number}'")
    count = abs(int(number))
    status = 0
    for name in words or ["-"]:
        try:
            data = process.read() if name == "-" else process.host.files.read(name, process)
        except FileError as error:
            status = process.fail(f"cannot open '{name}' for reading: {error.reason}")
            continue
        lines = data.splitlines(keepends=True)
        chosen = lines[:count] if process.name.endswith("head") else lines[len(lines) - min(count, len(lines)) :]
        process.stdout(b"".join(chosen))
    return status
