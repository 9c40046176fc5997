# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How packages get into a virtual environment, by pip or by uv."""

from __future__ import annotations

import os
import re
import tempfile
from typing import NamedTuple

from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import (
    asked,
    commands,
    failures,
    installers,
    requirements,
    sources,
    stamp,
    uv,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv import state as venv_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.errors import VenvError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.logins import Logins
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.requirements import Requirements
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.sources import Source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.stamp import Stamp
from ansible_collections.pyweb.gunicorn.plugins.module_utils._venv.state import VenvSpec, VenvState

# The names of files for pip
_OWN = "gunicorn.txt"
_PINS = "pins.txt"


def make(wanted: VenvSpec, python: str, directory: str, runner: Runner) -> None:
    """Make a virtual environment that is empty. `install` brings pip, since venv would swallow ensurepip's errors."""
    command = [python, "-I", "-m", "venv", directory, "--without-pip"]
    if os.path.isfile(os.path.join(wanted.path, "pyvenv.cfg")):
        sees_system = venv_state.read_configuration(wanted.path).get("include-system-site-packages") == "true"
        command += ["--system-site-packages"] if sees_system else []
    commands.run(runner, command, f"gunicorn_venv: {wanted.path} could not be made")


class Run(NamedTuple):
    """One run of pip or uv."""

    lines: list[str]  # our own
    has_requirements: bool  # whether it also installs what the requirements say
    options: list[str]
    pins: dict[str, str]  # versions by name that must stay
    kept: dict[str, str]  # versions by name that stay if that is possible


def install(wanted: VenvSpec, state: VenvState, found: Requirements, runner: Runner, kept: dict[str, str]) -> VenvState:
    """Install Gunicorn and the requirements in the venv that has `state`, and return what it has then.

    The versions in `kept` stay, unless they conflict with the requirements.
    """
    if wanted.installer == "pip" and not state.has_pip:
        failure = f"gunicorn_venv: {wanted.path} gets no pip from ensurepip, which on Debian comes with python3-venv"
        command = [venv_state.python_of(state.directory), "-I", "-m", "ensurepip", "--default-pip"]
        commands.run(runner, command, failure)
    if state.gunicorn_version and not state.gunicorn_is_whole:
        # pip takes a Gunicorn for installed that a killed pip left without some of its files.
        repair = Run([_repair_requirement(wanted, state)], False, ["--force-reinstall", "--no-deps"], {}, {})
        _install(wanted, state.directory, repair, found, runner)
    # Before the installation: what is changed meanwhile is then seen by the next run.
    local = {path: sources.read(path, is_editable) for path, is_editable in found.local.items()}
    for run in runs(wanted, found, kept):
        if not run.has_requirements and found.requires_hashes:
            run = run._replace(pins=venv_state.ask_probe(wanted, state.directory, runner).versions)
        _install(wanted, state.directory, run, found, runner)
    after = venv_state.ask_probe(wanted, state.directory, runner)
    installers.check(wanted, after, found)
    _note(wanted, after, found, local)
    return after


def runs(wanted: VenvSpec, found: Requirements, kept: dict[str, str]) -> list[Run]:
    """The runs of pip: one for all, so that one resolution finds what fits together.

    Requirements with hashes get a run of their own, since there each needs a hash. What they don't name, Gunicorn for
    example, is added by a second one, which leaves their versions.
    """
    own = [wanted.gunicorn_requirement]
    if wanted.installer == "uv":
        # People expect pip in a virtual environment, and it reads the requirements of the next run.
        own.append("pip")
    upgrade = ["--upgrade"] if wanted.upgrade else []
    if not found.requires_hashes:
        return [Run(own, bool(found.lines), upgrade, {}, kept)]
    locked = Run([], True, [*upgrade, *(["--require-hashes"] if wanted.installer == "uv" else [])], {}, {})
    missing = [line for line in own if not found.names(re.split(r"[\[>=]", line)[0])]
    return [locked, *([Run(missing, False, upgrade, {}, kept)] if missing else [])]


def note_again(wanted: VenvSpec, state: VenvState, found: Requirements) -> None:
    """Note that a venv has what these requirements say, which was installed from others, such as an older release's."""
    _note(wanted, state, found, {path: sources.read(path, editable) for path, editable in found.local.items()})


def _note(wanted: VenvSpec, state: VenvState, found: Requirements, local: dict[str, Source]) -> None:
    """Write the stamp; what was noted for other services stays, also if the venv is a new one."""
    noted = stamp.read(os.path.realpath(wanted.path)).services
    services = {name: each for name, each in noted.items() if name != wanted.service}
    services.update({wanted.service: requirements.hash_of_content(wanted.asked)} if wanted.service else {})
    stamp.write(
        state.directory,
        Stamp(
            inputs=wanted.asked.hash,
            lines=found.hash,
            installed=state.installed,
            files=found.hashes,
            sources=local,
            editable=frozenset(path for path, is_editable in found.local.items() if is_editable),
            moves=found.moves,
            revision=wanted.revision,
            services=services,
        ),
    )


def kept_versions(wanted: VenvSpec, before: VenvState, found: Requirements) -> dict[str, str]:
    """Name and version of what a new venv takes over: without an upgrade, all that satisfies the requirements."""
    if wanted.upgrade:
        return {}
    left_out = {*found.unmet, *before.origins, *([] if before.gunicorn_is_wanted else ["gunicorn"])}
    return {name: version for name, version in before.versions.items() if name not in left_out}


def _repair_requirement(wanted: VenvSpec, state: VenvState) -> str:
    # Without extras: nothing but Gunicorn itself is installed anew.
    stays = not wanted.upgrade and state.gunicorn_is_wanted
    return f"gunicorn=={state.gunicorn_version}" if stays else asked.gunicorn_requirement(wanted.version)


def _install(wanted: VenvSpec, directory: str, run: Run, found: Requirements, runner: Runner) -> None:
    """Install what a run says, with the versions that it keeps if that is possible.

    Every local user can read command lines, so no password is on one.
    """
    known = Logins()
    with tempfile.TemporaryDirectory(prefix="gunicorn-venv-") as folder:
        arguments = [*map(known.without, wanted.pip_extra_args), *run.options]
        if run.lines:
            arguments.append(f"--requirement={requirements.write_lines(folder, _OWN, run.lines)}")
        if found.lines:
            # Also a run for what the requirements don't name looks for it where they say, and nowhere else.
            copies = (folder, wanted.asked, found, known.without)
            path = requirements.write_copies(*copies, options_only=not run.has_requirements)
            arguments.append(f"--requirement={path}")
            if wanted.installer == "uv":
                is_offline = uv.is_offline(wanted.pip_extra_args, wanted.environment)
                refreshed = uv.refreshes(found, is_offline) if run.has_requirements else []
                arguments += [*refreshed, *found.options_for_uv]
        given = {
            # Proxies are not asked with the logins of hosts.
            name: known.without(value) if re.match(r"(PIP|UV)_(?!.*PROXY)", name) else value
            for name, value in wanted.environment.items()
        }
        environment = known.environment(folder, given)
        if run.pins:
            arguments.append(f"--constraint={_write_pins(folder, _PINS, run.pins)}")
        kept = {name: version for name, version in run.kept.items() if name not in run.pins}
        for file in [_write_pins(folder, "kept.txt", kept), ""] if kept else [""]:
            code, output, errors = installers.run(wanted, directory, arguments, environment, runner, kept=file)
            if not code:
                return
    failure = f"gunicorn_version, gunicorn_requirements: {wanted.installer} could not install into {wanted.path}"
    secrets = passwords(wanted, found)
    said = (_with_names(text, folder, found) for text in (output, errors))
    reason = failures.reason_in(*(values_text.masked(text, secrets) for text in said))
    raise VenvError(f"{failure}, which is as it was before: {reason}")


def _with_names(text: str, folder: str, found: Requirements) -> str:
    """What was said of the files in a folder, with the variables and files that they stand for."""
    for name, meant in ((_OWN, "gunicorn_version"), (_PINS, "the locked versions")):
        text = text.replace(os.path.join(folder, name), meant)
    return requirements.with_names(text, folder, found)


def _write_pins(folder: str, name: str, versions: dict[str, str]) -> str:
    return requirements.write_lines(folder, name, [f"{each}=={version}" for each, version in versions.items()])


def passwords(wanted: VenvSpec, found: Requirements) -> list[str]:
    """What of the requirements, arguments and environment must not be shown."""
    texts = [*wanted.requirements, *wanted.pip_extra_args]
    texts += [line.text for lines in found.lines.values() for line in lines]
    hidden = [password for text in texts for password in urls.passwords_in(text)]
    return hidden + requirements.secrets_of(wanted.environment)
