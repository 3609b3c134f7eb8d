"""`kthw-routes demo`: the embedded lab, with the wizard, in plain lines, or kept for other commands."""

import shlex
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace

import click

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.errors import ExitCode


def serve(
    region: str,
    *,
    port: int,
    address: str | None,
    max_visitors: int | None,
    pods: bool = False,
    present: bool = False,
    overlay: str | None = None,
) -> ExitCode:
    """Serve the wizard on the embedded lab to browsers; see `wizard`. Raises UsageError."""
    from kthw_routes.serve import LOOPBACK, MAX_VISITORS, SEED, serve_lab

    def announce(line: str) -> None:
        click.echo(line)
        sys.stdout.flush()

    flags = (*(["--pods"] if pods else []), *(["--present"] if present else []))
    chosen = (*flags, *(["--overlay", overlay] if overlay is not None else []))
    labs = {"demo": ("demo", "--region", region, *chosen), "drills": ("drills", "--seed", SEED)}
    serve_lab(address or LOOPBACK, port, max_visitors or MAX_VISITORS, labs, announce)
    return ExitCode.DONE


def wizard(region: str, *, pods: bool = False, present: bool = False, overlay: str | None = None) -> ExitCode:
    """Return the wizard on the embedded lab.

    Args:
        region: where the lab's cluster is.
        pods: whether a pod runs on each worker from the start.
        present: whether the run stops before each host's change.
        overlay: as of `--overlay`.
    """
    from kthw_routes.wizard import run_wizard

    with EmbeddedLab(region, with_pods=pods) as lab:
        return run_wizard(replace(lab.settings, present=present, overlay=overlay), lab)


def run(region: str, *, pods: bool = False, overlay: str | None = None) -> ExitCode:
    """Return all steps in plain lines, ending with the proof. Nothing is asked: nothing real is changed."""
    from kthw_routes.cli.apply import run_steps

    with EmbeddedLab(region, with_pods=pods) as lab:
        click.echo(f"The embedded lab runs in {region}: 3 workers, 3 controllers, on this machine's loopback only.\n")
        sys.stdout.flush()
        return run_steps(replace(lab.settings, overlay=overlay), yes=True)


def keep(region: str, *, pods: bool = False) -> ExitCode:
    """Keep the lab until Ctrl-C or the end of the terminal, and say how other commands reach it."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with EmbeddedLab(region, with_pods=pods) as lab:
        click.echo(f"The embedded lab runs in {region}. It ends with Ctrl-C; all that it made is gone then.\n")
        click.echo("In a second terminal, for kthw-routes and anything else that asks Linode:\n")
        for name, value in lab.environment.items():
            click.echo(f"  export {name}={shlex.quote(value)}")
        click.echo("\n  kthw-routes plan\n\nTo look around on the nodes:\n")
        for name in lab.node_names:
            click.echo(f"  ssh -F {shlex.quote(str(lab.ssh_config))} {name}")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            ended.wait()
        click.echo("\nThe lab is gone.")
    return ExitCode.DONE
