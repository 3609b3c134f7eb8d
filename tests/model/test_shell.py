"""The modelled shell: what dash and bash print for the same text (each row was run on both once)."""

import threading

import pytest

from kthw_routes.demo.clock import RealClock
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.shell.parser import parse
from kthw_routes.demo.shell.syntax import ShellSyntaxError
from tests.model.accounts import SudoPolicy, add_user
from tests.model.hosts import Ran, greet, lone_host, run

# script, stdout, status: as `sh -c SCRIPT` of dash 0.5.12 gives them
SCRIPTS = [
    ("echo a   b", "a b\n", 0),
    ("echo 'a   b' \"c  d\" e\\ f", "a   b c  d e f\n", 0),
    ("echo 'it'\\''s'", "it's\n", 0),
    ('printf %s "a\\"b\\$c\\`d\\\\e\\f"', 'a"b$c`d\\e\\f', 0),
    ("echo 'a\\tb' 'c\\n'", "a\tb c\n\n", 0),
    ("echo -n a; echo -e b", "a-e b\n", 0),
    ("X=1; echo $X ${X}y \"$X\" '$X' \\$X", "1 1y 1 $X $X\n", 0),
    ("X='a  b'; echo $X; echo \"$X\"", "a b\na  b\n", 0),
    ("false; echo $?; true; echo $?", "1\n0\n", 0),
    ("x=$(exit 3); s=$?; echo $s; false; x=1; echo $?; false; x=$?; echo $x", "3\n0\n1\n", 0),
    ("true && echo yes || echo no; false && echo yes || echo no", "yes\nno\n", 0),
    ("false || false || echo third", "third\n", 0),
    ("! false && echo negated", "negated\n", 0),
    ("set -e; false; echo never", "", 1),
    ("set -e; false || true; if false; then true; fi; ! true; echo reached", "reached\n", 0),
    ("set -e; (exit 3); echo never", "", 3),
    ("echo one; exit 7; echo two", "one\n", 7),
    ("echo a | cat | cat", "a\n", 0),
    ("false | true; echo $?; true | false; echo $?", "0\n1\n", 0),
    ("echo x > /tmp/f; echo y >> /tmp/f; cat < /tmp/f", "x\ny\n", 0),
    ("echo err >&2; echo out", "out\n", 0),
    ("echo gone > /dev/null 2>&1; echo kept", "kept\n", 0),
    ("{ echo a; echo b >&2; } 2>&1 | cat", "a\nb\n", 0),
    ("(cd /tmp; pwd); pwd | cat", "/tmp\n/root\n", 0),
    ("cat <<EOF\na $((0)) b\nEOF\n".replace(" $((0))", " $HOME_UNSET"), "a  b\n", 0),
    ("X=v; cat <<EOF\n$X \"q\" 'q' \\$X \\\\ \\z\nEOF\necho after", "v \"q\" 'q' $X \\ \\z\nafter\n", 0),
    ("X=v; cat <<'EOF'\n$X `no` \\$\nEOF", "$X `no` \\$\n", 0),
    ("cat <<A; cat <<B\n1\nA\n2\nB", "1\n2\n", 0),
    ("cat <<EOF | cat\na\nb\nEOF", "a\nb\n", 0),
    ("echo $(echo in; echo ner)", "in ner\n", 0),
    ("X=\"$(printf 'a\\n\\n')\"; echo \"[$X]\"", "[a]\n", 0),
    ("echo \"$(echo ')' \"x)\")\"", ") x)\n", 0),
    ("X=1 sh -c 'echo $X'; echo [$X]", "1\n[]\n", 0),
    ("X=1; sh -c 'echo [$X]'; export X; sh -c 'echo [$X]'", "[]\n[1]\n", 0),
    ("for i in a 'b c' d; do echo \"<$i>\"; done", "<a>\n<b c>\n<d>\n", 0),
    ("if test -d /tmp; then echo d; elif true; then echo e; else echo f; fi", "d\n", 0),
    ("# a comment\necho a # b\necho 'c # d' e#f", "a\nc # d e#f\n", 0),
    ("echo a\\\nb", "ab\n", 0),
    ("exec echo replaced; echo never", "replaced\n", 0),
    ("exec sh -c 'exit 5'", "", 5),
    ("printf '%s=%d\\n' a 1 b 2", "a=1\nb=2\n", 0),
    ("printf '\\n%s\\n' NONCE", "\nNONCE\n", 0),
    ("printf '%s|%d|%%|%b\\n' ab 42 'e\\tf'", "ab|42|%|e\tf\n", 0),
    ("printf 'no newline'", "no newline", 0),
    ("test a = a && [ -n x ] && [ ! -e /nowhere ] && echo all", "all\n", 0),
    ("echo a;echo b&&echo c", "a\nb\nc\n", 0),
    ("seven=7; echo $seven$seven ${seven}", "77 7\n", 0),
    ("env A=1 B=2 sh -c 'echo $A$B'", "12\n", 0),
    ("echo '*' \\* \"*\"", "* * *\n", 0),
    ("mkdir -p /tmp/g; echo > /tmp/g/b.conf; echo > /tmp/g/a.conf; cd /tmp/g; echo *.conf /tmp/g/[b]* *.none",
     "a.conf b.conf /tmp/g/b.conf *.none\n", 0),
    ("sleep 0; timeout 5 echo in time", "in time\n", 0),
    ("timeout 1 sleep 100; echo $?", "124\n", 0),
    ("timeout -k 5 20 sh -c 'timeout 1 sleep 9; echo inner $?'; echo outer $?", "inner 124\nouter 0\n", 0),
    ("timeout 1 sh -c 'sleep 100 | cat'; echo $?", "124\n", 0),
    ("{ sleep 0; echo in; } & wait; echo out", "in\nout\n", 0),
    ("false & echo $?; wait; echo $?", "0\n0\n", 0),
    ("X=1; for i in 2 3; do { X=$i; cat; } & done; wait; echo $X; cat", "1\none two three\n", 0),
    ("exit 3 & wait; true && echo a& wait", "a\n", 0),
    ("o=$(echo a; echo b; exit 3); echo $? $o", "3 a b\n", 0),
    ("timeout 1 sh -c 'sleep 100 & wait'; echo $?", "124\n", 0),
]  # fmt: skip


