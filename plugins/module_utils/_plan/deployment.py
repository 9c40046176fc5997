# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment asks of a host before it changes anything: plan, number of workers, venv and service."""

from __future__ import annotations

import base64
import json
import os

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import listening
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import (
    accounts,
    companion_memory,
    companions,
    credentials,
    directives,
    neighbours,
    parameters,
    reach,
    releases,
    secrets,
    worker_memory,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import directories as plan_directories
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import plan as plan_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.parameters import DeploymentParameters
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import live
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import grants, names, systemd_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import manager as service_manager
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import directives as supervisor_directives
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import sandbox as systemd_sandbox
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import decision, stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec


def plan_deployment(given: dict, runner: Runner, venv_runner: Runner) -> tuple[dict, list]:
    """What the module returns, and its warnings; raises InvalidValue, VenvError, HostFactsError or NotOurs."""
    observed = state = None
    warnings: list = []
    wanted = parameters.check_parameters(given, listening.has_ipv6_loopback())
    secrets.check_names(wanted, given)
    manager = service_manager.choose(given["service_manager"])
    if manager == service_manager.SUPERVISOR:
        supervisor_directives.check(given["service_directives"])
        programs.check_service_name(wanted.service)
        logs = [given["log_file"], given["access_log_file"]]
        warnings.append(supervisor_directives.notice(wanted.service, given["service_directives"], logs))
        warnings += companions.not_enforced(wanted)
    else:
        credentials.check_size(json.loads(base64.b64decode(given["credentials"])))
    asked = systemd_state.ask(wanted.service, runner) if manager == service_manager.SYSTEMD else None
    plan = plan_plan.make_plan(wanted, runner, asked)
    warnings += wanted.protocols.warnings
    plan["directories"] += releases.directories_to_make(wanted)
    plan["packages"] += given["release_packages"]
    warnings += accounts.warnings(wanted)
    folders = [given["code_directory"], *wanted.environment.get("PYTHONPATH", "").split(":")]
    plan["changeable_code"] = plan_directories.changeable_code(filter(os.path.isabs, dict.fromkeys(folders)), wanted)
    sandbox = None
    if manager == service_manager.SYSTEMD:
        unit = files.read(names.paths(wanted.service, wanted.config_directory).unit)
        plan["left_out"] = systemd_sandbox.read_left_out(unit, given["service_directives"])._asdict()
        sandbox = reach.effective(given["service_directives"], _check_drop_ins(wanted, given))
    reach.check_reach(wanted, given, sandbox, [directory["path"] for directory in plan["directories"]])
    if asked:
        state = plan_plan.observe(wanted, given["secrets"], given["credentials"], asked)
        observed = systemd_state.as_dict(
            state._replace(release_problems=tuple(releases.problems(wanted)), live_release=live.live_id(wanted.release))
        )
    sizing, memory_note, told = _size(given, wanted, state, runner)
    warnings += told
    venv = venv_state(given, manager, venv_runner) if releases.is_there(wanted) else releases.UNKNOWN_VENV
    lacking = [*releases.lacking(wanted), *plan_plan.lacking(plan, venv)]
    if lacking or (observed and None in observed["files"].values()):
        plan_plan.check_writable(wanted, plan, venv["changed"])
    result = {
        "plan": plan,
        "sizing": sizing,
        "memory_note": memory_note,
        "venv": venv,
        "lacking": lacking,
        "observed": observed,
    }
    return result, warnings


def _size(
    given: dict, wanted: DeploymentParameters, state: SystemdState | None, runner: Runner
) -> tuple[dict | None, str, list[str]]:
    """What gunicorn_sizing_info returns, if it is asked; the note of the memory that the project gets; and warnings.

    Companions and other projects count where workers are sized. A number of workers is taken as it is.
    """
    around = neighbours.read(wanted.service, wanted.sizing)
    has_share = given["sizing"].get("share") is not None
    options = companion_memory.with_companions(wanted.sizing, wanted.companions)
    options = neighbours.with_neighbours(options, around, has_share)
    sizing, warnings = None, []
    if given["workers"] == "auto":
        sizing, warnings = answer.size(options)
        found = state.companions if state else {}
        about_companions = companion_memory.remark(wanted.sizing, wanted.companions, found, runner)
        sentences = [sizing["reason"], neighbours.remark(around), about_companions]
        sizing["reason"] = " ".join(filter(None, sentences))
        workers = sizing["workers"]
    else:
        workers = int(given["workers"])
        if given["threads"] == "auto":
            sizing, warnings = answer.size(wanted.sizing)
    granted = neighbours.grant(wanted.service, workers, options, has_share)
    warnings += neighbours.warnings(around, granted)
    if state and state.running:
        warnings += worker_memory.warnings(wanted.service, state.running.pid, workers, options)
    return sizing, grants.text_of(granted), warnings


def _check_drop_ins(wanted: DeploymentParameters, given: dict) -> dict[str, list[str]]:
    own = {"User": wanted.user, "Group": wanted.group, "Service": f"{wanted.service}.service"}
    given_names = set(wanted.environment)
    if given["secrets"]:
        given_names.add("gunicorn_secrets")
    if json.loads(base64.b64decode(given["credentials"])):
        given_names.add("gunicorn_credentials")
    return directives.check_drop_ins(wanted.service, own, given_names)


def venv_state(given: dict, manager: str, runner: Runner) -> dict:
    """What gunicorn_venv would return in check mode; raises InvalidValue or VenvError."""
    wanted = parameters.wanted_venv(given)
    venv = decision.foresee(wanted, runner)
    del venv["diff"]
    if venv["changed"]:
        check_owner(wanted, manager)
    return venv


def check_owner(wanted: VenvSpec, manager: str) -> None:
    """Raise InvalidValue if another service uses the venv and wants something else in it: each would undo the other."""
    noted = stamp.read(os.path.realpath(wanted.path))
    # Not at the top: a run that changes nothing does not need it.
    from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import requirements

    other = stamp.other_owner(noted, wanted.service, requirements.hash_of_content(wanted.asked))
    if not other:
        return
    if manager == service_manager.SUPERVISOR:
        uses = bool(programs.find_program(other, programs.PROGRAMS))
    else:
        uses = wanted.path in (files.read(os.path.join(units.UNIT_DIRECTORY, f"{other}.service")) or "")
    if uses:
        expected = (
            f"a virtual environment of its own: the service {other} uses this one, and asks for other requirements "
        )
        raise InvalidValue("gunicorn_venv", wanted.path, f"{expected}or another gunicorn_version")
