# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing.demand import Demand
from ansible_collections.pyweb.gunicorn.plugins.modules import gunicorn_sizing_info

A_HOST = {"cpus": 2, "memory": "16000M"}
RETURN = yaml.safe_load(gunicorn_sizing_info.RETURN)
EXAMPLES = yaml.safe_load(gunicorn_sizing_info.EXAMPLES)


class Answer(t.NamedTuple):
    code: int
    result: dict[str, t.Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., Answer]:
    """Run the module with options, as Ansible does, and return its exit code and what it printed."""

    def run_module(check_mode: bool = False, **options: object) -> Answer:
        with patch_module_args({**options, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit) as ended:
            gunicorn_sizing_info.main()
        return Answer(ended.value.code, json.loads(capsys.readouterr().out))  # type: ignore[arg-type]

    return run_module


def test_it_returns_the_number_and_how_it_came_about(run: t.Callable[..., Answer]) -> None:
    """The whole result, for a host that is handed in."""
    code, result = run(**A_HOST)
    assert code == 0
    del result["invocation"]
    assert result == {
        "changed": False,
        "workers": 5,
        "threads": 1,
        "worker_class": "sync",
        "bounds": {"cpu": 5, "memory": 99, "tasks": None, "minimum": 1, "maximum": None},
        "connections": {"steady": 5, "changing": 10},
        "decided_by": "cpu",
        "fits": True,
        "reason": (
            "5 workers: 2 CPUs (as given) x (1 + wait ratio 1) + 1 = 5 by CPU; 16000 MiB (as given) - 3200 MiB reserve "
            "- 32 MiB master holds 99 workers of 128 MiB, so CPU decides."
        ),
        "host": {
            "cpus": 2.0,
            "cpus_limited_by": "option",
            "cpus_source": None,
            "memory": 16000 << 20,
            "memory_limited_by": "option",
            "memory_source": None,
        },
    }


def test_every_option_reaches_the_rule(run: t.Callable[..., Answer]) -> None:
    """Each option changes the answer in the way it is documented to."""

    def workers(**options: object) -> int:
        return run(**{**A_HOST, **options}).result["workers"]

    assert workers(memory_per_worker="4000M") == 3
    assert workers(memory_reserve="15584M") == 3
    assert workers(memory_reserve="0", memory_per_worker="3992M") == 4
    assert workers(wait_ratio=0) == 3
    assert workers(worker_class="gevent") == 2
    assert workers(worker_class="gthread", wait_ratio=20) == 3
    assert workers(threads=4) == 2
    assert workers(minimum=9) == 9
    assert workers(maximum=4) == 4
    assert workers(share=0.5) == 3
    assert workers(cpus=1.5) == 4
    assert workers(memory="512M") == 2
    assert workers(service_directives={"MemoryMax": "512M", "MemoryHigh": "infinity"}) == 3
    assert workers(service_directives={"MemoryMax": "2%"}) == 2
    assert workers(service_directives={"CPUQuota": "50%"}) == 2
    assert workers(service_directives={"TasksMax": 20, "Nice": 5}) == 2


def test_it_reads_the_host_it_runs_on(run: t.Callable[..., Answer]) -> None:
    """Without options the answer is about this host, and is the same in check mode and on the next run."""
    first, second, checked = run().result, run().result, run(check_mode=True).result
    assert first["host"]["memory_source"].startswith("/")
    assert first["host"]["cpus_source"].startswith("/")
    assert first["workers"] == second["workers"] == checked["workers"] >= 1


def test_the_slice_is_handed_on(run: t.Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of this slice count."""
    asked = []
    real = answer.read_host
    monkeypatch.setattr(answer, "read_host", lambda name, **given: asked.append(name) or real(name, **given))
    run(**A_HOST)
    run(slice="web-shop.slice", **A_HOST)
    assert asked == ["system.slice", "web-shop.slice"]


def test_a_host_that_is_too_small_is_warned_of(run: t.Callable[..., Answer]) -> None:
    """The warning is one of Ansible's own, and the module succeeds."""
    code, result = run(cpus=2, memory="200M")
    assert (code, result["workers"], result["fits"]) == (0, 1, False)
    assert len(result["warnings"]) == 1
    assert "Not even one worker" in str(result["warnings"][0])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("memory_per_worker", "0"),
        ("memory_per_worker", "128"),
        ("memory_per_worker", "lots"),
        ("memory_reserve", "-1M"),
        ("memory", "0"),
        ("memory", "16"),
        ("wait_ratio", -1.0),
        ("worker_class", "gthred"),
        ("threads", 0),
        ("minimum", 0),
        ("maximum", 0),
        ("share", 0.0),
        ("share", 1.5),
        ("slice", ""),
        ("slice", "system"),
        ("slice", "a/b.slice"),
        ("cpus", 0.0),
        ("cpus", -1.0),
        ("service_directives['MemoryMax']", "512MB"),
        ("service_directives['CPUQuota']", "150"),
    ],
)
def test_a_bad_value_is_named_in_one_error(run: t.Callable[..., Answer], option: str, value: object) -> None:
    """The message says which option, which value, and what was expected."""
    name, _bracket, key = option.rstrip("']").partition("['")
    code, result = run(**{name: {key: value} if key else value})
    assert (code, result["failed"]) == (1, True)
    assert result["msg"].startswith(f"{option}: {value!r} can't be used: expected ")


@pytest.mark.parametrize("option", ["wait_ratio", "share", "cpus"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_refused(run: t.Callable[..., Answer], option: str, value: str) -> None:
    """Ansible itself lets them through as floats."""
    assert run(**{option: value}).result["msg"].startswith(f"{option}: {value} can't be used: expected ")


def test_a_host_that_can_not_be_read_is_an_error_that_says_what_to_do(
    run: t.Callable[..., Answer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No traceback on a host without /proc."""
    real = answer.read_host
    monkeypatch.setattr(answer, "read_host", lambda name, **given: real(name, root=str(tmp_path), **given))
    code, result = run(memory="1G")
    assert code == 1
    assert result["msg"].endswith("set the option cpus")


def test_without_options_the_demand_is_the_default(
    run: t.Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defaults of the options and those of the rule are the same values."""
    demands = []
    real = answer.size_workers
    monkeypatch.setattr(
        answer,
        "size_workers",
        lambda host, demand, *limits: demands.append(demand) or real(host, demand, *limits),
    )
    run(**A_HOST)
    assert demands == [Demand()]


def test_options_are_documented_as_they_are(specs_of: t.Callable[..., tuple[dict, dict]]) -> None:
    """Names, types and defaults of the argument spec and of the documentation are the same."""
    spec, documented = specs_of(gunicorn_sizing_info)
    assert documented == spec
    defaults = {name: option.get("default") for name, option in spec.items()}
    assert defaults == answer.DEFAULTS, "what the role does not give has the same value"


def test_what_is_returned_is_documented(run: t.Callable[..., Answer]) -> None:
    """Every key of the result, and of the dictionaries in it, is in RETURN, and the other way round."""
    result = run(cpus=1, memory="200M").result
    assert set(result) - {"changed", "invocation"} == set(RETURN)
    for name in ("bounds", "host"):
        assert set(result[name]) == set(RETURN[name]["contains"]) == set(RETURN[name]["sample"])


@pytest.mark.parametrize("task", [task for task in EXAMPLES if "pyweb.gunicorn.gunicorn_sizing_info" in task])
def test_the_examples_work(run: t.Callable[..., Answer], task: dict[str, t.Any]) -> None:
    """None of the examples fails."""
    assert run(**(task["pyweb.gunicorn.gunicorn_sizing_info"] or {})).code == 0
