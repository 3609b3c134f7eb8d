"""What stands in the place of a file and is none, or one that nobody means."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ODD_FILES: Final = ("nothing", "a folder", "a FIFO", "a link to a FIFO", "a socket", "a device", "a huge file")


@contextmanager
def odd_file(kind: str, folder: Path) -> Iterator[Path]:
    """The path of something of this kind. Nobody writes into the FIFO; the huge file has 1 GiB, all of it holes."""
    path = folder / "odd"
    match kind:
        case "a folder":
            path.mkdir()
        case "a FIFO":
            os.mkfifo(path)
        case "a link to a FIFO":
            os.mkfifo(folder / "fifo")
            path.symlink_to("fifo")
        case "a device":
            path.symlink_to("/dev/zero")
        case "a huge file":
            path.touch()
            os.truncate(path, 1 << 30)
        case "a socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(os.path.relpath(path))  # the address of a socket has little room
                yield path
            return
    yield path
