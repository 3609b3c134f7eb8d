"""The fence around files of ours: all that is written passes it, and nothing beside."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.persistence import ifupdown, netplan, networkd, networkmanager, unit
from kthw_routes.persistence import paths as own_paths
from kthw_routes.persistence.managers import MODULES, manager_of
from kthw_routes.persistence.model import Manager
from kthw_routes.persistence.paths import FORWARDING_FILE

from .setups import FITTING, LINODE, held, ruled

ROUTES = (held(2), held(1))
DROP_IN = PurePosixPath("/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf")
OWN = (netplan.PATH, ifupdown.PATH, networkmanager.PATH, *unit.PATHS, FORWARDING_FILE.path, DROP_IN)
LETTERS = st.sampled_from("/.-_*; \n\0~aZ0ü")


def searched(path: PurePosixPath) -> bool:
    """Whether the search for files of ours comes by there: two levels deep."""
    return any(folder in (path.parent, path.parent.parent) for folder in own_paths.FOLDERS)


def test_what_every_manager_writes_is_ours() -> None:
    written = {file.path for manager in Manager for file in MODULES[manager].render(ROUTES, FITTING[manager])}
    assert written | {FORWARDING_FILE.path} == set(OWN)
    for path in OWN:
        assert own_paths.is_own(path)
        assert own_paths.is_new_file(own_paths.new_file_for(path))
        assert searched(path)


@given(
    st.from_regex(r"/(etc|run|usr/lib)/systemd/network/[A-Za-z0-9_.:@+-]{1,220}\.network", fullmatch=True).map(
        PurePosixPath
    )
)
def test_a_drop_in_is_ours_whatever_the_file_is_called_that_networkd_goes_by(path: PurePosixPath) -> None:
    network = replace(LINODE, links=(ruled(file=path),))
    if own_paths.is_network_file(path) and not networkd.unsupported_reason(["eth0"], network):
        (file,) = networkd.render(ROUTES, network)
        assert own_paths.is_own(file.path)
        assert manager_of(file.path) is Manager.NETWORKD


@pytest.mark.parametrize(
    "path",
    [
        "/etc/netplan/90-kthw-routes.yaml.bak",
        "/etc/netplan/old/90-kthw-routes.yaml",
        "/etc/netplan/../netplan/90-kthw-routes.yaml",
        "/run/netplan/90-kthw-routes.yaml",
        "etc/netplan/90-kthw-routes.yaml",
        "/etc/kthw-routes",
        "/etc/kthw-routes/other.batch",
        "/etc/systemd/system/kthw-routes.timer.d/90-kthw-routes.conf",
        "/etc/systemd/network/90-kthw-routes.conf",
        "/etc/systemd/network/05-eth0.network",
        "/etc/systemd/network/05-eth0.link.d/90-kthw-routes.conf",
        "/etc/systemd/network/05-eth0.network.d/90-kthw-routes_conf",
        "/etc/systemd/network/05-eth0.network.d/more/90-kthw-routes.conf",
        "/etc/systemd/network/.network.d/90-kthw-routes.conf",
        "/etc/systemd/network/..network.d/90-kthw-routes.conf",
        "/etc/systemd/network/-x.network.d/90-kthw-routes.conf",
        "/etc/systemd/network/a b.network.d/90-kthw-routes.conf",
        "/etc/systemd/network/a\n.network.d/90-kthw-routes.conf",
        "/etc/systemd/network/../x.network.d/90-kthw-routes.conf",
        f"/etc/systemd/network/{'x' * 202}.network.d/90-kthw-routes.conf",
        "/run/systemd/network/05-eth0.network.d/90-kthw-routes.conf",
        "/etc/hosts",
    ],
)
def test_what_only_looks_like_ours_is_not(path: str) -> None:
    assert not own_paths.is_own(PurePosixPath(path))
    assert manager_of(PurePosixPath(path)) is None
    assert not own_paths.is_new_file(own_paths.new_file_for(PurePosixPath(path)))


@given(st.sampled_from(OWN), st.data())
def test_one_letter_more_or_other_makes_it_another_file(own: PurePosixPath, data: st.DataObject) -> None:
    text = str(own)
    at = data.draw(st.integers(0, len(text)))
    path = PurePosixPath(text[:at] + data.draw(LETTERS) + text[at + data.draw(st.integers(0, 1)) :])
    is_drop_in = path.parent.parent == networkd.FOLDER and path.name == DROP_IN.name
    assert own_paths.is_own(path) <= (path in OWN or is_drop_in)
    assert own_paths.is_own(path) == (manager_of(path) is not None or path == FORWARDING_FILE.path)
