# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import PurePosixPath

import fleet
import pytest
import yaml
from host_texts import TEXTS
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import report as fleet_report
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import text as report_text
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._characters import width


def test_the_table() -> None:
    """A line for each service, the worst first, with advice below services that are not healthy."""
    report = fleet.report(
        fleet.host("web1", **{"recommended.workers": 5}),
        fleet.host("full.example.com", **fleet.SHORT),
        fleet.host("web2", **{"service.threads": 4, "recommended.threads": 4, "recommended.workers": 5}),
        fleet.without_service("cache1"),
        fleet.unreachable("gone"),
    )
    assert report_text.table(report["hosts"]) == [
        "5 hosts (1 short, 1 missing, 3 healthy), 3 services",
        "Workers: configured, running, recommended, and the bound that decided. RAM available,",
        "CPU idle, load per core over 5 minutes.",
        "verdict host                   service        conf.  run    rec. bound    RAM idle  load",
        "------- ---------------------- -------------- ----- ---- ------- ------- ---- ---- -----",
        "short   full.example.com       shop              17   17       7 memory    6%  81%  0.24",
        "  RAM is short: take 10 workers away, which leaves 7.",
        "missing gone                   -                  -    -       -",
        "  Not reachable: Failed to connect to the host via ssh: connect to host gone port 22:",
        "  Connection refused",
        "healthy cache1                 no Gunicorn        -    -       -          62%  81%  0.24",
        "healthy web1                   shop               5    5       5 cpu      62%  81%  0.24",
        "healthy web2                   shop             5x4    5     5x4 cpu      62%  81%  0.24",
    ]


@given(TEXTS)
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    """No line is wider than the others, whatever a host says."""
    for line in report_text.table([fleet.saying(text), fleet.unreachable(text)]):
        assert line.isprintable()
        assert width(line) <= report_text.COLUMNS


def test_the_snippet_of_a_host() -> None:
    """The host's own sizing, with measured values in it, and the reason in comments."""
    own = {"sizing": {"memory_reserve": "2G", "wait_ratio": 20}}
    read = fleet.info()
    host = fleet_report.report_host("web1", read, fleet.sized(read, **own))
    assert report_text.snippets(fleet.report(host)) == {
        "web1.yml": """\
# For host_vars of web1, to review: what pyweb.gunicorn.capacity_report measured on 2025-11-22 11:52
# UTC. It counts where gunicorn_workers is auto, and changes nothing until the role runs with it.
---
# Service shop. The CPU is idle (81%) and RAM is free: add 2 workers, which makes 7.
# 7 workers: 2 cores x (1 + wait ratio 1.8), rounded up, + 1 = 7 by CPU; 7941 MiB - 1588.2 MiB
# reserve - 32 MiB master holds 41 workers of 154 MiB, so CPU decides.
# Requests wait 2.5 s for each second that they compute. It counts as less, since other processes
# compute on the same cores: 0.25 s for each of these seconds.
gunicorn_sizing:
  memory_reserve: 2G
  wait_ratio: 1.8  # measured
  memory_per_worker: 154M  # measured
"""
    }


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ({"other_cpu_ratio": None}, "# It is not known what other processes compute for the requests."),
        # 1.8 is what was measured.
        ({"other_cpu_ratio": 0.0, "wait_ratio": 1.8}, None),
        ({"other_cpu_ratio": 5.0, "wait_ratio": 1.8}, None),
        (None, None),
    ],
)
def test_what_others_compute_is_said_if_it_matters(requests: dict | None, said: str | None) -> None:
    """If it is not known, or counts; not if it leaves the measured ratio as it is."""
    read = fleet.info()
    service = read["services"][0]
    service["requests"] = requests and {**service["requests"], **requests}
    host = fleet_report.report_host("web1", read, fleet.sized(read))
    (snippet,) = report_text.snippets(fleet.report(host)).values()
    comments = [line for line in snippet.splitlines() if "compute" in line]
    assert (comments[0][: len(said)] if said else comments) == (said or [])


@pytest.mark.parametrize("other", [0.25, None])
@pytest.mark.parametrize("own", [{}, {"wait_ratio": 0.7}])
def test_waiting_for_busy_cores_makes_no_workers(own: dict, other: float | None) -> None:
    """What the user has set stays, and the file says why nothing was measured."""
    read = fleet.info()
    read["services"][0]["measured"]["wait_ratio"] = None
    read["services"][0]["requests"]["other_cpu_ratio"] = other
    host = fleet_report.report_host("web1", read, fleet.sized(read, sizing=own))
    (snippet,) = report_text.snippets(fleet.report(host)).values()
    assert yaml.safe_load(snippet)["gunicorn_sizing"] == {**own, "memory_per_worker": "154M"}
    said = snippet.replace("\n# ", " ")
    assert "The waiting was not measured: the cores were busy" in said
    assert "It is not known what other processes compute" not in said


def test_each_service_has_a_document_of_its_own() -> None:
    """If Ansible reads such a file as host_vars, it fails, instead of silently using the last document."""
    text = report_text.snippets(fleet.report(fleet.two_services("two")))["two.yml"]
    assert list(yaml.safe_load_all(text)) == [
        {"gunicorn_sizing": {"share": 0.5, "wait_ratio": 1.8, "memory_per_worker": "154M"}},
        {"gunicorn_sizing": {"share": 0.5}},
    ]
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
    assert "# Service shop." in text
    assert "# Service blog." in text
    assert "  share: 0.5  # equal parts for the services of this host\n" in text
    assert "# Nothing was measured yet." in text


def test_hosts_without_a_recommendation_have_no_snippet() -> None:
    """There is nothing to review."""
    report = fleet.report(fleet.without_service("cache"), fleet.unreachable("gone"))
    assert report_text.snippets(report) == {}


@given(TEXTS)
def test_a_snippet_holds_nothing_but_the_sizing(text: str) -> None:
    """The host's name and answers stay in the comments."""
    (snippet,) = report_text.snippets(fleet.report(fleet.saying(text))).values()
    assert yaml.safe_load(snippet) == {"gunicorn_sizing": {"wait_ratio": 1.8}}
    snippet.encode("utf-8")


@given(st.lists(TEXTS | st.sampled_from(["web1", "Web1", "WEB1", *fleet.HOSTILE]), unique=True))
def test_file_names_are_safe_and_differ(hosts: list[str]) -> None:
    """They stay in their directory, are no options or hidden files, and differ even if case does not count."""
    snippets = report_text.snippets(fleet.report(*(fleet.host(name) for name in hosts)))
    assert len({name.casefold() for name in snippets}) == len(hosts)
    for name in snippets:
        assert PurePosixPath(name).name == name
        assert name.isascii()
        assert name.isprintable()
        assert " " not in name
        assert name[0] not in ".-~"
        assert len(name) < 200


@pytest.mark.parametrize("name", ["web1", "web-1.example.com", "192.0.2.7", "web_1"])
def test_the_files_of_plain_names_are_plain(name: str) -> None:
    """As they are in host_vars."""
    assert list(report_text.snippets(fleet.report(fleet.host(name)))) == [f"{name}.yml"]
