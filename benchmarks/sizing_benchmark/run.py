# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run: measures settings in order, and saves the results."""

from __future__ import annotations

import itertools
import json
import sys
import typing as t
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sizing_benchmark import host, plan, rules
from sizing_benchmark.cases import MIB, Application, Limit, Setting
from sizing_benchmark.results import FOREIGN, Record, Results, is_disturbed

CONCURRENCY = 64
# In this time, even the slowest answers the requests that gunicorn_service_info needs.
SAMPLE_SECONDS = 6.0
# Ansible takes some seconds until the sample begins.
MEASURED_SECONDS = 14.0
# Begins the names of the units that the agent starts
UNIT_PREFIX = "sizing-"
# Settings that reach this share of the best are measured again, at most so many.
FINAL_SHARE, FINALISTS = 0.9, 8
# So many of them are measured again beside settings that were left out.
COMPARED = 3


# Calls a module of the collection on the host
CallModule = t.Callable[[str, dict], dict]


class Options(t.NamedTuple):
    """What, how often and how long to measure, and how long to wait for others on the machine, in seconds.

    Under a quota, the same setting answers more or fewer requests in one second than in the next, because it works in
    bursts. A short round is enough to find the settings that may be the best, and long ones compare them.
    """

    ladders: plan.Ladders = plan.FULL
    rounds: int = 3
    warmup: float = 0.4
    seconds: float = 1.2
    final_seconds: float = 5.0
    patience: float = 5.0