@pytest.mark.parametrize(("script", "stdout", "status"), SCRIPTS)
def test_it_runs_a_script_as_dash_does(script: str, stdout: str, status: int) -> None:
    """stdout and status of `sh -c SCRIPT`; stdin holds one line."""
    host = lone_host()
    quoted = script.replace("'", "'\\''")
    ran = run(host, f"exec sh -c '{quoted}'", stdin=b"one two three\n")
    assert (ran.out, ran.status) == (stdout, status), ran.err


@pytest.mark.parametrize(
    ("script", "stderr", "status"),
    [
        ("nonesuch", "bash: line 1: nonesuch: command not found\n", 127),
        ("true\nnonesuch a b", "bash: line 2: nonesuch: command not found\n", 127),
        ("sh -c nonesuch", "sh: 1: nonesuch: not found\n", 127),
        ("/usr/bin/nonesuch", "bash: line 1: /usr/bin/nonesuch: No such file or directory\n", 127),
        ("cat < /nowhere", "bash: line 1: /nowhere: No such file or directory\n", 1),
        ("sh -c 'cat < /nowhere'", "sh: 1: cannot open /nowhere: No such file\n", 2),
        ("sh -c 'echo a > /no/where'", "sh: 1: cannot create /no/where: Directory nonexistent\n", 2),
        ("sh -c 'cd /nowhere'", "sh: 1: cd: can't cd to /nowhere\n", 2),
        ("cd /nowhere", "bash: line 1: cd: /nowhere: No such file or directory\n", 1),
        ("sh -c 'echo \"open'", "sh: 1: Syntax error: Unterminated quoted string\n", 2),
        ("sh -c 'echo | ;'", 'sh: 1: Syntax error: ";" unexpected\n', 2),
        ("sh -c 'if true; then echo x'", "sh: 1: Syntax error: end of file unexpected\n", 2),
        ("echo | ;", "bash: -c: line 1: syntax error near unexpected token `;'\n", 2),
        ("/etc", "bash: line 1: /etc: Is a directory\n", 126),
        ("sh -c 'exec nonesuch'", "sh: 1: exec: nonesuch: not found\n", 127),
        ("env nonesuch", "env: ‘nonesuch’: No such file or directory\n", 127),
        ("env LC_ALL=C env nonesuch", "env: 'nonesuch': No such file or directory\n", 127),
        ("timeout 5 nonesuch", "timeout: failed to run command ‘nonesuch’: No such file or directory\n", 127),
    ],
)
def test_it_complains_as_the_shells_do(script: str, stderr: str, status: int) -> None:
    """stderr and status where something is wrong."""
    ran = run(lone_host(), script)
    assert (ran.err, ran.status) == (stderr, status)


@pytest.mark.parametrize(
    "text",
    [
        "& true",
        "true & &",
        "case x in x) ;; esac",
        "f() { :; }",
        "for 1 in a; do :; done",
        ")",
        "while true; do true; done",
        "echo `date`",
        "echo ${X:-y}",
    ],
)
def test_what_it_does_not_know_is_a_syntax_error(text: str) -> None:
    """Nothing is silently taken for something else."""
    with pytest.raises(ShellSyntaxError):
        parse(text)


def test_output_before_a_marker_is_separable() -> None:
    """The way in which the tool renders a command, on a host whose .bashrc is noisy."""
    host = lone_host()
    greet(host, b"Welcome!\n")
    ran = run(
        host,
        """exec sh -c 'printf "\\n%s\\n" N0NCE; printf "\\n%s\\n" N0NCE >&2; """
        """exec env LC_ALL=C timeout -k 5 20 ip -json route show'""",
    )
    assert ran == Ran(0, "Welcome!\n\nN0NCE\n[]\n", "\nN0NCE\n")


