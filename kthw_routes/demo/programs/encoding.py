"""base64, with which the way back of a file that is no plain text is printed."""

import base64 as codec
import binascii

from kthw_routes.demo.process import Process
from kthw_routes.demo.programs import program

_WIDTH = 76


@program("base64")
def base64(process: Process) -> int:
    """Encode stdin, or decode it with `-d`."""
    words = process.arguments
    if any(word not in ("-d", "--decode", "-") for word in words):
        return process.fail("only `base64` and `base64 -d` of stdin are known here")
    data = process.read()
    if not words or words == ["-"]:
        text = codec.b64encode(data)
        process.stdout(b"".join(text[at : at + _WIDTH] + b"\n" for at in range(0, len(text), _WIDTH)))
        return 0
    try:
        process.stdout(codec.b64decode(b"".join(data.split()), validate=True))
    except binascii.Error:
        return process.fail("invalid input")
    return 0
