"""`python -m kthw_routes` and the command `kthw-routes`."""

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line."""
    from kthw_routes.cli import main as command

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows few letters gets `?` instead of a traceback
    command(prog_name="kthw-routes")


if __name__ == "__main__":
    main()
