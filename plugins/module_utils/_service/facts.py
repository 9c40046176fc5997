# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a play may know of a deployment, so that nobody has to read the role's internal variables."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.comparison import Decision
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.spec import ServiceSpec


def result(wanted: ServiceSpec, decision: Decision, live_release: str) -> dict[str, object]:
    """What the modules of a service return; in check mode, what they would.

    `live_release` is the ID of the release that was live before; empty for none.
    """
    release = wanted.release.id if wanted.release else ""
    deployment = {
        "name": wanted.name,
        "release": release,
        "previous_release": live_release,
        "release_changed": release != live_release,
        "code_directory": wanted.code,
        "venv": wanted.venv_directory,
        "gunicorn_version": wanted.gunicorn_version,
        "workers": wanted.workers,
        "binds": [bind.listen_stream for bind in wanted.binds],
        "switched": decision.switch,
    }
    return {
        "changed": bool(decision.reasons),
        "name": wanted.name,
        "reasons": decision.reasons,
        "ansible_facts": {"gunicorn_deployment": deployment},
    }
