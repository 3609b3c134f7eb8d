"""What can go wrong between us and Linode's API, each kind distinguished, each with its sentence and its hint."""

import errno
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import now
from kthw_routes.sanitize import clean_line
from kthw_routes.secret import Secret
from kthw_routes.sources.linode.token import WHERE_TO_MAKE_ONE

_ASK_AGAIN: Final = frozenset({429, 502, 503, 504})
_ONLINE: Final = "Is this machine online, and LINODE_URL right if it is set? Then try again."
_URL: Final = "Is LINODE_URL right? A network's login page, or a proxy, may also answer like this."
_LATER: Final = "Try again in a minute; https://status.linode.com lists outages."
_MAX_REASON_LENGTH: Final = 200
_MAX_REASONS: Final = 5

# by name, as this module does not know the HTTP library
_BAD_ADDRESS: Final = frozenset({"InvalidURL", "InvalidSchema", "MissingSchema", "LocationParseError", "UnicodeError"})


class Trouble(StrEnum):
    """The kinds of failure; stable, for `--json`."""

    TOKEN_REFUSED = "token-refused"  # noqa: S105 - a word, not a token
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    REQUEST_REJECTED = "request-rejected"
    RATE_LIMITED = "rate-limited"
    UNAVAILABLE = "unavailable"
    REDIRECTED = "redirected"
    NOT_JSON = "not-json"
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    NAME_NOT_FOUND = "name-not-found"
    TLS_FAILED = "tls-failed"
    REFUSED = "refused"
    TIMED_OUT = "timed-out"
    PROXY_FAILED = "proxy-failed"
    CONNECTION_FAILED = "connection-failed"
    BAD_ADDRESS = "bad-address"


class LinodeError(KthwRoutesError):
    """Linode's API did not give what was asked for.

    Attributes:
        trouble: the kind.
        is_temporary: whether asking again may help.
        retry_after: the seconds that Linode asks to wait, if it does.
    """

    def __init__(
        self,
        trouble: Trouble,
        sentence: str,
        hint: str = "",
        *,
        is_temporary: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence, hint)
        self.trouble = trouble
        self.is_temporary = is_temporary
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an HTTP answer, untrusted, and what `reasons_of` made of those that Linode gave in it."""

    status: int
    content_type: str = ""
    retry_after: str = ""
    reasons: tuple[str, ...] = ()


def reasons_of(texts: Sequence[str], token: Secret) -> tuple[str, ...]:
    """List the reasons that Linode gave, cut and safe to show; a token that a server echoes is not shown.

    It is masked before the cut, which might leave a part of it, and again once it cannot hide between control bytes.
    """
    cut = (token.hidden_in(text)[: 4 * _MAX_REASON_LENGTH] for text in texts[:_MAX_REASONS])
    return tuple(token.hidden_in(clean_line(text)) for text in cut)


def malformed(what: str) -> LinodeError:
    """Make the error for JSON that is not what the API's description says. `what` is free of untrusted bytes."""
    hint = "Try again. If it stays so, LINODE_URL may name something else, or the API has changed."
    return LinodeError(Trouble.MALFORMED, f"Linode's answer makes no sense: {what}.", hint)


def of_answer(answer: Answer, host: str, origin: str) -> LinodeError:
    """Make the error for an answer that was not a success. `origin` says where the token came from."""
    status = answer.status
    reason = _reason(answer)
    match status:
        case 401:
            sentence = f"Linode refused the token from {origin}: it is wrong, expired or revoked{reason}."
            return LinodeError(Trouble.TOKEN_REFUSED, sentence, WHERE_TO_MAKE_ONE)
        case 403:
            sentence = f"Linode does not let the token from {origin} read the Linodes{reason}."
            hint = f"It needs the scope linodes:read_only. {WHERE_TO_MAKE_ONE}"
            return LinodeError(Trouble.FORBIDDEN, sentence, hint)
        case 404:
            return LinodeError(Trouble.NOT_FOUND, f"{host} does not know what it was asked for{reason}.", _URL)
        case 429:
            sentence = f"Linode says that too many requests were made{reason}."
            return _temporary(Trouble.RATE_LIMITED, sentence, "Wait a minute, then try again.", answer)
        case _ if 300 <= status < 400:
            return LinodeError(Trouble.REDIRECTED, f"{host} sends us to another address, as no API does.", _URL)
        case _ if 400 <= status < 500:
            sentence = f"Linode rejected the request: {_phrase(status)}{reason}."
            return LinodeError(Trouble.REQUEST_REJECTED, sentence, "Try again.")
        case _ if status >= 500:
            return _temporary(Trouble.UNAVAILABLE, f"Linode is in trouble: {_phrase(status)}{reason}.", _LATER, answer)
        case _:
            return not_json(answer, host)


