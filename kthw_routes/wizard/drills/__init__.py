"""Drills as screens: the list, and a drill with its shells. An application of its own, started by a command line."""

from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.progress import Progress
from kthw_routes.errors import ExitCode


def run_drills(catalogue: Catalogue, progress: Progress, name: str | None, *, with_pods: bool) -> ExitCode:
    """Practise in this terminal: from the list, or at once with the drill of that `name`.

    Does not return after SIGTERM or SIGHUP, or where the terminal is gone: the process then ends with 130.
    """
    from kthw_routes.wizard.drills.app import DrillsApp
    from kthw_routes.wizard.ending import Ending

    app = DrillsApp(catalogue, progress, name, with_pods=with_pods)
    ending = Ending(app)
    try:
        with ending:
            code = app.run()
    finally:
        app.discard_labs()
    if ending.has_begun:
        ending.leave()
    return code if code is not None else ExitCode.FAILED if app.return_code else ExitCode.DONE
