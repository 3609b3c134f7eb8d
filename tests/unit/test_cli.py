"""The command line's own manners: options, exit codes, what is said where."""

import json
import os
import re
from pathlib import Path
from unittest.mock import Mock

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner, Result

from kthw_routes.cli import apply as commands
from kthw_routes.cli import main
from kthw_routes.cli.command import Stopped
from kthw_routes.cli.options import EXPORT_FORMATS
from kthw_routes.cluster import Cluster
from kthw_routes.errors import ExitCode, KthwRoutesError
from kthw_routes.export.formats import FORMATS
from kthw_routes.options import Settings
from kthw_routes.plan.changes import Plan
from kthw_routes.record.json_plan import VERSION, plan_document


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests."""
    for name in (
        "LINODE_TOKEN",
        "LINODE_CLI_TOKEN",
        "LINODE_API_TOKEN",
        "LINODE_CLI_CONFIG",
        "LINODE_URL",
        "LINODE_CA",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main.main, list(arguments), prog_name="kthw-routes")


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that `plan` was called with."""
    calls: list[Settings] = []

    def plan(settings: Settings, *, as_json: bool, with_exit_code: bool) -> ExitCode:
        calls.append(settings)
        return ExitCode.DONE

    monkeypatch.setattr(commands, "plan", plan)
    return calls


def test_the_wizard_needs_a_terminal() -> None:
    answer = run()
    assert answer.exit_code == 2
    assert "The wizard needs a terminal." in answer.stderr


@pytest.mark.parametrize("command", [["plan"], ["apply", "--yes"], ["check"], ["export", "shell"]])
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LINODE_URL", "http://192.0.2.1", "LINODE_URL begins with http://"),
        ("LINODE_URL", "http://127.0.0.1.nip.io/v4", "LINODE_URL begins with http://"),
        ("LINODE_CA", "/dev/zero", "LINODE_CA names /dev/zero, which cannot be read: it is a device, not a file."),
        ("LINODE_CA", "fifo", "LINODE_CA names fifo, which cannot be read: it is a named pipe (FIFO), not a file."),
    ],
)
def test_what_is_unsafe_for_the_token_is_refused(
    command: list[str], name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setenv("LINODE_TOKEN", "t0ken")
    monkeypatch.setenv(name, value)
    answer = run(*command)
    assert answer.exit_code == 2
    assert sentence in " ".join(answer.stderr.split())
    assert "t0ken" not in answer.output


@pytest.mark.parametrize("path", ["fifo", "/dev/zero", "/dev/stdin", "."])
def test_an_inventory_that_is_no_file_is_refused(path: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    answer = run("plan", "--inventory", path)
    assert answer.exit_code == 2
    assert path in answer.stderr


@pytest.mark.parametrize("command", ["plan", "apply", "check", "demo"])
def test_every_command_explains_itself(command: str) -> None:
    assert run(command, "--help").output.startswith(f"Usage: kthw-routes {command}")


@pytest.mark.parametrize("command", [["plan"], ["apply", "--yes"], ["check"]])
def test_without_a_token_the_scope_is_named_and_nothing_is_contacted(command: list[str]) -> None:
    answer = run(*command)
    assert answer.exit_code == 2
    assert "There is no Linode API token." in answer.stderr
    assert "linodes:read_only" in answer.stderr
    assert answer.stdout == ""


def test_an_error_is_a_document_too() -> None:
    answer = run("plan", "--json")
    assert answer.exit_code == 2
    document = json.loads(answer.stdout)
    assert document["version"] == VERSION
    assert document["error"]["sentence"] == "There is no Linode API token."
    assert document["error"]["exit_code"] == 2


def test_a_redacted_document_of_an_error_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = Stopped("Cannot continue: worker-0 is bad.", "Log in to 10.1.2.3.", {"version": VERSION, "nodes": ["x"]})
    monkeypatch.setattr("kthw_routes.cli.apply.check", Mock(side_effect=stopped))
    plain, redacted = run("check", "--json"), run("check", "--json", "--redact")
    assert json.loads(plain.stdout)["nodes"] == ["x"]
    assert "worker-0" in redacted.stderr, "for whoever typed the command"
    document = json.loads(redacted.stdout)
    assert document.keys() == {"version", "error"}
    assert not re.search("worker-0|10.1.2.3", redacted.stdout)
    assert document["error"]["exit_code"] == plain.exit_code == redacted.exit_code == 2


@pytest.mark.parametrize("arguments", [["apply"], ["apply", "--json"]])
def test_apply_asks_on_a_terminal_only(arguments: list[str]) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert "needs --yes" in answer.stderr


def test_a_sudo_password_is_asked_for_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINODE_TOKEN", "x")
    answer = run("plan", "--ask-sudo-password")
    assert answer.exit_code == 2
    assert "--ask-sudo-password needs a terminal" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cluster-cidr", "10.200.0.0/33"], "is not an IPv4 network; expected, for example, 10.200.0.0/16"),
        (["--user", "a b"], '"a b" is not a user name; expected, for example, root'),
        (["--cluster-cidr", "10.200.0.1/16"], "is an address inside 10.200.0.0/16"),
        (["--via", "pigeon"], "'pigeon' is not one of"),
        (["--port", "0"], "not in the range"),
        (["--parallel", "0"], "not in the range"),
        (["--timeout", "0"], "not in the range"),
        (["--ssh-config", "missing"], "does not exist"),
        (["--nonsense"], "No such option"),
    ],
)
def test_bad_options_are_sentences(arguments: list[str], words: str) -> None:
    answer = run("plan", *arguments)
    assert answer.exit_code == 2
    assert words in answer.stderr


