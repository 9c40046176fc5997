# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import configparser

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import companion, companion_texts, companion_units
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service.companion_units import Common

SERVICE = """\
# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.
[Unit]
Description=shop
[Service]
Type=notify
NotifyAccess=main
User=shop
Environment=A=1
Environment=GUNICORN_CONFIGURATION=abc
EnvironmentFile=/etc/opt/shop/secrets.env
WorkingDirectory=/etc/opt/shop
ExecStart=/opt/shop/venv/bin/gunicorn shop.wsgi
ExecStartPost=/bin/true
ExecReload=/bin/sh -c "kill -HUP \\"$$MAINPID\\""
KillMode=mixed
Restart=always
TimeoutStopSec=40
ProtectSystem=strict
MemoryMax=1G
CPUQuota=50%
TasksMax=10
Slice=web.slice
[Install]
WantedBy=multi-user.target
"""
COMMON = Common("shop", SERVICE, "/opt/shop/releases/a1", "/opt/shop/venv-1", "f1")


def made(generation: int = 3, common: Common = COMMON, **options: object) -> dict[str, str]:
    """The texts of the units of the companion mail."""
    given = {"mail": {"command": "celery worker", **options}}
    (wanted,) = companion.parse(given, "/var/log/shop/gunicorn.log")
    return companion_units.texts(common, wanted, generation)


def values(text: str, section: str, name: str) -> list[str]:
    """The values of a directive."""
    found, current = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            current = line
        elif current == f"[{section}]" and line.startswith(f"{name}="):
            found.append(line.partition("=")[2])
    return found


def test_one_unit_stands_for_all_processes() -> None:
    """It is what a person starts and stops, and what is enabled; what it wants says which generation is live."""
    texts = made(instances=2)
    assert sorted(texts) == ["shop-mail.service", "shop-mail@3-1.service", "shop-mail@3-2.service"]
    stands = texts["shop-mail.service"]
    assert values(stands, "Unit", "Wants") == ["shop-mail@3-1.service shop-mail@3-2.service"]
    assert values(stands, "Install", "WantedBy") == ["multi-user.target"]
    assert values(stands, "Service", "Type") == ["oneshot"]
    for name in ("shop-mail@3-1.service", "shop-mail@3-2.service"):
        assert values(texts[name], "Unit", "PartOf") == ["shop-mail.service"]
        assert values(texts[name], "Install", "WantedBy") == []


def test_a_process_has_the_user_the_environment_and_the_sandbox_of_the_service() -> None:
    """But nothing that makes it a web service, nor the limits of that one."""
    text = made()["shop-mail@3-1.service"]
    assert values(text, "Service", "User") == ["shop"]
    assert values(text, "Service", "EnvironmentFile") == ["/etc/opt/shop/secrets.env"]
    assert values(text, "Service", "ProtectSystem") == ["strict"]
    assert values(text, "Service", "Slice") == ["web.slice"]
    assert values(text, "Service", "Type") == ["exec"]
    for name in ("NotifyAccess", "ExecStartPost", "ExecReload", "MemoryMax", "CPUQuota", "TasksMax"):
        assert values(text, "Service", name) == []
    environment = values(text, "Service", "Environment")
    assert environment[0] == "A=1"
    assert "GUNICORN_COMPANION=mail" in environment
    assert "GUNICORN_COMPANION_INSTANCE=3-1" in environment
    assert not [item for item in environment if "GUNICORN_CONFIGURATION" in item]


def test_a_process_runs_in_its_release_with_its_virtual_environment() -> None:
    """By their real paths, so that it can finish there after others have gone live."""
    text = made()["shop-mail@3-1.service"]
    assert values(text, "Service", "WorkingDirectory") == ["/opt/shop/releases/a1"]
    (path,) = [item for item in values(text, "Service", "Environment") if item.startswith("PATH=")]
    assert path.startswith("PATH=/opt/shop/venv-1/bin:/usr/local/sbin:")


def test_a_path_of_the_user_is_taken() -> None:
    common = COMMON._replace(unit=SERVICE.replace("A=1", "PATH=/srv/bin"))
    environment = values(made(common=common)["shop-mail@3-1.service"], "Service", "Environment")
    assert [item for item in environment if item.startswith("PATH=")] == ["PATH=/srv/bin"]
    environment = values(made(environment={"PATH": "/srv/own"})["shop-mail@3-1.service"], "Service", "Environment")
    assert [item for item in environment if item.startswith("PATH=")] == ["PATH=/srv/own"]


def test_another_virtual_environment_at_the_same_path_is_another_process() -> None:
    assert made() != made(common=COMMON._replace(fingerprint="f2"))


