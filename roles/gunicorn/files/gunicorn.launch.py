# Managed by Ansible (role pyweb.gunicorn.gunicorn): what is changed here is lost at its next run.
"""Does for a service under supervisor what systemd does for a unit, and then becomes Gunicorn.

    python3 -I -X utf8 gunicorn.launch.py DESCRIPTION CONFIGURATION [INSTANCE]

supervisor starts this as root. It ends what is left of the last start, makes the runtime directory, opens the listening
sockets, hands over credentials, and gives way to Gunicorn as the service's user, without privileges, with the
environment that the DESCRIPTION (JSON) has and no other. CONFIGURATION is a hash of what the service is started with.
In the same way, it becomes a process of a companion. INSTANCE is its number among those that have one description.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys

# What a unit of systemd has for its search path.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BACKLOG = 2048
KILL_TIMEOUT = 5  # seconds
FIRST_SOCKET = 3  # see sd_listen_fds(3)
_SECRET = re.compile(r'^([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"$', re.MULTILINE | re.DOTALL)
_HASH = re.compile(r"^(GUNICORN_SECRETS)=([0-9a-f]+)$", re.MULTILINE)


def read_secrets(path: str) -> dict[str, str]:
    """The variables of a file that pyweb.gunicorn.systemd_environment_file wrote, if there is one."""
    if not path:
        return {}
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        text = file.read()
    secrets = {name: re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for name, value in _SECRET.findall(text)}
    # The last line: an application's secret can hold one that looks like it.
    return secrets | dict(_HASH.findall(text)[-1:])


def environment_of(description: dict, configuration: str) -> dict[str, str]:
    """What the process gets, and nothing of what supervisor itself was started with but its own variables."""
    account = pwd.getpwnam(description["user"])
    return {
        "PATH": PATH,
        "HOME": account.pw_dir,
        "SHELL": account.pw_shell,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        **{name: value for name, value in os.environ.items() if name.startswith("SUPERVISOR_")},
        **description["environment"],
        **read_secrets(description["secrets_file"]),
        "RUNTIME_DIRECTORY": description["runtime_directory"],
        "GUNICORN_CONFIGURATION": configuration,
        # setproctitle, which Gunicorn uses if it is there, must not write over the environment that the role reads.
        "SPT_NOENV": "1",
    }


def end_leftovers(note: str, uid: int) -> None:
    """End the workers of a master that was killed: they would keep its addresses. systemd ends them, too."""
    with contextlib.suppress(OSError, ValueError):
        with open(note, encoding="ascii") as file:
            group = int(file.read())
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                process = os.pidfd_open(int(pid))
                if os.getpgid(int(pid)) == group and _uid_of(pid) == uid:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    select.select([process], [], [], KILL_TIMEOUT)
                os.close(process)
    with open(note, "w", encoding="ascii") as file:
        file.write(str(os.getpgrp()))


def _uid_of(pid: str) -> int | None:
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        found = re.search(r"^Uid:\s+([0-9]+)", status.read(), re.MULTILINE)
    return int(found[1]) if found else None


def remove_directory(path: str) -> None:
    """Remove a directory of the service's user, if it is there."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        # The user can nest more directories than Python can call itself or open files. rm needs neither.
        subprocess.run(["rm", "-rf", "--", path], check=False)


def make_directory(path: str, uid: int, gid: int, mode: int, files: dict[str, str] | None = None) -> None:
    """Make a directory anew, with copies of files that root alone can read."""
    remove_directory(path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    # Nobody else gets in before all is in place.
    os.mkdir(path, 0o700)
    for name, source in (files or {}).items():
        target = os.path.join(path, name)
        shutil.copyfile(source, target)
        os.chmod(target, 0o400)
        os.chown(target, uid, gid)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def open_socket(address: dict) -> socket.socket:
    """Open one listening socket as a socket unit of systemd would."""
    if "path" in address:
        return _open_unix(address["path"], address["owner"], address["group"], int(address["mode"], 8))
    family = socket.AF_INET6 if ":" in address["host"] else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address["only_ipv6"]:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.bind((address["host"], address["port"]))
    opened.listen(BACKLOG)
    return opened


def _open_unix(path: str, owner: str, group: str, mode: int) -> socket.socket:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(f"{path} is there, and is no socket")
        os.unlink(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777)
    opened.bind(path)
    os.umask(before)
    # Whoever may write in the directory could put a link there in the meantime.
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise FileExistsError(f"{path} was replaced")
    os.chown(f"/proc/self/fd/{descriptor}", pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
    os.chmod(f"/proc/self/fd/{descriptor}", mode)
    os.close(descriptor)
    opened.listen(BACKLOG)
    return opened


def hand_over(sockets: list[socket.socket]) -> dict[str, str]:
    """Put the sockets where Gunicorn looks for those that systemd opens; returns the variables that say so."""
    after = FIRST_SOCKET + len(sockets)
    # Out of the way first, as one may have the number that another gets. What is not inheritable ends with execve.
    spare = [fcntl.fcntl(each.detach(), fcntl.F_DUPFD_CLOEXEC, after) for each in sockets]
    for target, number in enumerate(spare, FIRST_SOCKET):
        os.dup2(number, target, inheritable=True)
    return {"LISTEN_FDS": str(len(sockets)), "LISTEN_PID": str(os.getpid())}


def without_privileges(description: dict) -> list[str]:
    """The command that becomes the service's user, and drops what could get privileges again."""
    return [
        "/usr/bin/setpriv",
        f"--reuid={description['user']}",
        f"--regid={description['group']}",
        "--init-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        *(["--no-new-privs"] if description["no_new_privileges"] else []),
        "--",
        *description["command"],
    ]


def of_instance(description: dict, instance: str) -> dict:
    """What one process of a companion is started with; nothing else has an instance."""
    if not instance:
        return description
    host = socket.gethostname()
    return {
        **description,
        # No service has such a name.
        **{name: f"{description[name]}@{instance}" for name in ("runtime_directory", "state")},
        "command": [
            word.replace("{instance}", instance).replace("{hostname}", host) for word in description["command"]
        ],
        "environment": {**description["environment"], "GUNICORN_COMPANION_INSTANCE": instance},
    }


def main(source: str, configuration: str, instance: str = "") -> None:
    """Start the service; this process becomes its master."""
    with open(source, encoding="utf-8") as file:
        description = of_instance(json.load(file), instance)
    account, group = pwd.getpwnam(description["user"]), grp.getgrnam(description["group"])
    os.umask(0o022)
    runtime = description["runtime_directory"]
    end_leftovers(f"{description['state']}.group", account.pw_uid)
    make_directory(runtime, account.pw_uid, group.gr_gid, 0o750)
    environment = environment_of(description, configuration)
    if description["credentials"]:
        environment["CREDENTIALS_DIRECTORY"] = f"{description['state']}.credentials"
        make_directory(
            environment["CREDENTIALS_DIRECTORY"], account.pw_uid, group.gr_gid, 0o500, description["credentials"]
        )
    environment |= hand_over([open_socket(address) for address in description["sockets"]])
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(str(description["oom_score_adjust"]))
    os.chdir(description["directory"])
    os.umask(int(description["umask"], 8))
    command = without_privileges(description)
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"gunicorn.launch.py: {error}")
