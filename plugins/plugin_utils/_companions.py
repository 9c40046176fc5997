# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Companions that are single, over the hosts of an inventory: which host has one, and which would all have it."""

from __future__ import annotations

from typing import Any, Collection, Mapping, Sequence

from ansible.errors import AnsibleError

# What the role registers on each host
PLAN = "__gunicorn_plan_result"
# What the role is given that decides which companions a host has
COMPANIONS, SERVICE, PROJECT = "gunicorn_companions", "gunicorn_service_name", "gunicorn_project"
STATE = "gunicorn_state"
# More hosts are not named in an error.
_NAMED = 5


def companions(given: Any, host: str, hosts: Collection[str]) -> Any:
    """The companions that a host has: those whose `single` names another host of the inventory are left out.

    What can't be used stays as it is: the module that checks it has the one error for it.
    """
    if not given or not isinstance(given, Mapping):
        return given
    found = {}
    for name, companion in given.items():
        named = companion.get("single") if isinstance(companion, Mapping) else None
        if not isinstance(named, str) or (named != host and named not in hosts):
            found[name] = companion
        elif named == host:
            found[name] = _of_this_host(companion)
    return found


def _of_this_host(companion: Mapping[str, Any]) -> dict[str, Any]:
    # systemd runs a job once at a time in any case.
    kept = {key: value for key, value in companion.items() if key != "single"}
    return kept if companion.get("calendar") else {**kept, "single": True}


def doubled_singles(
    hostvars: Mapping[str, Any], hosts: Sequence[str], batch: Sequence[str], host: str, given: Mapping[str, Any]
) -> str:
    """The error for a companion that is single and that several hosts of a play would run, for the first of them.

    `hosts` are those of all batches. The plans of this batch are known. `given` are the variables of the role here:
    what comes from the inventory says what the hosts of later batches will have.
    """
    service = hostvars[host][PLAN]["plan"]["service"]
    last = max(map(hosts.index, batch))
    singles = {
        each: _foreseen(hostvars, each, host, given, service) if hosts.index(each) > last else _planned(hostvars[each])
        for each in hosts
    }
    for name in singles[host].get(service, ()):
        # As where each host has a broker of its own; the play may say it for all hosts.
        if _names_itself(given[COMPANIONS], name, host):
            continue
        doubled = [
            each
            for each in hosts
            if name in singles[each].get(service, ()) and not _names_itself(_known(hostvars[each]), name, each)
        ]
        if len(doubled) > 1 and host == next(each for each in doubled if each in batch):
            return _sentence(name, doubled, doubled[0] in batch)
    return ""


def _names_itself(given: Any, name: str, host: str) -> bool:
    """Whether a host names itself as the one that has a companion."""
    companion = given.get(name) if isinstance(given, Mapping) else None
    return isinstance(companion, Mapping) and companion.get("single") == host


def _known(variables: Mapping[str, Any]) -> Any:
    """The companions that a host has by the inventory; None if they need what is not known yet."""
    try:
        return variables.get(COMPANIONS)
    except AnsibleError:
        return None


def _planned(variables: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is single by the plan of a host, by its service; nothing if it has none, as where the role was skipped."""
    plan = variables.get(PLAN, {}).get("plan")
    return {plan["service"]: plan["singles"]} if plan else {}


def _foreseen(
    hostvars: Mapping[str, Any], other: str, host: str, given: Mapping[str, Any], service: str
) -> dict[str, list[str]]:
    """What will be single on a host of a later batch, as far as its variables say."""
    own, variables = hostvars[host], hostvars[other]
    # A newer plan than one of this run's check there is not yet.
    if _planned(variables):
        return _planned(variables)
    try:
        project, named = (_of(name, own, variables, given) for name in (PROJECT, SERVICE))
        if SERVICE not in own and given[SERVICE] == given[PROJECT]:
            named = variables.get(SERVICE, project)
        wanted = companions(_of(COMPANIONS, own, variables, given), other, list(hostvars))
        if named != service or _of(STATE, own, variables, given) == "absent" or not isinstance(wanted, Mapping):
            return {}
    except AnsibleError:
        # They need what is not known yet.
        return {}
    return {
        service: [name for name, each in wanted.items() if isinstance(each, Mapping) and each.get("single") is True]
    }


def _of(name: str, own: Mapping[str, Any], variables: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """The value of a variable on another host: what is not in the inventory comes from the play, and is the same."""
    return variables.get(name) if name in own else given[name]


def _sentence(name: str, doubled: list[str], unchanged: bool) -> str:
    shown = doubled if len(doubled) <= _NAMED else [*doubled[: _NAMED - 1], f"{len(doubled) - _NAMED + 1} others"]
    together = f"{', '.join(shown[:-1])} and {shown[-1]}"
    both = "both" if len(doubled) == 2 else "all"
    scope = "" if unchanged else " in this batch"
    return (
        f"gunicorn_companions['{name}']['single']: True can't be used: expected the name of the host that has it, such "
        f"as {doubled[0]}, since {together} would {both} run it. Nothing was changed{scope}."
    )
