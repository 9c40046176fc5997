# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the measurements, as a file keeps them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from sizing_benchmark import rules
from sizing_benchmark.cases import Application, Limit, Setting

# In cores
FOREIGN = 0.2
IDLE = 0.2


@dataclass
class Record:
    """A setting of one application under one limit. Memory is in bytes, times in seconds."""

    application: str
    limit: str
    workers: int
    threads: int
    rounds: list[dict] = field(default_factory=list)
    memory_peak: int | None = None
    pss: int | None = None
    pss_per_worker: int | None = None
    reload_seconds: float | None = None
    reload_longest: float | None = None
    oom: bool = False
    problem: str | None = None
    failures: list[dict] = field(default_factory=list)
    # Whether its rounds are long ones, beside which those of the sweep do not count
    final: bool = False

    @property
    def setting(self) -> Setting:
        return Setting(self.workers, self.threads)

    @property
    def admissible(self) -> bool:
        """Whether it survives load and a reload without an OOM kill and without an error."""
        return self.problem is None

    @property
    def median(self) -> float | None:
        """The median of the rounds' requests per second."""
        return self.middle("throughput")

    def middle(self, name: str) -> float | None:
        """Return the median of a value over the undisturbed rounds, or over all if all were disturbed."""
        values = [one[name] for one in self._undisturbed if one[name] is not None]
        return round(statistics.median(values), 4) if values else None

    @property
    def cpus(self) -> float:
        """The median of the CPUs that the service used."""
        return statistics.median(one["cores"]["service"] for one in self._undisturbed)

    @property
    def _undisturbed(self) -> list[dict]:
        return [one for one in self.rounds if not one["disturbed"]] or self.rounds

    @property
    def quiet(self) -> int:
        """How many rounds nobody disturbed."""
        return sum(not one["disturbed"] for one in self.rounds)

    def begin_final_rounds(self) -> None:
        """Forget the round by which the sweep chose the setting: it was rather lucky in it."""
        self.rounds, self.final = [], True

    def note(self, answer: dict) -> None:
        """Take from the agent's answer what belongs to all rounds together."""
        memory = answer["memory"] or {}
        for name, value in {**memory, "memory_peak": answer["memory_peak"]}.items():
            setattr(self, name, max(getattr(self, name) or 0, value or 0) or None)
        if "reload_seconds" in answer:
            self.reload_seconds, self.reload_longest = answer["reload_seconds"], answer["reload_longest"]
        self.failures = (self.failures + answer["failures"])[:5]

    def trouble(self, answer: dict) -> str | None:
        """Return why the setting is not admissible after this answer of the agent; None if it is."""
        if answer["problem"]:
            return str(answer["problem"])
        if self.failures:
            return f"lost a request: {self.failures[0]['kind']}: {self.failures[0]['detail']}"
        if answer.get("reload_seconds", 0) is None:
            return "the reload did not come to its end"
        return None

    def judge(self, problem: str | None) -> None:
        """Note a problem, unless there was an earlier one."""
        self.problem = self.problem or problem
        self.oom = self.problem == "OOM kill"

    def as_dict(self) -> dict:
        return {
            "app": self.application,
            "limit": self.limit,
            "class": self.setting.worker_class,
            "workers": self.workers,
            "threads": self.threads,
            "throughput": [one["throughput"] for one in self.rounds],
            "median": self.median,
            "p50": self.middle("p50"),
            "p99": self.middle("p99"),
            "memory_peak": self.memory_peak,
            "pss": self.pss,
            "pss_per_worker": self.pss_per_worker,
            "reload_seconds": self.reload_seconds,
            "reload_longest": self.reload_longest,
            "oom": self.oom,
            "admissible": self.admissible,
            "problem": self.problem,
            "failures": self.failures,
            "rounds": self.rounds,
            "final": self.final,
        }

    @classmethod
    def from_dict(cls, values: dict) -> Record:
        """Read what as_dict wrote, without the values that are computed."""
        names = (*cls.__dataclass_fields__,)
        return cls(values["app"], **{name: values[name] for name in names if name in values})


def is_disturbed(cores: dict[str, float], nproc: int) -> bool:
    """Return whether others used CPU time that the service lacked: more than noise, and none was left."""
    return cores["foreign"] > FOREIGN and cores["busy"] > nproc - IDLE


class Results:
    """The records of a run, and the facts for the rules."""

    def __init__(self, host: dict, records: list[Record] | None = None, measured: dict | None = None) -> None:
        self.host = host
        self.records = records or []
        # Applications and limits that are completely measured
        self.finished: list[tuple[str, str]] = []
        self._measured: dict[tuple[str, str], rules.Measured] = measured or {}

    def add(self, record: Record) -> None:
        """Add a record; it replaces an earlier one of the same setting."""
        earlier = self._find(record.application, record.limit, record.setting)
        if earlier:
            self.records.remove(earlier)
        self.records.append(record)

    def find(self, application: Application, limit: Limit, setting: Setting) -> Record | None:
        """Return the record of a setting, if it was measured."""
        return self._find(application.name, limit.name, setting)

    def throughputs(self, application: Application, limit: Limit) -> dict[Setting, float | None]:
        """Return the throughput of all measured settings; None for settings that are not admissible."""
        return {record.setting: record.median if record.admissible else None for record in self.of(application, limit)}

    def of(self, application: Application, limit: Limit) -> list[Record]:
        """Return the records of an application under a limit."""
        return [one for one in self.records if (one.application, one.limit) == (application.name, limit.name)]

    def set_measured(self, application: Application, limit: Limit, measured: rules.Measured) -> None:
        """Keep the measurement of an application, for the rules that use it."""
        self._measured[application.name, limit.name] = measured

    def facts(self, application: Application, limit: Limit) -> rules.Facts:
        """Return the facts for the rules."""
        names = ("nproc", "cpus", "memory")
        measured = self._measured.get((application.name, limit.name))
        return rules.Facts(
            **{name: self.host[name] for name in names}, application=application, limit=limit, measured=measured
        )

    def as_dict(self) -> dict:
        return {
            "host": self.host,
            "finished": self.finished,
            "measured": [
                {"app": application, "limit": limit, **measured._asdict()}
                for (application, limit), measured in self._measured.items()
            ],
            "records": [record.as_dict() for record in self.records],
        }

    @classmethod
    def from_dict(cls, values: dict) -> Results:
        """Read what as_dict wrote."""
        measured = {
            (one["app"], one["limit"]): rules.Measured(*(one[name] for name in rules.Measured._fields))
            for one in values["measured"]
        }
        results = cls(values["host"], [Record.from_dict(one) for one in values["records"]], measured)
        results.finished = [(application, limit) for application, limit in values["finished"]]
        return results

    def _find(self, application: str, limit: str, setting: Setting) -> Record | None:
        for record in self.records:
            if (record.application, record.limit, record.setting) == (application, limit, setting):
                return record
        return None
