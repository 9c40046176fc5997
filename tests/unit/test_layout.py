# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rooms of plugins/module_utils: what may import what."""

from __future__ import annotations

import ast
from pathlib import Path

import graphlib

ROOT = Path(__file__).parents[2]
MODULE_UTILS = ROOT / "plugins" / "module_utils"
PREFIX = "ansible_collections.pyweb.gunicorn.plugins.module_utils"
# From the ground up. A room imports from lower floors alone, so a job never imports another job.
FLOORS = (
    {"_atomic", "_run", "_values"},
    {"_health_request", "_host"},
    {"_release", "_sizing", "_supervisor", "_systemd", "_venv"},
    {"_service"},
    {"_steps"},
    {"_balancer", "_change", "_inspection", "_plan", "_proxy", "_removal"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def file_name(path: Path) -> str:
    """`_host.listening` for _host/ports.py."""
    return ".".join(path.relative_to(MODULE_UTILS).with_suffix("").parts)


FILES = {file_name(path): path for path in MODULE_UTILS.rglob("*.py")}


def imports_of(source: str) -> set[str]:
    """The files of module_utils that a file imports, wherever in it the import is."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{PREFIX}."):
            names = (f"{node.module}.{alias.name}"[len(PREFIX) + 1 :] for alias in node.names)
            # Either a file, or a name in one
            found |= {name if name in FILES else name.rpartition(".")[0] for name in names}
    return found


IMPORTS = {name: imports_of(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def room(name: str) -> str:
    """The first part of a file's name."""
    return name.partition(".")[0]


def forbidden(name: str, imported: str) -> bool:
    """Whether a file imports from another room that is not on a lower floor."""
    return room(name) != room(imported) and FLOOR_OF[room(imported)] >= FLOOR_OF[room(name)]


def test_every_room_has_a_floor() -> None:
    """A new room says where it belongs, and no floor names a room that is gone."""
    assert {room(name) for name in FILES} == set(FLOOR_OF)


def test_no_import_goes_up_or_from_job_to_job() -> None:
    """What is below knows nothing of what is above, and what two jobs need is in a room below both."""
    assert [(name, one) for name in sorted(FILES) for one in sorted(IMPORTS[name]) if forbidden(name, one)] == []


def test_imports_have_no_circle() -> None:
    """Each file can be read after those that it imports."""
    assert len(list(graphlib.TopologicalSorter(IMPORTS).static_order())) == len(FILES)


def test_the_rule_sees_imports() -> None:
    """Both forms count, in functions, too; other packages don't."""
    source = f"""
from ansible.module_utils.basic import AnsibleModule
from {PREFIX} import _run
def late():
    from {PREFIX}._host import listening
    from {PREFIX}._values.errors import InvalidValue
"""
    assert imports_of(source) == {"_run", "_host.listening", "_values.errors"}
    assert [forbidden("_host.listening", name) for name in ("_values.errors", "_host.sockets", "_sizing.rule")] == [
        False,
        False,
        True,
    ]
    assert forbidden("_plan.plan", "_change.change")


def test_unit_tests_mirror_the_rooms() -> None:
    """The tests of a file are found by its path."""
    tests = ROOT / "tests" / "unit" / "plugins" / "module_utils"
    tested = {path.relative_to(tests).with_name(path.name[len("test_") :]) for path in tests.rglob("test_*.py")}
    assert {str(path) for path in tested} <= {str(path.relative_to(MODULE_UTILS)) for path in FILES.values()}
