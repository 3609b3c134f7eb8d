"""The one family of errors that people are shown: a sentence, a hint, an exit code. Never a traceback."""

from enum import IntEnum

from kthw_routes.sanitize import clean_line


class ExitCode(IntEnum):
    """What the command line and the wizard return. Where several hold: the first of 1, 3, 4."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DRIFT = 3
    NO_TRAFFIC = 4
    INTERRUPTED = 130


class KthwRoutesError(Exception):
    """Something that a person can act on.

    Attributes:
        sentence: what happened and where, for people; already free of control bytes.
        hint: what to do now; may be empty.
        exit_code: what the command line returns for it.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class OwnFault(KthwRoutesError):
    """A fault of this program, met in the middle of work: reported as any other error, so that nothing else is lost."""

    def __init__(self, error: BaseException) -> None:
        words = ": ".join(word for word in (type(error).__name__, clean_line(str(error))) if word)
        super().__init__(
            f"A fault in kthw-routes itself: {words}{'' if words.endswith('.') else '.'}",
            "Please report it, with what you did before. What was done on the hosts is in the transcript.",
        )


class UsageError(KthwRoutesError):
    """Bad usage or configuration; nothing was contacted or changed because of it."""

    exit_code = ExitCode.USAGE


class InvalidInput(ValueError):
    """A text is not a valid value. The message continues after the text: `is not a port; expected 1 to 65535`."""


class Cancelled(KthwRoutesError):
    """The person stopped the work."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, sentence: str = "Stopped.", hint: str = "") -> None:
        super().__init__(sentence, hint)


class RecordError(KthwRoutesError):
    """The run's folder cannot be written; nothing is changed on any host without it."""

    exit_code = ExitCode.USAGE
