"""An application without Django, on a unix socket that only the web server's group may use."""

import json

from service import shown, workers

SOCKET = "/run/notes/web.sock"


def ask_as(host, user, socket=SOCKET):
    return host.run(f"sudo -u {user} curl --silent --fail --unix-socket {socket} http://localhost/")


def unit_property(host, name):
    return shown(host, "notes-web.service", name)


def test_application_answers_the_web_server(host):
    """On the socket, with its environment exactly as it is in the playbook."""
    told = json.loads(ask_as(host, "www-data").stdout)
    assert told == {
        "title": 'Ünïcödé: $HOME, 100%, "quoted" \\ and more',
        "limit": "20",
        "django": False,
        "user": "notes_web",
        "threaded": True,
    }


def test_pyramid_in_greenlets(host):
    """From its file of settings, by a module of two lines; the worker class alone brings gevent and what that needs."""
    told = json.loads(ask_as(host, "www-data", "/run/pages.sock").stdout)
    assert (told["title"], told["gevent"]) == ("Pages, made with care", True)
    assert told["pid"] in workers(host, "pages.service")
    assert host.run("/opt/pages/venv/bin/python -c 'import packaging, gevent'").rc == 0


def test_uv_installed_it(host):
    """Gunicorn, the requirements, and pip, which people expect."""
    installers = "/opt/notes/venv/lib/python3*/site-packages/{gunicorn,flask,pip}-*.dist-info/INSTALLER"
    assert host.check_output(f"bash -c 'for file in {installers}; do echo $(cat $file); done'").split() == ["uv"] * 3
    assert host.run("/opt/notes/venv/bin/pip --version").rc == 0


def test_socket_is_for_the_group_alone(host):
    """It has the owner, group and mode of the playbook, and another user can't connect."""
    socket = host.file(SOCKET)
    assert socket.is_socket
    assert (socket.user, socket.group, socket.mode) == ("notes_web", "www-data", 0o660)
    assert ask_as(host, "nobody").rc != 0


def test_no_port_is_open(host):
    """The unix socket is the only address."""
    listening = host.socket.get_listening_sockets()
    assert [line for line in listening if line.startswith("tcp://") and not line.endswith(":22")] == []


def test_socket_outlives_a_restart_and_a_stop(host):
    """The socket stays, and the next request starts a stopped service again."""
    for command in ("restart", "stop"):
        assert host.run("systemctl %s notes-web.service", command).rc == 0
        assert host.file(SOCKET).is_socket
    assert ask_as(host, "www-data").rc == 0
    # The first worker answers while the start still waits for the second.
    host.run("timeout 30 sh -c 'while systemctl is-active notes-web | grep --quiet activating; do sleep 0.1; done'")
    assert host.service("notes-web").is_running


def test_given_numbers_are_used(host):
    """Two workers with four threads each, instead of the sizing's."""
    assert len(workers(host, "notes-web.service")) == 2
    assert "--workers=2 " in unit_property(host, "ExecStart")
    settings = host.file("/etc/opt/notes/gunicorn.conf.py").content_string
    assert "worker_class = 'gthread'" in settings
    assert "threads = 4" in settings
    assert "limit_request_fields = 50" in settings


def test_stopping_waits_longer_than_requests_may_take(host):
    """systemd waits longer than graceful_timeout; otherwise it would kill requests in flight."""
    assert unit_property(host, "TimeoutStopUSec") == "55s"


def test_directives_override_the_defaults(host):
    """A given directive wins, null removes one, and the others stay."""
    assert unit_property(host, "MemoryMax") == str(512 << 20)
    assert unit_property(host, "PrivateDevices") == "no"
    assert unit_property(host, "ProtectSystem") == "strict"


def test_description_is_text(host):
    """A percent sign in the description is no specifier."""
    assert unit_property(host, "Description") == "Notes (100% of them)"


HOOKS = {"when_ready", "on_reload", "post_fork", "post_worker_init", "pre_request", "post_request", "child_exit"}


def test_hooks_of_the_user_are_called_beside_those_of_the_role(host):
    """At a start, a request and a reload, each hook logs that it was called, and the role's own work."""
    assert host.run("systemctl restart notes-web").rc == 0
    assert ask_as(host, "www-data").rc == 0
    host.check_output("systemctl reload notes-web")
    journal = f"journalctl _SYSTEMD_INVOCATION_ID={unit_property(host, 'InvocationID')} --output=cat"
    host.run(f"timeout 30 sh -c 'until {journal} | grep --quiet child_exit; do sleep 0.1; done'")
    said = host.check_output(journal)
    assert {line.split("notes: ")[1].split()[0] for line in said.splitlines() if "notes: " in line} == HOOKS
    assert "Traceback" not in said
    # The counter of the workers that have ended
    assert host.file("/run/gunicorn/notes-web/requests-0").exists


def test_log_goes_to_the_journal(host):
    """With '-' there is no log file, and no log rotation for one."""
    assert "Listening at: unix:/run/notes/web.sock" in host.check_output("journalctl --unit=notes-web --output=cat")
    assert not host.file("/var/log/notes").exists
    assert not host.file("/etc/logrotate.d/gunicorn-notes-web").exists
