# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the launcher of a service under supervisor is told, and where it keeps its files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import files
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import names
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import directives as supervisor_directives
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.addresses import Address

PYTHON = "/usr/bin/python3"
LAUNCHER = "gunicorn.launch.py"
DESCRIPTION = "gunicorn.launch.json"
_DESCRIPTION = re.compile(r"gunicorn\.launch\.([a-z0-9_-]+\.)?json")
CONSOLE = "console.log"
# supervisor waits a second longer after each attempt, and gives up after this many: it must never give up.
_RETRIES = 1_000_000


def describe_sockets(binds: list[Address], directives: dict) -> list[dict]:
    """The addresses as the launcher opens them. The directives are those of a socket unit."""
    only_ipv6 = directives.get("BindIPv6Only") == "ipv6-only"
    who = {name: directives.get(f"Socket{name.capitalize()}") for name in ("user", "group", "mode")}
    return [
        {"path": bind.path, "owner": who["user"], "group": who["group"], "mode": who["mode"]}
        if bind.path
        else {"host": bind.host, "port": bind.port, "only_ipv6": only_ipv6 and ":" in (bind.host or "")}
        for bind in binds
    ]


def describe(name: str, given: dict, sockets: list[dict], credentials: list[str]) -> dict:
    """What the launcher is told of the live service."""
    folder = given["config_directory"]
    return {
        "user": given["user"],
        "group": given["group"],
        "directory": given["directory"],
        **supervisor_directives.process_options(given["service_directives"])._asdict(),
        "environment": given["environment"],
        "secrets_file": os.path.join(folder, "secrets.env") if given["secrets"] else "",
        "credentials": {each: os.path.join(folder, "credentials", each) for each in credentials},
        "command": given["command"],
        "sockets": sockets,
        **_places(name),
    }


def describe_trial(name: str, live: dict, command: list[str]) -> dict:
    """What the launcher is told of a trial: the files beside the live ones, on a socket that root alone can open."""
    secrets = live["secrets_file"]
    return {
        **live,
        **_places(standin(name)),
        "sockets": [{"path": trial_socket(name), "owner": "root", "group": "root", "mode": "0600"}],
        "secrets_file": secrets and files.beside(secrets, files.CANDIDATE),
        "credentials": {
            each: files.beside(path, files.CANDIDATE) for each, path in live["credentials"].items()
        },
        "command": command,
    }  # fmt: skip


def describe_command(name: str, live: dict, command: list[str], directory: str, environment: dict) -> dict:
    """What the launcher is told of a command that runs as the live service does; of variables, the service's count."""
    return {
        **live,
        **_places(name),
        "sockets": [],
        "command": command,
        "directory": directory,
        "environment": {**environment, **live["environment"]},
    }


def describe_companion(program: str, live: dict, **own: object) -> dict:
    """What the launcher is told of the processes of a companion: that of the service, but for its `own`."""
    return {**live, **_places(program), "sockets": [], **own}


def standin(name: str) -> str:
    """The name of a trial; no service can have it."""
    return f"{name}-standin"


def step(name: str) -> str:
    """The name of what runs a step of a release of a service; no service can have it."""
    return f"{name}-step"


def others(name: str) -> tuple[str, ...]:
    """The names of what may run for a service beside it."""
    return standin(name), step(name)


def folder_of_step(name: str) -> str:
    """Where the secrets of a step are while it runs, and its output, for root alone."""
    return f"{_places(step(name))['state']}.private"


def _places(name: str) -> dict[str, str]:
    return {"runtime_directory": f"/run/gunicorn/{name}", "state": f"/run/gunicorn-{name}"}


def runtime_paths(name: str) -> list[str]:
    """What the launcher makes in /run for a service, or for a trial under its name."""
    return [runtime_directory(name), f"{_places(name)['state']}.credentials", group_note(name)]


def runtime_directory(name: str) -> str:
    """The RUNTIME_DIRECTORY of a service, or of a trial under its name."""
    return _places(name)["runtime_directory"]


def group_note(name: str) -> str:
    """Where the launcher notes the process group of what it started."""
    return f"{_places(name)['state']}.group"


def trial_socket(name: str) -> str:
    """Where a trial listens."""
    return f"/run/gunicorn-{standin(name)}.sock"


def program_options(name: str, folder: str, enabled: bool, stop_timeout: int, configuration: str) -> dict[str, str]:
    """The options of the service's program."""
    return {
        "command": command(folder, DESCRIPTION, configuration),
        **options(enabled, 1, "TERM", stop_timeout),
        "stdout_logfile": os.path.join(programs.LOGS, name, CONSOLE),
    }


def command(folder: str, description: str, configuration: str) -> str:
    """How supervisor calls the launcher with a description that is in the same folder."""
    paths = (os.path.join(folder, each) for each in (LAUNCHER, description))
    return programs.command_line([PYTHON, "-I", "-X", "utf8", *paths, configuration])


def options(enabled: bool, start_seconds: int, stop_signal: str, stop_timeout: int) -> dict[str, str]:
    """The options of a program that says how it starts and ends, and whose output is one."""
    return {
        "autostart": str(enabled).lower(),
        "autorestart": "true",
        "startsecs": str(start_seconds),
        "startretries": str(_RETRIES),
        # Only the first process gets the signal, and lets its own finish. What is left then is killed with all of them.
        "stopsignal": stop_signal,
        "stopasgroup": "false",
        "stopwaitsecs": str(stop_timeout),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "3",
    }


def journal_of(name: str) -> str:
    """Where a change under supervisor notes how to go back: beside the program, where only root can write."""
    return os.path.join(programs.PROGRAMS, f".{name}.gunicorn-switch.json")


def unix_sockets(description: str | None) -> tuple[str, ...]:
    """The paths of the unix sockets that a description names."""
    try:
        return tuple(each["path"] for each in json.loads(description or "{}").get("sockets", ()) if "path" in each)
    except (ValueError, AttributeError, TypeError):
        return ()


def describes(description: str, name: str) -> bool:
    """Whether a text is the description of this service."""
    try:
        return json.loads(description)["state"] == _places(name)["state"]
    except (ValueError, KeyError, TypeError):
        return False


def descriptions_in(text: str) -> list[str]:
    """The paths of the descriptions that programs of the role name in a file of supervisor."""
    commands = re.findall(r"^command=(.*)$", text.replace("%%", "%"), re.MULTILINE) if names.is_ours(text) else []
    words: list[str] = []
    for each in commands:
        # supervisor refuses what can't be split, too
        with contextlib.suppress(ValueError):
            words += shlex.split(each)
    return [word for word in words if _DESCRIPTION.fullmatch(os.path.basename(word))]
