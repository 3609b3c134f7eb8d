"""`sysctl`: the few settings that matter for routing."""

from kthw_routes.demo.linux.boot import apply_sysctl_files, apply_sysctl_text
from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.programs import program


@program("sysctl")
def sysctl(process: Process) -> int:
    """Print or set settings of this network namespace; see sysctl(8)."""
    values_only = quiet = False
    status = 0
    settings = process.net.sysctl
    if loads := {"-p", "--load", "--system"} & set(process.arguments):
        return _load(process, everything="--system" in loads)
    for word in process.arguments:
        if word.startswith("-"):
            values_only |= "n" in word
            quiet |= "q" in word
            if "a" in word:
                for name, value in sorted(settings.items()):
                    process.out(f"{name} = {value}\n")
            continue
        name, equals, value = word.partition("=")
        name, value = name.strip().replace("/", "."), value.strip()
        if name not in settings:
            path = name.replace(".", "/")
            status = process.fail(f"cannot stat /proc/sys/{path}: No such file or directory", 255)
        elif not equals:
            process.out(f"{settings[name]}\n" if values_only else f"{name} = {settings[name]}\n")
        elif not process.user.is_root:
            status = process.fail(f'permission denied on key "{name}"', 255)
        else:
            settings[name] = value
            if not quiet:
                process.out(f"{value}\n" if values_only else f"{name} = {value}\n")
    return status


def _load(process: Process, *, everything: bool) -> int:
    """Make the settings of a file, by default /etc/sysctl.conf, or of all."""
    if not process.user.is_root:
        return process.fail("permission denied", 255)
    if everything:
        made = apply_sysctl_files(process.host)
    else:
        name = next((word for word in process.arguments if not word.startswith("-")), "/etc/sysctl.conf")
        try:
            text = process.host.files.read(name, process).decode("utf-8", "replace")
        except FileError as error:
            return process.fail(f'cannot open "{name}": {error.reason}', 255)
        made = apply_sysctl_text(process.host, text)
    process.out("".join(f"{name} = {value}\n" for name, value in made))
    return 0
