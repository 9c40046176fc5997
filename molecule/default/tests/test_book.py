"""What the book's chapter promises about a Django project under Gunicorn."""

import re
import time

import pytest
import service
from files_on_host import damaged, open_files
from hosts import was_rebooted
from service import exposure, shown
from web import get, get_json

URLS = ["http://127.0.0.1:8000", "http://[::1]:8000"]
ROTATE_UNDER_LOAD = """
import glob, os, subprocess, sys, threading, time, urllib.request
tokens, failures, done = [], [], threading.Event()
def rotated_file_is_open():
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) == "/var/log/shop-access/access.log.1": return True
        except OSError: pass
    return False
def ask(thread):
    number = 0
    while not done.is_set():
        token = f"rotation-{sys.argv[1]}-{thread}-{number}"
        number += 1
        try:
            urllib.request.urlopen(f"http://127.0.0.1:8000/?{token}", timeout=10).read()
            tokens.append(token)
        except OSError as error:
            failures.append(str(error))
threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for rotation in range(5):
    begun, limit = len(tokens), time.monotonic() + 60
    # The next rotation compresses the file of this one; in life it comes a day later.
    while (len(tokens) < begun + 50 or rotated_file_is_open()) and not failures:
        done.wait(0.01)
        if time.monotonic() > limit: failures.append("a process did not leave the old file")
    subprocess.run(["logrotate", "--force", "/etc/logrotate.d/gunicorn-shop"], check=True)
done.set()
for thread in threads: thread.join()
print(len(tokens), len(failures))
"""

# All processes that have a socket share its flags: systemd's are the service's.
RESTART_AND_WATCH_THE_SOCKETS = """
import glob, os, subprocess
def flags():
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in open(table).readlines()[1:]:
            words = line.split()
            if words[1].endswith(":1F40") and words[3] == "0A": inodes.add(f"socket:[{words[9]}]")
    for link in glob.glob("/proc/1/fd/*"):
        try:
            if os.readlink(link) in inodes:
                for line in open(f"/proc/1/fdinfo/{os.path.basename(link)}"):
                    if line.startswith("flags:"): yield int(line.split()[1], 8)
        except OSError: pass  # closed since
inodes, seen, blocking = set(), 0, 0
restart = subprocess.Popen(["systemctl", "restart", "shop"])
while restart.poll() is None:
    for each in flags():
        seen += 1
        blocking += not each & os.O_NONBLOCK
print(len(inodes), seen, blocking)
"""


def about(host):
    return get_json(host, f"{URLS[0]}/about")


def main_pid(host):
    return service.main_pid(host, "shop.service")


def workers(host):
    return service.workers(host, "shop.service")


@pytest.mark.parametrize("url", URLS)
def test_page_answers(host, url):
    """The project's page is served over IPv4 and over IPv6."""
    assert "<h1>Hello from shop</h1>" in get(host, f"{url}/")


def test_admin_answers_with_its_stylesheet(host):
    """Django's admin works, with its static files."""
    page = get(host, f"{URLS[0]}/admin/login/?next=/admin/")
    stylesheet = re.search(r'href="(/static/admin/css/base[^"]*\.css)"', page).group(1)
    assert "font-family" in get(host, URLS[0] + stylesheet)


def test_listens_where_it_should_and_nowhere_else(host):
    """On both loopback addresses, and on no address that other machines can reach."""
    listening = {line for line in host.socket.get_listening_sockets() if line.endswith(":8000")}
    assert listening == {"tcp://127.0.0.1:8000", "tcp://::1:8000"}


def test_workers_are_sized_to_the_host(host):
    """Two workers for each core and one more, as the module says for a host with enough memory."""
    cores = int(host.check_output("nproc"))
    assert f"--workers={2 * cores + 1} " in shown(host, "shop.service", "ExecStart")
    assert len(workers(host)) == 2 * cores + 1


def test_runs_as_the_project_from_its_venv(host):
    """Master and workers belong to the project's user, and run from its virtual environment."""
    owners = {host.process.get(pid=pid).user for pid in workers(host) | {main_pid(host)}}
    assert owners == {"shop"}
    told = about(host)
    assert (told["user"], told["prefix"]) == ("shop", host.check_output("readlink --canonicalize /opt/shop/venv"))
    assert told["environment"]["PYTHONPATH"] == "/etc/opt/shop:/opt/shop"
    assert told["environment"]["DJANGO_SETTINGS_MODULE"] == "settings"


