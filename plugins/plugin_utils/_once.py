# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that one host does for all: which host that is in a play, and whether it has done them."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

# What the role registers and sets on each host
RELEASE, DONE = "__gunicorn_release_result", "__gunicorn_once_done"


def once_steps(hostvars: Mapping[str, Any], hosts: Iterable[str], host: str, phase: str) -> dict[str, Any]:
    """The steps of a phase that are done once and are left to do on a host, who does them, and whether they are done.

    The first host of the play that deploys the same release does them, in whichever batch it is.
    """
    path = hostvars[host][RELEASE]["path"]
    steps = _left(hostvars[host], phase)
    first = next((each for each in hosts if hostvars[each].get(RELEASE, {}).get("path") == path), host)
    done = hostvars[first].get(DONE, {}).get(f"{path} {phase}", [])
    left = [name for name in _left(hostvars[first], phase) if name not in done]
    return {
        "steps": steps,
        "first": first,
        "mine": bool(steps) and first == host,
        "waits": bool(steps) and first != host,
        "done": not set(steps) & set(left),
    }


def _left(variables: Mapping[str, Any], phase: str) -> list[str]:
    steps = variables[RELEASE]["steps"]
    return [step["name"] for step in steps if step["pending"] and step["once"] and step["when"] == phase]
