"""Imports run one way, and no command pays for libraries that it does not use. As sets of modules, not as times."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import kthw_routes

ROOT = Path(kthw_routes.__file__).parent
HEAVY = {"textual", "fabric", "invoke", "paramiko", "linode_api4", "requests", "rich"}
CORE = [
    "cluster", "observed", "changes", "events", "errors", "untrusted", "names", "secret", "iproute2", "etc_hosts",
    "plan", "findings", "host_findings", "regions", "proof", "diagnosis", "options", "settings",
]  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after `code`."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", CORE)
def test_the_core_knows_no_library(module: str) -> None:
    assert not loaded_by(f"import kthw_routes.{module}") & HEAVY


def test_help_loads_none_of_the_heavy_libraries() -> None:
    code = """
import contextlib, io
from kthw_routes.cli.main import main
for arguments in (["--help"], ["apply", "--help"], ["--version"]):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main(arguments)
"""
    assert not loaded_by(code) & HEAVY


def test_the_flow_knows_no_front_end_and_no_client() -> None:
    assert not loaded_by("import kthw_routes.workflow.workflow") & {
        "textual",
        "fabric",
        "paramiko",
        "linode_api4",
        "rich",
    }


def test_the_command_line_does_not_load_textual() -> None:
    assert "textual" not in loaded_by("import kthw_routes.cli.apply, kthw_routes.ssh.connections")


def imported_by(file: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def users_of(package: str) -> set[str]:
    """The files of ours that import a package, by their path below `kthw_routes/`."""
    return {
        str(file.relative_to(ROOT))
        for file in ROOT.rglob("*.py")
        if any(name == package or name.startswith(f"{package}.") for name in imported_by(file))
    }


def test_each_library_has_its_place() -> None:
    assert {file.split("/")[0] for file in users_of("textual")} == {"wizard"}
    assert users_of("fabric") | users_of("invoke") == {"hosts/ssh.py"}
    assert {file.split("/")[0] for file in users_of("linode_api4")} == {"sources"}
    assert {file.split("/")[0] for file in users_of("paramiko")} <= {"hosts", "demo"}


@pytest.mark.parametrize(
    ("layer", "above"),
    [
        (["cluster.py", "observed.py", "changes.py", "errors.py", "events.py"], ["plan", "findings", "hosts"]),
        (["plan.py", "findings.py", "diagnosis.py", "proof.py"], ["hosts", "sources", "record", "workflow"]),
        (["record.py", "hosts", "sources"], ["workflow", "cli", "commands", "output", "wizard", "demo"]),
        (["workflow.py", "results.py"], ["cli", "commands", "output", "wizard", "demo"]),
    ],
)  # fmt: skip
def test_imports_run_one_way(layer: list[str], above: list[str]) -> None:
    files = [f for name in layer for f in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))]
    for file in files:
        upward = {name for name in imported_by(file) for high in above if f"{name}.".startswith(f"kthw_routes.{high}.")}
        assert not upward, file
