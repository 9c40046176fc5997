# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import services as inspection_services
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.unit_details import UnitDetails
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import unit_processes

SERVICES = Path(__file__).parents[4] / "fixtures" / "services"
SHOWN = (SERVICES / "systemctl-show.txt").read_text(encoding="utf-8")


def printing(text: str) -> Runner:
    """A systemctl that prints this, whatever it is asked."""
    return Runner(lambda _command: (0, text, ""))


CAPTURED = printing(SHOWN)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The captured host, to be changed."""
    shutil.copytree(SERVICES, tmp_path / "host", symlinks=True)
    return tmp_path / "host"


def supervise(
    root: Path, pid: int, uid: int = 0, command: bytes = b"/usr/bin/python3\0/usr/bin/supervisord\0", parent: int = 820
) -> None:
    """Have a process 820 start a shell, and that the process."""
    stat = root / f"proc/{pid}/stat"
    stat.write_text(stat.read_text(encoding="utf-8").replace("S 1 ", "S 821 "), encoding="utf-8")
    for number, above, words in ((821, parent, b"/bin/sh\0-c\0gunicorn\0"), (820, 1, command)):
        folder = root / f"proc/{number}"
        folder.mkdir()
        (folder / "cmdline").write_bytes(words)
        (folder / "stat").write_text(f"{number} (x) S {above} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 1 1\n")
        (folder / "status").write_text(f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nVmRSS:\t10 kB\n")


class TestCapturedServices:
    def test_what_there_is(self) -> None:
        """Running and stopped ones, each with its unit, master and workers."""
        found = {
            service.name: (service.unit and service.unit.state, service.master, service.workers)
            for service in inspection_services.read_services(CAPTURED, str(SERVICES))
        }
        assert found == {
            "idle": ("inactive", None, ()),
            "jrn": ("active", 993, (1003, 1015)),
            "plain": ("active", 833, (835, 836)),
        }

    def test_systemd_is_asked_once(self) -> None:
        """About all units and their sockets together."""
        commands = []
        inspection_services.read_services(
            Runner(lambda command: commands.append(command) or (0, SHOWN, "")), str(SERVICES)
        )
        ((*_options, one, two, three, four, five, six),) = commands
        assert [one, two, three] == ["idle.service", "jrn.service", "plain.service"]
        assert [four, five, six] == ["idle.socket", "jrn.socket", "plain.socket"]

    def test_a_unit_as_systemd_says(self) -> None:
        """What is not set is not known, and no zero."""
        (jrn,) = (
            service.unit
            for service in inspection_services.read_services(CAPTURED, str(SERVICES))
            if service.name == "jrn"
        )
        assert jrn == UnitDetails(
            name="jrn.service",
            description="jrn.service",
            state="active",
            sub_state="running",
            main_pid=993,
            restarts=0,
            user="shop",
            slice="system.slice",
            directory="/var/opt/shop",
            cpu_seconds=None,
            memory=28549120,
            memory_peak=None,
            memory_max=150 << 20,
            cpus_max=None,
            tasks_max=50,
            sandbox={"MemoryMax": "157286400", "MemoryHigh": "infinity", "CPUQuotaPerSecUSec": "infinity"},
        )

    def test_the_units_own_cgroups(self) -> None:
        """Those of the controllers that have a cgroup for the unit."""
        groups = unit_processes.unit_groups(833, "plain.service", str(SERVICES))
        assert groups
        assert all(group.endswith("/system.slice/plain.service") for group in groups)

    def test_a_host_without_systemd(self, root: Path) -> None:
        """The masters are there all the same."""
        services = inspection_services.read_services(printing(""), str(root))
        assert [(service.name, service.unit, service.master) for service in services] == [
            ("pid 833", None, 833),
            ("pid 993", None, 993),
        ]

    @pytest.mark.parametrize(
        ("program", "name"), [("shop", "shop"), ("../shop", "pid 833"), ("", "pid 833"), ("a" * 65, "pid 833")]
    )
    def test_a_master_of_a_supervisor_has_its_programs_name(self, root: Path, program: str, name: str) -> None:
        """The name becomes a part of a path, and the process itself can write it."""
        supervise(root, 833)
        (root / "proc/833/environ").write_bytes(f"A=1\0SUPERVISOR_PROCESS_NAME={program}\0".encode())
        services = inspection_services.read_services(printing(""), str(root))
        assert {service.name: service.master for service in services} == {name: 833, "pid 993": 993}

    @pytest.mark.parametrize("change", [{"uid": 1000}, {"command": b"/bin/sh\0supervise\0"}, {"parent": 1}])
    def test_a_program_is_one_of_roots_supervisor(self, root: Path, change: dict) -> None:
        """Every local user can start a process that calls itself a master and has the environment of a program."""
        (root / "proc/833/environ").write_bytes(b"SUPERVISOR_PROCESS_NAME=shop\0")
        supervise(root, 833, **change)
        services = inspection_services.read_services(printing(""), str(root))
        assert "pid 833" in {service.name for service in services}

    def test_a_master_of_a_supervisor_is_not_the_supervisors_unit(self, root: Path) -> None:
        """The master is in that unit's cgroup, but the unit starts another program, which is its main process."""
        (root / "etc/systemd/system/jrn.service").write_text(
            "[Service]\nExecStart=/usr/bin/supervisord\n", encoding="utf-8"
        )
        services = inspection_services.read_services(printing(SHOWN.replace("MainPID=993", "MainPID=5")), str(root))
        assert [service.name for service in services] == ["idle", "pid 993", "plain"]

    def test_a_title_is_a_master_too(self, root: Path) -> None:
        """setproctitle writes it over the command line."""
        for pid, role in ((833, "master"), (835, "worker"), (836, "worker")):
            (root / f"proc/{pid}/cmdline").write_bytes(f"gunicorn: {role} [shop.wsgi]\0\0\0".encode())
        (plain,) = (
            service for service in inspection_services.read_services(CAPTURED, str(root)) if service.name == "plain"
        )
        assert (plain.master, plain.workers) == (833, (835, 836))
        assert plain.exec_start[1] == "--workers=2"

    def test_a_master_that_ends_meanwhile(self, root: Path) -> None:
        """Its workers go on for a while, and are no masters."""
        shutil.rmtree(root / "proc/833")
        for pid in (835, 836):
            stat = root / f"proc/{pid}/stat"
            stat.write_text(stat.read_text(encoding="utf-8").replace("S 833 ", "S 1 "), encoding="utf-8")
        found = {service.name: service.master for service in inspection_services.read_services(CAPTURED, str(root))}
        assert found == {"idle": None, "jrn": 993, "plain": None}

    def test_a_master_that_a_shell_started(self, root: Path) -> None:
        """The main process is the shell then, and the unit's file names Gunicorn."""
        stat = root / "proc/833/stat"
        stat.write_text(stat.read_text(encoding="utf-8").replace("S 1 ", "S 820 "), encoding="utf-8")
        services = inspection_services.read_services(printing(SHOWN.replace("MainPID=833", "MainPID=820")), str(root))
        assert [(service.name, service.master) for service in services][-1] == ("plain", 833)


