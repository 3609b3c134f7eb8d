"""Shows the questions of worker threads, one at a time, and closes one that no thread waits for any more."""

from textual.app import App

from kthw_routes.errors import ExitCode
from kthw_routes.wizard.modals.host_keys import AskHostKeys
from kthw_routes.wizard.modals.secret import AskSecret
from kthw_routes.wizard.prompts import HostKeysQuestion, Question, SecretQuestion, WizardAsker


class QuestionScreens:
    """The questions that wait for the person."""

    def __init__(self, app: App[ExitCode], asker: WizardAsker) -> None:
        self._app = app
        self._asker = asker
        self._questions: list[Question] = []
        self._screen: AskHostKeys | AskSecret | None = None

    def ask(self, question: Question) -> None:
        """Ask the person, after the questions that wait already."""
        self._questions.append(question)
        if len(self._questions) == 1:
            self._ask_next()

    def _ask_next(self) -> None:
        while self._questions and not self._asker.is_waiting(self._questions[0]):
            self._questions.pop(0)
        if not self._questions:
            return
        question = self._questions[0]

        def answered(text: str | None) -> None:
            self._screen = None
            question.reply(text)
            self._questions.remove(question)
            self._ask_next()

        match question:
            case HostKeysQuestion(keys=keys):
                self._screen = AskHostKeys(keys)
            case SecretQuestion(title=title, words=words):
                self._screen = AskSecret(title, words)
            case _:
                raise AssertionError(question)
        self._app.push_screen(self._screen, answered)

    def drop(self) -> None:
        """Close a question that no thread waits for."""
        screen = self._screen
        if screen is None or screen is not self._app.screen or not self._questions:
            return
        if not self._asker.is_waiting(self._questions[0]):
            self._screen = None
            screen.dismiss(None)