def test_a_process_opens_its_log_as_its_own_user() -> None:
    """systemd would open it as root, where the user can put a link."""
    text = made()["shop-mail@3-1.service"]
    (command,) = values(text, "Service", "ExecStart")
    assert command == (
        '/bin/sh -c "log=$$1; shift; exec \\"$$@\\" >>\\"$$log\\" 2>&1" mail /var/log/shop/mail.log celery worker'
    )
    assert "StandardOutput" not in text


def test_words_are_quoted_and_placeholders_filled_in() -> None:
    """The rest reaches the program as it was written; the host's name comes from systemd."""
    text = made(log_file="-", command=["celery", "-n", "{instance}@{hostname}", "%h", "$HOME", 'a "b"'])
    (command,) = values(text["shop-mail@3-1.service"], "Service", "ExecStart")
    assert command == '/bin/sh -c "exec \\"$$@\\"" mail celery -n "3-1@%H" "%%h" "$$HOME" "a \\"b\\""'


def test_limits_and_directives_are_its_own() -> None:
    text = made(memory_max="512M", cpu_quota="20%", directives={"Nice": 5, "Restart": "on-failure", "UMask": "0077"})
    process = text["shop-mail@3-1.service"]
    for name, value in (("MemoryMax", "512M"), ("CPUQuota", "20%"), ("Nice", "5"), ("Restart", "on-failure")):
        assert values(process, "Service", name) == [value]
    # The last one counts.
    assert values(process, "Service", "UMask")[-1] == "0077"


def test_variables_are_added() -> None:
    """To those that tell it its name."""
    environment = values(made(environment={"B": "2"})["shop-mail@3-1.service"], "Service", "Environment")
    assert {"A=1", "B=2", "GUNICORN_COMPANION=mail"} <= set(environment)


def test_it_has_time_to_finish() -> None:
    text = made(stop_signal="INT", stop_timeout=3600)
    for name in ("shop-mail@3-1.service", "shop-mail.service"):
        assert values(text[name], "Service", "KillSignal") == ["SIGINT"]
        assert values(text[name], "Service", "TimeoutStopSec") == ["3600"]
    # Celery loses the tasks of its children if they get the signal as well.
    assert values(text["shop-mail@3-1.service"], "Service", "KillMode") == ["mixed"]
    job = made(calendar="daily", stop_signal="INT", stop_timeout=3600)["shop-mail.service"]
    for name, value in (("KillSignal", "SIGINT"), ("TimeoutStopSec", "3600"), ("KillMode", "mixed")):
        assert values(job, "Service", name) == [value]


def test_what_is_single_is_one_unit() -> None:
    texts = made(single=True)
    (text,) = texts.values()
    assert list(texts) == ["shop-mail.service"]
    assert values(text, "Service", "Type") == ["exec"]
    assert values(text, "Install", "WantedBy") == ["multi-user.target"]


def test_a_job_has_a_timer() -> None:
    texts = made(calendar="*-*-* 03:30", persistent=True)
    assert sorted(texts) == ["shop-mail.service", "shop-mail.timer"]
    assert values(texts["shop-mail.service"], "Service", "Type") == ["oneshot"]
    assert values(texts["shop-mail.service"], "Service", "Restart") == []
    assert values(texts["shop-mail.service"], "Install", "WantedBy") == []
    assert values(texts["shop-mail.timer"], "Timer", "OnCalendar") == ["*-*-* 03:30"]
    assert values(texts["shop-mail.timer"], "Timer", "Persistent") == ["yes"]
    assert values(texts["shop-mail.timer"], "Install", "WantedBy") == ["timers.target"]


@pytest.mark.parametrize("options", [{}, {"single": True}, {"calendar": "daily"}])
def test_each_unit_says_whose_it_is(options: dict) -> None:
    for text in made(**options).values():
        assert companion_texts.owner_of(text) == ("shop", "mail")
        # Also as systemd reads it
        configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True).read_string(text)


@pytest.mark.parametrize(
    ("options", "stands_for"),
    [({"instances": 2}, ["shop-mail@3-1.service", "shop-mail@3-2.service"]), ({"single": True}, [])],
)
def test_a_unit_says_for_which_processes_it_stands(options: dict, stands_for: list[str]) -> None:
    """What is single is the process itself. Units of others that it wants are no processes of it."""
    text = made(**options)["shop-mail.service"].replace("[Unit]", "[Unit]\nWants=redis.service shop-news@1-1.service")
    assert companion_texts.stands_for("shop-mail.service", text) == stands_for


@pytest.mark.parametrize(
    ("unit", "instance"),
    [("shop-mail@12-3.service", "12-3"), ("shop-mail.service", "1"), ("shop-mail@x-1.service", "x-1")],
)
def test_the_name_of_a_unit_says_which_process_it_is(unit: str, instance: str) -> None:
    assert companion_units.instance_of(unit) == instance
