# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

LOG = "/var/log/shop/gunicorn.log"
BAD_INPUT = Path(__file__).parents[4] / "fixtures" / "bad_input.yml"


def parsed(log_file: str = LOG, **options: object) -> companion.Companion:
    """The companion mail with these options."""
    (found,) = companion.parse({"mail": {"command": "celery --app shop worker", **options}}, log_file)
    return found


def test_a_command_is_enough() -> None:
    """Its words are those of a shell; its log is beside that of the service."""
    found = parsed()
    assert found == companion.Companion(
        "mail", ("celery", "--app", "shop", "worker"), log_file="/var/log/shop/mail.log"
    )
    assert (found.overlaps, found.is_job) == (True, False)


def test_all_options() -> None:
    found = parsed(
        command=["sleep", 5],
        instances=2,
        stop_signal="SIGQUIT",
        stop_timeout=7200,
        memory_max="512M",
        cpu_quota="150%",
        directives={"Nice": 5},
        environment={"QUEUE": 1},
        check="celery inspect ping",
        check_timeout=90,
        start_seconds=10,
        log_file="-",
    )
    assert found == companion.Companion(
        name="mail",
        command=("sleep", "5"),
        instances=2,
        stop_signal="QUIT",
        stop_timeout=7200,
        memory_max="512M",
        cpu_quota="150%",
        directives={"Nice": 5},
        environment={"QUEUE": "1"},
        check=("celery", "inspect", "ping"),
        check_timeout=90,
        start_seconds=10,
        log_file="-",
    )


def test_what_is_single_does_not_overlap() -> None:
    assert not parsed(single=True).overlaps


def test_a_job_has_a_calendar() -> None:
    found = parsed(calendar="Mon..Fri *-*-* 03:30", persistent=True)
    assert (found.calendar, found.persistent, found.is_job, found.overlaps) == (
        "Mon..Fri *-*-* 03:30",
        True,
        True,
        False,
    )


def test_what_logs_to_the_journal_has_companions_that_do() -> None:
    assert parsed(log_file="-").log_file == "-"


def test_an_option_without_a_value_is_as_if_it_were_not_there() -> None:
    assert parsed(check=None, instances=None) == parsed()


def test_they_are_in_the_order_of_their_names() -> None:
    """Or a mapping in another order would be a change."""
    both = {"worker": {"command": "a"}, "beat": {"command": "b"}}
    assert [each.name for each in companion.parse(both, "-")] == ["beat", "worker"]


def test_placeholders_are_filled_in() -> None:
    command = ("celery", "--hostname=mail-{instance}@{hostname}", "{other}")
    assert companion.filled_in(command, "3-1", "web1") == ["celery", "--hostname=mail-3-1@web1", "{other}"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"calendar": "hourly", "instances": 2}, "gunicorn_companions['mail']['instances']: 2"),
        ({"calendar": "hourly", "check": "true"}, "gunicorn_companions['mail']['check']: 'true'"),
        ({"persistent": True}, "gunicorn_companions['mail']['persistent']: True"),
        ({"check_timeout": 5}, "gunicorn_companions['mail']['check_timeout']: 5"),
        ({"single": True, "instances": 2}, "gunicorn_companions['mail']['instances']: 2"),
        ({"log_file": LOG}, f"gunicorn_companions['mail']['log_file']: '{LOG}'"),
    ],
)
def test_what_has_no_meaning_together_is_refused(options: dict, named: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        companion.parse({"mail": {"command": "x", **options}}, LOG)
    assert str(caught.value).startswith(f"{named} can't be used: expected ")


def refused() -> list[dict[str, Any]]:
    """What the scenario bad_input gives to the role, but for what Ansible or the host refuses."""
    rows = yaml.safe_load(BAD_INPUT.read_text(encoding="utf-8"))["companions"]
    return [row for row in rows if "says" not in row and not row.get("host")]


@pytest.mark.parametrize("row", refused(), ids=lambda row: f"{row['names']}-{ascii(row['shows'])[:40]}")
def test_bad_input_is_refused(row: dict[str, Any]) -> None:
    """The error names the option, and has the value as it was given."""
    log_file = row.get("also", {}).get("gunicorn_log_file", LOG)
    with pytest.raises(InvalidValue) as caught:
        companion.parse(row["value"], log_file)
    assert (caught.value.variable, caught.value.value) == (row["names"], row["shows"])


@pytest.mark.parametrize("value", ["512M", " 512M\n"])
def test_space_around_a_limit_is_left_out(value: str) -> None:
    """A newline, which YAML's block scalars have, would begin another line of the unit."""
    assert parsed(memory_max=value).memory_max == "512M"


def test_a_limit_in_bytes_is_a_number() -> None:
    assert parsed(memory_max=1 << 29).memory_max == "536870912"
