"""`kthw-routes drills`: the list, the progress, and a drill in plain lines."""

import sys

from rich.table import Table
from rich.text import Text

from kthw_routes.cli.output import Printer
from kthw_routes.cli.plain_drill import PlainDrill
from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.practice import Practice
from kthw_routes.drills.progress import Progress
from kthw_routes.errors import ExitCode
from kthw_routes.local_files import state_folder


def list_drills(catalogue: Catalogue, *, verbose: bool) -> ExitCode:
    """Print all drills by name, with what is solved; `verbose`: what each of them is, for teachers."""
    printer, progress = Printer(sys.stdout), Progress(state_folder())
    entries = progress.read()
    grid = Table.grid(padding=(0, 2))
    for _ in range(3):
        grid.add_column(overflow="fold")
    for name in catalogue.names:
        drill, entry = catalogue.drill(name), entries.get(name)
        grid.add_row(name, drill.title, Text(entry.words if entry is not None else "", "green"))
        if verbose:
            grid.add_row("", Text(f"is: {drill.answers[drill.right - 1].text}", "dim"), "")
            for host, lines in drill.solution.items():
                for line in lines:
                    grid.add_row("", Text(f"on {host}: {line}", "dim"), "")
    printer.console.print(grid, soft_wrap=False)
    printer.say()
    count = sum(name in progress.solved for name in catalogue.names)
    printer.say(
        f"{count} of {len(catalogue.names)} solved. kthw-routes drills NAME starts one; --seed {catalogue.seed}"
    )
    printer.say("gives others the same nodes in the same parts.")
    return ExitCode.DONE


def reset() -> ExitCode:
    """Forget the progress."""
    progress = Progress(state_folder())
    words = "The progress is forgotten." if progress.reset() else "There was no progress to forget."
    Printer(sys.stdout).say(f"{words} ({progress.path})")
    return ExitCode.DONE


def practise(catalogue: Catalogue, name: str | None, *, with_pods: bool) -> ExitCode:
    """Practise on screens. Raises UsageError where no drill has that name."""
    from kthw_routes.wizard.drills import run_drills

    if name is not None:
        catalogue.drill(name)
    return run_drills(catalogue, Progress(state_folder()), name, with_pods=with_pods)


def practise_plainly(catalogue: Catalogue, name: str | None, *, with_pods: bool) -> ExitCode:
    """Practise one drill in plain lines: read what is typed, until it is solved and left, or input ends."""
    progress, printer = Progress(state_folder()), Printer(sys.stdout)
    goes_on, name = True, name or catalogue.next_after(None, progress.solved)
    while goes_on:
        practice = Practice(catalogue.drill(name), with_pods=with_pods)
        printer.say("A working cluster is being made, and something in it broken …", "dim")
        practice.start()
        try:
            goes_on = PlainDrill(practice, catalogue, progress, printer).run()
        finally:
            practice.close()
        name = catalogue.next_after(name, progress.solved)
    return ExitCode.DONE
