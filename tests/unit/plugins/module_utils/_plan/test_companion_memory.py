# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import companion_memory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import CompanionState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd.units import Unit
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

HOST = {**answer.DEFAULTS, "cpus": 2.0, "memory": "1G"}
ACTIVE = Unit(True, True, False, True, 5, False, "", ())
NO_RUNNER = Runner(lambda command: pytest.fail(f"{command}: nobody needs to be asked"))


def companions(**given: dict) -> list[companion.Companion]:
    return companion.parse({name: {"command": "x", **options} for name, options in given.items()}, "-")


def needed(**given: dict) -> str | None:
    """What the option memory_companions is."""
    found = companion_memory.with_companions(HOST, companions(**given))
    assert {**found, "memory_companions": None} == HOST
    return found["memory_companions"]


@pytest.mark.parametrize(
    ("options", "mebibytes"),
    [
        ({"memory_max": "512M"}, 1024),
        ({"memory_max": "512M", "instances": 3}, 3072),
        ({"memory_max": "512M", "single": True}, 512),
        ({"memory_max": str(64 * MIB)}, 128),
        ({"memory_max": 64 * MIB}, 128),
        ({"memory_max": "25%", "single": True}, 256),
        ({"memory_max": "0.01%", "single": True}, 1),
    ],
)
def test_what_overlaps_is_there_twice(options: dict, mebibytes: int) -> None:
    """Old and new ones run side by side during a change; a percentage is one of the memory to compute with."""
    assert needed(mail=options) == str(mebibytes * MIB)


def test_they_add_up() -> None:
    assert needed(mail={"memory_max": "100M"}, beat={"memory_max": "50M", "single": True}) == str(250 * MIB)


@pytest.mark.parametrize(
    "options", [{}, {"memory_max": "infinity"}, {"memory_max": "1G", "calendar": "hourly"}, {"calendar": "hourly"}]
)
def test_what_has_no_limit_and_what_ends_needs_nothing(options: dict) -> None:
    assert needed(mail=options) is None


def test_what_the_variable_says_counts() -> None:
    """Then nothing else is said, either."""
    options = {**HOST, "memory_companions": "0"}
    given = companions(mail={"memory_max": "1G"}, beat={})
    assert companion_memory.with_companions(options, given) == options
    assert companion_memory.remark(options, given, {}, NO_RUNNER) == ""


@given(st.lists(st.tuples(st.integers(1, 4096), st.integers(1, 5), st.booleans()), min_size=1, max_size=5))
def test_the_workers_leave_them_their_memory(each: list[tuple[int, int, bool]]) -> None:
    """All may use what they may, and workers, master and reserve still fit, if any worker does."""
    given = {
        f"c{number}": {"memory_max": f"{size}M", "single": True}
        if single
        else {"memory_max": f"{size}M", "instances": n}
        for number, (size, n, single) in enumerate(each)
    }
    result, _warnings = answer.size(companion_memory.with_companions({**HOST, "memory": "64G"}, companions(**given)))
    taken = sum(size if single else 2 * n * size for size, n, single in each)
    if result["fits"]:
        assert result["workers"] * 128 + 32 + taken + 64 * 1024 / 5 <= 64 * 1024


class TestRemark:
    def test_who_has_a_limit_is_not_named(self) -> None:
        given = companions(mail={"memory_max": "1G"}, clear={"calendar": "hourly"})
        assert companion_memory.remark(HOST, given, {}, NO_RUNNER) == ""

    def test_one_that_is_not_there_yet(self) -> None:
        found = companion_memory.remark(HOST, companions(mail={}), {}, NO_RUNNER)
        assert found == "Nothing is reserved for mail, which has no memory_max."

    def test_what_they_take_now(self) -> None:
        """Of each process; systemd does not know that of what is no process."""
        states = {
            "beat": CompanionState({}, {"shop-beat.service": ACTIVE}),
            "mail": CompanionState({}, {"shop-mail.service": ACTIVE, "shop-mail@1-1.service": ACTIVE}),
            "old": CompanionState({}, {"shop-old.service": ACTIVE}),
        }
        asked = []

        def show(command: list[str]) -> tuple[int, str, str]:
            asked.extend(command)
            return 0, f"MemoryCurrent={MIB}\n\nMemoryCurrent=[not set]\n\nMemoryCurrent={2 * MIB}\n", ""

        found = companion_memory.remark(HOST, companions(mail={}, beat={}, new={}), states, Runner(show))
        assert found == "Nothing is reserved for beat, mail and new, which have no memory_max and take 3 MiB now."
        assert asked[-3:] == ["shop-beat.service", "shop-mail.service", "shop-mail@1-1.service"]

    @pytest.mark.parametrize("text", ["[not set]", str((1 << 64) - 1), "", "x"])
    def test_where_systemd_does_not_count(self, text: str) -> None:
        states = {"mail": CompanionState({}, {"shop-mail.service": ACTIVE})}
        runner = Runner(lambda command: (0, f"MemoryCurrent={text}\n", ""))
        found = companion_memory.remark(HOST, companions(mail={}), states, runner)
        assert found == "Nothing is reserved for mail, which has no memory_max."
