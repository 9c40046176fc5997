# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions of the playbook rolling_update on the controller."""

from __future__ import annotations

import os
import re
import typing as t

_PERCENTAGE = re.compile(r"(100|[1-9][0-9]?)%")
_NUMBER = re.compile(r"[1-9][0-9]*")
_FILES = ("rolling_update_before", "rolling_update_after", "rolling_update_take_out", "rolling_update_put_back")
_SECONDS = ("rolling_update_drain_timeout", "rolling_update_health['timeout']")


def problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Return a sentence for each variable that has the right type, but can't be used."""
    expected = {
        "rolling_update_serial": _expected_of_serial(given["rolling_update_serial"]),
        "rolling_update_max_fail_percentage": _unless(
            0 <= float(given["rolling_update_max_fail_percentage"]) <= 100, "a percentage from 0 to 100"
        ),
        "rolling_update_balancers": _expected_of_balancers(given["rolling_update_balancers"]),
        "rolling_update_minimum": _unless(int(given["rolling_update_minimum"]) >= 0, "a number of servers, 0 or more"),
        **{name: _unless(int(given[name]) >= 1, "a number of seconds, 1 or more") for name in _SECONDS},
        **{name: _expected_of_file(given[name]) for name in _FILES},
    }
    return [f"{name}: {given[name]!r} can't be used: expected {wanted}." for name, wanted in expected.items() if wanted]


def _unless(fits: bool, expected: str) -> str:
    return "" if fits else expected


def _expected_of_serial(sizes: t.Sequence[object]) -> str:
    # To Ansible, 0 and negative numbers mean all hosts at once.
    fit = [_NUMBER.fullmatch(str(size)) or _PERCENTAGE.fullmatch(str(size)) for size in sizes]
    return _unless(bool(fit) and all(fit), "a list of numbers from 1 and of percentages from 1% to 100%")


def _expected_of_balancers(balancers: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    without = [str(one["host"]) for one in balancers if one["type"] == "nginx" and not one.get("config_file")]
    return _unless(not without, f"config_file, the file with the upstreams, for nginx on {', '.join(without)}")


def _expected_of_file(path: str) -> str:
    fits = not path or (os.path.isabs(path) and os.path.isfile(path))
    return _unless(
        fits, "the absolute path of a task file on the controller, such as {{ inventory_dir }}/tasks/code.yml"
    )


def failure_sentence(result: t.Mapping[str, t.Any], task: str) -> str:
    """Return why a task failed; for a loop, why its items failed."""
    items = [item for item in result.get("results", []) if item.get("failed")]
    said = [str(item.get("msg", "")) for item in items] or [str(result.get("msg", ""))]
    sentences = " ".join(text.strip() for text in dict.fromkeys(said) if text.strip())
    return f"{task}: {sentences or 'failed'}"


def too_many_lost(batch: t.Sequence[str], left: t.Sequence[str], everyone: t.Sequence[str], percentage: float) -> bool:
    """Return whether too many hosts of a batch failed or were unreachable; in the first batch, one is too many."""
    lost = len(set(batch) - set(left))
    allowed = 0.0 if everyone[0] in batch else float(percentage)
    return lost * 100 > allowed * len(batch)
