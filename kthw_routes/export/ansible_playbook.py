"""The playbook: the same for any cluster, with the nodes from the inventory. Modules of ansible.builtin only."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.export import timer
from kthw_routes.export.desired import Desired
from kthw_routes.export.document import BY, indented, quoted
from kthw_routes.facts import PROTOCOL, NetworkSetup
from kthw_routes.options import NamesOn, RoutesOn
from kthw_routes.persistence import ifupdown, netplan, networkd, networkmanager, unit
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.plan.hosts_lines import BEGIN, END

LEFT_OUT: Final = "left_out"
"""The group of the nodes that are not visited: routes lead to them, and nothing is done there."""

_OTHERS: Final = "{{ groups['workers'] | reject('equalto', inventory_hostname) | list }}"
_FOR_OTHERS: Final = "{% for worker in kthw_others %}"
_END_FOR: Final = "{% endfor %}"

_ROUTES: Final = f"""\
    - name: Read the routes to the pods on each other worker
      ansible.builtin.command:
        argv: [ip, route, show, exact, "{{{{ hostvars[item].pod_cidr }}}}"]
      loop: "{{{{ kthw_others }}}}"
      register: kthw_routes
      changed_when: false
      check_mode: false

    - name: Add or replace those that are not right
      ansible.builtin.command:
        argv:
          - ip
          - route
          - replace
          - "{{{{ hostvars[item.item].pod_cidr }}}}"
          - via
          - "{{{{ hostvars[item.item].internal_ip }}}}"
          - proto
          - "{PROTOCOL}"
      loop: "{{{{ kthw_routes.results }}}}"
      loop_control:
        label: "{{{{ hostvars[item.item].pod_cidr }}}} via {{{{ hostvars[item.item].internal_ip }}}}"
      when: >-
        item.stdout is not search('^' ~ (hostvars[item.item].pod_cidr | regex_escape)
        ~ ' via ' ~ (hostvars[item.item].internal_ip | regex_escape) ~ ' dev \\\\S+( proto \\\\S+)? *$', multiline=true)
      changed_when: true
"""

_NAMES: Final = f"""\
    - name: Write the block of kthw-routes
      ansible.builtin.blockinfile:
        path: /etc/hosts
        insertbefore: BOF  # above any line that gives a name another address: the first one counts
        marker: "# {{mark}} kthw-routes"
        block: |
          {_FOR_OTHERS}
          {{{{ hostvars[worker].internal_ip }}}} {{{{ worker }}}}
          {_END_FOR}

    - name: Take away lines before it that say the same, or did once
      ansible.builtin.replace:
        path: /etc/hosts
        before: {quoted(BEGIN.decode())}
        regexp: "{{{{ kthw_line }}}}"

    - name: Take away lines after it that say the same, or did once
      ansible.builtin.replace:
        path: /etc/hosts
        after: {quoted(END.decode())}
        regexp: "{{{{ kthw_line }}}}"
"""

_LINE: Final = (
    "^[0-9.]+[ \\t]+({{ kthw_others | map('regex_escape') | join('|') }})[ \\t]*\\n"  # of nothing but address and name
)


def text(desired: Desired) -> str:
    """Make the playbook. Raises UsageError for a way of persisting routes that it does not know."""
    options = desired.options
    is_held = timer.is_wanted(options.persist, "The playbook")
    but = f":!{LEFT_OUT}" if any(n.is_member and not n.is_visited for n in desired.cluster) else ""
    lines = [
        f"# {BY}: the pod routes of Kubernetes The Hard Way, lab 11.",
        "#",
        "#     ansible-playbook -i inventory.yml playbook.yml",
        "#",
        "# It may run again: what is right stays as it is, and is not called changed.",
        *([] if is_held else ["# These routes end at the next reboot."]),
        "---",
        "- name: Routes to the pods on other workers",
        f"  hosts: {quoted(('workers:controllers' if options.routes_on is RoutesOn.ALL else 'workers') + but)}",
        *_head(),
        _ROUTES.rstrip("\n"),
    ]
    if is_held:
        lines += ["", *_timer()]
    if options.names_on is not NamesOn.NONE:
        hosts = "workers:controllers" if options.names_on is NamesOn.ALL else str(options.names_on)
        lines += ["", "- name: The workers' names in /etc/hosts", f"  hosts: {quoted(hosts + but)}"]
        lines += [*_head(f"    kthw_line: {quoted(_LINE)}"), _NAMES.rstrip("\n")]
    return "".join(f"{line}\n" for line in lines)


def _head(*variables: str) -> tuple[str, ...]:
    return ("  gather_facts: false", "  vars:", f"    kthw_others: {quoted(_OTHERS)}", *variables, "  tasks:")


def _timer() -> Iterator[str]:
    """Make the tasks that keep the routes after a reboot, where nothing of ours does so already."""
    folders = (netplan.PATH.parent, networkd.FOLDER, ifupdown.PATH.parent, networkmanager.PATH.parent)
    yield "    - name: Look for files by which kthw-routes brings the routes back already"
    yield "      ansible.builtin.find:"
    yield f"        paths: [{', '.join(map(str, folders))}]"
    yield '        patterns: ["*kthw-routes*"]'
    yield "        recurse: true"
    yield "      register: kthw_held"
    yield ""
    yield "    - name: Bring the routes back after a reboot"
    yield "      when: kthw_held.matched == 0"
    yield "      block:"
    yield "        - name: Make the folder of the batch"
    yield "          ansible.builtin.file:"
    yield f"            path: {unit.BATCH.parent}"
    yield "            state: directory"
    yield '            mode: "0755"'
    for file in _files():
        yield ""
        yield from file
    yield ""
    yield "        - name: Start the timer, now and at each boot"
    yield "          ansible.builtin.systemd:"
    yield f"            name: {unit.TIMER.name}"
    yield "            enabled: true"
    yield "            state: started"
    yield '            daemon_reload: "{{ kthw_service is changed or kthw_timer is changed }}"'
    yield "          when: not ansible_check_mode"


def _files() -> Iterator[Sequence[str]]:
    """Make a task for each file, as kthw-routes itself writes them; the batch with a line for each other worker."""
    example = PersistedRoute(IPv4Network("10.200.0.0/24"), IPv4Address("192.0.2.1"), "")
    registers = {unit.BATCH: "kthw_batch", unit.SERVICE: "kthw_service", unit.TIMER: "kthw_timer"}
    for file in unit.render([example], NetworkSetup()):
        lines: list[str] = []
        for line in file.content.decode().splitlines():
            is_route = str(example.prefix) in line
            line = line.replace(str(example.prefix), "{{ hostvars[worker].pod_cidr }}")
            line = line.replace(str(example.next_hop), "{{ hostvars[worker].internal_ip }}")
            lines += [_FOR_OTHERS, line, _END_FOR] if is_route else [line]
        yield (
            f"        - name: Write {file.path.name}",
            "          ansible.builtin.copy:",
            f"            dest: {file.path}",
            f'            mode: "0{file.mode:o}"',
            "            content: |",
            *indented(lines, 14),
            f"          register: {registers[file.path]}",
        )
