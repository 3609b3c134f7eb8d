"""The lessons: complete for a cluster of every kind, with its own values, and a question with one right answer."""

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from kthw_routes.cli.main import main
from kthw_routes.cluster import Cluster
from kthw_routes.teaching.lesson import lesson, lesson_names

from .builders import changed, cluster, net

KINDS: dict[str, Cluster | None] = {
    "none": None,
    "three workers": cluster(),
    "no controller": cluster(controllers=0),
    "one worker": cluster(workers=1),
    "no worker": cluster(workers=0),
    "three hundred workers": cluster(workers=250),
    "no internal address": changed(cluster(), "worker-0", internal=None),
    "no pod CIDR": changed(cluster(), "worker-1", pod_cidr=None),
    "a pod CIDR of one address": changed(cluster(), "worker-0", pod_cidr=net("10.200.7.9/32")),
    "another range": replace(cluster(), cidr=net("172.20.0.0/16")),
}


def test_what_the_lab_needs_is_taught() -> None:
    assert lesson_names() == (
        *("pod-cidr", "node-network", "next-hop", "own-pod-cidr", "both-directions", "cni-plugin", "provider-filter"),
        *("overlay", "reboot", "host-keys"),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", lesson_names())
def test_each_is_complete(name: str, kind: str) -> None:
    found = lesson(name, KINDS[kind])
    assert found.question.endswith("?")
    assert found.paragraphs[-1].startswith("**Without")
    assert len(found.answers) == 3
    assert [answer.is_right for answer in found.answers].count(True) == 1
    texts = (found.title, *found.paragraphs, found.question, *(t for a in found.answers for t in (a.text, a.reason)))
    assert all(texts)
    assert not re.search(r"[{}]", " ".join(texts))


def test_the_right_answer_has_no_place_of_its_own() -> None:
    places = {[a.is_right for a in lesson(name).answers].index(True) for name in lesson_names()}
    assert places == {0, 1, 2}


def test_names_and_addresses_are_those_of_the_cluster() -> None:
    of = changed(changed(cluster(), "worker-0", pod_cidr=net("10.200.40.0/24")), "worker-1", pod_cidr=None)
    text = " ".join(lesson("next-hop", of).paragraphs)
    assert str(of.workers[2].internal) in text  # worker-1 has no pod CIDR, so that it is no example
    assert "worker-1" not in text
    assert "10.200.40.5" in lesson("own-pod-cidr", of).question


def test_another_name_is_no_lesson() -> None:
    with pytest.raises(KeyError):
        lesson("coffee")


def test_the_command_lists_and_prints_them() -> None:
    listed = CliRunner().invoke(main, ["explain"])
    assert listed.exit_code == 0
    for name in lesson_names():
        assert re.search(rf"^  {name} +{re.escape(lesson(name).title)}", listed.output, re.MULTILINE)
        printed = CliRunner().invoke(main, ["explain", name])
        assert printed.exit_code == 0
        assert lesson(name).title in printed.output
        assert "  c) " in printed.output
        assert printed.output.count(": right. ") == 1
