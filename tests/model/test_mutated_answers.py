"""Whatever one host answers, to whatever it is asked: it has facts or an error of its own, and the others go on.

Every program in `programs` has its answers changed, those that change something included.
"""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kthw_routes.errors import OwnFault
from kthw_routes.events import HostState
from kthw_routes.hosts import fleet

from .recorded_walks import HOSTILE, PROGRAMS, Asked, Hosts, Mutate, Walked, nodes, played, recorded, walk
from .walk_setups import SETUPS


@pytest.fixture(scope="module")
def faults() -> Iterator[list[BaseException]]:
    """Exceptions of a host's work that are no errors for people, wherever they were met."""
    found: list[BaseException] = []

    def noted(error: BaseException) -> OwnFault:
        found.append(error)
        return OwnFault(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet, "OwnFault", noted)
        yield found


def tried(faults: list[BaseException], hosts: Hosts, setup: str = "lab") -> Walked:
    faults.clear()
    walked = walk(hosts, nodes(), SETUPS[setup].options)
    if faults:
        raise AssertionError("a fault of ours") from faults[0]
    return walked


def giving(new: bytes) -> Mutate:
    """Return what gives this instead of any answer."""
    return lambda _: new


@cache
def asked_of(program: str) -> tuple[tuple[str, Asked], ...]:
    """What the hostile host was asked by a function of `programs`, in any setup."""
    return tuple((setup, asked) for setup in SETUPS for asked in recorded(setup).asked if program in asked.programs)


@pytest.mark.parametrize("setup", SETUPS)
def test_what_is_recorded_ends_well_and_plays_again(faults: list[BaseException], setup: str) -> None:
    states = {node.name: HostState.DONE for node in nodes()}
    assert recorded(setup).walked == Walked(states, states)
    assert tried(faults, played(0, lambda out: out, setup=setup), setup) == Walked(states, states)


def test_nothing_is_asked_that_no_program_of_ours_makes() -> None:
    assert len(PROGRAMS) > 50
    assert [asked.text for setup in SETUPS for asked in recorded(setup).asked if not asked.programs] == []


# --- what may become of an answer ---------------------------------------------------------------------------------

NUMBERS: tuple[object, ...] = (-1, 0, 2**31, 2**32, 10**11, 2**64, 10**400, -5.5, float("nan"), float("inf"))
TEXTS: tuple[object, ...] = (
    "",
    "¹²",
    "١٢",
    "1_0",
    "0x1ff",
    "1e400",
    "-force",
    "a b",
    "\x1b]0;x\x07",
    "\u202ex",
    "x" * 70_000,
)
OTHERS: tuple[object, ...] = (None, True, False, [], {}, [None], [[[]]], {"": {}}, [{"family": "inet"}])
EXTREMES = ("[" * 100_000, '{"a":' * 100_000, "[{}]", "\n" * 100_000, "\x9d" * 50_000 + "\x1b")
VALUES = st.sampled_from((*NUMBERS, *TEXTS, *OTHERS))


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from _places(inner, (*path, key))


def _changed(value: Any, path: tuple[Any, ...], new: object, *, delete: bool) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and delete:
        del copy[path[0]]
    else:
        copy[path[0]] = _changed(copy[path[0]], path[1:], new, delete=delete)
    return copy


@st.composite
def of_json(draw: st.DrawFn, text: str) -> str:
    """One value of a document replaced, or taken out, or given twice."""
    lines = text.splitlines(keepends=True)
    if len(lines) > 1 and all(line.startswith("[") for line in lines):  # of several readings in one process
        at = draw(st.integers(0, len(lines) - 1))
        return "".join([*lines[:at], draw(of_json(lines[at])), *lines[at + 1 :]])
    document, end = json.JSONDecoder().raw_decode(text.lstrip())
    rest = text.lstrip()[end:]  # of a file that follows
    path = draw(st.sampled_from(list(_places(document))))
    new = draw(VALUES)
    printed = json.dumps(_changed(document, path, new, delete=draw(st.booleans())))
    if path and isinstance(path[-1], str) and draw(st.booleans()):
        key = json.dumps(path[-1])
        return text.replace(f"{key}:", f"{key}: {json.dumps(new)}, {key}:", 1)
    return printed.replace('"1e400"', "1e400") + rest


