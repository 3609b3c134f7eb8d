"""The shell: runs a parsed script, one program after the other. `sh` and `bash` differ in their complaints only."""

import contextlib
import threading
from dataclasses import replace
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import BrokenPipe, Expired, Interrupted, Process, Readable, Write
from kthw_routes.demo.shell.builtins import BUILTINS, ExitShell
from kthw_routes.demo.shell.expansion import expand_one, expand_words
from kthw_routes.demo.shell.parser import parse
from kthw_routes.demo.shell.pipes import Pipe, reading
from kthw_routes.demo.shell.redirections import RedirectionError, redirected
from kthw_routes.demo.shell.syntax import (
    AndOr,
    Command,
    For,
    Group,
    If,
    Pipeline,
    Script,
    ShellSyntaxError,
    Simple,
)

NOT_FOUND: Final = 127
SIGPIPE: Final = 141
_LAST_WORDS: Final = 60.0
"""Seconds that a job whose time is over may take to end: until what it is writing has gone to whoever reads it."""


class Shell:
    """One shell process.

    Attributes:
        process: its streams, user, directory; changed by `cd`.
        kind: `sh` or `bash`: who complains, and how.
        variables: set and not exported; exported ones are in `process.env`.
    """

    def __init__(self, process: Process, kind: str = "sh") -> None:
        self.process = process
        self.kind = kind
        self.arg0 = kind
        self.variables: dict[str, str] = {}
        self.status = 0
        self.errexit = False
        self.interactive = False
        self.jobs: list[threading.Thread] = []
        """What was begun in the background."""
        self._unchecked = 0
        """How deep inside conditions, where `set -e` does not act."""
        self._substituted = False
        """Whether the last simple command had a `$(…)`, whose status is its own where it has no words."""

    # values

    def value(self, name: str) -> str | None:
        """Look up a variable or `?`; None if unset."""
        if name == "?":
            return str(self.status)
        return self.variables.get(name, self.process.env.get(name))

    def assign(self, name: str, value: str) -> None:
        """Set a variable; an exported one stays exported."""
        if name in self.process.env:
            self.process.env[name] = value
        else:
            self.variables[name] = value

    def substitute(self, script: str) -> str:
        """Run a script in a subshell and return what it prints, trailing newlines cut."""
        output = bytearray()
        child = self.subshell(stdout=output.extend)
        self.status = child.run_text(script)
        self._substituted = True
        return output.decode("utf-8", "surrogateescape").rstrip("\n")

    def subshell(self, **streams: object) -> "Shell":
        """Make a copy whose changes stay its own."""
        process = replace(self.process, env=dict(self.process.env))
        for name, stream in streams.items():
            setattr(process, name, stream)
        child = Shell(process, self.kind)
        child.variables = dict(self.variables)
        child.status, child.errexit, child.arg0 = self.status, self.errexit, self.arg0
        return child

    def complain(self, message: str, line: int, status: int) -> int:
        """Print a complaint as this shell words it."""
        if self.interactive:
            place = f"-{self.kind}: "
        else:
            place = f"{self.arg0}: {line}: " if self.kind == "sh" else f"{self.arg0}: line {line}: "
        self.process.err(f"{place}{message}\n")
        return status

    # running

    def run_text(self, text: str) -> int:
        """Run a script to its end and return its exit status. Raises Interrupted, Expired."""
        try:
            script = parse(text)
        except ShellSyntaxError as error:
            return self._not_parsed(error)
        return self.run_alone(script)

    def _not_parsed(self, error: ShellSyntaxError) -> int:
        if self.kind == "sh":
            return self.complain(f"Syntax error: {error.message}", error.line, 2)
        words = error.message.split('"')
        is_token = len(words) == 3 and words[2] == " unexpected"
        reason = f"near unexpected token `{words[1]}'" if is_token else error.message
        self.process.err(f"{self.arg0}: -c: line {error.line}: syntax error {reason}\n")
        return 2

    def run_script(self, script: Script) -> int:
        """Run a list of commands."""
        for item in script.items:
            self.process.check()
            if item.background:
                self._begin(item)
            else:
                self._and_or(item)
        return self.status

    def _begin(self, item: AndOr) -> None:
        """Run something in the background: in a subshell, without input."""
        if not self.jobs:
            lock = threading.Lock()
            self.process.stdout = _one_at_a_time(self.process.stdout, lock)
            self.process.stderr = _one_at_a_time(self.process.stderr, lock)
        child = self.subshell(stdin=reading(b""))
        script = Script((replace(item, background=False),))
        job = threading.Thread(target=_run_job, args=(child, script), name="model-job", daemon=True)
        self.jobs.append(job)
        job.start()
        self.status = 0

    def _and_or(self, item: AndOr) -> None:
        pipelines = [("", item.first), *item.rest]
        for i, (operator, pipeline) in enumerate(pipelines):
            if (operator == "&&" and self.status) or (operator == "||" and not self.status):
                continue
            last = i == len(pipelines) - 1
            if last and not pipeline.negated:
                self._pipeline(pipeline)
                self._stop_on_error()
            else:
                self._without_errexit(pipeline)

    def _stop_on_error(self) -> None:
        if self.errexit and self.status and not self._unchecked:
            raise ExitShell(self.status)

    def _without_errexit(self, what: Pipeline | Script) -> int:
        self._unchecked += 1
        try:
            if isinstance(what, Script):
                return self.run_script(what)
            return self._pipeline(what)
        finally:
            self._unchecked -= 1

    def _pipeline(self, pipeline: Pipeline) -> int:
        if len(pipeline.commands) == 1:
            self.status = self._command(pipeline.commands[0])
        else:
            self.status = self._piped(pipeline.commands)
        if pipeline.negated:
            self.status = int(not self.status)
        return self.status

    def _piped(self, commands: tuple[Command, ...]) -> int:
        """Run the stages side by side, each in a subshell; the status is that of the last."""
        threads = []
        stdin: Readable = self.process.stdin
        pipe: Pipe | None = None
        for command in commands[:-1]:
            before, pipe = pipe, Pipe(self.process.cancelled)
            stage = self.subshell(stdin=stdin, stdout=pipe.write)
            arguments = (stage, command, before, pipe)
            threads.append(threading.Thread(target=_run_stage, args=arguments, name="model-pipe", daemon=True))
            threads[-1].start()
            stdin = pipe
        last = self.subshell(stdin=stdin)
        try:
            status = last.run_alone(commands[-1])
        finally:
            if pipe:
                pipe.close_reader()
        for thread in threads:
            thread.join()
        return status

    def run_alone(self, what: Command | Script) -> int:
        """Run a command or a list as a whole shell: `exit` ends it. Raises Interrupted, Expired."""
        try:
            return self.run_script(what) if isinstance(what, Script) else self._command(what)
        except ExitShell as ending:
            return ending.status
        except Expired:
            for job in self.jobs:  # `timeout` ends them too: from then on they write nothing
                job.join(_LAST_WORDS)
            raise

    def _command(self, command: Command) -> int:
        if isinstance(command, Simple):
            return self._simple(command)
        saved = self.process
        try:
            self.process = redirected(self, command.redirections)
        except RedirectionError:
            self.process = saved
            return 1 if self.kind == "bash" else 2
        streams = (self.process.stdin, self.process.stdout, self.process.stderr)
        self.process = saved
        old = (saved.stdin, saved.stdout, saved.stderr)
        saved.stdin, saved.stdout, saved.stderr = streams
        try:
            return self._compound(command)
        finally:
            saved.stdin, saved.stdout, saved.stderr = old

    def _compound(self, command: Group | If | For) -> int:
        match command:
            case Group(subshell=True):
                return self.subshell().run_alone(command.body)
            case Group():
                return self.run_script(command.body)
            case If():
                return self._if(command)
            case For():
                values = expand_words(command.words, self, self.process.host.files, self.process)
                self.status = 0
                for value in values:
                    self.process.check()
                    self.assign(command.name, value)
                    self.run_script(command.body)
                return self.status

    def _if(self, command: If) -> int:
        for condition, body in command.branches:
            if self._without_errexit(condition) == 0:
                return self.run_script(body) if body.items else 0
        self.status = 0
        return self.run_script(command.otherwise) if command.otherwise else 0

    # simple commands

    def _simple(self, command: Simple) -> int:
        self._substituted = False
        argv = expand_words(command.words, self, self.process.host.files, self.process)
        assigned = [(name, expand_one(word, self)) for name, word in command.assignments]
        try:
            process = redirected(self, command.redirections)
        except RedirectionError:
            return 1 if self.kind == "bash" else 2
        if not argv:
            for name, value in assigned:
                self.assign(name, value)
            return self.status if self._substituted else 0
        process.argv = argv
        if argv[0] == "exec":
            return self._exec(process, assigned, command.line)
        builtin = BUILTINS.get(argv[0])
        if builtin:
            return builtin(self, process)
        process.env = dict(self.process.env) | dict(assigned)
        return self.run_program(process, command.line)

    def run_program(self, process: Process, line: int) -> int:
        """Run a program that is not a builtin; 127 with a complaint where there is none."""
        name = process.argv[0]
        if not process.host.has_program(name):
            return self._not_found(process, line)
        try:
            return process.host.run_program(process)
        except BrokenPipe:
            return SIGPIPE

    def _not_found(self, process: Process, line: int) -> int:
        """Complain, on the command's own stderr, about a program that cannot be run."""
        name, status, is_sh = process.argv[0], NOT_FOUND, self.kind == "sh"
        reason = "not found" if is_sh else "command not found"
        if "/" in name:
            try:
                node = process.host.files.node(name, process)
                status = 126
                reason = "Is a directory" if node.type == "directory" and not is_sh else "Permission denied"
            except FileError as error:
                reason = "not found" if is_sh else error.reason
        saved, self.process = self.process, process
        try:
            return self.complain(f"{name}: {reason}", line, status)
        finally:
            self.process = saved

    def _exec(self, process: Process, assigned: list[tuple[str, str]], line: int) -> int:
        if len(process.argv) == 1:
            return 0
        process.argv = process.argv[1:]
        process.env = dict(self.process.env) | dict(assigned)
        name = process.argv[0]
        if "/" not in name and not process.host.has_program(name):
            raise ExitShell(self.complain(f"exec: {name}: not found", line, NOT_FOUND))
        raise ExitShell(self.run_program(process, line))


def _one_at_a_time(write: Write, lock: threading.Lock) -> Write:
    """Return a stream that takes each piece whole, from however many programs."""

    def locked(data: bytes) -> None:
        with lock:
            write(data)

    return locked


def _run_job(child: Shell, script: Script) -> None:
    # Whatever ends it is nobody's business any more.
    with contextlib.suppress(BrokenPipe, Interrupted, Expired):
        child.run_alone(script)


def _run_stage(stage: Shell, command: Command, before: Pipe | None, after: Pipe) -> None:
    try:
        stage.run_alone(command)
    except (BrokenPipe, Interrupted, Expired):
        return  # the pipeline as a whole ends for the same reason, in the thread of its last command
    finally:
        if before:
            before.close_reader()
        after.close_writer()
