"""The lab's Linode API with faults to serve, the requests that it had, and accounts that change."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from kthw_routes.demo.api.account import FIRST_ID, Account, LinodeFirewall, LinodeInstance
from kthw_routes.demo.api.documents import Json
from kthw_routes.demo.api.server import LinodeApi, Request


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer that is served in place of the right one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Content-Type is `application/json` unless it is among these."""
    path: str = ""
    """Only for requests whose path has this in it."""
    hangs: bool = False
    """Nothing is ever answered."""
    drops: bool = False
    """The connection is closed without an answer."""
    cuts: int | None = None
    """Only so many bytes of the body are sent, of those that were announced."""
    edit: Callable[[Json], object] | None = None
    """Takes the right answer and returns what is sent in its place."""
    writes: Callable[[Callable[[bytes], object]], object] | None = None
    """Sends all of the answer, its head included, with the function that it is given."""


class FaultyApi(LinodeApi):
    """The lab's API, which serves faults first."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.faults: list[Fault] = []
        """Served first, each once, in this order."""
        self.requests: list[str] = []
        """Path and query of each request so far."""
        self._closing = threading.Event()
        self._noting = threading.Lock()

    def close(self) -> None:
        """Release the hanging answers too."""
        self._closing.set()
        super().close()

    def wait_until_closing(self) -> None:
        """Block a hanging answer."""
        self._closing.wait()

    def serve(self, request: Request) -> None:
        """Serve the fault that is due, or the right answer."""
        with self._noting:
            self.requests.append(request.path)
            fault = next((f for f in self.faults if f.path in request.path), None)
            if fault is not None:
                self.faults.remove(fault)
        if fault is None:
            super().serve(request)
            return
        if fault.hangs:
            self.wait_until_closing()
        if fault.writes:
            fault.writes(request.wfile.write)
        if fault.hangs or fault.drops or fault.writes:
            request.close_connection = True
            return
        status, body = request.right_answer()
        answer: object = fault.edit(body) if fault.edit else body
        if fault.edit is None and (fault.body or fault.status != 200):
            status, answer = fault.status, fault.body
        request.send(status, answer, fault.headers, cut=fault.cuts)


def with_node(account: Account, name: str, public: str, private: str, region: str) -> Account:
    """The same account with one more node, made last."""
    last = max(account.numbered, default=FIRST_ID - 1)
    node = LinodeInstance(name, (public,), (private,), region, (name.rpartition("-")[0],), number=last + 1)
    return replace(account, instances=(*_numbered(account), node))


def without(account: Account, name: str) -> Account:
    """The same account without the instance of that label."""
    return replace(account, instances=tuple(linode for linode in _numbered(account) if linode.label != name))


def moved(account: Account, name: str, public: str, private: str) -> Account:
    """The same account with other addresses of the instance of that label."""
    return _edited(account, name, lambda linode: replace(linode, public=(public,), private=(private,)))


def firewalled(account: Account, name: str, *firewalls: LinodeFirewall) -> Account:
    """The same account with these Cloud Firewalls in front of one instance."""
    return _edited(account, name, lambda linode: replace(linode, firewalls=firewalls))


def renamed(account: Account, old: str, new: str) -> Account:
    """The same account with another label of one instance."""
    return _edited(account, old, lambda linode: replace(linode, label=new))


def _edited(account: Account, name: str, edit: Callable[[LinodeInstance], LinodeInstance]) -> Account:
    instances = tuple(edit(linode) if linode.label == name else linode for linode in _numbered(account))
    return replace(account, instances=instances)


def _numbered(account: Account) -> list[LinodeInstance]:
    """The instances with the ids that they have, whatever goes from between them."""
    return [replace(linode, number=number) for number, linode in account.numbered.items()]
