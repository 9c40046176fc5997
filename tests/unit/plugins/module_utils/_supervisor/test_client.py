# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import socketserver
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor import client, configuration
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.client import ProgramProcess, Supervisor
from ansible_collections.pyweb.gunicorn.plugins.module_utils._supervisor.configuration import Access, SupervisorError

ALREADY_STARTED, BAD_NAME, NOT_RUNNING, SPAWN_ERROR = 60, 10, 70, 50


class Handler(SimpleXMLRPCRequestHandler):
    """As supervisor's: any path, and a password."""

    rpc_paths = ()
    disable_nagle_algorithm = False  # a unix socket has none

    def parse_request(self) -> bool:
        """Note the password of the request."""
        known = super().parse_request()
        kind, _blank, encoded = self.headers.get("Authorization", "").partition(" ")
        self.server.passwords.add((kind, base64.b64decode(encoded).decode()))
        return known

    def log_request(self, *_what: object) -> None:
        """The address of a unix socket can't be logged."""


class Daemon(socketserver.UnixStreamServer, SimpleXMLRPCDispatcher):
    """Stands for supervisord: it notes what it is told, and answers as the test says."""

    def __init__(self, path: str) -> None:
        socketserver.UnixStreamServer.__init__(self, path, Handler)
        SimpleXMLRPCDispatcher.__init__(self)
        self.answers: dict[str, object] = {}
        self.told: list[tuple] = []
        self.passwords: set[tuple[str, str]] = set()

    def _dispatch(self, method: str, params: tuple) -> object:
        self.told.append((method, *params))
        answer = self.answers.get(method, True)
        if isinstance(answer, xmlrpc.client.Fault):
            raise answer
        return answer


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One that answers."""
    with Daemon(str(tmp_path / "supervisor.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def supervisor(daemon: Daemon) -> Supervisor:
    """The client of that daemon."""
    return Supervisor(Access(str(daemon.server_address)))


@pytest.mark.parametrize(
    ("process", "is_up"),
    [
        (ProgramProcess("RUNNING", 7), True),
        (ProgramProcess("STARTING", 7), True),
        (ProgramProcess("STOPPING", 7), False),
        (ProgramProcess("BACKOFF", 0), False),
        (ProgramProcess(), False),
    ],
)
def test_a_process_that_is_up(process: ProgramProcess, is_up: bool) -> None:
    """It is there, and was not told to stop."""
    assert process.is_up is is_up


class TestProcess:
    def test_of_a_program(self, daemon: Daemon, supervisor: Supervisor) -> None:
        """What supervisor said last about a start that failed counts more than its description."""
        told = {"statename": "RUNNING", "pid": 7, "spawnerr": "", "description": "pid 7, uptime 0:00:01"}
        daemon.answers["supervisor.getProcessInfo"] = told
        assert supervisor.process("shop") == ProgramProcess("RUNNING", 7, "pid 7, uptime 0:00:01")
        daemon.answers["supervisor.getProcessInfo"] = {**told, "statename": "FATAL", "pid": 0, "spawnerr": "can't exec"}
        assert supervisor.process("shop") == ProgramProcess("FATAL", 0, "can't exec")
        assert daemon.told == [("supervisor.getProcessInfo", "shop")] * 2

    def test_of_a_program_that_supervisor_does_not_know(self, daemon: Daemon, supervisor: Supervisor) -> None:
        """It has no state."""
        daemon.answers["supervisor.getProcessInfo"] = xmlrpc.client.Fault(BAD_NAME, "BAD_NAME: shop")
        assert supervisor.process("shop") == ProgramProcess()


class TestGroup:
    """The processes of a program that has several."""

    def test_its_own_are_told_by_their_names(self, daemon: Daemon, supervisor: Supervisor) -> None:
        told = {"group": "shop-mail", "statename": "RUNNING", "pid": 7, "spawnerr": "", "description": "pid 7"}
        daemon.answers["supervisor.getAllProcessInfo"] = [
            {**told, "name": "1"},
            {**told, "name": "2", "statename": "BACKOFF", "pid": 0, "spawnerr": "Exited too quickly"},
            {**told, "name": "shop", "group": "shop"},
        ]
        assert supervisor.group("shop-mail") == {
            "1": ProgramProcess("RUNNING", 7, "pid 7"),
            "2": ProgramProcess("BACKOFF", 0, "Exited too quickly"),
        }

    def test_all_are_started(self, daemon: Daemon, supervisor: Supervisor) -> None:
        """Nobody waits here until they have been up for a while."""
        supervisor.start_group("shop-mail")
        assert daemon.told == [("supervisor.startProcessGroup", "shop-mail", False)]

    def test_their_end_is_waited_for_even_if_they_were_asked_before(
        self, daemon: Daemon, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """supervisor itself waits for those alone that it asks now: what follows would kill a task."""
        told = {"group": "shop-mail", "name": "1", "pid": 7, "spawnerr": "", "description": ""}
        daemon.answers["supervisor.getAllProcessInfo"] = [{**told, "statename": "STOPPING"}]
        pauses = []

        def sleep(_seconds: float) -> None:
            pauses.append(1)
            if len(pauses) == 3:
                daemon.answers["supervisor.getAllProcessInfo"] = [{**told, "statename": "STOPPED"}]

        monkeypatch.setattr(client.time, "sleep", sleep)
        supervisor.stop_group("shop-mail", wait=False)
        assert not pauses
        supervisor.stop_group("shop-mail")
        assert len(pauses) == 3
        assert daemon.told[0] == ("supervisor.stopProcessGroup", "shop-mail", False)

    def test_one_that_supervisor_does_not_know_has_ended(self, daemon: Daemon, supervisor: Supervisor) -> None:
        daemon.answers["supervisor.stopProcessGroup"] = xmlrpc.client.Fault(BAD_NAME, "BAD_NAME: shop-mail")
        daemon.answers["supervisor.getAllProcessInfo"] = []
        supervisor.stop_group("shop-mail")


class TestLoad:
    @pytest.mark.parametrize(
        ("changes", "is_new", "told"),
        [
            ([["blog"], ["news"], ["wiki"]], False, []),
            ([["shop"], [], []], True, ["addProcessGroup"]),
            ([[], ["shop"], []], True, ["stopProcessGroup", "removeProcessGroup", "addProcessGroup"]),
            ([[], [], ["shop"]], False, ["stopProcessGroup", "removeProcessGroup"]),
        ],
    )
    def test_only_this_program_follows_its_file(
        self, changes: list, is_new: bool, told: list[str], daemon: Daemon, supervisor: Supervisor
    ) -> None:
        """Programs of others wait until somebody else has supervisor read their files."""
        daemon.answers["supervisor.reloadConfig"] = [changes]
        assert supervisor.load("shop") is is_new
        assert daemon.told == [("supervisor.reloadConfig",), *((f"supervisor.{name}", "shop") for name in told)]


class TestTold:
    @pytest.mark.parametrize(
        ("call", "told"),
        [
            (lambda supervisor: supervisor.start("shop"), [("startProcess", "shop", False)]),
            (lambda supervisor: supervisor.stop("shop"), [("stopProcess", "shop", True)]),
            (
                lambda supervisor: supervisor.remove("shop"),
                [("stopProcessGroup", "shop"), ("removeProcessGroup", "shop")],
            ),
            (lambda supervisor: supervisor.reread(), [("reloadConfig",)]),
        ],
    )
    def test_what_supervisor_is_told(
        self, call: Callable[[Supervisor], None], told: list[tuple], daemon: Daemon, supervisor: Supervisor
    ) -> None:
        """A start does not wait, and a stop does."""
        call(supervisor)
        assert daemon.told == [(f"supervisor.{name}", *arguments) for name, *arguments in told]

    def test_what_is_so_already_is_no_error(self, daemon: Daemon, supervisor: Supervisor) -> None:
        """Another run may have done it."""
        daemon.answers["supervisor.startProcess"] = xmlrpc.client.Fault(ALREADY_STARTED, "ALREADY_STARTED: shop")
        daemon.answers["supervisor.stopProcess"] = xmlrpc.client.Fault(NOT_RUNNING, "NOT_RUNNING: shop")
        daemon.answers["supervisor.stopProcessGroup"] = xmlrpc.client.Fault(BAD_NAME, "BAD_NAME: shop")
        supervisor.start("shop")
        supervisor.stop("shop")
        supervisor.remove("shop")

    @pytest.mark.parametrize("name", ["start", "stop", "remove", "process"])
    def test_any_other_error_has_supervisors_words_on_one_line(
        self, name: str, daemon: Daemon, supervisor: Supervisor
    ) -> None:
        """One of its programs, for example, can't be started."""
        fault = xmlrpc.client.Fault(SPAWN_ERROR, "SPAWN_ERROR:\n  shop")
        calls = ("startProcess", "stopProcess", "stopProcessGroup", "getProcessInfo")
        daemon.answers = {f"supervisor.{call}": fault for call in calls}
        with pytest.raises(SupervisorError, match="^supervisor says SPAWN_ERROR: shop$"):
            getattr(supervisor, name)("shop")


class TestConnection:
    def test_a_supervisor_that_does_not_run(self, tmp_path: Path) -> None:
        """The error has the socket at which it was looked for."""
        supervisor = Supervisor(Access(str(tmp_path / "none.sock")))
        assert not supervisor.runs()
        with pytest.raises(SupervisorError, match="does not answer on .*none.sock"):
            supervisor.process("shop")

    def test_the_password_of_the_configuration_is_sent(
        self, daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever characters are in it; without a user there is none."""
        path = tmp_path / "supervisord.conf"
        monkeypatch.setattr(configuration, "CONFIGURATION", str(path))
        socket = f"[unix_http_server]\nfile={daemon.server_address}\n"
        path.write_text(f"{socket}username=ad@min\npassword=a:b/%%c@é\n", encoding="utf-8")
        assert client.this_supervisor().runs()
        path.write_text(socket, encoding="utf-8")
        assert client.this_supervisor().runs()
        assert daemon.passwords == {("Basic", "ad@min:a:b/%c@é"), ("", "")}
