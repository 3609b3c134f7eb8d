"""The wizard: the steps of the command line, one screen each, in Textual. Only this package imports textual."""

from typing import TYPE_CHECKING

from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings

if TYPE_CHECKING:
    from kthw_routes.demo.lab import EmbeddedLab


def run_wizard(settings: Settings, lab: "EmbeddedLab | None" = None) -> ExitCode:
    """Walk the person through the steps, in this terminal.

    Args:
        settings: the options of the command line; the wizard starts from them.
        lab: a started practice lab, where it is the only source to offer. It is closed where another region is chosen,
            else by the caller.

    Returns what `apply` would; 0 where the person quit before anything was run. Does not return after SIGTERM or
    SIGHUP, or where the terminal is gone: the process then ends with 130.
    """
    from kthw_routes.wizard.app import WizardApp
    from kthw_routes.wizard.ending import Ending, write_last_words

    app = WizardApp(settings, lab)
    ending = Ending(app)
    try:
        with ending:
            code = app.run()
    finally:
        app.controller.close()
    write_last_words(app.controller.last_words, is_ending=ending.has_begun)
    if ending.has_begun:
        ending.leave()
    if code is None:
        return ExitCode.FAILED if app.return_code else app.controller.exit_code
    return code
