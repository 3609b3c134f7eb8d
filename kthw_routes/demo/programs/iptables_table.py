"""The table that `iptables -L` prints."""

from kthw_routes.demo.net.firewall import Firewall


def table_of(firewall: Firewall, chain: str | None, *, verbose: bool, numeric: bool) -> str:
    """Return what `iptables -L [CHAIN]` prints, with -v and -n."""
    names = [chain] if chain is not None else list(firewall.rules)
    return "\n".join(_chain(firewall, name, verbose=verbose, numeric=numeric) for name in names)


def _chain(firewall: Firewall, name: str, *, verbose: bool, numeric: bool) -> str:
    counters = " 0 packets, 0 bytes" if verbose else ""
    policy = f"policy {firewall.policies[name]}{counters}" if name in firewall.policies else "1 references"
    head = f"{'target':<10} prot opt "
    if verbose:
        head = f" pkts bytes {head}{'in':<6} {'out':<6}  "
    lines = [f"Chain {name} ({policy})", f"{head}{'source':<20} {'destination':<20}"]
    lines += [_row(rule, verbose=verbose, numeric=numeric) for rule in firewall.rules[name]]
    return "".join(f"{line}\n" for line in lines)


def _row(rule: str, *, verbose: bool, numeric: bool) -> str:
    words, found, is_not = rule.split(), dict[str, str](), False
    while words:
        word = words.pop(0)
        if word == "!":
            is_not = True
            continue
        found[word] = ("!" if is_not else "") + words.pop(0)
        is_not = False
    everywhere = "0.0.0.0/0" if numeric else "anywhere"
    source, target = (found.get(side, everywhere).removesuffix("/32") for side in ("-s", "-d"))
    row = f"{found.get('-j', ''):<10} {found.get('-p', 'all'):<4} --  "
    if verbose:
        star = "*" if numeric else "any"
        row = f"{0:5} {0:5} {row}{found.get('-i', star):<6} {found.get('-o', star):<6}  "
    row += f"{source:<20} {target:<20}"
    for word, name in (("--ctstate", "ctstate"), ("--reject-with", "reject-with")):
        if word in found:
            row += f" {name} {found[word]}"
    return row
