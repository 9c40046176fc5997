# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that write values into systemd's unit files; each is documented in the file of its name."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import credentials, quoting
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.environment import RESERVED_ENVIRONMENT
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._characters import on_one_line


def _environment(variables: dict) -> list:
    return [quoting.environment_assignment(name, value) for name, value in variables.items()]


def _environment_file(variables: dict) -> list:
    return [quoting.environment_file_line(name, value) for name, value in variables.items()]


def _unfit_secrets(secrets: dict) -> list:
    """The names of the secrets that can't be passed to a process; no values, since an error would show them."""
    return [on_one_line(str(name)) for name, value in secrets.items() if not _is_fit(name, value)]


def _is_fit(name: object, value: object) -> bool:
    if not isinstance(value, str) or name in RESERVED_ENVIRONMENT:
        return False
    try:
        quoting.environment_file_line(name, value)
    except (TypeError, ValueError):
        return False
    return True


def _unfit_credentials(contents: dict) -> list:
    """The names of the credentials that a service can't be given; no contents, since an error would show them."""
    return [on_one_line(str(name)) for name, content in contents.items() if not _is_fit_credential(name, content)]


def _is_fit_credential(name: object, content: object) -> bool:
    return credentials.is_name(name) and isinstance(content, str) and "\0" not in content


def _arguments(arguments: list) -> str:
    return " ".join(quoting.command_argument(argument) for argument in arguments)


def _directives(wanted: dict, drop_in: dict | None = None) -> list:
    return quoting.directives(quoting.with_drop_in(wanted, drop_in or {}))


def _as_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except ValueError as error:
            raise AnsibleFilterError(f"{name}: {error}") from error

    return wrapper


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict:
        functions = {
            "systemd_environment": _environment,
            "systemd_environment_file": _environment_file,
            "unfit_secrets": _unfit_secrets,
            "unfit_credentials": _unfit_credentials,
            "systemd_arguments": _arguments,
            "systemd_text": quoting.text,
            "systemd_directives": _directives,
        }
        return {name: _as_filter(name, function) for name, function in functions.items()}
