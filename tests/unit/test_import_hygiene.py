"""Imports run one way, and no command pays for libraries that it does not use. As sets of modules, not as times."""

import json
import subprocess
import sys
from pathlib import Path

import kthw_routes

ROOT = Path(kthw_routes.__file__).parent
HEAVY = {"textual", "fabric", "invoke", "paramiko", "linode_api4", "requests", "rich"}
PURE = ["cluster", "facts", "options", "iproute2", "persistence", "plan", "findings", "proof", "undo", "export"]


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after `code`."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_pure_packages_know_no_library() -> None:
    names = ", ".join(repr(name) for name in PURE)
    code = f"""
import importlib, pkgutil, kthw_routes
for name in ({names}):
    package = importlib.import_module(f"kthw_routes.{{name}}")
    for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"kthw_routes.{{name}}."):
        importlib.import_module(module.name)
"""
    assert not loaded_by(code) & HEAVY


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


def test_the_first_screen_waits_for_no_library_of_a_later_one() -> None:
    assert not loaded_by("import kthw_routes.wizard.app") & {"fabric", "invoke", "paramiko", "linode_api4", "requests"}


def test_imports_run_one_way() -> None:
    """By the contract in pyproject.toml, which `lint-imports` checks: layers, no circles, each library in its place."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_few_modules_are_at_the_root() -> None:
    assert len(list(ROOT.glob("*.py"))) <= 14
