# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._plan import plan as plan_plan
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._service import systemd_state
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import programs
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

FIXTURES = Path(__file__).parents[4] / "fixtures" / "systemctl"


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_name_that_the_host_needs_itself(suite: str, check: Callable) -> None:
    """With the real reader and a captured host: the role would have replaced ssh.service, or syslog.socket."""
    blocks = (FIXTURES / f"{suite}.txt").read_text().split("\n\n") + (
        FIXTURES / f"{suite}-states.txt"
    ).read_text().split("\n\n")
    known = {name: block for block in blocks for name in [block.split("Id=")[1].splitlines()[0]]}

    def run(command: list[str], directory: str = "/etc/systemd") -> tuple[int, str, str]:
        shown = (known.get(name, known["nosuch.service"]).strip("\n") for name in command[4:])
        return 0, ("\n\n".join(shown) + "\n").replace("/etc/systemd", directory), ""

    for name in ("ssh", "syslog"):
        with pytest.raises(
            InvalidValue, match=f"gunicorn_service_name: '{name}'.*/lib/systemd/system/{name}"
        ) as caught:
            plan_plan.make_plan(check(service_name=name), Runner(run), systemd_state.ask(name, Runner(run)))
        assert "no other unit" in str(caught.value)
    volatile = Runner(run, directory="/run/systemd")
    with pytest.raises(InvalidValue, match="gunicorn_service_name: 'hang'"):
        plan_plan.make_plan(check(service_name="hang"), volatile, systemd_state.ask("hang", volatile))


def test_a_masked_unit_is_left_alone(host: SimpleNamespace, plan: Callable) -> None:
    """An administrator who masks a unit does not want it to be started."""
    host.units["shop.socket"] = host.units["shop.socket"]._replace(exists=True, masked=True)
    with pytest.raises(InvalidValue, match="systemctl unmask shop.socket"):
        plan()


def test_a_program_of_another_file(supervised_plan: Callable, tmp_path: Path) -> None:
    """supervisor would have two programs of one name; only one in the role's own file is taken over."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/shop.conf").write_text("[program:shop]\n")
    supervised_plan()
    (tmp_path / "conf.d/other.conf").write_text("[program:shop]\n")
    with pytest.raises(InvalidValue, match="gunicorn_service_name: 'shop'.*other.conf"):
        supervised_plan()


def test_a_program_of_a_companion_is_left_alone(supervised_plan: Callable, tmp_path: Path) -> None:
    """As a unit is."""
    (tmp_path / "conf.d").mkdir()
    marks = f"; {programs.MANAGED}\n; A companion of toys: shop\n"
    (tmp_path / "conf.d/shop.conf").write_text(f"{marks}[program:shop]\n")
    with pytest.raises(InvalidValue, match=r"gunicorn_service_name: 'shop'.*\(it is the companion shop of toys\)"):
        supervised_plan()


def test_a_companion_of_another_service_is_left_alone(plan: Callable, etc_units: Path) -> None:
    """The service toys may have a companion, and then there is a unit toys-mail."""
    marker = "# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.\n"
    (etc_units / "shop.service").write_text(f"{marker}# A companion of toys: shop\n")
    with pytest.raises(InvalidValue, match=r"gunicorn_service_name: 'shop'.*\(it is the companion shop of toys\)"):
        plan()
