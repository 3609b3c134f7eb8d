"""Drills as values: what a file may hold, what a seed decides, what is noted; and a drill in plain lines, whole."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from kthw_routes.cli.main import main
from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.progress import Progress
from kthw_routes.drills.reading import DrillFault, drill_of, own_drills, read_drills
from kthw_routes.drills.shell import NodeShell
from kthw_routes.errors import UsageError
from tests.model.hosts import lone_host

OWN = own_drills()

TEACHERS = """
title = "{a} is slow"
story = "Since Monday {a} needs a minute for each page from {b}."
hints = ["Where?", "Look at {a}.", "It is the route."]
explanation = "It was the route."
[fault]
"{a}" = ["ip route del {b_pods}"]
[solution]
"{a}" = ["ip route add {b_pods} via {b_node}"]
[[answers]]
text = "The route is gone"
right = true
reason = "`ip route` shows none."
[[answers]]
text = "The disk is full"
reason = "df says otherwise."
"""


def test_there_are_more_than_fourteen_drills_of_different_faults() -> None:
    catalogue = Catalogue.load()
    right = {drill.answers[drill.right - 1].text for drill in map(catalogue.drill, catalogue.names)}
    assert len(catalogue.names) >= 14
    assert len({re.sub(r"(worker|controller)-\d", "X", text) for text in right}) == len(catalogue.names)


@pytest.mark.parametrize("name", OWN)
def test_a_drill_is_complete_and_gives_nothing_away_for_any_seed(name: str) -> None:
    for seed in ("1", "two", "3"):
        drill = drill_of(name, OWN[name], seed)
        texts = (
            *(drill.title, drill.story, drill.explanation, *drill.hints),
            *(text for answer in drill.answers for text in (answer.text, answer.reason)),
        )
        assert not re.search(r"[{}]|\d worker-\d{2}", " ".join(texts))
        assert len(drill.answers) == 4
        assert drill.reports
        assert drill == drill_of(name, OWN[name], seed)
        told = f"{name} {drill.title} {drill.story}"
        for line in (line for lines in drill.solution.values() for line in lines):
            assert line not in told
            assert line not in drill.hints[0]


def test_a_seed_decides_who_plays_which_part_and_the_order() -> None:
    drills = [drill_of("no-answer", OWN["no-answer"], str(seed)) for seed in range(12)]
    assert len({drill.title for drill in drills}) == 6
    assert len({drill.right for drill in drills}) > 1
    one, other = Catalogue.load(seed="class 7"), Catalogue.load(seed="class 7")
    assert one.names == other.names
    assert [one.drill(name) for name in one.names] == [other.drill(name) for name in other.names]
    assert one.names != tuple(OWN) == Catalogue.load().names


def test_the_next_drill_is_the_first_that_is_not_solved() -> None:
    catalogue = Catalogue.load()
    first, second, third, *_, last = catalogue.names
    assert catalogue.next_after(None, {first}) == second
    assert catalogue.next_after(first, {second}) == third
    assert catalogue.next_after(last, ()) == first
    assert catalogue.next_after(first, set(catalogue.names)) == second
    with pytest.raises(UsageError, match='No drill is named "x"'):
        catalogue.drill("x")


def test_a_teachers_drills_are_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "03-slow-pages.toml").write_text(TEACHERS)
    (tmp_path / "no-answer.toml").write_text(TEACHERS.replace("is slow", "is tired"))
    catalogue = Catalogue.load(tmp_path, seed="1")
    assert set(catalogue.names) == {*OWN, "slow-pages"}
    assert catalogue.drill("no-answer").title.endswith("is tired")
    assert read_drills(tmp_path / "03-slow-pages.toml") == {"slow-pages": TEACHERS}
    (tmp_path / "broken.toml").write_text("title = 1")
    with pytest.raises(DrillFault, match="The drill broken cannot be used"):
        Catalogue.load(tmp_path)
    with pytest.raises(UsageError, match=r"There is no \.toml file in"):
        Catalogue.load(tmp_path.joinpath("03-slow-pages.toml").parent / "..", seed="1")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('title = "{a} is slow"', "", "title: expected a text."),
        ("{b_pods}", "{d_pods}", "{d_pods} is not known. Known are: a, a_bridge,"),
        ('"Where?", ', "", "hints: expected 3 texts"),
        ("right = true", "", "answers: expected two or more, exactly one of them with right = true."),
        ('[fault]\n"{a}"', "[fault]\nrouter", 'fault: "router" is not a node. Workers are {a}, {b}, {c}'),
        ('["ip route del {b_pods}"]', '"ip"', 'fault: expected a list of commands for "{a}".'),
        ("[fault]", 'region = "mars"\n[fault]', "region: expected ca-central or eu-west."),
        ("[fault]", "colour = 1\n[fault]", '"colour" is not a key of a drill.'),
        ("[fault]", '[moved]\n"{a}" = "10.0.0.300"\n[fault]', 'moved: "10.0.0.300" is not an IPv4 address.'),
        ('["ip route del {b_pods}"]', "[]", "fault: expected the commands that put the fault in, by node."),
        pytest.param("[fault]", f"x = {'[' * 5000}\n[fault]", "It is nested too deeply.", id="deep"),
        pytest.param("[fault]", f"x = {'9' * 5000}\n[fault]", "Exceeds the limit", id="long"),
        ("[fault]", "[faults]", "fault: expected the commands that put the fault in, by node."),
    ],
)
def test_what_is_wrong_in_a_file_is_named(old: str, new: str, error: str) -> None:
    with pytest.raises(DrillFault) as caught:
        drill_of("own", TEACHERS.replace(old, new, 1), "1")
    assert error in caught.value.hint


def test_the_drill_in_the_readme_can_be_used() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    text = readme.partition("# nightly.toml")[2].partition("```")[0].partition("\n")[2]
    drill = drill_of("nightly", text, "1")
    assert drill.has_pods
    assert drill.fault.keys() == drill.solution.keys()


def test_all_errors_of_a_file_are_reported_at_once() -> None:
    with pytest.raises(DrillFault) as caught:
        drill_of("own", "region = 1", "1")
    assert [line.split(":")[0] for line in caught.value.hint.splitlines()] == [
        *("title", "story", "explanation", "region", "hints", "answers")
    ]
    with pytest.raises(DrillFault, match=r"own\.toml is not valid TOML"):
        drill_of("own", "title =", "1")
    with pytest.raises(DrillFault, match=r'"My Drill\.toml" is not a name for a drill'):
        read_drills(Path("/nowhere/My Drill.toml"))


def test_progress_is_a_text_file_that_people_may_edit(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "state")
    assert progress.read() == {}
    assert not progress.reset()
    progress.add("detour", hints=1, wrong=0, is_shown=False)
    progress.add("mirror", hints=3, wrong=2, is_shown=True)
    progress.add("detour", hints=3, wrong=0, is_shown=True)  # later, after it was solved by oneself
    progress.path.write_text("# my own note\n" + progress.path.read_text().rstrip("\n"))
    progress.add("twins", hints=0, wrong=1, is_shown=False)
    assert progress.path.read_text().startswith("# my own note\n")
    assert progress.solved == {"detour", "twins"}
    found = progress.read()
    assert re.fullmatch(r"solved \d{4}-\d\d-\d\d, 1 hint", found["detour"].words)
    assert found["mirror"].words.startswith("solution shown ")
    assert progress.path.stat().st_mode & 0o777 == 0o600
    assert progress.reset()
    assert progress.read() == {}


def test_a_shell_on_a_node_remembers_its_folder_and_is_typed_into() -> None:
    printed: list[str] = []
    shell = NodeShell(lone_host(), printed.append)
    assert shell.prompt == "root@worker-0:~# "
    shell.run("cd /etc")
    assert shell.prompt == "root@worker-0:/etc# "
    shell.type("too early: nobody reads it")
    assert shell.run("hostname") == 0
    assert printed == ["worker-0\n"]
    assert not shell.is_busy
    shell.run("exit")
    assert shell.is_over


def test_a_drill_in_plain_lines_from_the_story_to_the_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    drill = Catalogue.load(seed="1").drill("old-name")
    ((host, (repair,)),) = drill.solution.items()
    wrong = drill.right % len(drill.answers) + 1
    typed = (
        *("hint", "hint", "hint", "hint", f"answer {wrong}", "answer 9", "nonsense"),
        *("sh worker-0", "cd /etc", "head -1 hosts", "cat", "exit", "sh worker-9 true"),
        *(
            "explain ip neigh",
            "nodes",
            "plan",
            "trace worker-0 worker-2",
            "trace a b",
            "check",
            f"sh {host} {repair}",
            "check",
        ),
        *("proof", f"answer {drill.right}", "story", "help", "quit", "never read"),
    )
    ran = CliRunner().invoke(main, ["drills", "old-name", "--seed", "1"], input="\n".join(typed))
    assert ran.exit_code == 0, ran.output
    said = " ".join(ran.output.replace("`", "").split())
    at = 0
    for words in (
        *(drill.title, drill.story, f"{drill.right}) {drill.answers[drill.right - 1].text}", "ssh -F /"),
        *(f"Hint {n} of 3: {hint}" for n, hint in enumerate(drill.hints, start=1)),
        *("There are no more hints.", f"✗ No: {drill.answers[wrong - 1].reason}", "There are answers 1 to 4."),
        *("Not known: nonsense.", "127.0.0.1 localhost", "No node is named worker-9."),
        *("(iproute2).", "pod CIDR rests on", "! replace", "The request, there:", "a → b was not tested."),
        *("✗ All test traffic gets through, and yet", "Not repaired yet.", "✓ Traffic between all pod CIDRs"),
        *("It is repaired. Say what it was", "Evidence: probe addresses", "✓ Right: "),
        *("Solved: old-name.", drill.explanation, drill.story, "have it checked"),
    ):
        at = said.index(" ".join(re.sub(r"`|\*\*", "", words).split()), at)
    assert re.search(r"old-name  hints 3  wrong answers 1$", (tmp_path / "kthw-routes/drills.txt").read_text().strip())
    listed = CliRunner().invoke(main, ["drills", "--list", "--seed", "1", "--verbose"]).output
    assert re.search(r"old-name +.*solved \d{4}-\d\d-\d\d, 3 hints", listed)
    assert f"on {host}: {repair}" in listed
    assert f"1 of {len(OWN)} solved." in listed
    assert "forgotten" in CliRunner().invoke(main, ["drills", "--reset"]).output
    assert not (tmp_path / "kthw-routes/drills.txt").exists()
