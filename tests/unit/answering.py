"""A session that answers by how a command begins, and remembers what it was asked."""

import hashlib
from collections.abc import Mapping, Sequence

from kthw_routes.facts import HostKey, Privilege
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.session import OnLine, Session, Watch
from kthw_routes.ssh.shell_line import Step


def said(text: str = "", status: int = 0, err: str = "") -> Result:
    return Result(status, text.encode(), err.encode())


FINE = said()
MISSING = said(status=127, err="no such program")


def run_steps(session: Session, steps: Sequence[Step], watch: Watch) -> None:
    """Run a script by what a session does with one command."""
    for step in steps:
        watch.begins(step)
        result = session.run(step.command, None if step.is_silent else watch.line)
        watch.ends(step, result)
        if not step.is_as_expected(result):
            return


class Answering:
    """The longest beginning that fits decides; of several answers to it each is given once, the last for ever.

    What becomes of files (`files`: path -> content) is remembered, and compared where nothing else is to be answered.
    """

    def __init__(
        self,
        answers: Mapping[str, Result | HostError | list[Result | HostError]],
        otherwise: Result = FINE,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.node = "worker-0"
        self.user = "root"
        self.host_key = HostKey("ssh-ed25519", "SHA256:x")
        self.privilege = Privilege.ROOT
        self.ran: list[str] = []
        self.scripts = 0
        self.commands: list[Command] = []
        self.files = dict(files or {})
        self._otherwise = otherwise
        as_root: dict[str, Result | HostError | list[Result | HostError]] = {"id -u": said("0\n")}
        self._answers = {b: list(a) if isinstance(a, list) else [a] for b, a in (as_root | dict(answers)).items()}

    def open(self) -> None: ...

    def close(self) -> None: ...

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        self.ran.append(str(command))
        self.commands.append(command)
        begin = max((b for b in self._answers if str(command).startswith(b)), key=len, default=None)
        if begin is None:
            return self._done(command, self._compared(command) or self._otherwise)
        answers = self._answers[begin]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, HostError):
            raise answer
        return self._done(command, answer)

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        self.scripts += 1
        run_steps(self, steps, watch)

    def _done(self, command: Command, result: Result) -> Result:
        match command.argv:
            case ("dd", target, *_) if result.ok:
                self.files[target.removeprefix("of=")] = command.stdin
            case ("mv", _, new, path) if result.ok and new in self.files:
                self.files[path] = self.files.pop(new)
            case ("rm", _, path) if result.ok:
                self.files.pop(path, None)
        return result

    def _compared(self, command: Command) -> Result | None:
        match command.argv:
            case ("sha256sum", *paths) if all(path in self.files for path in paths):
                return said("".join(f"{hashlib.sha256(self.files[path]).hexdigest()}  {path}\n" for path in paths))
            case ("stat", "-c", "%s %n", *paths) if all(path in self.files for path in paths):
                return said("".join(f"{len(self.files[path])} {path}\n" for path in paths))
            case ("sha256sum", *_) | ("stat", "-c", "%s %n", *_):
                return said(status=1, err="No such file or directory")
        return None
