"""The nodes of a Linode account. The only module that knows linode_api4.

The library is used for what it does well, and kept from the rest: it has no timeouts, its waits between retries
cannot be cancelled, and its objects fetch behind one's back. So: one plain `get` per list, answers copied at once.
"""

import logging
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kthw_routes import __version__
from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Cluster
from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import Emit, Phase
from kthw_routes.findings.cluster import of_token
from kthw_routes.findings.model import Finding, Level
from kthw_routes.proof.cloud import CloudFirewall
from kthw_routes.sanitize import clean_line
from kthw_routes.sources import Discovery
from kthw_routes.sources.linode import errors as linode_errors
from kthw_routes.sources.linode.errors import Answer, LinodeError
from kthw_routes.sources.linode.firewalls import firewalls_of
from kthw_routes.sources.linode.nodes import Search, Via
from kthw_routes.sources.linode.responses import (
    PAGE_SIZE,
    Instance,
    Interfaces,
    interfaces_of_configs,
    interfaces_of_list,
    page_of,
    region_of,
)
from kthw_routes.sources.linode.retries import OpenSockets, note, persistently, run_in_thread
from kthw_routes.sources.linode.token import DEFAULT_URL, Token, is_loopback, sent_unencrypted

if TYPE_CHECKING:
    import requests
    from linode_api4 import LinodeClient

