# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several projects on one host: what each gets, and that a second run changes nothing."""

from __future__ import annotations

import random
from typing import NamedTuple
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import Resource
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import neighbours
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import grants
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.grants import Grant
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.sizes import MIB

# Of 1000 MiB, 200 are the reserve: 5 workers by CPU and their master take 672 of the other 800.
HOST = {**answer.DEFAULTS, "cpus": 2.0, "memory": "1000M"}


class Project(NamedTuple):
    """What a user says of a project; without a number, its workers are sized."""

    service: str
    sizing: dict = {}
    workers: int | None = None


class Deployment(NamedTuple):
    """What a deployment comes to."""

    workers: int
    reason: str
    warnings: list[str]
    fits: bool


class Host:
    """A host that remembers what its projects were given, as its notes do: in whole MiB."""

    def __init__(self) -> None:
        self.grants: dict[str, Grant] = {}

    def deploy(self, project: Project) -> Deployment:
        """Deploy a project, as the plan does it."""
        options = {**HOST, **project.sizing}
        has_share = "share" in project.sizing
        around = neighbours.read(project.service, options)
        options = neighbours.with_neighbours(options, around, has_share)
        sizing, warnings = answer.size(options)
        workers = sizing["workers"] if project.workers is None else project.workers
        granted = neighbours.grant(project.service, workers, options, has_share)
        self.grants[project.service] = granted._replace(memory=-(-granted.memory // MIB) * MIB)
        told = [*warnings, *neighbours.warnings(around, granted)]
        return Deployment(workers, f"{sizing['reason']} {neighbours.remark(around)}", told, sizing["fits"])

    @property
    def taken(self) -> int:
        """The MiB that all may take."""
        return sum(each.of(800 * MIB) for each in self.grants.values()) // MIB


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """One without a project."""
    return made(monkeypatch)


def made(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose notes are read."""
    found = Host()
    monkeypatch.setattr(grants, "read_all", lambda root: dict(found.grants))
    return found


def test_a_project_alone_has_the_host(host: Host) -> None:
    """Neither the sentence nor a warning speaks of others, and the memory of the host is not read for them."""
    deployment = host.deploy(Project("shop"))
    assert deployment == Deployment(5, deployment.reason, [], True)
    assert "project" not in deployment.reason
    assert host.grants == {"shop": Grant("shop", 672 * MIB)}


def test_the_second_gets_what_the_first_has_left(host: Host) -> None:
    """The sentence can be checked with a calculator, and names the other project."""
    host.deploy(Project("shop", {"memory_per_worker": "100M"}))
    deployment = host.deploy(Project("blog", {"memory_per_worker": "60M"}))
    assert deployment.workers == 3
    assert deployment.reason == (
        "3 workers: 2 CPUs (as given) x (1 + wait ratio 1) + 1 = 5 by CPU; 1000 MiB (as given) - 200 MiB reserve - 532 MiB "
        "for other projects - 32 MiB master holds 3 workers of 60 MiB, so memory decides. Another project shares the host: "
        "shop 532 MiB."
    )
    assert deployment.warnings == []


def test_the_first_keeps_what_it_has(host: Host) -> None:
    """A second run gives it the same number, whatever the others have taken meanwhile; the sentence says why."""
    host.deploy(Project("shop"))
    host.deploy(Project("blog", {"memory_per_worker": "60M"}))
    host.deploy(Project("mail", {"memory_per_worker": "40M"}, workers=9))
    deployment = host.deploy(Project("shop"))
    assert deployment.workers == 5
    assert deployment.reason == (
        "5 workers: 2 CPUs (as given) x (1 + wait ratio 1) + 1 = 5 by CPU; 672 MiB that it has already - 32 MiB master holds "
        "5 workers of 128 MiB, so CPU decides. 2 other projects share the host: blog 92 MiB and mail 392 MiB."
    )


def test_what_can_not_fit_is_told(host: Host) -> None:
    """Each project that is deployed then warns; the numbers stay."""
    host.deploy(Project("shop"))
    first, second = (host.deploy(Project("blog")) for _run in range(2))
    assert (first.workers, second.workers) == (1, 1)
    assert (
        "of 1000 MiB, 200 MiB are reserved, 672 MiB are other projects' and 32 MiB go to the master."
        in first.warnings[0]
    )
    said = (
        "The projects on this host may take 832 MiB together, and beside the reserve it has 800 MiB: blog 160 MiB and "
        "shop 672 MiB. Each keeps what it has. Give each a part of the host, such as gunicorn_sizing: {share: 0.5}; or set "
        "memory_per_worker to what the workers take, or have fewer workers."
    )
    assert first.warnings[1:] == second.warnings == [said]
    assert host.deploy(Project("shop")) == host.deploy(Project("shop"))
    assert host.deploy(Project("shop")).warnings == [said]


def test_what_it_says_to_do_helps(host: Host) -> None:
    """With equal parts all fit together, and no warning is left."""
    for name in ("shop", "blog"):
        host.deploy(Project(name))
    shared = [Project(name, {"share": 0.5}) for name in ("shop", "blog")]
    for project in shared:
        host.deploy(project)
    assert [(each.workers, each.warnings) for each in map(host.deploy, shared)] == [(2, []), (2, [])]
    assert host.taken == 800


def test_a_small_share_of_another(host: Host) -> None:
    """It may be less than the least size that a user may give: here, of a project that has its companions alone."""
    host.deploy(Project("mail", {"share": 0.001}, workers=0))
    assert host.deploy(Project("shop")) == (5, ANY, [], True)


def test_a_share_is_kept_free(host: Host) -> None:
    """Others don't get what a project has not taken of its share yet, and it does not ask them."""
    host.deploy(Project("shop", {"share": 0.75, "maximum": 1}))
    assert host.deploy(Project("blog", {"memory_per_worker": "60M"})).workers == 2
    assert host.deploy(Project("shop", {"share": 0.75})).workers == 4


def test_numbers_are_taken_as_they_are(host: Host) -> None:
    """A number of a user is only warned of, and others count with it."""
    assert host.deploy(Project("shop", workers=20)).warnings == []
    deployment = host.deploy(Project("blog", workers=3))
    assert deployment.workers == 3
    assert len(deployment.warnings) == 2


def test_who_goes_leaves_the_rest(host: Host) -> None:
    """A project that the memory held back grows at its next run."""
    host.deploy(Project("shop"))
    assert host.deploy(Project("blog", {"memory_per_worker": "90M"})).workers == 1
    del host.grants["shop"]
    assert host.deploy(Project("blog", {"memory_per_worker": "90M"})).workers == 5


def test_a_project_from_before_there_were_notes_keeps_its_workers(host: Host) -> None:
    """Its own workers count with the size that it has now; those of others with the usual one."""
    host.grants = {
        "shop": Grant("shop", 4 * 128 * MIB, workers=4),
        "blog": Grant("blog", 3 * 128 * MIB, workers=3),
    }
    assert host.deploy(Project("shop", {"memory_per_worker": "160M"})).workers == 4
    assert host.grants["shop"] == Grant("shop", (4 * 160 + 32) * MIB)


def test_a_limit_of_the_service_is_all_that_it_takes(host: Host) -> None:
    """Its companions have limits of their own."""
    options = {"service_directives": {"MemoryMax": "300M"}, "memory_companions": "50M"}
    host.deploy(Project("shop", options, workers=9))
    assert host.grants["shop"].memory == 350 * MIB


@pytest.mark.parametrize(
    ("own", "other", "limited", "counts"),
    [
        ("system.slice", "web.slice", "/proc/meminfo", True),
        ("system.slice", "system.slice", "/sys/fs/cgroup/system.slice/memory.max", True),
        ("web-shop.slice", "web-blog.slice", "/sys/fs/cgroup/web.slice/memory.max", True),
        ("web-shop.slice", "web-blog.slice", "/sys/fs/cgroup/web.slice/web-shop.slice/memory.max", False),
        ("web.slice", "system.slice", "/sys/fs/cgroup/memory/web.slice/memory.limit_in_bytes", False),
        ("web.slice", "webmail.slice", "/sys/fs/cgroup/web.slice/memory.high", False),
        # What is around a container holds for all that is in it.
        ("web.slice", "system.slice", "/sys/fs/cgroup/machine.slice/memory.max", True),
        ("web.slice", "system.slice", "/sys/fs/cgroup/memory.max", True),
    ],
)
def test_who_has_a_memory_of_its_own(
    host: Host, monkeypatch: pytest.MonkeyPatch, own: str, other: str, limited: str, counts: bool
) -> None:
    """A limit of a slice divides the memory among those that are in the slice."""
    host.grants = {"blog": Grant("blog", 100 * MIB, slice=other)}
    memory = Resource(1000 * MIB, "total" if "meminfo" in limited else "cgroup", limited)
    monkeypatch.setattr(answer, "read_memory", lambda name: memory)
    found = neighbours.read("shop", {**HOST, "memory": None, "slice": own})
    assert [each.service for each in found.others] == ["blog"] * counts


sizes = st.integers(20, 400).map(lambda size: f"{size}M")
sizings = st.fixed_dictionaries(
    {"memory_per_worker": sizes, "wait_ratio": st.sampled_from((None, 0.0, 1.0, 20.0))},
    optional={
        "share": st.floats(0.01, 1).map(lambda part: round(part, 3)),
        "minimum": st.integers(1, 5),
        "memory_companions": sizes,
        "service_directives": st.just({"MemoryMax": "256M"}),
    },
)
projects = st.lists(st.tuples(sizings, st.none() | st.integers(1, 9)), min_size=1, max_size=5)


@given(projects=projects, rounds=st.randoms(use_true_random=False))
def test_a_second_run_changes_nothing(projects: list[tuple[dict, int | None]], rounds: random.Random) -> None:
    """In whichever order, and whether all fit or not."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        host = made(monkeypatch)
        all_of_them = [Project(f"p{number}", *project) for number, project in enumerate(projects)]
        first = {each.service: host.deploy(each).workers for each in all_of_them}
        noted = dict(host.grants)
        for _run in range(2):
            rounds.shuffle(all_of_them)
            assert {each.service: host.deploy(each).workers for each in all_of_them} == first
            assert host.grants == noted


@given(projects=projects)
def test_together_they_fit_or_somebody_is_told(projects: list[tuple[dict, int | None]]) -> None:
    """No project takes memory of another one without a word."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        host = made(monkeypatch)
        told = [host.deploy(Project(f"p{number}", *project)).warnings for number, project in enumerate(projects)]
        # What does not fit alone is an error of its own kind, of which only the sizing warns.
        assert host.taken <= 800 or len(projects) == 1 or any(told)


@given(projects=st.lists(sizings, min_size=2, max_size=5))
def test_those_that_are_sized_fit_together(projects: list[dict]) -> None:
    """As long as each has room for one worker, and nobody has set a share."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        host = made(monkeypatch)
        for sizing in projects:
            sizing.pop("share", None)
        fit = [host.deploy(Project(f"p{number}", sizing)).fits for number, sizing in enumerate(projects)]
        assert host.taken <= 800 or not all(fit)
