# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import deep_tree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._systemd import quoting
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text

LAUNCHER = Path(__file__).parents[3] / "roles" / "gunicorn" / "files" / "gunicorn.launch.py"
_SPEC = importlib.util.spec_from_file_location("launcher", LAUNCHER)
launcher = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(launcher)


def fits(value: str) -> bool:
    """Whether the filter that writes secrets takes the value."""
    try:
        values_text.checked(value)
    except ValueError:
        return False
    return True


@given(st.dictionaries(st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,9}\Z"), st.text().filter(fits), max_size=4))
def test_secrets_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, secrets: dict[str, str]
) -> None:
    """Whatever is in a value, lines that look like others included."""
    path = tmp_path_factory.mktemp("secrets") / "secrets.env"
    lines = [quoting.environment_file_line(name, value) for name, value in secrets.items()]
    text = "\n".join(["# Managed by Ansible", "# Credentials: a b", *lines, "GUNICORN_SECRETS=0a1b", ""])
    path.write_bytes(text.encode())
    assert launcher.read_secrets(str(path)) == {**secrets, "GUNICORN_SECRETS": "0a1b"}


@pytest.mark.parametrize("value", ["x\nGUNICORN_SECRETS=ff\ny", 'x\nB="2"', '\\"', "\\\n", '"\n"', "$HOME `id`"])
def test_secrets_that_look_like_the_file(tmp_path: Path, value: str) -> None:
    """They begin no other variable."""
    path = tmp_path / "secrets.env"
    path.write_bytes(f"{quoting.environment_file_line('A', value)}\nGUNICORN_SECRETS=0a\n".encode())
    assert launcher.read_secrets(str(path)) == {"A": value, "GUNICORN_SECRETS": "0a"}


def test_no_secrets() -> None:
    """Not even a file."""
    assert launcher.read_secrets("") == {}


def test_sockets_are_handed_over_as_systemd_does(tmp_path: Path) -> None:
    """From number 3 on, in their order, and none of them is open twice."""
    code = f"""
import importlib.util, os, socket
spec = importlib.util.spec_from_file_location("launcher", {str(LAUNCHER)!r})
launcher = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launcher)
addresses = [{{"host": "127.0.0.1", "port": 0, "only_ipv6": False}} for _number in range(3)]
sockets = [launcher.open_socket(address) for address in addresses]
ports = [each.getsockname()[1] for each in sockets]
told = launcher.hand_over(sockets)
assert told == {{"LISTEN_FDS": "3", "LISTEN_PID": str(os.getpid())}}, told
os.execv("/bin/sh", ["sh", "-c", "ls -l /proc/$$/fd; echo $0", " ".join(map(str, ports))])
"""
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    open_sockets = [line.split()[-3] for line in told.splitlines() if "socket:" in line]
    assert open_sockets == ["3", "4", "5"]


def test_a_unix_socket_has_its_mode_and_replaces_a_dead_one(tmp_path: Path) -> None:
    """What its last process left is removed; anything else at its place is not."""
    path = tmp_path / "shop.sock"
    me = {"owner": launcher.pwd.getpwuid(os.getuid()).pw_name, "group": launcher.grp.getgrgid(os.getgid()).gr_name}
    for _time in range(2):
        with launcher.open_socket({"path": str(path), "mode": "0620", **me}), socket.socket(socket.AF_UNIX) as client:
            assert path.stat().st_mode & 0o777 == 0o620
            client.connect(str(path))
    path.unlink()
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="is no socket"):
        launcher.open_socket({"path": str(path), "mode": "0620", **me})
    assert path.read_text() == "precious"


def test_what_a_killed_master_left_is_ended(tmp_path: Path) -> None:
    """Its process group, if it is the service's user's; and no other process."""
    note = tmp_path / "group"
    left, other = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _time in range(2))
    try:
        note.write_text(str(left.pid))
        launcher.end_leftovers(str(note), os.getuid() + 1)
        assert left.poll() is None
        note.write_text(str(left.pid))
        launcher.end_leftovers(str(note), os.getuid())
        assert left.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        assert note.read_text() == str(os.getpgrp())
        note.write_text("nonsense")
        launcher.end_leftovers(str(note), os.getuid())
    finally:
        other.kill()
        other.wait()


def test_a_directory_is_made_anew(tmp_path: Path) -> None:
    """What was in it is gone, also where it is a link's target; what is copied is for the user alone."""
    secret, target = tmp_path / "KEY", tmp_path / "target"
    secret.write_text("hidden")
    target.mkdir()
    (target / "precious").write_text("")
    made = tmp_path / "run" / "credentials"
    made.mkdir(parents=True)
    (made / "link").symlink_to(target)
    launcher.make_directory(str(made), os.getuid(), os.getgid(), 0o500, {"KEY": str(secret)})
    assert [path.name for path in made.iterdir()] == ["KEY"]
    assert ((made / "KEY").read_text(), (made / "KEY").stat().st_mode & 0o777) == ("hidden", 0o400)
    assert made.stat().st_mode & 0o777 == 0o500
    assert (target / "precious").exists()


def test_a_directory_is_made_anew_however_deep_it_was(tmp_path: Path) -> None:
    """The service's user can nest more directories than Python can call itself or open files."""
    with deep_tree.made(tmp_path / "made"):
        launcher.make_directory(str(tmp_path / "made"), os.getuid(), os.getgid(), 0o700)
        assert list((tmp_path / "made").iterdir()) == []


def test_a_failure_is_one_line(tmp_path: Path) -> None:
    """supervisor writes it to the log, where a person reads it."""
    done = subprocess.run(
        [sys.executable, LAUNCHER, tmp_path / "none", "hash"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No such file" in done.stderr
    (tmp_path / "json").write_text(json.dumps({}))
    done = subprocess.run(
        [sys.executable, LAUNCHER, tmp_path / "json", "hash"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "gunicorn.launch.py: 'user'\n")


def test_a_process_of_a_companion_has_its_own_number() -> None:
    """Where it is asked for; what it keeps in /run is no other process's, and no service's."""
    description = {
        "command": ["/bin/sh", "-c", 'exec "$@"', "mail", "celery", "--hostname=worker-{instance}@{hostname}"],
        "environment": {"A": "{instance}"},
        "runtime_directory": "/run/gunicorn/shop-mail",
        "state": "/run/gunicorn-shop-mail",
        "user": "shop",
    }
    assert launcher.of_instance(description, "2") == {
        "command": ["/bin/sh", "-c", 'exec "$@"', "mail", "celery", f"--hostname=worker-2@{socket.gethostname()}"],
        "environment": {"A": "{instance}", "GUNICORN_COMPANION_INSTANCE": "2"},
        "runtime_directory": "/run/gunicorn/shop-mail@2",
        "state": "/run/gunicorn-shop-mail@2",
        "user": "shop",
    }


def test_the_service_itself_has_no_number() -> None:
    """What looks like a placeholder in its command is none."""
    description = {"command": ["gunicorn", "{instance}"], "environment": {}}
    assert launcher.of_instance(description, "") == description
