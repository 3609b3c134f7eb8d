"""`python -m kthw_routes` and the command `kthw-routes`."""


def main() -> None:
    """Run the command line."""
    from kthw_routes.cli import main as command

    command(prog_name="kthw-routes")


if __name__ == "__main__":
    main()
