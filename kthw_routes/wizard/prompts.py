"""Questions that come up on the way to a host, put to the person by the wizard, whichever thread wants to know.

The thread waits as long as the person thinks. Once the questions are `withdrawn` (cancelled, quit), every one that
waits and every later one is answered with nothing, at once.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kthw_routes.ssh.session import NewHostKey


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a worker thread waits to know."""

    answer: "queue.SimpleQueue[str | None]" = field(default_factory=queue.SimpleQueue, repr=False, kw_only=True)

    def reply(self, text: str | None) -> None:
        """Answer it; None: no answer."""
        self.answer.put(text)


@dataclass(frozen=True, slots=True)
class SecretQuestion(Question):
    """Asks for something that must not be shown."""

    title: str
    words: str


@dataclass(frozen=True, slots=True)
class HostKeysQuestion(Question):
    """Asks whether these keys may be trusted; any answer but None is a yes."""

    keys: tuple[NewHostKey, ...]


class WizardAsker:
    """Asks by way of the interface. `put` hands a question to it, from any thread."""

    def __init__(self, put: Callable[[Question], None]) -> None:
        self._put = put
        self._lock = threading.Lock()
        self._waiting: list[Question] = []
        self._withdrawn = False

    def passphrase(self, key_file: str) -> str | None:
        """The passphrase of an encrypted private key."""
        return self._ask(SecretQuestion("Passphrase", f"The private key {key_file} is encrypted."))

    def sudo_password(self, user: str, node: str) -> str | None:
        """The password that sudo wants."""
        words = f"sudo on {node} wants the password of {user}. It is tried there first, then used on all hosts."
        return self._ask(SecretQuestion("sudo password", words))

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        """Whether keys never seen before may be trusted."""
        return self._ask(HostKeysQuestion(tuple(keys))) is not None

    def withdraw(self) -> None:
        """Answer everything that is asked, and will be, with nothing."""
        with self._lock:
            self._withdrawn = True
            waiting, self._waiting = self._waiting, []
        for question in waiting:
            question.reply(None)

    def welcome(self) -> None:
        """Ask again from now on."""
        with self._lock:
            self._withdrawn = False

    def is_waiting(self, question: Question) -> bool:
        """Whether somebody still waits for the answer."""
        with self._lock:
            return any(q is question for q in self._waiting)

    def _ask(self, question: Question) -> str | None:
        with self._lock:
            if self._withdrawn:
                return None
            self._waiting.append(question)
        self._put(question)
        answer = question.answer.get()
        with self._lock:
            self._waiting = [q for q in self._waiting if q is not question]
        return answer
