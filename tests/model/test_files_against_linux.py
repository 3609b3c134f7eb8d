"""The modelled programs on files against the real ones: the same random commands, the same words, codes and files.

Paths are few, so that commands meet each other's leftovers. Not compared, because the model does not have them: hard
links, times, the order in which a directory gives its names, and who owns a file.
"""

import base64
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.nodes import AS_ROOT
from tests.model.hosts import lone_host, run

EXAMPLES = int(os.environ.get("KTHW_FILES_EXAMPLES", "60"))
"""How many sequences are tried; a longer run is a matter of this number."""

Words = tuple[str, ...]

START = """
mkdir a a/sub d
printf 'one\\ntwo\\n' > a/90-kthw-routes.conf
printf 'manage_etc_hosts: true\\n' > a/sub/x.cfg
printf 'other\\n' > f
printf '' > .hidden
chmod 755 a a/sub d; chmod 644 a/90-kthw-routes.conf a/sub/x.cfg f .hidden
"""
LINKS = {"l": "a", "a/link": "f", "d/broken": "nowhere"}
LOOK = (
    "find . | LC_ALL=C sort | while read P; do stat -c '%a %F %n' $P; done; "
    "find . -type f | LC_ALL=C sort | while read P; do echo $P $(base64 -w 0 $P); done"
)

PATHS = ("a", "d", "f", "l", "new", "a/new", "a/sub", "a/link", "d/broken", "no/such", "f/x", ".hidden", "a/sub/x.cfg")
path = st.sampled_from(PATHS)
mode = st.sampled_from(("755", "700", "644", "0640", "1777", "600"))
folder_mode = st.sampled_from(("755", "700", "1777"))


