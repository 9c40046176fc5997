# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the companions of a service under systemd to what is wanted, and back if one does not work.

New processes start beside the old ones. Once all of them work, the old ones are asked to finish. Their units go on in
/run, which a boot empties, and end with them. One that is single ends before it starts again.
"""

from __future__ import annotations

import functools
import os
import time
from typing import Callable, Iterable, NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import journal as atomic_journal
from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic.files import WantedFile
from ansible_collections.pyweb.gunicorn.plugins.module_utils._change.service_log import ServiceLog
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import (
    companion,
    companion_state,
    companion_texts,
    companion_units,
    systemctl,
    systemd,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion import Companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_state import ABSENT
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.failures import CompanionFailed, Failed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemctl import Systemctl
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd import SystemdSpec
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.systemd_state import SystemdState
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps import companion_check
from ansible_collections.pyweb.gunicorn.plugins.module_utils._steps.execution import StepFailed
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import runtime_units, units

# Seconds in which processes without a task have ended
_SOON = 5.0
_PAUSE = 0.2
_WATCHED = ("ActiveState", "SubState", "NRestarts", *systemctl.ENDED)
# What ends with its process, and leaves no file of it
_FINISHING = "\n[Unit]\nCollectMode=inactive-or-failed\n\n[Service]\nExecStopPost=+/bin/rm -f {path}\n"


class Todo(NamedTuple):
    """What a change has to do for one companion."""

    wanted: Companion
    generation: int
    anew: bool  # whether it needs new processes
    before: companion_state.CompanionState


class Companions:
    """The companions of one service in one change."""

    def __init__(
        self, wanted: SystemdSpec, before: SystemdState, runner: Runner, read_journal: Callable[[str], str]
    ) -> None:
        """`read_journal` returns what a unit has said since the change began."""
        self.wanted = wanted
        self._before = before
        self._runner = runner
        self._systemctl = Systemctl(runner)
        self._read_journal = read_journal
        problems = systemd.companion_problems(wanted, before)
        # Nobody has seen how those of a killed run went on.
        self.todo = [
            self._plan(each, problems[each.name])
            for each in wanted.companions
            if problems[each.name] or before.interrupted
        ]
        self._gone = [name for name, each in before.companions.items() if name not in problems and each.is_there]
        self._logs = {each.wanted.name: self._log_of(each.wanted) for each in self.todo if not each.wanted.is_job}
        self._enabled: list[str] = []
        self._disabled: list[str] = []

    def _plan(self, wanted: Companion, problems: list[str]) -> Todo:
        before = self._before.companions.get(wanted.name, ABSENT)
        anew = bool({companion_state.ANOTHER, companion_state.OTHER_SECRETS} & set(problems))
        return Todo(wanted, before.newest + 1 if anew else before.generation, anew, before)

    def _log_of(self, wanted: Companion) -> ServiceLog:
        return ServiceLog(wanted.log_file, self.wanted.user, self.wanted.group, self._runner)

    def __bool__(self) -> bool:
        return bool(self.todo or self._gone)

    @property
    def files(self) -> list[WantedFile]:
        """The units that are put in place together with those of the service."""
        return [
            WantedFile(companion_units.path_of(name), text)
            for each in self.todo
            if each.anew
            for name, text in self._texts(each).items()
        ]

    def _texts(self, each: Todo) -> dict[str, str]:
        return companion_units.texts(self.wanted.common, each.wanted, each.generation)

    def _processes(self, each: Todo) -> list[str]:
        return companion_units.processes(self.wanted.name, each.wanted, each.generation)

    def _top(self, each: Todo) -> list[str]:
        return companion_units.top_units(self.wanted.name, each.wanted)

    # Forward

    def bring(self) -> None:
        """Start what must run, wait until it works, and leave what ran before alone; raises CompanionFailed.

        systemd has read the units.
        """
        for each in self.todo:
            try:
                self._enable(each)
                self._start(each)
            except Failed as failure:
                raise self._failed(each, str(failure)) from None
        self._watch()
        for each in self.todo:
            self._check(each)

    def _enable(self, each: Todo) -> None:
        enabled = self.wanted.companions_enabled
        for unit in self._top(each):
            if self._systemctl.read(unit).enabled != enabled:
                self._enabled += [unit] if enabled else []
                self._systemctl.do("enable" if enabled else "disable", unit)
        # What was started at a boot, and is of another kind now
        others = [unit for unit, state in each.before.units.items() if state.enabled and unit not in self._top(each)]
        if others:
            self._disabled += others
            self._systemctl.do("disable", *others)

    def _start(self, each: Todo) -> None:
        top = self._top(each)
        if each.wanted.overlaps:
            self._systemctl.do("start", *self._processes(each), *top)
            return
        # One that was not single before must have ended, too. A job is left to end.
        others = [unit for unit in each.before.leftovers(self._texts(each)) if not each.wanted.is_job]
        if others:
            self._systemctl.do("stop", *others)
        texts = self._texts(each)
        for unit in top:
            file = WantedFile(companion_units.path_of(unit), texts[unit])
            # A timer that stays as it is might be about to start its job.
            another = each.anew and (not each.wanted.is_job or files.is_another(file, each.before.files.get(unit)))
            if another or not self._systemctl.read(unit).active:
                self._systemctl.do("restart", unit)

    def _watch(self) -> None:
        """Wait until all processes have been up for so long as their companions ask for."""
        watched = [(unit, each) for each in self.todo for unit in self._processes(each)]
        names = [unit for unit, _each in watched]
        if not names:
            return
        began = time.monotonic()
        restarts: dict[str, str] = {}
        while True:
            for (unit, each), shown in zip(watched, units.show_units(names, _WATCHED, self._runner)):
                state, restarted = shown.get("ActiveState", [""])[0], shown.get("NRestarts", [""])[0]
                if state != "active" or restarts.setdefault(unit, restarted) != restarted:
                    how = systemctl.ended(shown) or "it does not stay up"
                    status = int(shown.get("ExecMainStatus", ["0"])[0] or 0)
                    raise self._failed(each, f"it does not come up: {how}", unit, status)
            if time.monotonic() - began >= max(each.wanted.start_seconds for _unit, each in watched):
                return
            time.sleep(_PAUSE)

    def _check(self, each: Todo) -> None:
        """Have the companion's own check succeed."""
        for unit in self._processes(each) if each.wanted.check else ():
            instance = companion_units.instance_of(unit)
            attempt = functools.partial(self._attempt, each.wanted, instance)
            try:
                companion_check.persist(each.wanted, attempt)
            except StepFailed as failure:
                said = {f"What its check {' '.join(each.wanted.check)} said": failure.said}
                failed = self._failed(each, f"its check failed: {failure}", unit, said=said)
                failed.checked = True
                raise failed from None
            if companion.INSTANCE not in " ".join(each.wanted.check):
                return

    def _attempt(self, checked: Companion, instance: str, timeout: int) -> None:
        companion_check.run(self.wanted, checked, instance, timeout, self._runner)

    def _failed(
        self, each: Todo, reason: str, unit: str = "", status: int = 0, said: dict[str, str] | None = None
    ) -> CompanionFailed:
        found = dict(said or {})
        if each.wanted.name in self._logs:
            found[f"The end of {each.wanted.log_file}"] = self._logs[each.wanted.name].new_text()
        unit = unit or [*self._processes(each), *self._top(each)][0]
        found[f"The journal of {unit}"] = self._read_journal(unit)
        return CompanionFailed(each.wanted.name, reason, found, status)

    # What ran before

    def retire(self, journal: str) -> None:
        """Ask what ran before to finish, and keep its units for the way back; raises Failed.

        What has nothing to do has ended when this returns. The units of what finishes are in /run.
        """
        disabled = [unit for unit, state in self._units_of(self._gone) if state.enabled]
        if disabled:
            self._systemctl.do("disable", *disabled)
        earlier, gone = self._earlier(), self._running_of_gone()
        if earlier or gone:
            self._systemctl.do("stop", "--no-block", *earlier, *gone)
            self._wait_for_the_end([*earlier, *gone])
        there = [unit for unit in earlier if os.path.lexists(companion_units.path_of(unit))]
        self._let_finish(there)
        for unit in there:
            atomic_journal.set_aside(companion_units.path_of(unit), journal)
        if there:
            self._systemctl.do("daemon-reload")

    def clear(self) -> None:
        """Leave nothing of the companions that are not wanted any more; raises Failed."""
        names = [unit for unit, _state in self._units_of(self._gone)]
        there = [unit for unit in names if os.path.lexists(companion_units.path_of(unit))]
        # A job that runs, too: without its unit, systemd would end it after a minute and a half.
        self._let_finish(there)
        for unit in there:
            files.remove(companion_units.path_of(unit))
            if unit.endswith(".timer"):
                files.remove(companion_units.stamp_of(unit))
        if there:
            self._systemctl.do("daemon-reload")

    def stop(self) -> None:
        """Stop all companions, and wait for their end; raises Failed."""
        active = [unit for each in self._before.companions.values() for unit in each.active]
        jobs = [
            f"{self.wanted.name}-{name}.service"
            for name, each in self._before.companions.items()
            if f"{self.wanted.name}-{name}.timer" in each.files
        ]
        if active:
            self._systemctl.do("stop", *(unit for unit in active if unit not in jobs))
        for each in self.todo:
            self._enable(each)

    def _earlier(self) -> list[str]:
        """The units of earlier generations."""
        return [unit for each in self.todo for unit in each.before.leftovers(self._texts(each))]

    def _running_of_gone(self) -> list[str]:
        """The units of companions that are not wanted any more, which must end. A job is left to end."""
        return [unit for unit, each in self._units_of(self._gone) if each.active and not self._is_job(unit)]

    def _is_job(self, unit: str) -> bool:
        """Whether a unit is of a job, which is left to end."""
        timer = f"{unit.rpartition('.')[0]}.timer"
        return unit.endswith(".service") and any(timer in each.units for each in self._before.companions.values())

    def _units_of(self, names: Iterable[str]) -> list[tuple[str, units.Unit]]:
        return [pair for name in names for pair in self._before.companions[name].units.items()]

    def _wait_for_the_end(self, names: list[str]) -> None:
        deadline = time.monotonic() + _SOON
        while self._going_on(names) and time.monotonic() < deadline:
            time.sleep(_PAUSE)

    def _going_on(self, names: Iterable[str]) -> list[str]:
        """Those of some units that have not ended."""
        names = list(names)
        shown = units.show_units(names, ("ActiveState",), self._runner) if names else []
        ended = (["inactive"], ["failed"])
        return [name for name, each in zip(names, shown) if each.get("ActiveState") not in ended]

    def _let_finish(self, names: Iterable[str]) -> None:
        """Have the units of processes that go on in /run, where they end with them."""
        for unit in self._going_on(names):
            text = files.read(companion_units.path_of(unit))
            if text is not None and unit.endswith(".service"):
                runtime_units.write(unit, text + _FINISHING.format(path=runtime_units.path_of(unit)))

    # Back

    def withdraw(self) -> None:
        """Ask what is new to end; to be called before the files of before are put back."""
        self._enabled, enabled = [], self._enabled
        for unit in enabled:
            if not self._was_there(unit):
                self._systemctl.attempt("disable", unit)
        new = [unit for unit in self._new_units() if unit in self._going_on([unit])]
        if new:
            self._systemctl.attempt("stop", "--no-block", *new)
            self._wait_for_the_end(new)
        self._let_finish([unit for unit in new if companion_texts.generation_of(unit)])

    def restore(self) -> None:
        """Have run again what ran before; to be called after the files of before were put back."""
        if self._disabled:
            self._systemctl.attempt("enable", *self._disabled)
        now = companion_state.read(self.wanted.name, self._runner)
        for each in self.todo:
            was = each.before.active
            state = now.get(each.wanted.name)
            if state is None or not was:
                continue
            top = f"{self.wanted.name}-{each.wanted.name}"
            if f"{top}.timer" in state.files:
                self._systemctl.attempt("restart", f"{top}.timer")
            elif state.generation:
                live = [name for name in state.files if companion_texts.generation_of(name) == state.generation]
                self._systemctl.attempt("start", *live, f"{top}.service")
            elif each.anew:
                self._systemctl.attempt("restart", f"{top}.service")
            else:
                self._systemctl.attempt("start", f"{top}.service")

    def _new_units(self) -> list[str]:
        """The units that are there and were not before this change, or the one that was killed."""
        found = []
        there = companion_state.read(self.wanted.name, self._runner)
        for each in self.todo:
            name = f"{self.wanted.name}-{each.wanted.name}.service"
            before = self._live_before(name)
            now = there.get(each.wanted.name, ABSENT)
            generation = companion_texts.live_generation(name, before)
            found += [unit for unit in now.files if companion_texts.generation_of(unit) not in (0, generation)]
            if not before:
                found += [unit for unit in now.files if not companion_texts.generation_of(unit)]
        return found

    def _was_there(self, unit: str) -> bool:
        return bool(self._live_before(unit))

    def _live_before(self, unit: str) -> str:
        """The text that a unit had before the change; empty if there was none."""
        path = companion_units.path_of(unit)
        previous = files.read(files.beside(path, files.PREVIOUS))
        if previous is not None:
            return previous
        name = companion_texts.owner_of(files.read(path))[1]
        was = self._before.companions.get(name, ABSENT)
        return (files.read(path) or "") if unit in was.files else ""