@given(st.text() | st.text("Id=\n.service LoadState=loaded"))
def test_no_answer_of_systemd_stops_it(printed: str) -> None:
    """Whatever is printed, also by a program that is not systemctl at all."""
    inspection_services.read_services(printing(printed), str(SERVICES))


class TestDirtyWorkers:
    def make(self, root: Path, pid: int, parent: int, command: bytes) -> None:
        """A process beside the captured ones."""
        shutil.copytree(root / "proc/835", root / f"proc/{pid}", symlinks=True)
        (root / f"proc/{pid}/cmdline").write_bytes(command)
        stat = (root / "proc/835/stat").read_text(encoding="utf-8")
        assert " S 833 " in stat
        (root / f"proc/{pid}/stat").write_text(stat.replace(" S 833 ", f" S {parent} "), encoding="utf-8")

    def plain(self, root: Path) -> inspection_services.Service:
        """The service that has them."""
        return next(each for each in inspection_services.read_services(CAPTURED, str(root)) if each.name == "plain")

    @pytest.mark.parametrize("titled", [True, False])
    def test_they_are_no_web_workers(self, root: Path, titled: bool) -> None:
        """Found by the title of the process that starts them, or by the file that Gunicorn writes."""
        command = (root / "proc/835/cmdline").read_bytes()
        self.make(root, 840, 833, b"gunicorn: dirty-arbiter\0\0" if titled else command)
        self.make(root, 841, 840, b"gunicorn: dirty-worker [shop.wsgi]\0\0" if titled else command)
        if not titled:
            (root / "run/gunicorn/plain").mkdir(parents=True)
            (root / "run/gunicorn/plain/dirty.pid").write_text("840")
        plain = self.plain(root)
        assert (plain.workers, plain.dirty_arbiter, plain.dirty_workers) == ((835, 836), 840, (841,))

    @pytest.mark.parametrize("noted", ["1", "993", "-3", "", "x" * 99, "840 "])
    def test_only_a_child_of_the_master_counts(self, root: Path, noted: str) -> None:
        """The service's user may write into the file what it likes."""
        (root / "run/gunicorn/plain").mkdir(parents=True)
        (root / "run/gunicorn/plain/dirty.pid").write_text(noted)
        plain = self.plain(root)
        assert (plain.workers, plain.dirty_arbiter, plain.dirty_workers) == ((835, 836), None, ())

    def test_one_whose_master_has_ended(self, root: Path) -> None:
        """It is no master itself."""
        self.make(root, 840, 1, b"gunicorn: dirty-arbiter\0\0")
        found = inspection_services.read_services(CAPTURED, str(root))
        assert [each.name for each in found] == ["idle", "jrn", "plain"]
