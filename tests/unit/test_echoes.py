"""Passwords that hosts say back: hidden in whatever form, and not where they are ordinary words."""

import base64
import json
import shlex
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from kthw_routes.sanitize import clean, clean_line
from kthw_routes.secret import Secret
from kthw_routes.ssh.echoes import Echoes
from kthw_routes.ssh.errors import HostError

SECRETS = ("correct horse", "hunter2", "pa'ss\"wo\\rd", "gröne 9", "tr0ub4dor&3", "100%sure", " padded one ")

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: s,
    "upper case": str.upper,
    "within a word": lambda s: f"x{s}y",
    "over a line end": lambda s: s.replace(" ", "\n  "),
    "with a control byte": lambda s: f"{s[:2]}\0{s[2:]}",
    "JSON": json.dumps,
    "JSON, all escaped": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "JSON in JSON": lambda s: json.dumps(json.dumps(f"{s}é")),
    "C": lambda s: "".join(f"\\x{ord(c):02x}" for c in s),
    "octal": lambda s: s.replace(" ", "\\040"),
    "shell": shlex.quote,
    "backslashes": lambda s: "".join(f"\\{c}" if not c.isalnum() else c for c in s),
    "percent": lambda s: quote(s, safe=""),
    "form": quote_plus,
    "hex": lambda s: s.encode().hex(),
    "hex dump": lambda s: s.encode().hex(" "),
}


def echoes(*secrets: str) -> Echoes:
    made = Echoes()
    made.expect("worker-0", "pve-node", "learner")
    for secret in secrets:
        made.hide(Secret(secret))
    return made


@pytest.mark.parametrize(
    ("secret", "form"),
    # in C's form there are bytes, not characters
    [(secret, form) for secret in SECRETS for form in FORMS if form != "C" or secret.isascii()],
)
def test_a_secret_is_found_and_hidden_in_any_form(secret: str, form: str) -> None:
    said = f"before {FORMS[form](secret.strip())} after"
    hidden = echoes(secret)
    assert hidden.is_in(said.encode())
    shown = hidden.hidden_in(clean(said))
    assert "***" in shown
    core = clean_line(secret).casefold()
    assert core not in clean_line(shown).casefold()
    assert FORMS[form](secret.strip()) not in shown


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_base64_is_found_wherever_it_begins(before: str) -> None:
    said = base64.b64encode(f"{before}correct horse, and more".encode())
    assert echoes("correct horse").is_in(said)
    assert not echoes("wrong horse").is_in(said)


ORDINARY = [
    "1",
    "10",
    "abc",
    "eth0",
    "ens18",
    "enp0s3",
    "cnio0",
    "worker-0",
    "pve-node",
    "learner",
    "kernel",
    "Kernel",
    "kubernetes",
    "bridge",
    "password",
    "1234",
    "10.200",
    "cafe",
    "static",
    "kthw-routes",
    "local",
    "    ",
    "",
]


@pytest.mark.parametrize("word", ORDINARY)
def test_an_ordinary_word_is_left_where_it_is(word: str) -> None:
    hidden = echoes(word)
    said = f'10.200.1.0/24 via 192.168.1.10 dev eth0 proto kernel {word} "worker-0"'
    assert not hidden.is_in(said.encode())
    assert hidden.hidden_in(said) == said
    assert hidden.hidden_in_bytes(b"\x1b[31m" + said.encode()) == b"\x1b[31m" + said.encode()


def test_each_secret_of_a_run_stays_hidden_and_errors_are_masked_whole() -> None:
    hidden = echoes("wrong horse", "correct horse")
    error = hidden.hidden_in_error(HostError("worker-0", "it said correct horse.", "Not wrong horse."))
    assert (error.sentence, error.hint, str(error)) == (
        "worker-0: it said ***.",
        "Not ***.",
        "worker-0: it said ***.",
    )
    assert error.complaint == "it said ***."


def test_nothing_of_it_shows_a_secret() -> None:
    hidden = echoes("correct horse")
    assert "horse" not in repr(vars(hidden)) + "".join(repr(getattr(hidden._hidden[0], n)) for n in ("_mask", "_holds"))


@pytest.mark.parametrize(
    "text", ["correct " * 500_000, "\\u0063" * 600_000, "%" * 4_000_000, " " * 4_000_000, "63 " * 10**6]
)
def test_the_search_is_linear(text: str) -> None:
    begun = time.monotonic()
    assert not echoes("correct horse").is_in(text.encode())
    assert time.monotonic() - begun < 30
