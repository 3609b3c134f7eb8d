"""How a command ends: its exit code, an error as its sentence, and whether what it printed has arrived."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import click

from kthw_routes.cli import standard_streams
from kthw_routes.end_signals import end_signals
from kthw_routes.errors import ExitCode, KthwRoutesError

_REDACTED: Final = "Why is left out, as it may name hosts: the command printed it, and without --redact it is here."


def leave(
    context: click.Context,
    work: Callable[[], ExitCode],
    *,
    as_json: bool = False,
    is_for_stdout: bool = False,
    is_redacted: bool = False,
) -> None:
    """Run a command and leave with its exit code; an error of ours becomes its sentence, never a traceback.

    Args:
        context: that of the command.
        work: the command.
        as_json: whether it prints one JSON document.
        is_for_stdout: whether stdout gets what others go by, this document or another; it is a failure then if it does
            not arrive. What is printed for people decides nothing.
        is_redacted: whether the document is to be shown to others.
    """
    try:
        with end_signals(_interrupt):
            code = work()
    except KthwRoutesError as error:
        click.echo(f"kthw-routes: {error.sentence}", err=True)
        for line in error.hint.splitlines():
            click.echo(f"    {line}", err=True)
        if as_json:
            click.echo(json.dumps(_error_document(error, is_redacted=is_redacted), indent=2))
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        with suppress(OSError):  # the terminal may be gone
            click.echo("kthw-routes: interrupted.", err=True)
        code = ExitCode.INTERRUPTED
    try:
        if (as_json or is_for_stdout) and not standard_streams.is_delivered():
            code = ExitCode.FAILED if code in (ExitCode.DRIFT, ExitCode.NO_TRAFFIC) else code or ExitCode.FAILED
    except KeyboardInterrupt:  # nobody reads it, and somebody does not want to wait any longer
        code = ExitCode.INTERRUPTED
    context.exit(code)


def _interrupt(_number: int) -> None:
    """SIGTERM and SIGHUP are as Ctrl-C."""
    standard_streams.limit_waits()
    raise KeyboardInterrupt


def _error_document(error: KthwRoutesError, *, is_redacted: bool) -> dict[str, object]:
    """Return what `--json` says of an error; with all that was known by then, where that is more than the error."""
    from kthw_routes.record.json_plan import VERSION  # with all that it describes it is too heavy for `--help`

    known = getattr(error, "document", None) if not is_redacted else None
    sentence, hint = (error.sentence, error.hint) if not is_redacted else (_REDACTED, "")
    return {
        **(known or {"version": VERSION}),
        "error": {"sentence": sentence, "hint": hint, "exit_code": int(error.exit_code)},
    }
