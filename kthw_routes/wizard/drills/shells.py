"""The shells of a drill on the screen: a tab per node, what was printed there, the line that is typed."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from kthw_routes.drills.practice import Practice
from kthw_routes.wizard.drills.sessions import NodeSession
from kthw_routes.wizard.widgets.command_line import CommandInput, CommandLine
from kthw_routes.wizard.widgets.host_log import HostLog
from kthw_routes.wizard.widgets.tab_line import TabLine
from kthw_routes.words import Tone

_MIN_COLUMNS = 20


class NodeShells(Vertical):
    """One shell is shown at a time; the others go on meanwhile."""

    DEFAULT_CSS = """
    NodeShells {
        height: 1fr; padding: 0 1; border-top: solid $foreground 20%;
        #nodes { padding: 0; }
        #printed { height: 1fr; background: transparent; scrollbar-size-horizontal: 0; }
    }
    """

    class Typed(Message):
        """A line was typed."""

    def __init__(self, practice: Practice) -> None:
        """`practice`: not started yet."""
        super().__init__()
        self._practice = practice
        self._tabs = TabLine(practice.nodes, id="nodes", keys="F9", gap=2)
        self._printed = HostLog(id="printed")
        self._line = CommandLine()
        self._sessions: dict[str, NodeSession] = {}

    def compose(self) -> ComposeResult:
        """Yield tabs, what was printed, the line."""
        yield self._tabs
        yield self._printed
        yield self._line

    def begin(self) -> None:
        """Log in to each node, once the lab runs."""
        self._sessions = {node: NodeSession(self._practice, node) for node in self._practice.nodes}
        first = self._practice.nodes[0]
        another = f" From another terminal:\n  {self._practice.ssh_command(first)}"
        words = f"A shell on {first}; `help` lists its programs.{'' if self.app.is_web else another}\n"
        self._sessions[first].buffer.write(words, Tone.QUIET)
        self._show_session()

    @property
    def has_begun(self) -> bool:
        """Whether the lab runs."""
        return bool(self._sessions)

    @property
    def node(self) -> str:
        """The node whose shell is shown."""
        return self._practice.nodes[self._tabs.chosen]

    @property
    def _session(self) -> NodeSession | None:
        return self._sessions.get(self.node)

    @property
    def line(self) -> str:
        """What is typed just now, else what was typed last on this node; empty where nothing was."""
        return self._line.input.value.strip() or next(reversed(self._line.input.history), "")

    def turn(self, by: int) -> None:
        """Show the shell of the next node, or of the one before."""
        self._tabs.action_turn(by)
        self._line.input.focus()

    def scroll_pages(self, by: int) -> None:
        """Scroll what was printed."""
        (self._printed.scroll_page_up if by < 0 else self._printed.scroll_page_down)(animate=False)

    def collect(self) -> None:
        """Show what programs printed since the last time."""
        news = [session for session in self._sessions.values() if session.has_news]
        for session in news:
            session.buffer.columns = max(_MIN_COLUMNS, self._printed.size.width - 1)
            session.collect()
        if news:
            self._draw()

    def _draw(self) -> None:
        self._line.show_prompt(self._session.prompt if self._session is not None else "")
        self._printed.catch_up()

    @on(TabLine.Chosen)
    def _chosen(self, event: TabLine.Chosen) -> None:
        event.stop()
        self._show_session()

    def _show_session(self) -> None:
        if (session := self._session) is not None:
            self._printed.show(session.buffer)
            self._line.input.use(session.history)
            self._draw()

    @on(CommandInput.Entered)
    def _entered(self, event: CommandInput.Entered) -> None:
        event.stop()
        if (session := self._session) is not None:
            self._line.input.remember(event.line)
            session.enter(event.line)
            self.post_message(self.Typed())
            self._draw()

    @on(CommandInput.Controlled)
    def _controlled(self, event: CommandInput.Controlled) -> None:
        """Copy what is selected; else end the program that runs, or what it reads; or empty the view."""
        event.stop()
        session = self._session
        if session is not None and event.key == "ctrl+l":
            session.buffer.clear()
        elif event.key == "ctrl+c" and self.screen.get_selected_text():
            self.screen.action_copy_text()
        elif session is not None and event.key == "ctrl+c":
            session.interrupt()
        elif session is not None:
            session.end_input()
        self._draw()

    def on_unmount(self) -> None:
        """End what runs."""
        for session in self._sessions.values():
            session.close()