def test_options_before_the_command_count_for_it(planned: list[Settings]) -> None:
    before = run("--region", "eu-west", "--only", "a", "--only", "b", "--cluster-cidr", "10.9.0.0/16", "plan")
    after = run("plan", "--region", "eu-west", "--only", "a", "--only", "b", "--cluster-cidr", "10.9.0.0/16")
    assert before.exit_code == after.exit_code == 0
    assert planned[0] == planned[1]
    assert planned[0].region == "eu-west"
    assert planned[0].options.only == {"a", "b"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--persist", "auto", "runs"], "runs has no use for --persist."),
        (["--prune", "undo"], "undo has no use for --prune."),
        (["--plain", "plan"], "plan has no use for --plain."),
        (["-i", "key", "runs"], "runs has no use for --identity."),
    ],
)
def test_options_before_a_command_that_does_not_know_them_are_refused(arguments: list[str], words: str) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert words in answer.stderr


def test_what_the_environment_says_is_no_option_that_somebody_gave(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("")
    monkeypatch.setenv("KTHW_ROUTES_SSH_CONFIG", str(config))
    assert run("runs").exit_code == 0


def test_undo_with_nothing_to_undo_is_the_same_document_as_any(tmp_path: Path) -> None:
    answer = run("undo", "--json", "--yes")
    assert answer.exit_code == 0
    empty = plan_document(Cluster(()), Plan(()), ())
    assert json.loads(answer.stdout) == {**empty, "undoes": None, "outcomes": [], "run": None}


def test_the_ssh_configuration_comes_from_the_environment_too(
    planned: list[Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("")
    monkeypatch.setenv("KTHW_ROUTES_SSH_CONFIG", str(config))
    run("plan")
    assert planned[0].ssh_config == config


@pytest.mark.parametrize("word", ["none", "None", os.devnull])
def test_no_ssh_configuration_can_be_asked_for(planned: list[Settings], word: str) -> None:
    run("plan", "-F", word)
    assert planned[0].ssh_config == Path(os.devnull)


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (KthwRoutesError("worker-0: gone.", "Look again."), 1, "kthw-routes: worker-0: gone.\n    Look again.\n"),
        (KeyboardInterrupt(), 130, "kthw-routes: interrupted.\n"),
    ],
)
def test_errors_are_sentences_never_tracebacks(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, words: str
) -> None:
    def plan(_settings: Settings, *, as_json: bool, with_exit_code: bool) -> ExitCode:
        raise raised

    monkeypatch.setattr(commands, "plan", plan)
    answer = run("plan")
    assert answer.exit_code == code
    assert answer.stderr == words


@pytest.mark.parametrize("words", [("--worker-group", "x"), ("--controller-group", "x")])
def test_groups_are_those_of_an_inventory(words: tuple[str, str]) -> None:
    result = CliRunner().invoke(main.main, ["plan", *words])
    assert result.exit_code == 2
    assert f"{words[0]} needs an Ansible inventory (--inventory FILE)." in result.output


def test_completion_is_there() -> None:
    completion = BashComplete(main.main, {}, "kthw-routes", "_KTHW_ROUTES_COMPLETE")
    commands_there = {item.value for item in completion.get_completions([], "")}
    assert {"apply", "check", "demo", "plan", "runs", "undo"} <= commands_there
    assert "--host-keys" in {item.value for item in completion.get_completions(["plan"], "--h")}


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """The names of two runs, the newest first, and something else that lies there."""
    names = ["20261122T140209Z-7c1e", "20261121T101500Z-1abc"]
    for name in (*names, "notes"):
        (tmp_path / "kthw-routes" / "runs" / name).mkdir(parents=True)
    return names


def completed(*words: str) -> list[str]:
    *before, incomplete = words
    completion = BashComplete(main.main, {}, "kthw-routes", "_KTHW_ROUTES_COMPLETE")
    return [item.value for item in completion.get_completions(before, incomplete)]


def test_runs_are_completed(runs: list[str]) -> None:
    assert completed("undo", "") == runs
    assert completed("undo", "20261121") == runs[1:]


INVENTORY = """
[[nodes]]
name = "worker-0"
ssh = "192.168.8.20"
role = "worker"

[[nodes]]
name = "controller-0"
ssh = "192.168.8.10"
role = "controller"
"""


@pytest.mark.parametrize("before", [["plan", "--inventory", "own.toml"], ["--inventory", "own.toml", "plan"]])
@pytest.mark.parametrize("option", ["--only", "--rebuilt"])
def test_nodes_are_completed_from_the_inventory(before: list[str], option: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(INVENTORY)
    assert set(completed(*before, option, "")) == {"worker-0", "controller-0"}
    assert completed(*before, option, "w") == ["worker-0"]


def test_nodes_are_completed_from_the_newest_run(runs: list[str], tmp_path: Path) -> None:
    plan = {"nodes": [{"name": "worker-7"}, {"name": "worker-8"}, {"name": "$(reboot)"}, {"name": None}]}
    (tmp_path / "kthw-routes" / "runs" / runs[0] / "plan.json").write_text(json.dumps(plan))
    for command in ("apply", "undo"):
        assert completed(command, "--only", "") == ["worker-7", "worker-8"]


def test_nodes_are_completed_from_the_report(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"nodes": [{"name": "worker-a"}, {"name": "worker-b"}]}))
    assert completed("trace", "--report", "report.json", "worker-a", "") == ["worker-a", "worker-b"]


