"""The sudo password: asked once, tried on one host first, forgotten only where it was refused."""

from collections.abc import Sequence

from kthw_routes.ssh.session import NewHostKey
from kthw_routes.ssh.sudo import SudoPassword


class Answers:
    """An Asker with one password, which counts how often it was asked."""

    def __init__(self, password: str | None) -> None:
        self.password = password
        self.asked = 0

    def passphrase(self, key_file: str) -> str | None:
        return None

    def sudo_password(self, user: str, node: str) -> str | None:
        self.asked += 1
        return self.password

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        return False


def test_a_wrong_password_is_tried_once_and_asked_for_again_at_another_look() -> None:
    answers = Answers("wrong")
    sudo = SudoPassword(answers)
    assert sudo.try_on("me", "worker-0", lambda: False) is False
    assert sudo.try_on("me", "worker-1", lambda: True) is False
    answers.password = "right"
    sudo.forget_refusal()
    assert sudo.try_on("me", "worker-0", lambda: True) is True
    assert answers.asked == 2


def test_a_right_password_is_kept() -> None:
    answers = Answers("right")
    sudo = SudoPassword(answers)
    assert sudo.try_on("me", "worker-0", lambda: True) is True
    sudo.forget_refusal()
    assert sudo.try_on("me", "worker-0", lambda: True) is True
    assert answers.asked == 1


def test_no_answer_is_asked_for_again() -> None:
    answers = Answers(None)
    sudo = SudoPassword(answers)
    assert sudo.try_on("me", "worker-0", lambda: True) is None
    assert sudo.try_on("me", "worker-1", lambda: True) is None
    assert answers.asked == 1
    sudo.forget_refusal()
    sudo.try_on("me", "worker-0", lambda: True)
    assert answers.asked == 2
