# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the comparison of servers counts, and the tables that are made from it."""

from __future__ import annotations

import collections
import tarfile
from pathlib import Path

import load
import pytest
import testhost
from servers_benchmark import host, probe, run, table
from servers_benchmark.servers import SERVERS, pinned

MIB = 1 << 20


def phase(answered: list[float], **failures: int) -> dict:
    """A phase of two seconds, as the load generator writes it."""
    lost = sum(failures.values())
    tally = load.Tally("uwsgi", len(answered) + lost, collections.Counter(failures), seconds=answered)
    return load.Phase("one", 10.0, [tally], ended=12.0).as_dict()


def change(lost: int, longest: float | None = 0.5, foreign: float = 0.1) -> dict:
    """A change under a hundred requests."""
    return run.Change(100, lost, {}, longest, 1.0, foreign)._asdict()


def one_round(server: str, rate: float = 100.0, **changes: object) -> dict:
    """A round of a server that loses nothing."""
    rest = {"rate": rate, "p99": rate / 1000, "lost": 0, "foreign": 0.1}
    untouched = {"restart": change(0), "reload": change(0), "broken": change(0)}
    rest_and_memory = {"page": rest, "wait": {**rest, "foreign": 0.2}, "memory": rate * MIB}
    return {"server": server, **rest_and_memory, **untouched, "answers": 1.0, "answers_restarted": 1.0, **changes}


def results(*rounds: dict) -> dict:
    """The results of a run."""
    versions = {"Django": "5.2.19", "gunicorn": "27.0.1", "uWSGI": "2.0.31", "mod_wsgi": "6.1.1", "granian": "2.8.9"}
    facts = {
        "nproc": 2,
        "versions": versions,
        "python": "3.13.5",
        "nginx": "1.26.3",
        "apache": "2.4.71",
        "sizes": {"sync": [5, 1], "uwsgi": [4, 2]},
    }
    return {
        "facts": facts,
        "options": {"rounds": 3, "seconds": 8.0, "foreign": 0.2, "concurrency": 32, "rate": 60},
        "rounds": list(rounds),
    }


def test_only_answers_count_at_rest() -> None:
    """A refused connection is no answer, however fast."""
    assert run.rest_of({"phases": [phase([0.1, 0.2, 0.3, 0.4], refused=6)]}) == {"rate": 2.0, "p99": 0.4, "lost": 6}


def test_server_that_answers_nothing_has_no_latency() -> None:
    """Its rate is zero."""
    assert run.rest_of({"phases": [phase([], status=3)]}) == {"rate": 0.0, "p99": None, "lost": 3}


def test_change_counts_what_was_asked_since_it_began() -> None:
    """And says how it was lost."""
    made = run.change_of({"phases": [phase([0.1], refused=9), phase([0.1, 1.5], status=2, reset=1)]}, 3.456, 0.1)
    assert made == run.Change(5, 3, {"status": 2, "reset": 1}, 1.5, 3.46, 0.1)


def test_site_answers_in_part() -> None:
    """As one whose workers have different code."""
    assert run.answered_of({"phases": [phase([0.1] * 3, status=1)]}) == 0.75


@pytest.mark.parametrize(("conf", "threads"), [("threads = 5\n", 5), ("max_threads = 7\n# threads = 9\n", 1)])
def test_size_is_what_the_role_decided(conf: str, threads: int) -> None:
    """The unit has the workers, and gunicorn.conf.py the threads if there are several."""
    unit = (
        "ExecStart=/opt/site/venv/bin/gunicorn --config=/etc/opt/site/gunicorn.conf.py --workers=3 wsgi:application\n"
    )
    assert run.size_in(unit + conf) == (3, threads)


def test_unit_without_a_size_is_an_error() -> None:
    """It is shown."""
    with pytest.raises(testhost.HostError, match="ExecStart=/bin/true"):
        run.size_in("ExecStart=/bin/true\n")


def test_processes_of_a_unit_are_found_in_both_versions_of_cgroups(tmp_path: Path) -> None:
    """Also those below it, and not those of a unit whose name ends in the same way."""
    lines = {
        7: "4:memory:/machine/system.slice/uwsgi.service\n1:name=systemd:/machine/system.slice/uwsgi.service\n",
        8: "0::/system.slice/uwsgi.service/workers\n",
        9: "0::/system.slice/other-uwsgi.service\n",
    }
    for pid, text in lines.items():
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/cgroup").write_text(text)
    assert probe.members("uwsgi.service", tmp_path) == [7, 8]


