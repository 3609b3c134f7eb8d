"""Hosts that failed for one cause are one finding, whose sentence is true of each of them."""

import pytest

from kthw_routes.findings.model import Finding, Level
from kthw_routes.wizard.text.check_rows import grouped


def skipped(number: int, sentence: str) -> Finding:
    return Finding("host-key", Level.SKIP_HOST, f"worker-{number}: {sentence}", "Compare it.", f"worker-{number}")


@pytest.mark.parametrize(
    ("sentence", "together"),
    [
        (
            "the host key of 10.0.0.{n}:22 is not known: ssh-ed25519 SHA256:a+/{n}.",
            "the host key of its address is not known.",
        ),
        (
            "the host key of 10.0.0.{n} has changed: it was ssh-rsa SHA256:o{n}, now it is ssh-ed25519 SHA256:n{n}.",
            "the host key of its address has changed.",
        ),
        ("10.0.0.{n}:22 refuses the connection.", "its address refuses the connection."),
        ("worker-{n} is down.", "the host is down."),
    ],
)
def test_what_differs_is_left_out_of_the_sentence(sentence: str, together: str) -> None:
    (found,) = grouped(skipped(n, sentence.format(n=n)) for n in (1, 2))
    assert found.sentence == f"2 hosts (worker-1, worker-2): {together}"
    assert found.hint == "Compare it. r reads them again."
    assert found.node is None


def test_one_host_alone_and_other_causes_stay_as_they_are() -> None:
    one, other = skipped(1, "10.0.0.1 is silent."), skipped(2, "the host key of 10.0.0.2 is not known: x SHA256:a.")
    assert list(grouped([one, other])) == [one, other]
