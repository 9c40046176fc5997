# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import settings as plan_settings
from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan.settings import check_settings
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

SPEC = Path(__file__).parents[5] / "roles" / "gunicorn" / "meta" / "argument_specs.yml"
REFUSED = {**plan_settings._OTHER_VARIABLE, **plan_settings._NOT_HERE}


@pytest.mark.parametrize(
    "settings", [{}, {"graceful_timeout": 30, "max_requests": 1000}, {"no_such_setting": 1}, {"preload_app": True}]
)
def test_other_settings_are_left_to_gunicorn(settings: dict) -> None:
    """Only the installed Gunicorn knows which settings it has."""
    check_settings(settings)


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_a_setting_that_does_not_belong_here_is_refused(name: str, reason: str) -> None:
    """Whatever its value, the message names the setting, the value, and the variable to use or the reason."""
    for value in (None, True, 3, 4, "x", "root", ":80", "/run/a"):
        with pytest.raises(InvalidValue) as caught:
            check_settings({"timeout": 30, name: value})
        message = str(caught.value)
        assert message.startswith(f"gunicorn_settings['{name}']: {value!r} can't be used: expected ")
        assert message.endswith(reason)


def test_dirty_apps_without_workers() -> None:
    """Gunicorn would start, and answer each request that needs one with an error."""
    check_settings({"dirty_apps": ["jobs:Model"], "dirty_workers": 1})
    for more in ({}, {"dirty_workers": 0}):
        with pytest.raises(InvalidValue, match=r"gunicorn_settings\['dirty_apps'\]: \['jobs:Model'\] can't be used: "):
            check_settings({"dirty_apps": ["jobs:Model"], **more})


def test_a_paste_file(known_settings: dict[str, list[str]]) -> None:
    """The message has the module to write instead."""
    with pytest.raises(InvalidValue) as caught:
        check_settings({"paste": "/etc/opt/shop/production.ini#web"})
    assert str(caught.value) == (
        "gunicorn_settings['paste']: '/etc/opt/shop/production.ini#web' can't be used: expected no such setting, but a "
        'module that loads the file: project/wsgi.py with "from pyramid.paster import get_app; application = '
        "get_app('/etc/opt/shop/production.ini', 'web')\", and gunicorn_app: project.wsgi:application"
    )
    assert {"paste", "raw_paste_global_conf"} <= {name for names in known_settings.values() for name in names}


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x = 1\nimport os #"])
def test_what_is_no_name_of_a_setting(name: str) -> None:
    """Python would read it as something else, or not at all."""
    with pytest.raises(InvalidValue) as caught:
        check_settings({"timeout": 30, name: 1})
    assert str(caught.value) == f"gunicorn_settings: {name!r} can't be used: expected names of Gunicorn's settings"


def test_the_variables_that_are_named_exist() -> None:
    """An error does not send people to a variable that the role does not have."""
    options = yaml.safe_load(SPEC.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    assert {reason.split()[-1] for reason in plan_settings._OTHER_VARIABLE.values()} <= set(options)


def test_every_name_is_a_setting(known_settings: dict[str, list[str]]) -> None:
    """A misspelt name here would refuse nothing: each is a setting of one of the Gunicorns that are supported."""
    assert set(REFUSED) <= {name for names in known_settings.values() for name in names}
