"""What one `ip` command runs with: the process, the namespace, the style of printing."""

from dataclasses import dataclass

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.netlink import KernelError
from kthw_routes.demo.programs.iproute.arguments import IpError, no_device, refused
from kthw_routes.demo.programs.iproute.printing import Entry, Style, render


@dataclass(frozen=True, slots=True)
class Context:
    """One `ip` command."""

    process: Process
    kernel: Kernel
    style: Style

    def print(self, entries: list[Entry]) -> None:
        """Print entries in the chosen style."""
        self.process.out(render(entries, self.style))

    @property
    def prefix_kind(self) -> str:
        """What a complaint about a prefix says was expected."""
        return {4: "inet", 6: "inet6"}.get(self.style.family or 0, "any valid")

    def need_root(self) -> None:
        """Raises IpError as the kernel refuses an ordinary user."""
        if not self.process.user.is_root:
            raise refused(KernelError(1))

    def known_device(self, name: str) -> str:
        """The name of an interface that exists. Raises IpError."""
        try:
            self.kernel.link(name)
        except KernelError:
            raise no_device(name) from None
        return name

    def complain(self, text: str, status: int = 1) -> IpError:
        """A complaint after which a forced batch goes on."""
        return IpError(f"{text}\n", status, ends_batch=False)