MAX_ANSWERS: Final = 64 * 1024 * 1024
"""Bytes of all answers to one search."""
_MAX_SCOPES_LENGTH: Final = 4096  # characters of the header that lists them


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for Linode, in seconds."""

    connect: float = 5.0
    read: float = 20.0
    whole: float = 60.0
    """For one request as a whole, name lookup and slow trickle included."""
    backoff: float = 1.0
    """Before the second try, where Linode asks for no wait; twice as long before the third."""


class LinodeSource:
    """Finds the nodes in a Linode account, by their labels, tags and region."""

    title: Final = "Linode"

    def __init__(
        self,
        token: Token,
        url: str = DEFAULT_URL,
        ca: Path | None = None,
        *,
        allow_http: bool = False,
        workers: str = "worker-*",
        controllers: str = "controller-*",
        tag: str | None = None,
        region: str | None = None,
        cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR,
        via: Via = "private",
        patience: Patience = Patience(),
    ) -> None:
        """Prepare a connection; nothing is asked yet.

        Args:
            token: as `token.find_token` gives it.
            url: with its version, as `token.api_url` gives it.
            ca: a file with certificates to trust instead of the usual ones.
            allow_http: whether the token may travel to another machine unencrypted.
            workers, controllers: patterns (`*`, `?`, `[…]`) of labels; a label that both match is a worker's.
            tag, region: narrow what is found; None: any.
            cluster_cidr: worker N is expected to have its Nth /24.
            via: which address is the next hop.
            patience: how long to wait.
        """
        self._token = token
        self._url = url
        self._ca = ca
        self._allow_http = allow_http
        self._search = Search(workers, controllers, tag, region, cluster_cidr, via)
        self._patience = patience
        self._ids: dict[str, int] = {}
        """The number of each node that was found."""

    def find(self, *, emit: Emit, cancel: threading.Event) -> Discovery:
        """Ask Linode for the nodes; see `Source.find`.

        One request per 500 instances, one for the regions; and one per worker with via="vlan" and via="vpc", or where
        a worker has interfaces of the newer generation and no private address.

        Raises:
            LinodeError: Linode did not answer, or with something else.
            UsageError: the token would travel to another machine unencrypted, and nobody allowed that.
            Cancelled: `cancel` was set.
        """
        with closing(_Api(self._token, self._url, self._ca, self._allow_http, self._patience, emit, cancel)) as api:
            return self._ask(api)

    def _ask(self, api: "_Api") -> Discovery:
        api.check_encryption()
        search, plain = self._search, self._search.via == "private"
        candidates, others = search.candidates(api.entries_of("/linode/instances", "nodes", "1 of 2" if plain else ""))
        lookups = [c.instance for c in candidates if search.needs_lookup(c)]
        total = 2 + len(lookups)
        regions = [region_of(e) for e in api.entries_of("/regions", "regions", f"2 of {total}")]
        further = {i.id: api.interfaces_of(i, f"{n} of {total}") for n, i in enumerate(lookups, start=3)}
        nodes = tuple(search.node_of(c, further.get(c.instance.id)) for c in candidates)
        self._ids = {node.name: c.instance.id for node, c in zip(nodes, candidates, strict=True)}
        found = {n.region for n in nodes}
        cluster = Cluster(nodes, search.cluster_cidr, tuple(r for r in regions if r and r.id in found))
        return Discovery(cluster, (*search.findings(candidates, others), *api.findings()), others)

    def firewalls(
        self, nodes: Collection[str], *, emit: Emit, cancel: threading.Event
    ) -> Mapping[str, tuple[CloudFirewall, ...]]:
        """Read the Cloud Firewalls in front of nodes, a request for each; see `FirewallSource.firewalls`.

        The first that cannot be read ends it: the token may not read them, or Linode does not answer.
        """
        known = [(name, self._ids[name]) for name in nodes if name in self._ids]
        found: dict[str, tuple[CloudFirewall, ...]] = {}
        with closing(_Api(self._token, self._url, self._ca, self._allow_http, self._patience, emit, cancel)) as api:
            try:
                api.check_encryption()
                for count, (name, number) in enumerate(known, start=1):
                    found[name] = api.firewalls_of(number, name, f"{count} of {len(known)}")
            except KthwRoutesError as error:
                note(emit, f"the Cloud Firewalls could not be read: {error.sentence}", Phase.PROOF)
        return found


@dataclass(slots=True)
class _Line:
    """A client and its sockets; ended, and replaced, where a request was given up."""

    opened: OpenSockets = field(default_factory=OpenSockets)
    client: "LinodeClient | None" = field(default=None, repr=False)

    def end(self) -> None:
        """Hang up; a request that still waits for its answer fails at once."""
        self.opened.end()
        if self.client is not None:
            self.client.session.close()


@dataclass(slots=True)
class _Api:
    """Requests to Linode's API, one after the other, for one search."""

    token: Token
    url: str
    ca: Path | None
    allow_http: bool
    patience: Patience
    emit: Emit
    cancel: threading.Event
    scopes: frozenset[str] | None = None
    received: int = 0
    """Bytes of all answers so far."""
    _line: _Line = field(default_factory=_Line, repr=False)

    def entries_of(self, path: str, what: str, count: str) -> Iterator[Mapping[str, object]]:
        """Read all entries of a list, page by page; one that moved to the next page meanwhile comes twice."""
        number, pages = 1, 1
        while number <= pages:
            of_pages = f" (page {number} of {pages})" if number > 1 else ""
            note(self.emit, f"asking Linode for the {what}{', ' if count else ''}{count}{of_pages}")
            page = page_of(self._get(f"{path}?page_size={PAGE_SIZE}&page={number}"), what, number)
            yield from page.entries
            number, pages = number + 1, page.pages

    def interfaces_of(self, instance: Instance, count: str) -> Interfaces:
        """Read the VLANs and VPCs of an instance."""
        note(self.emit, f"asking Linode for the interfaces of {instance.label}, {count}")
        if instance.has_linode_interfaces:
            return interfaces_of_list(self._get(f"/linode/instances/{instance.id}/interfaces"))
        return interfaces_of_configs(self._get(f"/linode/instances/{instance.id}/configs?page_size={PAGE_SIZE}"))

    def firewalls_of(self, number: int, name: str, count: str) -> tuple[CloudFirewall, ...]:
        """Read the Cloud Firewalls of an instance."""
        note(self.emit, f"asking Linode for the Cloud Firewalls of {name}, {count}", Phase.PROOF)
        return firewalls_of(self._get(f"/linode/instances/{number}/firewalls?page_size={PAGE_SIZE}"))

    def findings(self) -> tuple[Finding, ...]:
        """Report on the token and the connection."""
        if urlsplit(self.url).scheme == "https" or self._is_loopback():
            return of_token(self.scopes)
        sentence = f"The token travels to {self._host()} unencrypted."
        return (
            *of_token(self.scopes),
            Finding("token-unencrypted", Level.NOTICE, sentence, "Put an https:// address into LINODE_URL."),
        )

    def close(self) -> None:
        """Hang up, whatever is in flight."""
        self._line.end()

    def check_encryption(self) -> None:
        """Refuse, with UsageError, to send the token to another machine unencrypted."""
        if urlsplit(self.url).scheme != "https" and not (self._is_loopback() or self.allow_http):
            raise sent_unencrypted(self._host())

    def _get(self, path: str) -> object:
        """Read the JSON at `path`, tried three times where that may help. Raises LinodeError, Cancelled."""
        return persistently(partial(self._try, path), emit=self.emit, cancel=self.cancel, backoff=self.patience.backoff)

    def _try(self, path: str) -> object:
        line = self._line
        try:
            return run_in_thread(partial(self._ask, path, line), cancel=self.cancel, seconds=self.patience.whole)
        except TimeoutError as error:
            line.end()
            self._line = _Line()
            failure = linode_errors.of_exception(error, self._host(), self.patience.whole)
        raise failure

    def _ask(self, path: str, line: _Line) -> object:
        """Send one request, in its own thread. Raises errors of ours only: what the library raises holds the token."""
        heads: list[Answer] = []  # of this request alone: an earlier one, given up, may still be answered
        try:
            if line.client is None:
                line.client = self._new_client(line.opened)
            line.client.session.hooks["response"] = [partial(self._note_answer, heads)]
            answer: object = line.client.get(path)
            if not heads or 200 <= heads[-1].status < 300:
                return answer
            failure: KthwRoutesError = linode_errors.of_answer(heads[-1], self._host(), self.token.origin)
        except KthwRoutesError as error:  # of our own adapter
            failure = error
        except Exception as error:  # the library lets through requests', json's and, for odd bodies, its own bugs
            failure = self._told(error, heads[-1] if heads else None)
        failure.__context__ = None
        raise failure.with_traceback(None)  # not within `except`: the library's exception would hang on it

    def _told(self, error: Exception, head: Answer | None) -> LinodeError:
        """Turn the library's exception into one of ours. `head`: of the answer, if one came."""
        if head is None:
            connecting = type(error).__name__ == "ConnectTimeout"
            seconds = self.patience.connect if connecting else self.patience.read
            return linode_errors.of_exception(error, self._host(), seconds)
        if head.status >= 300:
            return linode_errors.of_answer(self._with_reasons(head, error), self._host(), self.token.origin)
        if isinstance(error, (ValueError, RecursionError)):
            return linode_errors.not_json(head, self._host())
        return linode_errors.of_exception(error, self._host(), self.patience.read)

    def _with_reasons(self, head: Answer, error: Exception) -> Answer:
        given = getattr(error, "errors", None)
        texts = [t for t in given if isinstance(t, str)] if isinstance(given, list) else []
        return replace(head, reasons=linode_errors.reasons_of(texts, self.token.value))

    def _new_client(self, opened: OpenSockets) -> "LinodeClient":
        _silence("linode_api4", "urllib3", "requests")
        from linode_api4 import LinodeClient  # here, as it takes a quarter of a second

        from kthw_routes.sources.linode.http import LimitedAdapter

        client = LinodeClient(
            self.token.value.reveal(),
            base_url=self.url,
            user_agent=f"kthw-routes/{__version__}",
            retry=False,
            ca_path=str(self.ca) if self.ca else None,
        )
        session: requests.Session = client.session
        timeout = (self.patience.connect, self.patience.read)
        request: Callable[..., requests.Response] = session.request
        session.request = partial(request, timeout=timeout)  # type: ignore[method-assign]  # the library has none
        session.auth = _keep_authorization
        session.max_redirects = 0
        session.trust_env = not self._is_loopback()
        session.mount("https://", LimitedAdapter(opened, loopback_only=False))
        session.mount("http://", LimitedAdapter(opened, loopback_only=not self.allow_http))
        return client

    def _note_answer(self, heads: list[Answer], response: "requests.Response", **_: object) -> None:
        headers = response.headers
        kind, wait = headers.get("Content-Type", ""), headers.get("Retry-After", "")
        heads.append(Answer(response.status_code, kind, wait))
        self.received += len(response.content)
        if self.received > MAX_ANSWERS:
            raise linode_errors.too_large(heads[-1], self._host(), MAX_ANSWERS)
        scopes = headers.get("X-OAuth-Scopes")
        if scopes is not None:
            self.scopes = frozenset(filter(None, re.split(r"[\s,]+", clean_line(scopes[:_MAX_SCOPES_LENGTH]))))

    def _host(self) -> str:
        return urlsplit(self.url).netloc

    def _is_loopback(self) -> bool:
        """Whether the API is on this machine (the embedded lab), where proxies have no say."""
        return is_loopback(urlsplit(self.url).hostname or "")


def _silence(*names: str) -> None:
    """Keep what libraries log off the terminal, which Textual owns, and out of files: a server may have sent it."""
    for name in names:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _keep_authorization(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    """Leave the header as it is. Without an `auth` of its own, requests takes one from ~/.netrc instead."""
    return request
