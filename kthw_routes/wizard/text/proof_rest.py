"""What is worth keeping at the end: transcript, undo, the next lab, what holds after a reboot. Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from kthw_routes.wizard.text.source_words import short
from kthw_routes.wizard.themes import dim
from kthw_routes.words import NEXT_LAB, Tone, Words
from kthw_routes.workflow.results import Report


def worth_keeping(
    report: Report | None,
    *,
    problem: str | None,
    of_lab: Sequence[Words | str],
    is_lab: bool,
    after_reboot: Sequence[str],
    has_overlay: bool,
    width: int,
) -> Iterator[Words | str]:
    """Yield it, each with its title.

    Args:
        report: of the run; None where nothing was run.
        problem: why its record is not whole; None where it is.
        of_lab: what is to be said of the practice lab.
        is_lab: whether the nodes are those of the practice lab, so that nothing can be undone later.
        after_reboot: what holds after a reboot, in lines.
        has_overlay: whether packets between pods are carried in an overlay.
        width: columns of a line.
    """
    if report is not None and report.folder is not None:
        yield from (dim("transcript  "), f"{short(report.folder / 'transcript.md')}\n")
        if problem is not None:
            yield Words(f"{problem}\n", Tone.BAD)
        yield dim("undo        ")
        yield "press u; it asks first\n" if is_lab else f"press u; later: kthw-routes undo {report.folder.name}\n"
    yield from (dim("next lab    "), f"{NEXT_LAB}\n", *of_lab)
    if has_overlay:
        yield from (dim("overlay     "), "packets between pods travel in VXLAN, not encrypted\n")
    for number, line in enumerate(after_reboot):
        text = textwrap.indent(hanging(line, width - 14), " " * 12)
        yield dim("reboot      " if number == 0 else "")
        yield f"{text.lstrip() if number == 0 else text}\n"


def of_lab(ssh_config: Path | None, kept_as: Path | None, *, can_keep: bool) -> Iterator[Words | str]:
    """Yield how to keep what the practice lab leaves, and how to look around in it."""
    if kept_as is not None:
        yield Words(f"✓ kept as   {kept_as}\n", Tone.GOOD)
    elif can_keep:
        yield dim("keep        k keeps a copy; the lab deletes the transcript\n")
    if ssh_config is not None:
        yield from (dim("terminal 2  "), f"ssh -F {ssh_config} worker-0\n")


def hanging(text: str, width: int) -> str:
    """Wrap a paragraph, with its own indentation on every line."""
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.fill(text.strip(), max(20, width), initial_indent=indent, subsequent_indent=indent + "  ")