def test_output_comes_as_it_is_produced() -> None:
    """The first line is out while the program still waits for more."""
    host = ModelHost("worker-0", clock=RealClock(), epoch=0)
    seen = threading.Event()
    cancelled = threading.Event()

    def stdout(data: bytes) -> None:
        if data == b"first\n":
            seen.set()

    def work() -> None:
        host.execute("echo first; sleep 600; echo second", stdout=stdout, stderr=stdout, cancelled=cancelled)

    thread = threading.Thread(target=work)
    thread.start()
    assert seen.wait(10)
    assert thread.is_alive()
    cancelled.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_timeout_ends_a_program_that_waits_for_input() -> None:
    """Even a blocked read ends when the time is over."""
    host = ModelHost("worker-0", clock=RealClock(), epoch=0)

    class Silence:
        """Input that never comes."""

        def __init__(self) -> None:
            self.never = threading.Event()

        def read(self, size: int = -1, /) -> bytes:
            """Wait."""
            self.never.wait()
            return b""

        def readline(self) -> bytes:
            """Wait."""
            self.never.wait()
            return b""

    silence = Silence()
    out = bytearray()
    status = host.execute("timeout 0.05 cat; echo $?", stdin=silence, stdout=out.extend, stderr=out.extend)
    silence.never.set()
    assert (status, out.decode()) == (0, "124\n")


def test_a_login_shell_keeps_its_directory_and_ends_with_exit() -> None:
    """Lines typed one after the other."""
    shell = lone_host().open_shell("root")
    out = bytearray()

    def type_(line: str) -> int:
        host_stdin = __import__("io").BytesIO()
        return shell.execute(line, stdin=host_stdin, stdout=out.extend, stderr=out.extend, cancelled=threading.Event())

    assert shell.prompt == "root@worker-0:~# "
    assert type_("cd /etc\n") == 0
    assert shell.prompt == "root@worker-0:/etc# "
    assert type_("X=5; pwd\n") == 0
    assert type_("echo $X; nonesuch\n") == 127
    assert out.decode() == "/etc\n5\n-bash: nonesuch: command not found\n"
    assert not shell.is_over
    assert type_("exit 3\n") == 3
    assert shell.is_over


SUDO = "exec sudo -k -S -p '' sh -c 'id -un; cat'"


@pytest.mark.parametrize(
    ("policy", "command", "stdin", "expected"),
    [
        (SudoPolicy.NOPASSWD, "sudo -n id -un", b"", Ran(0, "root\n", "")),
        (SudoPolicy.PASSWORD, "sudo -n id -un", b"", Ran(1, "", "sudo: a password is required\n")),
        (SudoPolicy.PASSWORD, SUDO, b"secret\nrest\n", Ran(0, "root\nrest\n", "")),
        (
            SudoPolicy.PASSWORD,
            SUDO,
            b"wrong\n",
            Ran(
                1,
                "",
                "Sorry, try again.\n\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n",
            ),
        ),
        (SudoPolicy.DENIED, SUDO, b"secret\n", Ran(1, "", "learner is not in the sudoers file.\n")),
        (
            SudoPolicy.ABSENT,
            "exec sudo -n true",
            b"",
            Ran(127, "", "bash: line 1: exec: sudo: not found\n"),
        ),
    ],
)
def test_sudo_follows_the_account(policy: SudoPolicy, command: str, stdin: bytes, expected: Ran) -> None:
    """With and without a password, the right and a wrong one."""
    host = lone_host()
    add_user(host, "learner", sudo=policy, password="secret")
    if policy is SudoPolicy.ABSENT:
        host.missing.add("sudo")
    assert run(host, command, stdin=stdin, user="learner") == expected


def test_who_is_not_root_may_look_but_not_change() -> None:
    """The kernel's refusal, and a file's."""
    host = lone_host()
    add_user(host, "learner")
    assert run(host, "id -u; id -un; pwd", user="learner").out == "1000\nlearner\n/home/learner\n"
    refused = run(host, "ip route add 10.200.1.0/24 dev lo", user="learner")
    assert (refused.status, refused.err) == (2, "RTNETLINK answers: Operation not permitted\n")
    assert run(host, "cat /etc/shadow", user="learner").err == "cat: /etc/shadow: Permission denied\n"
    assert run(host, "echo x > /etc/hosts", user="learner").err == "bash: line 1: /etc/hosts: Permission denied\n"


def test_help_names_every_program() -> None:
    """What the learner can try."""
    host = lone_host()
    text = run(host, "help").out
    for name in ("ip", "ping", "cat", "sysctl", "grep"):
        assert f" {name} " in text.replace("\n", " ")
