"""Work beside the interface: results after events, abandoned work, questions and their withdrawal."""

import threading

from kthw_routes.errors import KthwRoutesError, OwnFault
from kthw_routes.events import Event, EventKind, Phase
from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.prompts import HostKeysQuestion, Question, SecretQuestion, WizardAsker

WAIT = 10.0


def _drain_until(jobs: Jobs, done: list[object], events: list[str]) -> None:
    waiting = threading.Event()
    for _ in range(int(WAIT / 0.005)):
        jobs.drain(lambda e: events.append(e.text))
        if done:
            return
        waiting.wait(0.005)
    raise AssertionError("the work never ended")


def test_a_result_comes_after_the_events_before_it() -> None:
    jobs, seen = Jobs(), []  # type: tuple[Jobs, list[object]]
    events: list[str] = []

    def work() -> int:
        for number in range(5000):
            jobs.emit(Event(Phase.RUN, EventKind.NOTE, str(number)))
        return 7

    jobs.start(work, lambda value: seen.append((value, len(events))), seen.append)
    _drain_until(jobs, seen, events)
    assert seen == [(7, 5000)]
    assert events == [str(n) for n in range(5000)]


def test_an_error_reaches_its_place_and_a_fault_of_ours_is_said_too() -> None:
    for raised, kind in ((KthwRoutesError("no"), KthwRoutesError), (RuntimeError("oh"), OwnFault)):
        jobs, seen = Jobs(), []  # type: tuple[Jobs, list[object]]

        def work(error: Exception = raised) -> None:
            raise error

        jobs.start(work, seen.append, seen.append)
        _drain_until(jobs, seen, [])
        assert isinstance(seen[0], kind)


def test_nobody_hears_of_abandoned_work() -> None:
    jobs, seen, go = Jobs(), [], threading.Event()  # type: tuple[Jobs, list[object], threading.Event]
    job = jobs.start(lambda: go.wait(WAIT), seen.append, seen.append)
    job.abandoned = True
    after: list[object] = []
    go.set()
    jobs.start(lambda: 1, after.append, after.append)
    _drain_until(jobs, after, [])
    assert seen == []


def test_a_question_waits_for_its_answer() -> None:
    asked: list[Question] = []

    def put(question: Question) -> None:
        asked.append(question)
        question.reply("secret")

    asker = WizardAsker(put)
    assert asker.passphrase("/k") == "secret"
    assert isinstance(asked[0], SecretQuestion)
    assert "secret" not in repr(asked[0])
    assert not asker.is_waiting(asked[0])


def test_withdrawn_questions_are_answered_with_nothing_at_once() -> None:
    put = threading.Event()
    asker = WizardAsker(lambda _q: put.set())
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(asker.sudo_password("u", "n")), daemon=True)
    thread.start()
    assert put.wait(WAIT)
    asker.withdraw()
    thread.join(WAIT)
    assert answers == [None]
    assert asker.accept_host_keys([]) is False
    asker.welcome()
    asker_again = WizardAsker(lambda q: q.reply("yes"))
    assert asker_again.accept_host_keys([]) is True
    assert HostKeysQuestion(()).keys == ()
