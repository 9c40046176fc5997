"""Errands: what applications do on a host, and what a sandboxed one must not do. Each is a function of a text.

`python -m errands.errands NAME...` does errands outside of the service and its sandbox, and prints the error of each.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import cffi
import django
import psutil
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.mail import send_mail

ERRANDS = {}


def _errand(function):
    ERRANDS[function.__name__] = function
    return function


# What works by default


@_errand
def sqlite(text):
    return _keep(text, "default")


@_errand
def postgresql_tcp(text):
    return _keep(text, "tcp")


@_errand
def postgresql_socket(text):
    return _keep(text, "socket")


def _keep(text, database):
    from errands.models import Note

    note = Note.objects.using(database).create(text=text)
    return Note.objects.using(database).get(pk=note.pk).text


@_errand
def mail(text):
    return send_mail(text, "An errand", "errands@localhost", ["ansible@localhost"])


@_errand
def http(text):
    with urllib.request.urlopen(f"http://{os.environ['NEIGHBOUR']}:9000/{text}", timeout=10) as answer:
        return answer.read().decode()


@_errand
def subprocesses(text):
    return _run("/bin/sh", "-c", "id --user --name; umask")


@_errand
def cffi_call(text):
    ffi = cffi.FFI()
    ffi.cdef("size_t strlen(const char *text);")
    return ffi.dlopen("libc.so.6").strlen(text.encode())


@_errand
def cffi_callback(text):
    ffi = cffi.FFI()
    ffi.cdef("void qsort(void *base, size_t items, size_t size, int (*compare)(const void *, const void *));")
    letters = ffi.new("char[]", text.encode())

    @ffi.callback("int(const void *, const void *)")
    def compare(one, other):
        return ord(ffi.cast("char *", one)[0]) - ord(ffi.cast("char *", other)[0])

    ffi.dlopen("libc.so.6").qsort(letters, len(text), 1, compare)
    return ffi.string(letters).decode()


# What works when a directive is relaxed


@_errand
def memory(text):
    return psutil.virtual_memory().total


@_errand
def processes(text):
    return psutil.Process(1).name()


@_errand
def upload_elsewhere(text):
    return _store(FileSystemStorage("/srv/uploads"), text)


@_errand
def setgid_directory(text):
    return _store(FileSystemStorage(Path.home() / "shared", directory_permissions_mode=0o2755), text)


def _store(storage, text):
    # A new directory each time, since Django does not set the mode of an existing one.
    return storage.path(storage.save(f"{text}-{uuid.uuid4()}/note.txt", ContentFile(text)))


@_errand
def change_group(text):
    file = Path.home() / "owned.txt"
    file.write_text(text)
    os.chown(file, -1, os.getgid())


@_errand
def priority(text):
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))


@_errand
def affinity(text):
    os.sched_setaffinity(0, os.sched_getaffinity(0))


@_errand
def interfaces(text):
    return [name for _number, name in socket.if_nameindex()]


@_errand
def sendmail(text):
    # If the sandbox forbids it, sendmail's helper tries again for ever.
    message = f"To: ansible@localhost\nSubject: {text}\n\nAn errand\n"
    return _run("/usr/bin/timeout", "3", "/usr/sbin/sendmail", "-t", given=message)


# What must not work, though the modes of the files and directories allow it


@_errand
def write_usr(text):
    return Path("/usr/local/open-to-all/probe").write_text(text)


@_errand
def write_etc(text):
    return Path("/etc/opt/errands/open-to-all/probe").write_text(text)


@_errand
def write_code(text):
    return Path("/opt/errands/open-to-all/probe").write_text(text)


@_errand
def read_home(text):
    return Path("/home/somebody/readable").read_text()


@_errand
def read_tmp(text):
    return Path("/tmp/readable").read_text()


@_errand
def see_init(text):
    return Path("/proc/1/status").read_text()


@_errand
def see_others(text):
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    others = [pid for pid in pids if os.stat(f"/proc/{pid}").st_uid != os.getuid()]
    if not others:
        raise PermissionError("only processes of this user are there")
    return others


@_errand
def become_root(text):
    """Run a copy of `id` that belongs to root and is set-user-ID."""
    user = _run("/usr/local/bin/setuid-id", "--user")
    if user != "0":
        raise PermissionError(f"the program ran as {user}")
    return user


# What the kernel says about the sandbox


@_errand
def privileges(text):
    fields = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    wanted = ("NoNewPrivs", "CapEff", "CapPrm", "CapBnd", "CapAmb", "Seccomp")
    return json.dumps({name: fields[name] for name in wanted})


def _error_of(name):
    try:
        ERRANDS[name]("outside")
    except Exception as error:
        return str(error)
    return None


def _run(*command, given=None):
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    django.setup()
    print(json.dumps({name: _error_of(name) for name in sys.argv[1:]}))
