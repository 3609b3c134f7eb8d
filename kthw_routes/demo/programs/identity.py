"""Who and where one is: id, hostname, pwd, and sudo, which changes it."""

from kthw_routes.demo.linux.process import Process
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
    """Run a command as root: only root itself may; knows -n, -k, -S, -p."""
    words = process.arguments
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] == "-p" else words[1:]
    if not words:
        process.err("usage: sudo [-knS] [-p prompt] command [arg ...]\n")
        return 1
    if not process.user.is_root:
        process.err(f"{process.user.name} is not in the sudoers file.\n")
        return 1
    if not process.host.has_program(words[0]):
        return process.fail(f"{words[0]}: command not found")
    root = process.host.users["root"]
    environment = process.env | {"USER": "root", "LOGNAME": "root", "HOME": "/root", "SUDO_USER": process.user.name}
    return process.run(words, user=root, env=environment)
