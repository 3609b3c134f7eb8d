"""Questions of worker threads about a host, which the wizard asks the person.

The thread waits as long as the person thinks. Once the questions are withdrawn (cancelled, quit), every waiting and
every later one is answered with None at once.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kthw_routes.ssh.session import NewHostKey


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a worker thread waits for."""

    answer: "queue.SimpleQueue[str | None]" = field(default_factory=queue.SimpleQueue, repr=False, kw_only=True)

    def reply(self, text: str | None) -> None:
        """Answer it; None: no answer."""
        self.answer.put(text)


@dataclass(frozen=True, slots=True)
class SecretQuestion(Question):
    """Asks for something secret."""

    title: str
    words: str


@dataclass(frozen=True, slots=True)
class HostKeysQuestion(Question):
    """Asks whether to trust these keys; any answer but None is a yes."""

    keys: tuple[NewHostKey, ...]


class WizardAsker:
    """Asks through the interface. `put` hands it a question, from any thread."""

    def __init__(self, put: Callable[[Question], None]) -> None:
        self._put = put
        self._lock = threading.Lock()
        self._waiting: list[Question] = []
        self._withdrawn = False

    def passphrase(self, key_file: str) -> str | None:
        """Ask for the passphrase of an encrypted private key."""
        return self._ask(SecretQuestion("Passphrase", f"The private key {key_file} is encrypted."))

    def sudo_password(self, user: str, node: str) -> str | None:
        """Ask for the password of sudo."""
        words = f"sudo on {node} asks for the password of {user}. It is tried there first, then used on all hosts."
        return self._ask(SecretQuestion("sudo password", words))

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        """Ask whether to trust new host keys."""
        return self._ask(HostKeysQuestion(tuple(keys))) is not None

    def withdraw(self) -> None:
        """Answer every waiting and every later question with None."""
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
        """Return whether a thread still waits for the answer."""
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
