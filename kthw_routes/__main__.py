"""`python -m kthw_routes` and the command `kthw-routes`."""

import sys

from kthw_routes.cli import standard_streams


def main() -> None:
    """Run the command line; one more Ctrl-C while it ends changes nothing."""
    standard_streams.install()
    try:
        from kthw_routes.cli.main import main as command

        try:
            command(prog_name="kthw-routes")
        finally:
            standard_streams.finish()
    except KeyboardInterrupt:
        sys.exit(standard_streams.INTERRUPTED)


if __name__ == "__main__":
    main()
