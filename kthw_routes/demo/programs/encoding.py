"""base64, in which undo by hand prints files that are not plain text; sha256sum, which compares files."""

import base64 as codec
import binascii
import hashlib
import re

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import options, quoted

_WIDTH = 76


@program("base64")
def base64(process: Process) -> int:
    """Encode or decode: `base64 [-w COLUMNS] [FILE]`, `base64 -d [FILE]`."""
    letters, long, names = options(process, "w")
    decode = "d" in letters or "--decode" in long
    match = re.search("w([0-9]+)", letters)
    width = match[1] if match else next((word for word in long if not word.startswith("--")), str(_WIDTH))
    width = next((word.partition("=")[2] for word in long if word.startswith("--wrap=")), width)
    if not re.fullmatch("[0-9]+", width):
        return process.fail(f"invalid wrap size: {quoted(process, width)}")
    name = names[0] if names else "-"
    try:
        data = process.read() if name == "-" else process.host.files.read(name, process)
    except FileError as error:
        is_folder = error.reason == "Is a directory"
        return process.fail(f"read error: {error.reason}" if is_folder else f"{name}: {error.reason}")
    if not decode:
        process.stdout(_wrapped(codec.b64encode(data), int(width)))
        return 0
    text = data.replace(b"\n", b"")
    try:
        process.stdout(codec.b64decode(text, validate=True))
    except binascii.Error:
        good = re.match(rb"[A-Za-z0-9+/]*", text)
        cut = good[0] if good else b""
        if len(cut) % 4 == 1:
            cut = cut[:-1]
        process.stdout(codec.b64decode(cut + b"=" * (-len(cut) % 4)))
        return process.fail("invalid input")
    return 0


@program("sha256sum")
def sha256sum(process: Process) -> int:
    """Print digests: `sha256sum [FILES]`."""
    status = 0
    for name in options(process)[2] or ["-"]:
        try:
            data = process.read() if name == "-" else process.host.files.read(name, process)
        except FileError as error:
            status = process.fail(f"{name}: {error.reason}")
            continue
        process.out(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    return status


def _wrapped(text: bytes, width: int) -> bytes:
    if not width:
        return text
    return b"".join(text[at : at + width] + b"\n" for at in range(0, len(text), width))
