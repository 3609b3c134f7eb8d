"""Reading the overlay on a host: its device, the ways to its peers, the table that accepts them. Nothing is changed."""

from kthw_routes.facts import InterfaceAddress
from kthw_routes.hosts import programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.overlay import device as words
from kthw_routes.overlay import table
from kthw_routes.overlay.model import DEVICE, OverlayReading, OverlayState
from kthw_routes.ssh.command import CANNOT_RUN, NO_SUCH_PROGRAM, Command
from kthw_routes.ssh.errors import OutputCut, TookTooLong


def read_overlay(task: HostTask, addresses: tuple[InterfaceAddress, ...]) -> OverlayReading:
    """Read the overlay. `addresses`: those of the host's interfaces, read before. Raises what `Session.run` raises."""
    status, devices = _ask(task, programs.vxlan_devices())
    table_status, listing = _ask(task, programs.overlay_table())
    has_nft = table_status not in (CANNOT_RUN, NO_SUCH_PROGRAM)
    try:
        device, problem, others = words.parse_devices(devices if status == 0 else "")
    except ValueError:
        status = None
    if status is None or table_status is None:
        return OverlayReading(is_unread=True, has_nft=has_nft)
    accepts, strange = table.parse(listing if table_status == 0 else "")
    state = OverlayState(accepts=accepts)
    if device is not None:
        state = OverlayState(
            device=device,
            addresses=frozenset(a.address for a in addresses if a.device == DEVICE and not a.is_temporary),
            neighbours=words.parse_neighbours(_ask(task, programs.overlay_neighbours())[1]),
            forwarding=words.parse_forwarding(_ask(task, programs.overlay_forwarding())[1]),
            accepts=accepts,
        )
    return OverlayReading(state=state, problem=problem or strange, others=others, has_nft=has_nft)


def _ask(task: HostTask, command: Command) -> tuple[int | None, str]:
    """Run a command. Returns its status, and what it printed; None where that took too long, or is too much."""
    try:
        result = task.run(command, silent=True)
    except (OutputCut, TookTooLong) as error:
        task.note(error.sentence)
        return None, ""
    return result.status, result.out