def test_system_python_is_untouched(host):
    """The host's own Python has neither Gunicorn nor Django."""
    for package in ("gunicorn", "django"):
        assert host.run("/usr/bin/python3 -c 'import %s'", package).rc == 1


def test_user_is_a_system_user(host):
    """It has the book's home directory, and nobody can log in as it."""
    user = host.user("shop")
    assert user.uid < 1000
    assert (user.home, user.shell, user.group) == ("/var/opt/shop", "/usr/sbin/nologin", "shop")


def test_enabled_and_running_after_the_reboot(host):
    """The host was rebooted before these tests, and the service came up by itself."""
    assert was_rebooted(host)
    assert host.service("shop").is_enabled
    assert host.service("shop").is_running
    assert host.service("shop.socket").is_enabled


def test_commands_of_the_book(host):
    """systemctl and service stop, start and restart it, and show its status."""
    before = main_pid(host)
    assert host.run("systemctl restart shop").rc == 0
    restarted = main_pid(host)
    assert restarted not in (0, before)
    assert host.run("service shop stop").rc == 0
    assert host.run("systemctl status shop").rc == 3
    assert host.run("service shop start").rc == 0
    assert main_pid(host) not in (0, restarted)
    assert "active (running)" in host.check_output("service shop status")
    assert "Hello from shop" in get(host, URLS[0])


def test_stopping_the_socket_stops_the_service_too(host):
    """While the socket is open, the next request starts a stopped service."""
    assert host.run("systemctl stop shop.socket").rc == 0
    assert host.run("curl --silent --max-time 5 %s", URLS[0]).rc == 7
    assert not host.service("shop").is_running
    assert host.run("systemctl start shop").rc == 0
    assert "Hello from shop" in get(host, URLS[0])


def test_disabling_the_service_disables_the_socket_too(host):
    """Otherwise the first request after a reboot would start a disabled service."""
    assert host.run("systemctl disable shop").rc == 0
    assert not host.service("shop.socket").is_enabled
    assert host.run("systemctl enable shop").rc == 0
    assert host.service("shop.socket").is_enabled


def test_reload_replaces_the_workers_and_keeps_the_master(host):
    """reload returns when a new worker works."""
    master, before = main_pid(host), workers(host)
    assert host.run("systemctl reload shop").rc == 0
    assert about(host)["worker"] not in before
    assert main_pid(host) == master


def test_reload_of_broken_code_fails_and_harms_nothing(host):
    """The service goes on with the code that it has."""
    before = workers(host)
    with damaged(host, "/opt/shop/shop/wsgi.py", "import no_such_module"):
        assert host.run("systemctl reload shop").rc != 0
        assert workers(host) <= before
        assert "Hello from shop" in get(host, URLS[0])


def test_reload_of_an_application_that_loads_but_fails_is_refused(host):
    """A broken URLconf fails only at the first request: reload tries one before it touches the service."""
    master, before = main_pid(host), workers(host)
    with damaged(host, "/opt/shop/shop/urls.py", "import no_such_module"):
        assert host.run("systemctl reload shop").rc != 0
        assert main_pid(host) == master
        assert workers(host) <= before
        assert "Hello from shop" in get(host, URLS[0])


def test_reload_without_a_master_says_so(host):
    """It died while the code was tried. No program prints its help, and no shell how it was called."""
    since = host.check_output("date +@%s.%N")
    script = "systemctl reload shop & sleep 0.3; systemctl kill --kill-who=main --signal=KILL shop; ! wait $!"
    assert host.run("sh -c %s", script).rc == 0
    assert "Hello from shop" in get(host, URLS[0])
    said = host.check_output("journalctl --unit=shop --since=%s --output=cat", since)
    assert "Gunicorn has ended: there is nothing to reload" in said
    assert [word for word in ("Usage:", "kill:", "Illegal") if word in said] == []


