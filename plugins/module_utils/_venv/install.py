# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How packages get into a virtual environment, by pip or by uv."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from typing import Mapping

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import commands, probe, requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.logins import Logins
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState

# pip, which reads its arguments from its stdin
_PIP = (
    "import json, runpy, sys; sys.argv = json.load(sys.stdin); "
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)
# The environment that says the same as an option of uv, with what is between several values
_UV_VARIABLES = {
    "-i": ("UV_INDEX_URL", ""),
    "--index-url": ("UV_INDEX_URL", ""),
    "--default-index": ("UV_DEFAULT_INDEX", ""),
    "--index": ("UV_INDEX", " "),
    "--extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "-f": ("UV_FIND_LINKS", ","),
    "--find-links": ("UV_FIND_LINKS", ","),
}
# The whole value of such a variable is a secret.
_SECRET_NAME = re.compile(r"pass|token|secret|key|auth", re.IGNORECASE)
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
    if wanted.installer == "pip" and not state.has_pip:
        failure = f"gunicorn_venv: {wanted.path} gets no pip from ensurepip, which on Debian comes with python3-venv"
        command = [venv_state.python_of(state.directory), "-I", "-m", "ensurepip", "--default-pip"]
        commands.run(runner, command, failure)
    if state.gunicorn_version and not state.gunicorn_is_whole:
        # pip takes a Gunicorn for installed that a killed pip left without some of its files.
        repair = [_repair_requirement(wanted, state)]
        _install_lines(wanted, state.directory, ["--force-reinstall", "--no-deps"], repair, {}, runner)
    for lines in resolutions(wanted):
        _install_lines(wanted, state.directory, ["--upgrade"] if wanted.upgrade else [], lines, kept, runner)
    _note(wanted, state.directory)
    return venv_state.ask_probe(wanted, state.directory, runner)


def _note(wanted: VenvSpec, directory: str) -> None:
    """Write the stamp; what was noted for other services stays, also if the venv is a new one."""
    noted = requirements.read_stamp(os.path.realpath(wanted.path)).services
    services = {name: each for name, each in noted.items() if name != wanted.service}
    services.update({wanted.service: wanted.hash} if wanted.service else {})
    requirements.write_stamp(directory, wanted.requirements, services)


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


def split_uv_arguments(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments that everybody may read, and the environment that says the same as the others.

    InvalidValue for an argument with a password that uv does not take from its environment.
    """
    shown: list[str] = []
    environment: dict[str, str] = {}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        option, sign, value = argument.partition("=")
        if option in _UV_VARIABLES and not sign and left and urls.passwords_in(left[0]):
            sign, value = "=", left.pop(0)
        if not urls.passwords_in(value or argument):
            shown.append(argument)
        elif sign and option in _UV_VARIABLES:
            name, separator = _UV_VARIABLES[option]
            before = environment.get(name)
            environment[name] = f"{before}{separator}{value}" if before and separator else value
        else:
            expected = "arguments of uv without a password in a URL: gunicorn_pip_environment can have one"
            raise InvalidValue("gunicorn_pip_extra_args", urls.without_passwords(argument), expected)
    return shown, environment


def _repair_requirement(wanted: VenvSpec, state: VenvState) -> str:
    requirement = requirements.gunicorn_requirement(wanted.version)
    stays = not wanted.upgrade and requirement not in state.unmet
    return f"gunicorn=={state.gunicorn_version}" if stays else requirement


def _install_lines(
    wanted: VenvSpec, directory: str, options: list[str], lines: list[str], kept: dict[str, str], runner: Runner
) -> None:
    """Install what the lines say, with the versions in `kept` if that is possible.

    Every local user can read command lines, so no password is on one.
    """
    known = Logins()
    with tempfile.TemporaryDirectory(prefix="gunicorn-venv-") as folder:
        file = requirements.write_lines(folder, "requirements.txt", lines, known.without)
        pins = [f"{name}=={version}" for name, version in kept.items()]
        constraints = requirements.write_lines(folder, "constraints.txt", pins)
        arguments = [*map(known.without, wanted.pip_extra_args), *options, f"--requirement={file}"]
        given = {
            # Proxies are not asked with the logins of hosts.
            name: known.without(value) if re.match(r"(PIP|UV)_(?!.*PROXY)", name) else value
            for name, value in wanted.environment.items()
        }
        environment = known.environment(folder, given)
        # Lines with hashes name every version themselves, and pip wants hashes of constraints, too.
        if kept and not _has_hashes(lines):
            code, _output, _errors = _run(
                wanted, directory, [*arguments, f"--constraint={constraints}"], environment, runner
            )
            if not code:
                return
        code, output, errors = _run(wanted, directory, arguments, environment, runner)
    if code:
        failure = f"gunicorn_version, gunicorn_requirements: {wanted.installer} could not install into {wanted.path}"
        reason = commands.reason_in(*(values_text.masked(text, passwords(wanted)) for text in (output, errors)))
        raise VenvError(f"{failure}, which is as it was before: {reason}")


def _run(
    wanted: VenvSpec, directory: str, arguments: list[str], environment: dict[str, str], runner: Runner
) -> tuple[int, str, str]:
    python = venv_state.python_of(directory)
    if wanted.installer == "uv":
        shown, hidden = split_uv_arguments(arguments)
        # The service's user can't write there, and would compile everything at each start.
        command = [find_uv(), "pip", "install", f"--python={python}", "--compile-bytecode", *shown]
        return runner.run(command, data="", environ_update={**environment, **hidden})
    arguments = ["pip", "install", "--no-input", "--disable-pip-version-check", *arguments]
    command = [python, "-I", "-c", _PIP]
    return runner.run(command, data=json.dumps(arguments), environ_update=environment)


def said_by_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip and uv take from these variables in place of arguments, without passwords; a space between values."""
    options = {name: value for name, value in environment.items() if re.match(r"(PIP|UV)_", name)}
    return {name: urls.without_passwords(value.replace(",", " ")) for name, value in options.items()}


def passwords(wanted: VenvSpec) -> list[str]:
    """What of the requirements, arguments and environment must not be shown."""
    texts = [*wanted.requirements, *wanted.pip_extra_args, *wanted.environment.values()]
    texts += requirements.included_lines(wanted.requirements)
    found = [password for text in texts for password in urls.passwords_in(text)]
    return found + [value for name, value in wanted.environment.items() if _SECRET_NAME.search(name)]


def _has_hashes(lines: list[str]) -> bool:
    return any("--hash=" in line for line in lines)