def test_same_files_make_the_same_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the role would take them for another release, and change what runs."""
    made = []
    for name in ("one", "two"):
        monkeypatch.setattr(host, "CACHE", tmp_path / name)
        host.CACHE.mkdir()
        host.make_archives()
        made.append({path.name: path.read_bytes() for path in host.CACHE.iterdir()})
    assert made[0] == made[1]


def test_broken_release_differs_by_a_failing_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing else is to blame."""
    monkeypatch.setattr(host, "CACHE", tmp_path)
    host.make_archives()
    texts = {}
    for name in ("good", "broken"):
        with tarfile.open(tmp_path / f"{name}.tar.gz") as archive:
            texts[name] = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
    assert {"wsgi.py", "settings.py", "servers_settings.py", "sizing/views.py"} <= set(texts["good"])
    assert texts["broken"].pop("wsgi.py") == host.FAILING_IMPORT.encode() + texts["good"].pop("wsgi.py")
    assert texts["broken"] == texts["good"]


def test_every_package_is_pinned() -> None:
    """The table names their versions."""
    assert pinned("# Comment\nDjango==5.2\n\nuWSGI==2.0\n") == {"Django": "5.2", "uWSGI": "2.0"}
    assert {server.package for server in SERVERS.values()} < set(host.versions())


def test_middle_of_the_rounds_is_shown() -> None:
    """One disturbed round has no effect at rest."""
    made = table.text(results(*(one_round("sync", rate) for rate in (100.0, 900.0, 200.0))))
    assert "| this role, `sync` | gunicorn 27.0.1 | 5 x 1 | 200 | 200 ms | 200 | 200 ms | 200 MiB |" in made


def test_losses_of_all_rounds_are_shown() -> None:
    """With the longest time of an answer, if there was one, in the middle of the rounds."""
    rounds = [
        one_round("uwsgi", restart=change(3, 1.26), broken=change(100, None), answers=0.0, answers_restarted=0.5),
        one_round("uwsgi", restart=change(4, 0.2), broken=change(100, None), answers=0.0),
    ]
    made = table.text(results(*rounds))
    assert "| uWSGI | 7 of 200, 0.7 s | 0 of 200, 0.5 s | 200 of 200 | no | 75% |" in made


def test_only_measured_servers_are_described() -> None:
    """Each with what it follows."""
    made = table.text(results(one_round("uwsgi")))
    assert "- **uWSGI**: the processes and threads of its [quickstart](" in made
    assert "Granian" not in made


def test_text_says_how_often_each_server_was_measured() -> None:
    """A run that was ended early has fewer rounds of some."""
    assert "Medians of 1 to 2 rounds of 8 s" in table.text(results(*map(one_round, ("sync", "uwsgi", "sync"))))
    assert "Medians of 2 rounds of 8 s" in table.text(results(one_round("sync"), one_round("sync")))
    assert "Medians of 1 round of 8 s" in table.text(results(one_round("sync")))


def test_disturbed_rounds_do_not_count() -> None:
    """Unless all were disturbed, which is marked."""
    disturbed = {"rate": 50.0, "p99": 0.9, "lost": 0, "foreign": 0.21}
    rounds = [one_round("sync", page=disturbed, wait=disturbed), one_round("sync", wait=disturbed)]
    assert "| 5 x 1 | 100 | 100 ms | 50* | 900 ms* |" in table.text(results(*rounds))


def test_losses_of_a_disturbed_change_do_not_count() -> None:
    """They say how busy the machine was."""
    disturbed = change(90, 9.0, foreign=1.5)
    rounds = [one_round("uwsgi", reload=disturbed, broken=disturbed), one_round("uwsgi", broken=disturbed)]
    assert "| uWSGI | 0 of 200, 0.5 s | 0 of 100, 0.5 s | 180 of 200, 9.0 s* | yes | yes |" in table.text(
        results(*rounds)
    )


def test_results_of_several_runs_are_one_table() -> None:
    """So that each can take place when the machine is quiet."""
    made = table.text(table.joined([results(one_round("sync")), results(one_round("sync"), one_round("uwsgi"))]))
    assert "Medians of 1 to 2 rounds" in made
