# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How packages get into a virtual environment, by pip or by uv."""

from __future__ import annotations

import os
import re
import shutil
import tempfile

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import commands, probe, requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def make(wanted: VenvSpec, python: str, directory: str, runner: Runner) -> None:
    """Make a virtual environment that is empty. `install` brings pip, since venv would swallow ensurepip's errors."""
    command = [python, "-I", "-m", "venv", directory, "--without-pip"]
    if os.path.isfile(os.path.join(wanted.path, "pyvenv.cfg")):
        sees_system = venv_state.read_configuration(wanted.path).get("include-system-site-packages") == "true"
        command += ["--system-site-packages"] if sees_system else []
    commands.run(runner, command, f"gunicorn_venv: {wanted.path} could not be made")


def install(wanted: VenvSpec, state: VenvState, runner: Runner, kept: dict[str, str]) -> VenvState:
    """Install Gunicorn and the requirements in the venv that has `state`, and return what it has then.

    The versions in `kept` stay, unless they conflict with the requirements.
    """
    pip = _installer(wanted, state, runner)
    if state.gunicorn_version and not state.gunicorn_is_whole:
        # pip takes a Gunicorn for installed that a killed pip left without some of its files.
        _pip(wanted, [*pip, "--force-reinstall", "--no-deps"], [_repair_requirement(wanted, state)], {}, runner)
    pip += ["--upgrade"] if wanted.upgrade else []
    for lines in resolutions(wanted):
        _pip(wanted, pip, lines, kept, runner)
    requirements.write_stamp(state.directory, wanted.requirements)
    return venv_state.ask_probe(wanted, state.directory, runner)


def kept_versions(wanted: VenvSpec, before: VenvState) -> dict[str, str]:
    """Name and version of what a new venv takes over: without an upgrade, all that satisfies the requirements."""
    if wanted.upgrade:
        return {}
    names = (_NAME.match(line) for line in before.unmet)
    unmet = {probe.normalized(name[0]) for name in names if name}
    return {name: version for name, version in before.versions.items() if name not in unmet}


def resolutions(wanted: VenvSpec) -> list[list[str]]:
    """The lines of each run of pip: one for all, but lines with hashes get their own, since there each needs a hash."""
    own = [requirements.gunicorn_requirement(wanted.version)]
    if wanted.installer == "uv":
        # People expect pip in a virtual environment, and the probe compares versions with pip's parser.
        own.append("pip")
    if _has_hashes(wanted.requirements):
        return [wanted.requirements, own]
    return [own + wanted.requirements]


def find_uv() -> str:
    """The path of the host's uv; raises InvalidValue if there is none."""
    found = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/bin"]))
    if found is None:
        raise InvalidValue("gunicorn_installer", "uv", "pip, or a host with uv on root's PATH or in /usr/local/bin")
    return found


def _installer(wanted: VenvSpec, state: VenvState, runner: Runner) -> list[str]:
    """The command that installs into a venv; a venv without pip gets it first, unless uv installs."""
    python = venv_state.python_of(state.directory)
    if wanted.installer == "uv":
        # The service's user can't write there, and would compile everything at each start.
        return [find_uv(), "pip", "install", f"--python={python}", "--compile-bytecode", *wanted.pip_extra_args]
    if not state.has_pip:
        failure = f"gunicorn_venv: {wanted.path} gets no pip from ensurepip, which on Debian comes with python3-venv"
        commands.run(runner, [python, "-I", "-m", "ensurepip", "--default-pip"], failure)
    return [python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *wanted.pip_extra_args]


def _repair_requirement(wanted: VenvSpec, state: VenvState) -> str:
    requirement = requirements.gunicorn_requirement(wanted.version)
    stays = not wanted.upgrade and requirement not in state.unmet
    return f"gunicorn=={state.gunicorn_version}" if stays else requirement


def _pip(wanted: VenvSpec, command: list[str], lines: list[str], kept: dict[str, str], runner: Runner) -> None:
    with tempfile.TemporaryDirectory(prefix="gunicorn-venv-") as folder:
        command = [*command, "--requirement", requirements.write_lines(folder, "requirements.txt", lines)]
        pins = [f"{name}=={version}" for name, version in kept.items()]
        constraints = requirements.write_lines(folder, "constraints.txt", pins)
        # Lines with hashes name every version themselves, and pip wants hashes of constraints, too.
        if kept and not _has_hashes(lines) and not runner.run([*command, "--constraint", constraints], data="")[0]:
            return
        failure = f"gunicorn_version, gunicorn_requirements: {wanted.installer} could not install into {wanted.path}"
        commands.run(runner, command, f"{failure}, which is as it was before")


def _has_hashes(lines: list[str]) -> bool:
    return any("--hash=" in line for line in lines)
