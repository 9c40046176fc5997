# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the settings of Gunicorn: some have a variable of their own, and others would undo what the role does."""

from __future__ import annotations

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

_OTHER_VARIABLE = {
    "bind": "gunicorn_bind",
    "workers": "gunicorn_workers",
    "threads": "gunicorn_threads",
    "worker_class": "gunicorn_worker_class",
    "errorlog": "gunicorn_log_file",
    "accesslog": "gunicorn_access_log_file",
    "wsgi_app": "gunicorn_app",
    "user": "gunicorn_user",
    "group": "gunicorn_group",
    "pythonpath": "PYTHONPATH in gunicorn_environment",
    "raw_env": "gunicorn_environment",
}
_NOT_HERE = {
    "daemon": "systemd watches the process that it starts",
    "pidfile": "systemd knows the process id",
    "reuse_port": "systemd holds the listening sockets, and Gunicorn would ignore them",
    "check_config": "it would end the service at once",
    "print_config": "it would end the service at once",
    "raw_paste_global_conf": "no Paste file is loaded; give get_app() global_conf in your WSGI module",
    "config": "the role's own file is the configuration",
}


def check_settings(settings: dict) -> None:
    """Raise InvalidValue for a setting that does not belong in gunicorn_settings."""
    for name, value in settings.items():
        # Python will read the name in gunicorn.conf.py.
        if not isinstance(name, str) or not name.isidentifier():
            raise InvalidValue("gunicorn_settings", name, "names of Gunicorn's settings")
        if name in _OTHER_VARIABLE:
            raise InvalidValue(
                f"gunicorn_settings['{name}']", value, f"no such setting, but the variable {_OTHER_VARIABLE[name]}"
            )
        if name == "paste":
            raise InvalidValue(
                f"gunicorn_settings['{name}']", value, f"no such setting, but {checks.wsgi_module(value)}"
            )
        if name in _NOT_HERE:
            raise InvalidValue(f"gunicorn_settings['{name}']", value, f"no such setting here: {_NOT_HERE[name]}")
    if settings.get("dirty_apps") and not settings.get("dirty_workers"):
        expected = "gunicorn_settings['dirty_workers'] beside it: without a number, Gunicorn starts none"
        raise InvalidValue("gunicorn_settings['dirty_apps']", settings["dirty_apps"], expected)
