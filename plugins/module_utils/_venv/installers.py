# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs pip or uv so that it installs into the virtual environment and nowhere else."""

from __future__ import annotations

import inspect
import json
import os
import re
import tempfile
from typing import Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import pip_configuration, pip_runner, uv
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState

_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^\s;]+(?: ;.*)?$")


def run(
    wanted: VenvSpec,
    directory: str,
    arguments: list[str],
    environment: Mapping[str, str],
    runner: Runner,
    kept: str = "",
) -> tuple[int, str, str]:
    """Run the installer with these arguments of `install`; returns its exit code, its output and its errors.

    `kept` is a file of constraints, which say what stays. The run fails where they conflict with the requirements, and
    never takes an old version for their sake that the installer would not take without them.
    """
    python, folder = venv_state.python_of(directory), wanted.asked.folder
    if wanted.installer == "uv":
        shown, hidden = uv.split_arguments(arguments)
        all_environment = {**environment, **hidden, "UV_WORKING_DIR": folder}
        if kept:
            _prefer(kept, python, shown, all_environment, Runner(runner.run, cwd=folder))
            shown.append(f"--constraint={kept}")
        # The service's user can't write there, and would compile everything at each start.
        command = [uv.find(), "pip", "install", f"--python={python}", "--compile-bytecode", *shown]
        return runner.run(command, data="", environ_update=all_environment, cwd=folder)
    command = [python, "-I", "-c", inspect.getsource(pip_runner)]
    if kept:
        arguments = [*arguments, f"--constraint={kept}"]
        command.append(pip_runner.FIRST_CHOICE)
    data = json.dumps(["pip", "install", "--no-input", "--disable-pip-version-check", *arguments])
    with tempfile.TemporaryDirectory(prefix="gunicorn-venv-") as temporary:
        confined = pip_configuration.kept_to_the_venv(
            {**os.environ, **environment}, directory, os.path.join(temporary, "pip.conf")
        )
        return runner.run(command, data=data, environ_update={**environment, **confined}, cwd=folder)


def _prefer(kept: str, python: str, arguments: list[str], environment: Mapping[str, str], runner: Runner) -> None:
    """Have uv put what goes together into a file of constraints, where what is in there is only preferred.

    The file stays as it is if uv can't: its `compile` does not have all options of its `install`.
    """
    option = "--requirement="
    files = [argument[len(option) :] for argument in arguments if argument.startswith(option)]
    others = [argument for argument in arguments if not argument.startswith(option)]
    command = [uv.find(), "pip", "compile", f"--python={python}", "--no-header", "--no-annotate"]
    code, _output, _errors = runner.run(
        [*command, f"--output-file={kept}", *others, *files], data="", environ_update=environment
    )
    if code:
        return
    with open(kept, encoding="utf-8") as file:
        pins = [line for line in file if _PIN.match(line)]
    # Constraints can't be editable, or without a name.
    with open(kept, "w", encoding="utf-8") as file:
        file.writelines(pins)


def check(wanted: VenvSpec, state: VenvState, found: Requirements) -> None:
    """Raise VenvError if the installer has said that all is installed, and the venv does not have it."""
    required = [item for item in found.items if item.name and item.applies and not item.is_constraint]
    lacks = sorted({"gunicorn", *(item.name for item in required)} - set(state.versions))
    if not lacks:
        return
    where = "/etc/uv/uv.toml, ~/.config/uv/uv.toml, UV_*" if wanted.installer == "uv" else "pip config list, PIP_*"
    raise VenvError(
        f"gunicorn_venv: {wanted.installer} says that it has installed everything, but {wanted.path}, which is as it "
        f"was before, would lack {values_text.shown(', '.join(lacks))}. What configures {wanted.installer} on the host "
        f"({where}) leads elsewhere, for example by target or prefix."
    )