@st.composite
def of_text(draw: st.DrawFn, text: str) -> str:
    """One word replaced, a line taken out or said again, or the end cut off."""
    words = text.split(" ")
    at = draw(st.integers(0, len(words) - 1))
    new = str(draw(VALUES))
    lines = text.splitlines(keepends=True) or [""]
    line = draw(st.integers(0, len(lines) - 1))
    return draw(
        st.sampled_from(
            [
                " ".join([*words[:at], new, *words[at + 1 :]]),
                " ".join([*words[:at], *words[at + 1 :]]),
                "".join([*lines[:line], *lines[line + 1 :]]),
                "".join([*lines[: line + 1], *lines[line:]]),
                "".join([*lines[:line], f"{new}\n", *lines[line:]]),
                text[: draw(st.integers(0, len(text)))],
                text + new,
                draw(st.sampled_from([new, *EXTREMES])),
            ]
        )
    )


@st.composite
def mutations(draw: st.DrawFn, program: str) -> tuple[str, Asked, Hosts]:
    """One answer to this program changed: the setup, what was asked, and the hosts."""
    setup, asked = draw(st.sampled_from(asked_of(program)))
    is_stderr = bool(asked.result.stderr) and draw(st.booleans())
    old = (asked.result.stderr if is_stderr else asked.result.stdout).decode("utf-8", "replace")
    kinds = [of_text(old)]
    if old.lstrip().startswith(("[{", "[[", "{")):
        kinds += [of_json(old)] * 2
    if draw(st.integers(0, 9)) == 0:
        new = draw(st.binary(max_size=200))
    else:
        new = draw(st.one_of(kinds)).encode("utf-8", "surrogatepass")
    status = draw(st.sampled_from([None, None, None, 0, 1, 2, 127, 255, -1]))
    return setup, asked, played(asked.number, giving(new), setup=setup, is_stderr=is_stderr, status=status)


@pytest.mark.parametrize("program", PROGRAMS)
def test_whatever_one_host_answers_the_others_end(faults: list[BaseException], program: str) -> None:
    """A long answer has more places where something may be another than a word or nothing has.

    In CI the examples are the same each time, so that a third of them is as good.
    """
    assert asked_of(program), f"no setup makes that a host is asked by programs.{program}"
    examples = 5 if any(len(asked.result.stdout) > 50 for _, asked in asked_of(program)) else 2
    examples *= 1 if os.environ.get("CI") == "true" else 3

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutations(program))
    def end(mutation: tuple[str, Asked, Hosts]) -> None:
        setup, asked, hosts = mutation
        walked = tried(faults, hosts, setup)
        if asked.number >= recorded(setup).planned:  # else the plans of the others may differ from what is recorded
            others = {node.name for node in nodes()} - {HOSTILE}
            assert {walked.ended[name] for name in others} == {HostState.DONE}

    end()


def losses(text: str) -> Iterator[str]:
    """The text without one of its lines; a document without all that has one of its keys."""
    lines = text.splitlines(keepends=True)
    for at, line in enumerate(lines):
        yield "".join([*lines[:at], *lines[at + 1 :]])
        for key in dict.fromkeys(re.findall(r'"([^"]+)": ?', line)) if line.startswith(("[{", "{")) else ():
            yield "".join([*lines[:at], f"{json.dumps(_without(json.loads(line), key))}\n", *lines[at + 1 :]])


def _without(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, key) for k, v in value.items() if k != key}
    return [_without(v, key) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("program", PROGRAMS)
def test_whatever_is_missing_in_an_answer_the_others_end(faults: list[BaseException], program: str) -> None:
    setup, asked = max(asked_of(program), key=lambda found: len(found[1].result.stdout))
    found = list(losses(asked.result.stdout.decode()))
    some = len(found) // 8 + 1 if os.environ.get("CI") == "true" else 1
    for less in found[::some]:
        tried(faults, played(asked.number, giving(less.encode()), setup=setup), setup)


FIELDS = (
    "dst",
    "gateway",
    "dev",
    "protocol",
    "metric",
    "tos",
    "scope",
    "type",
    "prefsrc",
    "flags",
    "metrics",
    "nexthops",
)


@pytest.mark.parametrize("key", FIELDS)
def test_every_field_of_a_route_may_be_anything(faults: list[BaseException], key: str) -> None:
    asked = next(a for a in recorded().asked if "ip_readings" in a.programs)
    *others, last = asked.result.stdout.splitlines(keepends=True)
    table = json.loads(last)
    at = next(n for n, r in enumerate(table) if r["dst"].startswith("10.200.1."))
    for value in (*NUMBERS, *TEXTS, *OTHERS):
        changed = json.dumps([*table[:at], {**table[at], key: value}, *table[at + 1 :]])
        new = b"".join(others) + changed.encode() + b"\n"
        tried(faults, played(asked.number, giving(new)))