def not_json(answer: Answer, host: str) -> LinodeError:
    """Make the error for a success whose body is not JSON."""
    what = "a web page" if "html" in answer.content_type.lower() else "something that is not JSON"
    return LinodeError(Trouble.NOT_JSON, f"{host} answered with {what} instead of data.", _URL)


def too_large(answer: Answer, host: str, limit: int) -> LinodeError:
    """Make the error for a success whose body has more than `limit` bytes, so that it was not read to its end."""
    if "html" in answer.content_type.lower():
        return not_json(answer, host)
    return LinodeError(Trouble.TOO_LARGE, f"{host} answered with more than {limit // 1024**2} MiB of data.", _URL)


def of_exception(error: BaseException, host: str, seconds: float) -> LinodeError:
    """Make the error for a request without a complete answer. `seconds`: how long was waited at most."""
    chain = list(_chain(error))
    # an end of file within the handshake is a lost connection, not a matter of certificates (OpenSSL has two words)
    lost = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
    tls = next((e for e in chain if isinstance(e, ssl.SSLError) and not isinstance(e, lost)), None)
    if tls is not None:
        text = getattr(tls, "verify_message", "") or tls.reason or "the handshake failed"
        sentence = f"No safe connection to {host}: {clean_line(str(text))[:_MAX_REASON_LENGTH]}."
        hint = "Is this machine's clock right? LINODE_CA names a file with further certificates to trust."
        return LinodeError(Trouble.TLS_FAILED, sentence, hint)
    names = {type(e).__name__ for e in chain}
    if names & _BAD_ADDRESS:
        return LinodeError(Trouble.BAD_ADDRESS, f"{host} is not a usable address for Linode's API.", _URL)
    if "ProxyError" in names:
        sentence = f"The proxy on the way to {host} did not let the request through."
        return _unreachable(Trouble.PROXY_FAILED, sentence, "Are HTTPS_PROXY and NO_PROXY right? Then try again.")
    if any(isinstance(e, socket.gaierror) for e in chain):
        return _unreachable(Trouble.NAME_NOT_FOUND, f"The name {host} could not be resolved.", _ONLINE)
    if any(isinstance(e, ConnectionRefusedError) for e in chain):
        return _unreachable(Trouble.REFUSED, f"{host} refused the connection.", _ONLINE)
    if any(isinstance(e, TimeoutError) for e in chain) or names & {"ConnectTimeout", "ReadTimeout"}:
        return _unreachable(Trouble.TIMED_OUT, f"{host} did not answer within {seconds:.0f} s.", _ONLINE)
    numbers = {e.errno for e in chain if isinstance(e, OSError)}
    if numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        return _unreachable(Trouble.CONNECTION_FAILED, f"There is no route to {host} from here.", _ONLINE)
    return _unreachable(Trouble.CONNECTION_FAILED, f"The connection to {host} broke off.", _ONLINE)


def seconds_to_wait(header: str) -> float | None:
    """Read a Retry-After header: seconds, or a date. None: neither, or none given."""
    header = header.strip()
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        return max(0.0, (parsedate_to_datetime(header) - now()).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):  # TypeError: a date without a zone
        return None


def _temporary(trouble: Trouble, sentence: str, hint: str, answer: Answer) -> LinodeError:
    return LinodeError(
        trouble,
        sentence,
        hint,
        is_temporary=answer.status in _ASK_AGAIN,
        retry_after=seconds_to_wait(answer.retry_after),
    )


def _unreachable(trouble: Trouble, sentence: str, hint: str) -> LinodeError:
    return LinodeError(trouble, sentence, hint, is_temporary=True)


def _phrase(status: int) -> str:
    """Write a status as `503 Service Unavailable`; an unknown one as its number."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _reason(answer: Answer) -> str:
    """Join the reasons that Linode gave, to be put before the full stop of a sentence."""
    text = "; ".join(answer.reasons).rstrip(".")
    return f" (it says: {text[:_MAX_REASON_LENGTH]})" if text else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """List the exception and all that it was made of: requests and urllib3 nest the cause in several ways."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