class Run:
    """A run on a host; a file has the results so far."""

    def __init__(self, agent: host.Agent, call: CallModule, results: Results, output: Path, options: Options) -> None:
        self._agent, self._call, self._results, self._output, self._options = agent, call, results, output, options
        self._numbers = itertools.count()
        self._running: dict[Setting, str] = {}

    def measure_case(self, application: Application, limit: Limit) -> None:
        """Sweep one application under one limit, and measure what the rules name."""
        say(f"{application.name}, {limit.name}")
        try:
            self._sweep(application, limit)
            self._measure_application(application, limit)
            facts = self._results.facts(application, limit)
            wanted = {setting for setting in rules.named(facts).values() if setting}
            for setting in sorted(wanted):
                if plan.is_measurable(setting) and self._results.find(application, limit, setting) is None:
                    self._first_round(application, limit, setting)
            near = plan.finalists(self._results.throughputs(application, limit), FINAL_SHARE, FINALISTS)
            self._further_rounds(application, limit, {*near, *wanted})
            self._results.finished.append((application.name, limit.name))
            self._save()
        finally:
            self._stop(list(self._running))

    def measure_settings(self, application: Application, limit: Limit, settings: Iterable[Setting]) -> None:
        """Measure some settings, and the best of the earlier ones again: the machine may differ now."""
        say(f"{application.name}, {limit.name}")
        best = plan.finalists(self._results.throughputs(application, limit), FINAL_SHARE, COMPARED)
        chosen = {*settings, *best}
        try:
            for setting in sorted(chosen):
                self._first_round(application, limit, setting)
            self._further_rounds(application, limit, chosen)
        finally:
            self._stop(list(self._running))

    def _sweep(self, application: Application, limit: Limit) -> None:
        walk = plan.sweep(self._options.ladders)
        throughput: float | None = None
        while True:
            try:
                setting = walk.send(throughput)
            except StopIteration:
                return
            record = self._first_round(application, limit, setting)
            throughput = record.median if record.admissible else None
            self._keep_only(application, limit)

    def _first_round(self, application: Application, limit: Limit, setting: Setting) -> Record:
        """Start a setting and measure it; if its memory is limited, reload it under load."""
        record = Record(application.name, limit.name, setting.workers, setting.threads)
        problem = self._start(application, limit, setting)
        if problem is None:
            # Without a memory limit, only settings that are measured again are reloaded.
            reload = "MemoryMax" in limit.directives
            problem = self._measure(record, reload, self._options.seconds)
        record.judge(problem)
        if problem:
            self._stop([setting])
        self._results.add(record)
        self._save()
        say(f"  {setting}: {record.median or 0:.0f}/s{'' if record.admissible else ', ' + str(record.problem)}")
        return record

    def _keep_only(self, application: Application, limit: Limit) -> None:
        """Stop settings that can't be among the finalists any more."""
        wanted = {setting for setting in rules.named(self._results.facts(application, limit)).values() if setting}
        near = plan.finalists(self._results.throughputs(application, limit), FINAL_SHARE, FINALISTS)
        self._stop([setting for setting in self._running if setting not in {*near, *wanted}])

    def _further_rounds(self, application: Application, limit: Limit, settings: set[Setting]) -> None:
        """Measure settings in turn, so that a change of the machine affects all of them."""
        chosen = [one for setting in sorted(settings) if (one := self._results.find(application, limit, setting))]
        for record in chosen:
            if record.admissible and record.setting not in self._running:
                record.judge(self._start(application, limit, record.setting))
            if record.admissible:
                record.begin_final_rounds()
        # Up to twice as many rounds, if others disturb some
        for _ in range(2 * self._options.rounds):
            for record in chosen:
                unreloaded = record.reload_seconds is None
                if record.admissible and (unreloaded or record.quiet < self._options.rounds):
                    # If memory is short, it also depends on the moment whether a reload fits.
                    reload = unreloaded or "MemoryMax" in limit.directives
                    record.judge(self._measure(record, reload, self._options.final_seconds))
                    self._save()

    def _measure_application(self, application: Application, limit: Limit) -> None:
        """Measure wait ratio and memory of a worker, with the setting that a host has before any measurement."""
        setting = rules.ours_unmeasured(self._results.facts(application, limit))
        if self._results.find(application, limit, setting) is None:
            self._first_round(application, limit, setting)
        if setting not in self._running and self._start(application, limit, setting):
            return
        name = self._running[setting]
        measured = measure_service(self._agent, self._call, name, setting)
        if measured is None:
            say("  could not be measured")
            return
        self._results.set_measured(application, limit, measured)
        self._save()
        say(
            f"  measured: wait ratio {measured.wait_ratio} (requests {measured.requests_wait_ratio}, others' CPU "
            f"{measured.other_cpu_ratio}), worker {measured.worker_memory / MIB:.0f} MiB"
        )

    def _start(self, application: Application, limit: Limit, setting: Setting) -> str | None:
        name = self._running[setting] = f"s{next(self._numbers)}"
        answer = self._agent.ask(
            "start",
            name=name,
            path=application.path,
            workers=setting.workers,
            threads=setting.threads,
            properties=dict(limit.directives),
            environment=dict(application.environment),
        )
        problem: str | None = answer["problem"]
        if problem:
            self._stop([setting])
        return problem

    def _measure(self, record: Record, reload: bool, seconds: float) -> str | None:
        """Add a round to a record. If others disturb it, wait for them for some time, and try once more."""
        trouble = self._measure_once(record, reload, seconds)
        if trouble is None and record.rounds[-1]["disturbed"] and self._options.patience:
            self._agent.ask("quiet", cores=FOREIGN, seconds=self._options.patience)
            disturbed = record.rounds.pop()
            trouble = self._measure_once(record, reload=False, seconds=seconds)
            if record.rounds[-1]["disturbed"]:
                record.rounds[-1] = min(disturbed, record.rounds[-1], key=lambda one: one["cores"]["foreign"])
        return trouble

    def _measure_once(self, record: Record, reload: bool, seconds: float) -> str | None:
        answer = self._agent.ask(
            "measure",
            name=self._running[record.setting],
            concurrency=CONCURRENCY,
            warmup=self._options.warmup,
            seconds=seconds,
            reload=reload,
        )
        if "round" not in answer:
            return str(answer["problem"])
        record.note(answer)
        one = answer["round"]
        record.rounds.append({**one, "disturbed": is_disturbed(one["cores"], self._results.host["nproc"])})
        return record.trouble(answer)

    def _stop(self, settings: list[Setting]) -> None:
        names = [self._running.pop(setting) for setting in settings if setting in self._running]
        if names:
            self._agent.ask("stop", names=names)

    def _save(self) -> None:
        partial = self._output.with_name(self._output.name + ".partial")
        partial.write_text(json.dumps(self._results.as_dict(), indent=1) + "\n", encoding="utf-8")
        partial.rename(self._output)


def measure_service(agent: host.Agent, call: CallModule, name: str, setting: Setting) -> rules.Measured | None:
    """Return what gunicorn_service_info measures of a service under about half of the load that it can bear."""
    concurrency = max(1, setting.workers * setting.threads // 2)
    with ThreadPoolExecutor(1) as executor:
        load = {"concurrency": concurrency, "warmup": 0.0, "seconds": MEASURED_SECONDS, "reload": False}
        loaded = executor.submit(agent.ask, "measure", name=name, **load)
        info = call("gunicorn_service_info", {"name": UNIT_PREFIX + name, "sample": SAMPLE_SECONDS})
        loaded.result()
    service = info["services"][0]
    measured = service["measured"]
    if measured is None:
        return None
    memory = int(measured["memory_per_worker"].rstrip("M")) * MIB
    requests = service["requests"]
    return rules.Measured(
        measured["wait_ratio"],
        service["memory"]["per_worker"],
        memory,
        requests["wait_ratio"],
        requests["other_cpu_ratio"],
    )


def say(text: str) -> None:
    """Report progress on standard error, as a caller may read standard output."""
    print(text, file=sys.stderr, flush=True)
