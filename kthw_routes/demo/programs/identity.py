"""Who and where one is: id, hostname, pwd, and sudo, which changes it."""

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.linux.users import SudoPolicy
from kthw_routes.demo.programs import program


@program("id")
def identity(process: Process) -> int:
    """Print who one is: `id`, `id -u`, `id -un`."""
    user, options = process.user, process.arguments
    if not options:
        process.out(f"uid={user.uid}({user.name}) gid={user.gid}({user.name}) groups={user.gid}({user.name})\n")
    else:
        process.out(f"{user.name if options == ['-un'] else user.uid}\n")
    return 0


@program("hostname")
def hostname(process: Process) -> int:
    """Print the host's name; with `-I` its addresses."""
    if "-I" in process.arguments:
        addresses = [str(a.local) for link, a in process.net.addresses() if not link.is_loopback]
        process.out("".join(f"{address} " for address in addresses) + "\n")
    else:
        process.out(f"{process.host.name}\n")
    return 0


@program("pwd")
def pwd(process: Process) -> int:
    """Print the current directory."""
    process.out(f"{process.cwd}\n")
    return 0


@program("sudo")
def sudo(process: Process) -> int:
    """Run a command as root, as far as the account's policy lets it; knows -n, -k, -S, -p."""
    words = process.arguments
    letters, prompt = "", f"[sudo] password for {process.user.name}: "
    while words and words[0].startswith("-"):
        option, words = words[0], words[1:]
        if option == "-p" and words:
            prompt, words = words[0], words[1:]
        else:
            letters += option[1:]
    if not words:
        process.err("usage: sudo [-knS] [-p prompt] command [arg ...]\n")
        return 1
    refusal = _authenticate(process, letters, prompt)
    if refusal is not None:
        return refusal
    if not process.host.has_program(words[0]):
        return process.fail(f"{words[0]}: command not found")
    root = process.host.users["root"]
    environment = process.env | {"USER": "root", "LOGNAME": "root", "HOME": "/root", "SUDO_USER": process.user.name}
    return process.run(words, user=root, env=environment)


def _authenticate(process: Process, letters: str, prompt: str) -> int | None:
    """Ask for the password where it is needed. None if the account may go on, else sudo's exit status."""
    user = process.user
    if user.is_root or user.sudo is SudoPolicy.NOPASSWD:
        return None
    if "n" in letters:
        return process.fail("a password is required")
    if "S" not in letters:
        process.err("sudo: a terminal is required to read the password; either use the -S option to read from\n")
        process.err("standard input or configure an askpass helper\n")
        return process.fail("a password is required")
    for attempt in range(3):
        process.err(prompt)
        typed = process.readline()
        if not typed:
            process.err("\n")
            process.fail("no password was provided")
            return process.fail(_attempts(attempt)) if attempt else process.fail("a password is required")
        if user.password and typed.rstrip(b"\n").decode("utf-8", "replace") == user.password:
            if user.sudo is SudoPolicy.DENIED:
                process.err(f"{user.name} is not in the sudoers file.\n")
                return 1
            return None
        if attempt < 2:
            process.err("Sorry, try again.\n")
    return process.fail(_attempts(3))


def _attempts(count: int) -> str:
    return f"{count} incorrect password attempt{'s' if count > 1 else ''}"
