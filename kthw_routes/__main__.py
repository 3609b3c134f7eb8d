"""`python -m kthw_routes` and the command `kthw-routes`."""

from kthw_routes import standard_streams


def main() -> None:
    """Run the command line."""
    standard_streams.install()
    from kthw_routes.cli import main as command

    try:
        command(prog_name="kthw-routes")
    finally:
        standard_streams.finish()


if __name__ == "__main__":
    main()