def line(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A command line of fixed and chosen words."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map(" ".join)


def not_below_itself(command: str) -> bool:
    """Whether no directory is copied below itself: how far that comes depends on the order of its names."""
    *sources, target = command.split()[2:]
    if target == "l" and " -aT " not in command:  # it leads to a
        target = "a"
    return not any(f"{target}/".startswith(f"{source}/") for source in [*sources, *("a" for s in sources if s == "l")])


commands = st.one_of(
    line("find", path, st.sampled_from(("", "-maxdepth 1", "-maxdepth 2"))),
    line("find", path, path, "-maxdepth 2 -name", st.sampled_from(("'*kthw-routes*'", "'*'", "a", "'.*'")), "-type f"),
    line("find", path, "-maxdepth 2 -path '*kthw-routes*' -type f"),
    line("find", path, "-type", st.sampled_from(("d", "l"))),
    line("stat -c '%a %n'", path, path),
    line("stat -c %F", path),
    line("mkdir", st.sampled_from(("", "-p", "-m 700")), path),
    line("mkdir -p", path, path),
    line("rmdir", path),
    line("rm", st.sampled_from(("", "-f", "-r", "-rf")), path),
    line("chmod", folder_mode, st.sampled_from(("a", "d", "new", "a/sub", "no/such"))),
    line("install -m", mode, st.sampled_from(("/dev/null", "f", "a", "nope")), path),
    line("install", st.sampled_from(("f", ".hidden")), path),
    line("cp", path, path),
    line(st.sampled_from(("cp -a", "cp -r", "cp -aT")), path, path).filter(not_below_itself),
    line("cp -a", path, path, st.sampled_from(("d", "f", "no"))).filter(not_below_itself),
    line("mktemp -d", st.sampled_from(("t.XXXXXXXX", "a/t.XXXX", "no/such/t.XXX", "tXX"))),
    line("sync", path),
    line("mv -fT", path, path),
    line("printf xyz | dd conv=fsync status=none", st.sampled_from(("of=f", "of=new", "of=a", "of=no/such"))),
    line("printf '%s' 'a longer text that has to be wrapped' | base64", st.sampled_from(("", "-w 0", "-w 10", "-w x"))),
    line("base64", path),
    line("sha256sum", path, path),
    line("printf", st.sampled_from(("b25lCg==", "'b25l\\nCg==\\n'", "b25lCg", "'b25l!'", "''")), "| base64 -d"),
    line("base64 -d > f <<'X'\nb25lCnR3bwo=\nX"),
    line("grep -rhs manage_etc_hosts", path, path),
    line("grep -rs", st.sampled_from(("o", "-l o", "-c two", "-q one")), path),
    line("grep o", path),
    line("cat", path),
    line("ls -1", path),
)


def unavailable() -> str | None:
    """Why there is nothing to compare with; None if there is."""
    for name, version in (("stat", "(GNU coreutils) 9."), ("find", "(GNU findutils)"), ("grep", "(GNU grep)")):
        program = shutil.which(name)
        said = program and subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        if version not in (said or ""):
            return f"the model speaks as {name} {version} does, and there is none"
    return None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    return tmp_path_factory.mktemp("real")


def script(sequence: list[str]) -> str:
    """One script: the start, and each command with its status and the files after it."""
    links = "".join(f"ln -s {target} {name}\n" for name, target in LINKS.items())
    rows = [f"echo ==; ({command}\n) 2>&1; echo rc $?; {LOOK}" for command in sequence]
    return f"umask 022\n{START}\n{links}" + "\n".join(rows)


def real_answers(place: Path, sequence: list[str]) -> list[str]:
    """What the real programs print for each command."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    ran = subprocess.run(
        ["sh", "-c", script(sequence)],
        cwd=place,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert not ran.stderr
    return ran.stdout.replace(str(place), "/tmp/t").split("==\n")[1:]


def model_answers(sequence: list[str]) -> list[str]:
    """What the model prints."""
    host, folder = lone_host(), "/tmp/t"

    def ran(command: str) -> str:
        script = f"({command}\n) 2>&1; echo rc $?"
        done = run(host, f"cd {folder}; export LC_ALL=C; exec sh -c {shlex.quote(script)}")
        assert not done.err
        return done.out

    run(host, f"mkdir {folder}; cd {folder}; {START}")
    for name, target in LINKS.items():
        host.files.link(f"{folder}/{name}", target)
    return [ran(command) + looked(host, folder) for command in sequence]


def looked(host: ModelHost, folder: str) -> str:
    """What `LOOK` would print."""
    below = {path.replace(folder, ".", 1): node for path, node in host.files.walk(folder, AS_ROOT)}
    nodes = {".": host.files.directory(folder), **below}
    files = {path: node.data for path, node in nodes.items() if node.type == "file"}
    kinds = {"directory": "directory", "link": "symbolic link"}
    full = {path: "regular file" if data else "regular empty file" for path, data in files.items()}
    rows = [f"{node.mode:o} {kinds.get(node.type) or full[path]} {path}" for path, node in nodes.items()]
    rows += [f"{path} {base64.b64encode(data).decode()}".rstrip() for path, data in files.items()]
    return "".join(f"{row}\n" for row in rows)


def normal(command: str, text: str) -> str:
    """What a command printed, without the random part of a name, and in one order where there is none."""
    text = re.sub(r"\bt\.[A-Za-z0-9]{3,8}(\.d)?\b|\b(d|f)/[A-Za-z0-9]{3}\b(?!X)", "RANDOM", text)
    printed, _, rest = text.partition("rc ")
    if command.startswith(("find", "grep", "cp")):
        printed = "\n".join(sorted(printed.splitlines()))
    status, _, files = rest.partition("\n")
    return f"{printed}\nrc {status}\n" + "\n".join(sorted(files.splitlines()))


@pytest.mark.timeout(900)  # it starts hundreds of real programs: on a busy machine each may take its time
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(commands, min_size=4, max_size=10))
@example(sequence=["find a /nope -maxdepth 2 -name '*kthw-routes*' -type f", "stat -c '%a %n' f nope a"])
@example(sequence=["mkdir -p x/y", "install -m 600 /dev/null x/y/new", "printf hi | dd of=x/y/new conv=fsync "
                   "status=none", "sync x/y/new", "mv -fT x/y/new x/y/90", "cat x/y/90", "rmdir x/y", "rm -f x/y/90",
                   "rmdir x/y"])  # fmt: skip
@example(sequence=["mktemp -d t.XXXXXXXX", "cp -a a t.*/", "find t.* -type f", "rm -rf t.*"])
def test_the_model_answers_as_the_programs_do(place: Path, sequence: list[str]) -> None:
    """Each command's output and status, and the files after it, are the same on both."""
    expected, got = real_answers(place, sequence), model_answers(sequence)
    for i, (command, theirs, ours) in enumerate(zip(sequence, expected, got, strict=True)):
        if normal(command, ours) != normal(command, theirs):
            note("\n".join(sequence[: i + 1]))
        assert normal(command, ours) == normal(command, theirs), command