def test_sockets_stay_non_blocking_during_a_start(host):
    """Otherwise a worker that loses the race for a connection waits for the next one in accept()."""
    sockets, seen, blocking = map(int, host.check_output("python3 -c %s", RESTART_AND_WATCH_THE_SOCKETS).split())
    assert sockets == 2
    assert seen > 50
    assert blocking == 0


def test_start_waits_for_a_worker_that_works(host):
    """The first request after a restart meets a worker that has loaded the application."""
    assert host.run("systemctl restart shop").rc == 0
    assert host.file("/run/gunicorn/shop/ready").exists
    assert "Hello from shop" in get(host, URLS[0])


def test_what_the_service_wrote_does_not_become_code(host):
    """Modules in the directory that it works in, named as its settings, a requirement and parts of Python itself."""
    names = "__future__ array logging mmap settings urls whitenoise"
    for name in names.split():
        host.check_output(f"sudo -u shop sh -c 'echo raise ImportError > /var/opt/shop/{name}.py'")
    try:
        assert host.run("systemctl restart shop").rc == 0
        assert "Hello from shop" in get(host, URLS[0])
        assert host.run("systemctl reload shop").rc == 0
        assert "Hello from shop" in get(host, URLS[0])
        assert host.check_output(f"readlink /proc/{min(workers(host))}/cwd") == "/var/opt/shop"
    finally:
        host.check_output("rm /var/opt/shop/*.py")


def test_killed_master_comes_back(host):
    """systemd starts the service again; the sockets stay open meanwhile."""
    before = main_pid(host)
    assert host.run("kill -KILL %s", str(before)).rc == 0
    assert "Hello from shop" in get(host, URLS[0])
    assert main_pid(host) not in (0, before)


def test_logs_are_written_for_the_project_only(host):
    """The book's log file has Gunicorn's messages, and other users can't read it."""
    log = host.file("/var/log/shop/gunicorn.log")
    assert "Listening at: http://127.0.0.1:8000" in log.content_string
    assert (log.user, log.group, log.mode) == ("shop", "shop", 0o640)
    directory = host.file("/var/log/shop")
    assert (directory.user, directory.mode) == ("shop", 0o750)


def test_rotation_loses_no_line(host):
    """Logs are rotated five times under load, and each answered request has its line."""
    before = main_pid(host)
    host.run("find /var/log/shop-access -name 'access.log.*' -delete")
    run = str(time.time_ns())
    answered, failed = map(int, host.check_output("python3 -c %s %s", ROTATE_UNDER_LOAD, run).split())
    assert failed == 0
    assert answered >= 250
    lines = host.check_output("zgrep --no-filename --count rotation-%s- /var/log/shop-access/access.log*", run).split()
    assert sum(map(int, lines)) == answered
    assert main_pid(host) == before


def test_rotation_during_a_start_is_not_missed(host):
    """Logs are rotated while the workers load the application, and no process goes on writing to the old file."""
    state = host.check_output(
        "old=$(cat /run/gunicorn/shop/running.json); kill -KILL %s;"
        ' until new=$(cat /run/gunicorn/shop/running.json 2>/dev/null) && [ "$new" != "$old" ]; do sleep 0.02; done;'
        " systemctl is-active shop; logrotate --force /etc/logrotate.d/gunicorn-shop; systemctl start shop",
        str(main_pid(host)),
    )
    assert state == "activating"
    assert open_files(host, "/var/log/shop*") == ["/var/log/shop-access/access.log", "/var/log/shop/gunicorn.log"]


def test_sandbox_is_real(host):
    """The service can't write to /usr or to its own code, can't see other processes, and may write its data."""
    enter = f"nsenter --target {main_pid(host)} --mount setpriv --reuid shop --regid shop --clear-groups"
    assert host.run(f"{enter} touch /var/opt/shop/probe").rc == 0
    assert host.run(f"{enter} test -e /proc/1/status").rc != 0
    for path in ("/usr/probe", "/opt/shop/probe", "/etc/opt/shop/probe"):
        result = host.run(f"nsenter --target {main_pid(host)} --mount touch {path}")
        assert "Read-only file system" in result.stderr


def test_exposure_is_low(host):
    """systemd's own rating; the book's plain unit has 9.2."""
    assert exposure(host, "shop.service") <= 1.1
