"""What surrounds the code: the lock file, the top level of the repository, the wheel."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[2]
ALLOWED: Final = {
    "pyproject.toml",
    "kthw_routes",
    "tests",
    "screenshots",
    "README.md",
    "LICENSE",
    "requirements.lock",
}
"""All that the top level holds besides dot files."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """What git tracks, relative to the root."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git, and the repository")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [Path(name) for name in names.stdout.split("\0") if name]
    return [path for path in paths if (ROOT / path).exists()]


def _locked() -> dict[str, list[tuple[str, str, int]]]:
    """Version, marker and number of hashes of each entry, by name."""
    entries: dict[str, list[tuple[str, str, int]]] = {}
    text = (ROOT / "requirements.lock").read_text()
    for entry in re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", text)):
        match = re.match(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\\n]+))?", entry)
        assert match is not None, entry
        found = (match["version"], match["marker"] or "", entry.count("--hash=sha256:"))
        entries.setdefault(canonicalize_name(match["name"]), []).append(found)
    return entries


def test_the_lock_holds_every_dependency_within_its_range(project: dict[str, Any]) -> None:
    """What is locked is what pyproject.toml asks for, with hashes; `bench`, which needs an older paramiko, is not."""
    locked = _locked()
    metadata = project["project"]
    extras = [line for name, extra in metadata["optional-dependencies"].items() if name != "bench" for line in extra]
    for line in [*metadata["dependencies"], *extras]:
        requirement = Requirement(line)
        if requirement.name == metadata["name"]:  # another extra of its own
            continue
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"requirements.lock lacks {line}"
        for version, _, hashes in versions:
            assert requirement.specifier.contains(version), f"{requirement.name} {version} is not {line}"
            assert hashes > 0


def test_the_lock_is_closed() -> None:
    """Every entry has a hash; what each installed distribution needs is locked too."""
    locked = _locked()
    assert all(hashes > 0 for versions in locked.values() for _, _, hashes in versions)
    for name in locked:
        for requirement in _requirements_of(name):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert canonicalize_name(requirement.name) in locked, f"{name} needs {requirement}"


def _requirements_of(name: str) -> list[Requirement]:
    """What an installed distribution says that it needs; nothing where it is not installed here."""
    try:
        return [Requirement(line) for line in requires(name) or []]
    except PackageNotFoundError:  # needed on another platform or Python only
        return []


def test_the_lock_names_no_address() -> None:
    """Where packages come from is the business of whoever installs them."""
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_extra_and_dependency_groups_agree(project: dict[str, Any]) -> None:
    """pip takes the extra, uv the group: they hold the same, and each extra what the smaller one holds."""
    name, extras = project["project"]["name"], project["project"]["optional-dependencies"]
    assert project["dependency-groups"] == {group: [f"{name}[{group}]"] for group in ("test", "dev")}
    assert f"{name}[test-export,web]" in extras["test"]
    assert f"{name}[test]" in extras["dev"]


def test_no_extra_of_textual(project: dict[str, Any]) -> None:
    """Its `syntax` extra brings compiled grammars that nothing here needs."""
    requirement = next(line for line in project["project"]["dependencies"] if line.startswith("textual"))
    assert not Requirement(requirement).extras


def test_the_top_level_holds_no_more(tracked: list[Path]) -> None:
    """A reader sees at a glance what there is."""
    top = {path.parts[0] for path in tracked if not path.parts[0].startswith(".")}
    assert top <= ALLOWED
    assert {"pyproject.toml", "README.md", "LICENSE", "requirements.lock"} <= top


def test_the_readme_has_both_commands_on_one_line_each() -> None:
    """`.ci/run` takes the second from there."""
    readme = (ROOT / "README.md").read_text()
    for comment, end in (("demo-command", ".venv/bin/kthw-routes demo"), ("test-command", ".venv/bin/pytest")):
        match = re.search(rf"^<!-- {comment} -->\n```\w*\n(.*)\n```$", readme, re.MULTILINE)
        assert match is not None, f"README.md lacks the {comment}"
        assert match[1].startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert match[1].endswith(f" && {end}")


def test_the_readme_shows_pictures_that_are_there_where_their_matter_is_told() -> None:
    """What a person is told of and cannot see in plain text."""
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"!\[[^]]+\]\((screenshots/[^)]+)\)", readme)
    assert len(shown) == len(set(shown))
    assert all((ROOT / path).is_file() for path in shown)
    for begin, end, name in (
        ("## A walk on your own machines", "### Keep the routes", "2-nodes-own"),
        ("All errors in a file", "**`kthw-routes --inventory", "1-source-inventory"),
        ("### Keep the routes", "## A month later", "4-persistence"),
        ("**Undo.**", "**Export.**", "6-undo"),
    ):
        assert f"screenshots/{name}.svg" in readme[readme.index(begin) : readme.index(end)]


def test_the_wheel_holds_every_file_of_the_package(tracked: list[Path], tmp_path: Path) -> None:
    """The styles, lessons and type marker too, not only the code; and nothing else."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {path.as_posix() for path in tracked if path.parts[0] == "kthw_routes"}
    assert "kthw_routes/py.typed" in package
    assert package <= names
    others = {name for name in names - package if not re.match(r"kthw_routes-[^/]+\.dist-info/", name)}
    assert not {name for name in others if not name.startswith("kthw_routes/")}


@pytest.mark.xdist_group("groups")
def test_tests_of_a_group_stay_in_one_process(request: pytest.FixtureRequest) -> None:
    """Else each process would boot all labs; pytest-xdist marks it in the test's name, which pytest has to follow."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@groups")