@pytest.mark.parametrize("plan", [None, "", "[]", '{"nodes": 1}', '{"nodes": [1]}', '{"nodes": [{}]}', "[" * 100_000])
def test_what_cannot_be_read_completes_nothing(runs: list[str], tmp_path: Path, plan: str | None) -> None:
    (tmp_path / "bad.toml").write_text("[[nodes")
    assert completed("plan", "--inventory", "bad.toml", "--only", "") == []
    assert completed("plan", "--inventory", "none.toml", "--only", "") == []
    if plan is not None:
        (tmp_path / "kthw-routes" / "runs" / runs[0] / "plan.json").write_text(plan)
    assert completed("plan", "--only", "") == []


def sections(text: str) -> dict[str, str]:
    """The help's sections by their titles."""
    parts = re.split(r"^(\S.*):$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_help_has_sections_three_examples_and_every_exit_code() -> None:
    found = sections(run("--help").output)
    assert list(found) == ["Commands", "Nodes", "What to change", "SSH", "Output", "Examples", "Exit codes"]
    assert [int(code) for code in re.findall(r"^  (\d+) ", found["Exit codes"], re.MULTILINE)] == list(ExitCode)
    examples = re.findall(r"^  kthw-routes (\S.*?)  ", found["Examples"], re.MULTILINE)
    assert len(examples) == 3
    for example in examples:
        name, *words = example.split()
        command = main.main.get_command(click.Context(main.main), name)
        assert command is not None
        command.make_context(name, words)


@pytest.mark.parametrize("command", ["plan", "apply", "check", "undo", "export"])
def test_each_option_is_in_one_section(command: str) -> None:
    found = sections(run(command, "--help").output)
    made = main.main.get_command(click.Context(main.main), command)
    assert made is not None
    for parameter in made.params:
        if isinstance(parameter, click.Option):
            assert sum(f" {parameter.opts[-1]} " in f"{text} " for text in found.values()) == 1, parameter.opts
    assert " --host-keys " in found["SSH"]
    assert " --only " in found["Nodes"]


def test_every_format_can_be_asked_for() -> None:
    assert tuple(FORMATS) == EXPORT_FORMATS


@pytest.mark.parametrize("words", [("--via", "vlan"), ("--workers", "node-*"), ("--region", "eu-west"), ("--tag", "x")])
@pytest.mark.parametrize("command", ["plan", "apply", "check", "export"])
def test_what_is_for_an_account_is_refused_beside_an_inventory(
    words: tuple[str, str], command: str, tmp_path: Path
) -> None:
    (tmp_path / "nodes.toml").write_text("")
    beside = (command, *(("shell",) if command == "export" else ()), "--inventory", str(tmp_path / "nodes.toml"))
    for line in ((*beside, *words), (*words, *beside)):
        answer = CliRunner().invoke(main.main, line)
        assert answer.exit_code == 2
        assert f"{words[0]} is for a Linode account" in answer.output.replace("\n", " ")
