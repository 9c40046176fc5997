# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go back to a kept release: a switch as any other, without the network, to what the host has already."""

from __future__ import annotations

from typing import Callable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import supervisor as change_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change import systemd as change_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import accounts
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import notes, steps, way_back
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.notes import Live, Note
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import secrets as service_secrets
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import supervisor as service_supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import systemd as service_systemd
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import job
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


class WayBack(NamedTuple):
    """A release to go back to."""

    before: str  # the ID of the one that is live
    steps_left: bool  # whether it was gone back to, and the steps of that are still to be done
    note: Note
    given: dict  # the arguments of the service's module, with its secrets

    @property
    def steps(self) -> dict:
        """The arguments of the module for steps, to do those after the switch that ask for it."""
        same = ("name", "user", "group", "venv", "venv_directory", "config_directory", "secrets", "credentials")
        given = self.given
        defaults = {"environment": {}, "unit": "", "left_out": {}, "service_directives": {}, "launcher": ""}
        return {
            **{name: given[name] for name in same},
            **{name: given.get(name, default) for name, default in defaults.items()},
            "manager": "systemd" if "unit" in given else "supervisor",
            "release": self.note.id,
            "directory": given["release"]["directory"],
            "phase": steps.AFTER,
            "steps": self.note.definitions,
            "static": given["release"]["static"],
            "switching": True,
            "rolling_back": True,
            "once": "do",
            "optional_directives": given.get("optional_directives", []),
        }


def find(directory: str, wanted: str, variable: str, force: bool = False) -> WayBack:
    """The way back to a release; raises InvalidValue if there is none."""
    live = notes.read_live(directory)
    if not live.id:
        raise InvalidValue("gunicorn_releases_directory", directory, "a directory with releases, one of which is live")
    note = way_back.find(directory, wanted, variable, force)
    return WayBack(live.id, live.steps_left, note, _with_secrets(live, directory, note))


def _with_secrets(live: Live, directory: str, note: Note) -> dict:
    given = way_back.asked_for(live, directory, note)
    return {**given, **service_secrets.live_texts(given["config_directory"])}


def go(way: WayBack, runner: Runner, tell: Callable[[str], None], check_mode: bool = False, once: str = "do") -> dict:
    """Switch to the release and do its steps that ask for it, or say what would be done; raises DeployError.

    Returns whether something changed, the IDs `before` and now, the `reasons` and the names of the steps that were
    `done`. A release that is live already has no step to do.
    """
    steps_given = {**way.steps, "once": once}
    done = job.plan(steps_given)["done"] if way.steps_left or way.before != way.note.id else []
    decision = _switch(way, runner, tell, check_mode)
    if done and not check_mode:
        job.carry_out(steps_given, runner, tell)
    return {
        "changed": bool(decision.reasons or done),
        "before": way.before,
        "id": way.note.id,
        "reasons": decision.reasons,
        "done": done,
    }


def _switch(way: WayBack, runner: Runner, tell: Callable[[str], None], check_mode: bool) -> Decision:
    given = way.given
    files, secrets_hash = service_secrets.live_files(given["config_directory"])
    if "unit" in given:
        wanted = service_systemd.spec_from(given, accounts.group_id(given["group"]), files, secrets_hash)
        if check_mode:
            return service_systemd.decide(wanted, service_systemd.observe(wanted, runner))
        return change_systemd.deploy(wanted, runner, tell)
    supervised = service_supervisor.spec_from(given, (files, secrets_hash))
    if check_mode:
        return service_supervisor.decide(supervised, service_supervisor.observe(supervised, client.this_supervisor()))
    return change_supervisor.deploy(supervised, runner)
