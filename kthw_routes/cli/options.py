"""The options that several commands share."""

import os
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from kthw_routes.cli.completion import complete_nodes
from kthw_routes.cli.help import CHANGES, NODES, SSH, section
from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, parse_user
from kthw_routes.errors import InvalidInput
from kthw_routes.options import HOST_KEY_MODES, NamesOn, RoutesOn
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Persist
from kthw_routes.sanitize import quoted

T = TypeVar("T")


class Value(click.ParamType[T]):
    """A value that is read by the same rules as in an inventory."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: T | str, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Read the value, or fail with a sentence about what is wrong with it."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except InvalidInput as error:
            self.fail(f"{quoted(str(value))} {error}.", param, ctx)


def _cluster_cidr(text: str) -> IPv4Network:
    from kthw_routes.sources.inventory.values import cluster_cidr  # here, for the time that --help takes

    return cluster_cidr(text)


class SshConfigFile(click.Path):
    """A file that is there; `none` is ssh's word for no configuration at all."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the file, or a sentence about what is wrong with it."""
        return super().convert(os.devnull if str(value).lower() == "none" else value, param, ctx)


node_options = section(
    NODES,
    click.option(
        "--inventory",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Read the nodes from this file: TOML of our own, KTHW's machines.txt, Ansible INI, YAML or JSON.",
    ),
    click.option("--worker-group", metavar="NAME", help="The workers' group in an Ansible inventory."),
    click.option("--controller-group", metavar="NAME", help="The controllers' group in an Ansible inventory."),
    click.option("--workers", metavar="GLOB", default="worker-*", show_default=True, help="Labels of the workers."),
    click.option(
        "--controllers", metavar="GLOB", default="controller-*", show_default=True, help="Labels of the controllers."
    ),
    click.option("--region", metavar="ID", help="Only Linodes of this region."),
    click.option("--tag", metavar="TAG", help="Only Linodes with this tag."),
    click.option(
        "--cluster-cidr",
        type=Value("cidr", _cluster_cidr),
        help=f"The pod network; worker N is expected to have its Nth /24.  [default: {DEFAULT_CLUSTER_CIDR}]",
    ),
    click.option(
        "--via",
        type=click.Choice(["private", "vlan", "vpc"]),
        default="private",
        show_default=True,
        help="Which address of a node is the next hop.",
    ),
    click.option(
        "--only",
        metavar="HOST",
        multiple=True,
        shell_complete=complete_nodes,
        help="Visit this host only; may be repeated.",
    ),
)

overlay_option = click.option(
    "--overlay",
    type=click.Choice([o.value for o in Overlay]),
    help="Carry packets between pods in VXLAN, past a filter of the provider; none removes our overlay.  "
    "[default: as it is, at first none]",
)

plan_options = section(
    CHANGES,
    click.option(
        "--persist",
        type=click.Choice([p.value for p in Persist]),
        help="How the routes are kept after a reboot; auto: as each host's network is configured.  [default: none]",
    ),
    overlay_option,
    click.option(
        "--routes-on",
        type=click.Choice([r.value for r in RoutesOn]),
        help="Which nodes get routes to the workers' pods.  [default: workers]",
    ),
    click.option(
        "--names-on",
        type=click.Choice([n.value for n in NamesOn]),
        help="Whose /etc/hosts gets the workers' names.  [default: controllers]",
    ),
    click.option("--no-hosts-file", is_flag=True, help="The same as --names-on none."),
    click.option("--cloud-template", is_flag=True, help="Write the names into cloud-init's template too."),
    click.option("--ip-forward", is_flag=True, help="Turn forwarding on where it is off, now and at each boot."),
    click.option(
        "--prune",
        is_flag=True,
        help="Also remove our routes and names of workers that are not found, and our routes where none are wanted.",
    ),
    click.option(
        "--repair", is_flag=True, help="Give a node's own pod CIDR that another route overrides back to its bridge."
    ),
    click.option("--no-probe", is_flag=True, help="Send no test traffic: nothing is proved then."),
)

ssh_options = section(
    SSH,
    click.option(
        "-i",
        "--identity",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Private key; default ./kubernetes.ed25519 if it is there, else the agent and the SSH configuration.",
    ),
    click.option(
        "--user",
        metavar="NAME",
        type=Value("user", parse_user),
        help="User to log in as; default: the SSH configuration's, else root.",
    ),
    click.option("--port", metavar="N", type=click.IntRange(1, 65535), help="SSH port."),
    click.option(
        "-F",
        "--ssh-config",
        metavar="FILE",
        envvar="KTHW_ROUTES_SSH_CONFIG",
        type=SshConfigFile(path_type=Path, dir_okay=False, exists=True),
        help="SSH configuration, or `none`; default ~/.ssh/config.  [env: KTHW_ROUTES_SSH_CONFIG]",
    ),
    click.option(
        "--host-keys",
        type=click.Choice(HOST_KEY_MODES),
        help="What to do with a host key never seen before; default: the wizard asks, commands accept and print it. "
        "A changed key is refused always.",
    ),
    click.option(
        "--rebuilt",
        metavar="HOST",
        multiple=True,
        shell_complete=complete_nodes,
        help="This node was rebuilt: forget its old host key, once; may be repeated.",
    ),
    click.option("--ask-sudo-password", is_flag=True, help="Ask for the password that sudo wants, before connecting."),
    click.option(
        "--parallel", metavar="N", type=click.IntRange(1, 256), default=32, show_default=True, help="Hosts at once."
    ),
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=click.FloatRange(1, 3600),
        default=30.0,
        show_default=True,
        help="How long one host may stay silent.",
    ),
)

EXPORT_FORMATS: Final = (
    "shell",
    "batch",
    "netplan",
    "networkd",
    "ansible",
    "cloud-init",
    "machines.txt",
    "toml",
    "markdown",
)
"""The names of `export.formats.FORMATS`, here so that `--help` need not import them."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all else on stderr.")
redact_option = click.option(
    "--redact", is_flag=True, help="Other names and addresses in place of the real ones, to show it to others."
)
yes_option = section(CHANGES, click.option("-y", "--yes", is_flag=True, help="Do not ask."))
verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Every row and every command, also of more than 12 workers; live lines, no display.",
)
