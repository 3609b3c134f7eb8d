"""The workers' names in `/etc/hosts`, as a script for POSIX sh: our block rewritten, every other line kept."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.plan.hosts_lines import BEGIN, END

_NEW: Final = "/etc/hosts.kthw-routes"


def block(names: Mapping[str, IPv4Address]) -> tuple[str, ...]:
    """Make the lines of the block, with its markers."""
    return (BEGIN.decode(), *(f"{ip} {name}" for name, ip in names.items()), END.decode())


def script(names: Mapping[str, IPv4Address]) -> tuple[str, ...]:
    """Make the lines of the script; run with `sh -eu` it ends at the first failure, and the file is whole all the same.

    Lines of nothing but an address and one of these names, such as `tee -a` left, go: the block says it. It goes above
    any other line that has one of the names, as the first line counts, else to the end. A block without its end stops
    the script. Nothing is written where nothing changes.
    """
    words = "|".join(name.replace(".", "\\.") for name in names)
    return (
        f"trap 'rm -f {_NEW}' EXIT",
        f"cp -p /etc/hosts {_NEW}",
        "awk '",
        "  function block() {",
        "    placed = 1",
        *(f'    print "{line}"' for line in block(names)),
        "  }",
        "  function says(line, words, count, i) {",
        '    sub(/#.*/, "", line); gsub(/[\\r\\f\\v]/, " ", line); count = split(line, words)',
        f"    for (i = 2; i <= count; i++) if (tolower(words[i]) ~ /^({words.lower()})$/) return 1",
        "    return 0",
        "  }",
        f"  /^[ \\t\\r]*{BEGIN.decode()}[ \\t\\r]*$/ {{ inside = 1; next }}",
        f"  /^[ \\t\\r]*{END.decode()}[ \\t\\r]*$/ {{ inside = 0; next }}",
        f"  inside || /^[0-9.]+[ \\t]+({words})[ \\t]*$/ {{ next }}",
        "  !placed && says($0) { block() }",
        "  { print }",
        "  END {",
        f'    if (inside) {{ print "/etc/hosts: {BEGIN.decode()} without its end" > "/dev/stderr"; exit 1 }}',
        "    if (!placed) block()",
        "  }",
        f"' /etc/hosts > {_NEW}",
        f"cmp -s {_NEW} /etc/hosts || mv -f {_NEW} /etc/hosts",
    )
