"""What the command line prints: nothing of a table is cut, however narrow the terminal."""

from io import StringIO

from kthw_routes.cli.output import Printer

from .builders import cluster


def test_no_address_and_no_name_of_a_run_is_cut() -> None:
    stream = StringIO()
    printer = Printer(stream)
    printer.console.width = 30
    printer.nodes(cluster())
    printer.table(("when", "run"), [("2026-11-22 14:02:09", "20261122T140209Z-7c1e")])
    shown = stream.getvalue()
    for node in cluster():
        assert all(str(word) in shown for word in (node.name, node.ssh, node.internal) if word)
    assert "2026-11-22 14:02:09  20261122T140209Z-7c1e" in shown
