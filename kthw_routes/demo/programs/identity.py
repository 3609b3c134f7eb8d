"""Who and where one is: id, whoami, hostname, uname, pwd, and sudo, which changes it."""

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.linux.users import SudoPolicy
from kthw_routes.demo.programs import program


@program("id")
def identity(process: Process) -> int:
    """`id`, `id -u`, `id -un`, `id -g`, `id -gn`."""
    user = process.user
    letters = "".join(word[1:] for word in process.arguments if word.startswith("-"))
    name, number = user.name, user.uid
    if "u" in letters or "g" in letters:
        number = user.gid if "g" in letters else user.uid
        process.out(f"{name if 'n' in letters else number}\n")
    else:
        process.out(f"uid={user.uid}({name}) gid={user.gid}({name}) groups={user.gid}({name})\n")
    return 0


@program("whoami")
def whoami(process: Process) -> int:
    """The account's name."""
    process.out(f"{process.user.name}\n")
    return 0


@program("hostname")
def hostname(process: Process) -> int:
    """The host's name; `-I` its addresses, `-s` the short name."""
    if "-I" in process.arguments:
        addresses = [str(a.local) for link, a in process.net.addresses() if not link.is_loopback]
        process.out("".join(f"{address} " for address in addresses) + "\n")
        return 0
    names = [word for word in process.arguments if not word.startswith("-")]
    if names:
        if not process.user.is_root:
            return process.fail("you must be root to change the host name")
        process.host.name = names[0]
        return 0
    name = process.host.name
    process.out(f"{name.partition('.')[0] if '-s' in process.arguments else name}\n")
    return 0


@program("uname")
def uname(process: Process) -> int:
    """`uname`, `-a`, `-r`, `-n`, `-m`."""
    parts = {
        "s": "Linux",
        "n": process.host.name,
        "r": "5.15.0-122-generic",
        "v": "#132-Ubuntu SMP Thu Aug 29 13:45:52 UTC 2024",
        "m": "x86_64",
    }
    letters = "".join(word[1:] for word in process.arguments if word.startswith("-")) or "s"
    if "a" in letters:
        process.out(f"{' '.join(parts.values())} x86_64 x86_64 GNU/Linux\n")
        return 0
    process.out(" ".join(value for letter, value in parts.items() if letter in letters) + "\n")
    return 0


@program("pwd")
def pwd(process: Process) -> int:
    """The current directory."""
    process.out(f"{process.cwd}\n")
    return 0


@program("sudo")
def sudo(process: Process) -> int:
    """Run a command as root, as far as the account's policy lets it; knows -n, -k, -S, -p, -v, -u root, -E, -H."""
    words = process.arguments
    letters, prompt = "", f"[sudo] password for {process.user.name}: "
    while words and words[0].startswith("-"):
        option, words = words[0], words[1:]
        if option == "--":
            break
        if option in ("-p", "-u", "-g"):
            value, words = (words[0], words[1:]) if words else ("", [])
            prompt = value if option == "-p" else prompt
        else:
            letters += option[1:]
    environment = dict(process.env)
    while words and "=" in words[0] and not words[0].startswith("="):
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if not words and not set(letters) & set("kKvl"):
        process.err(
            "usage: sudo -h | -K | -k | -V\nusage: sudo [-ABbEHnPS] [-p prompt] [-u user] [command [arg ...]]\n"
        )
        return 1
    refusal = _authenticate(process, letters, prompt) if words or "v" in letters else None
    if refusal is not None:
        return refusal
    if not words:
        return 0
    if not process.host.has_program(words[0]):
        return process.fail(f"{words[0]}: command not found")
    root = process.host.users["root"]
    environment |= {"USER": "root", "LOGNAME": "root", "HOME": "/root", "SUDO_USER": process.user.name}
    return process.run(words, user=root, env=environment)


def _authenticate(process: Process, letters: str, prompt: str) -> int | None:
    """None if the account may go on; else sudo's exit status."""
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
