"""The same role with the same variables, on a host that systemd does not run.

The tests build on each other: the first ones find what the defaults made and a reboot left.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from files_on_host import damaged, open_files
from hosts import was_rebooted
from playbook_run import PlaybookRun
from service import children
from waiting import wait_for
from web import answers, get, get_json

SCENARIO = Path(__file__).parent.parent
URLS = ["http://127.0.0.1:8000", "http://[::1]:8000"]
HARD = "two\nlines ; # %(here)s %s \"double\" 'single' \\ $HOME `id` é"
# Some of them have a counterpart in supervisor or in the launcher, and some have none.
VARIABLES = {
    "gunicorn_workers": 3,
    "gunicorn_bind": ["127.0.0.1:8000", "[::1]:8000", {"path": "/run/shop.sock", "group": "www-data", "mode": "0660"}],
    "gunicorn_environment": {"HARD": HARD},
    "gunicorn_secrets": {"TOKEN": f"s3cret {HARD}"},
    "gunicorn_credentials": {"KEY": "hidden key"},
    "gunicorn_service_directives": {"UMask": "0022", "MemoryMax": "2G", "ReadWritePaths": "/srv/media"},
}


def deploy(**variables):
    return PlaybookRun(SCENARIO / "converge.yml", variables=variables)


def about(host):
    return get_json(host, f"{URLS[0]}/about")


def serves(host):
    return answers(host, f"{URLS[0]}/")


def master(host):
    """The process id of the master, or 0 if there is none; then supervisorctl also exits with an error."""
    return int(host.run("supervisorctl pid shop").stdout)


def workers(host):
    return children(host, master(host))


def processes(host):
    return master(host), workers(host)


def state(host):
    """The state of the program in supervisor's words. The exit code depends on it."""
    return host.run("supervisorctl status shop").stdout.split()[1]


def files(host):
    """Every file that the role could touch, with its content."""
    return host.check_output(
        "find /etc/opt/shop /etc/supervisor /etc/logrotate.d /opt/shop -not -name '*.pyc' -not -name __pycache__"
        " -printf '%p %y %l %m %u %g\\n' | sort; find /etc/opt/shop /etc/supervisor -type f | sort | xargs sha256sum"
    )


def test_systemd_does_not_run_this_host(host):
    """Otherwise these tests would prove nothing."""
    assert host.check_output("cat /proc/1/comm") == "init"
    assert not host.file("/run/systemd/system").exists
    assert not host.exists("systemctl")


def test_started_after_the_reboot(host):
    """The host was rebooted before these tests, and the service came up by itself."""
    assert was_rebooted(host)
    assert state(host) == "RUNNING"


@pytest.mark.parametrize("url", URLS)
def test_page_answers(host, url):
    """The project's page comes over IPv4 and over IPv6."""
    assert "<h1>Hello from shop</h1>" in get(host, f"{url}/")


def test_process_is_like_the_process_of_a_unit(host):
    """It has the project's user and directory, nobody else's environment, and no privileges."""
    cores = int(host.check_output("nproc"))
    pid, own = processes(host)
    assert len(own) == 2 * cores + 1
    assert {host.process.get(pid=each).user for each in own | {pid}} == {"shop"}
    assert host.check_output(f"readlink /proc/{pid}/cwd") == "/var/opt/shop"
    status = dict(line.split(":\t", 1) for line in host.file(f"/proc/{pid}/status").content_string.splitlines())
    assert (status["CapBnd"], status["NoNewPrivs"], status["Umask"]) == ("0" * 16, "1", "0027")
    assert status["Groups"].split() == [status["Gid"].split()[0]]
    environment = about(host)["environment"]
    assert environment["PYTHONPATH"] == "/etc/opt/shop:/opt/shop"
    assert environment["DJANGO_SETTINGS_MODULE"] == "settings"
    assert (environment["HOME"], environment["USER"]) == ("/var/opt/shop", "shop")
    assert "SUDO_USER" not in environment
    log = host.file("/var/log/shop/gunicorn.log")
    assert (log.user, log.group, log.mode) == ("shop", "shop", 0o640)


def test_service_info_knows_it(host):
    """By the program's name, and with a count of its requests."""
    told = host.ansible("pyweb.gunicorn.gunicorn_service_info", "name=shop sample=0.1", check=False, become=True)
    (service,) = told["services"]
    assert (service["name"], service["unit"], service["user"]) == ("shop", None, "shop")
    assert service["processes"][0]["pid"] == master(host)
    assert service["workers"]["running"] == len(workers(host))
    assert {each["address"] for each in service["sockets"]} == {"127.0.0.1:8000", "[::1]:8000"}
    assert service["requests"]["source"] == "counters"


def test_killed_master_comes_back(host):
    """With new workers: the orphaned ones would keep the addresses."""
    before, orphans = processes(host)
    assert host.run(f"kill -KILL {before}").rc == 0
    # The orphaned workers can still answer.
    wait_for(lambda: master(host) != before and len(workers(host)) == len(orphans) and serves(host), 10)
    assert not orphans & set(map(int, host.check_output("ps -e -o pid=").split()))


def test_commands_of_supervisor(host):
    """supervisorctl stops and starts the program, and a reload keeps the master."""
    assert host.run("supervisorctl stop shop").rc == 0
    assert not serves(host)
    assert host.run("supervisorctl start shop").rc == 0
    wait_for(lambda: serves(host))
    before, old = processes(host)
    assert host.run("supervisorctl signal HUP shop").rc == 0
    wait_for(lambda: len(workers(host) - old) == len(old) and not workers(host) & old)
    assert master(host) == before
    assert "Hello from shop" in get(host, URLS[0])


def test_logs_are_rotated(host):
    """Without systemctl: all processes go on, and write to the new file."""
    before = processes(host)
    assert host.run("logrotate --force /etc/logrotate.d/gunicorn-shop").rc == 0
    wait_for(lambda: open_files(host, "/var/log/shop*") == ["/var/log/shop/gunicorn.log"])
    assert host.file("/var/log/shop/gunicorn.log.1").exists
    assert processes(host) == before


def test_rotation_does_not_wait_for_what_the_user_made(host):
    """A pipe in the place of what the master says of itself."""
    before = processes(host)
    as_user = "cd /run/gunicorn/shop && runuser --user shop -- sh -c '{}'"
    host.check_output(as_user.format("mv running.json kept && mkfifo running.json"))
    assert host.run("timeout 30 logrotate --force /etc/logrotate.d/gunicorn-shop").rc == 0
    wait_for(lambda: open_files(host, "/var/log/shop*") == ["/var/log/shop/gunicorn.log"])
    host.check_output(as_user.format("mv kept running.json"))
    assert processes(host) == before


@pytest.mark.parametrize("lost", ["/var/log/shop/gunicorn.log", "/var/log/shop"])
def test_log_that_was_deleted_is_written_again(host, lost):
    """By the same processes, in a file that their user has made."""
    before = processes(host)
    host.check_output(f"rm -r {lost}")
    run = deploy()
    assert run.code == 0, run.output
    assert open_files(host, "/var/log/shop*") == ["/var/log/shop/gunicorn.log"]
    assert host.file("/var/log/shop/gunicorn.log").user == "shop"
    assert processes(host) == before
    assert deploy().changed() == []


def test_change_goes_live(host):
    """Variables with a counterpart take effect, the others are named, and a second run changes nothing."""
    host.check_output("getent group www-data")
    run = deploy(**VARIABLES)
    assert run.code == 0, run.output
    assert run.changed() == ["Have supervisor run what is wanted"]
    (said,) = run.warnings()
    assert "connections are refused while the service restarts" in said
    assert "Ignored: gunicorn_service_directives (ReadWritePaths)." in said
    assert "Not enforced, and only used to size the workers: gunicorn_service_directives (MemoryMax)." in said
    assert len(workers(host)) == 3
    assert host.check_output("stat --format='%U %G %a' /run/shop.sock") == "shop www-data 660"
    assert "Hello from shop" in get(host, "http://localhost/", "--unix-socket /run/shop.sock")
    assert host.check_output(f"grep Umask: /proc/{master(host)}/status").split() == ["Umask:", "0022"]
    assert deploy(**VARIABLES).changed() == []


def test_secrets_reach_the_application_and_nobody_else(host):
    """Any value arrives unchanged; no file, no command line and no output of supervisor contains it."""
    environment = about(host)["environment"]
    assert environment["HARD"] == HARD
    assert environment["TOKEN"] == VARIABLES["gunicorn_secrets"]["TOKEN"]
    key = f"{environment['CREDENTIALS_DIRECTORY']}/KEY"
    assert host.check_output(f"setpriv --reuid=shop --regid=shop --clear-groups cat {key}") == "hidden key"
    assert host.check_output("stat --format=%a:%U /etc/opt/shop/secrets.env") == "600:root"
    other = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
    found = host.run(
        f"{other} grep --recursive --files-with-matches --no-messages --text -e s3cret -e 'hidden key'"
        f" /etc /run /var/log /var/opt /proc/{master(host)}"
    )
    assert found.stdout == ""
    told = "supervisorctl status; supervisorctl avail; supervisorctl tail shop; ps axww; cat /etc/supervisor/conf.d/*"
    assert "s3cret" not in host.check_output(told)


REFUSED = {
    "directive": ({"gunicorn_service_directives": {"IPAddressDeny": "any"}}, "directives['IPAddressDeny']: 'any'"),
    "manager": ({"gunicorn_service_manager": "systemd"}, "gunicorn_service_manager: 'systemd' can't be used"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unsafe_change_is_refused(host, name):
    """With one clear error, before anything is changed."""
    variables, said = REFUSED[name]
    before = files(host), processes(host)
    message = deploy(**{**VARIABLES, **variables}).error()
    assert said in message
    assert "Nothing was changed." in message
    assert (files(host), processes(host)) == before


def test_broken_application_does_not_touch_the_live_service(host):
    """The same processes serve the same page, and the message has the application's own error."""
    before = files(host), processes(host)
    with damaged(host, "/opt/shop/shop/wsgi.py", "raise RuntimeError('no shop today')"):
        message = deploy(**VARIABLES, gunicorn_app_revision="broken").error()
    assert "RuntimeError: no shop today" in message.splitlines()[0]
    assert "The live service was not touched. If the code is why: it is in /opt/shop," in message
    assert "Hello from shop" in get(host, URLS[0])
    assert (files(host), processes(host)) == before
    assert host.check_output("stat --format=%U:%A /run/gunicorn-shop.refused") == "root:-rw-r--r--"
    assert host.run("find /run -name '*standin*' | grep .").rc == 1


def test_change_that_fails_only_when_live_is_undone(host):
    """The files, the number of workers and the secrets are the previous ones, and the next run has nothing to do."""
    before = files(host)
    change = {"gunicorn_workers": 2, "gunicorn_secrets": {"TOKEN": "other"}, "gunicorn_health_timeout": 2}
    message = deploy(**{**VARIABLES, **change, "gunicorn_environment": {"ANSWERS": "inside only"}}).error()
    assert "answers / with status 503" in message
    assert "The previous configuration is live again." in message
    assert files(host) == before
    assert len(workers(host)) == 3
    assert about(host)["environment"]["TOKEN"] == VARIABLES["gunicorn_secrets"]["TOKEN"]
    assert deploy(**VARIABLES).changed() == []


def test_one_worker_loads_what_was_never_loaded_before_the_others_do(host):
    """An application that makes its table while it loads is tried and started by all workers."""
    makes_table = (
        "import sqlite3, time; base = sqlite3.connect('/var/opt/shop/tables'); "
        "here = base.execute('SELECT * FROM sqlite_master').fetchall(); time.sleep(0.5); "
        "here or base.execute('CREATE TABLE goods (name)')"
    )
    with damaged(host, "/opt/shop/shop/wsgi.py", makes_table):
        run = deploy(**VARIABLES, gunicorn_app_revision="tables")
        assert run.code == 0, run.output
        host.check_output("supervisorctl stop shop && rm /var/opt/shop/tables")
        run = deploy(**VARIABLES, gunicorn_app_revision="tables")
        assert run.code == 0, run.output
    host.check_output("rm /var/opt/shop/tables")
    assert host.run("ls /run/gunicorn-shop.refused /run/gunicorn-shop.untried").rc != 0
    assert deploy(**VARIABLES).code == 0


def test_running_service_is_compared_not_only_its_files(host):
    """A worker that was added by a signal is removed, though no file has changed."""
    assert host.run("supervisorctl signal TTIN shop").rc == 0
    wait_for(lambda: host.run("ls /run/gunicorn/shop/worker-*").stdout.count("worker-") == 4)
    assert deploy(**VARIABLES).changed() == ["Have supervisor run what is wanted"]
    assert len(workers(host)) == 3


# It notes who began and who ended, and has a task when it is asked to end.
WORK = (
    'note() { echo "$1 $GUNICORN_COMPANION_INSTANCE $TOKEN $VERSION" >> /var/opt/shop/work; }; '
    'trap "sleep 1; note ended; exit 0" TERM; note began; echo at work; while :; do sleep 0.1; done'
)
WORKER = {"command": ["sh", "-c", WORK], "instances": 2, "start_seconds": 2, "stop_timeout": 20}


def deploy_worker(version, **more):
    """Deploy with the companion worker in a version, and more options of it."""
    worker = {**WORKER, "environment": {"VERSION": version}, **more}
    return deploy(**VARIABLES, gunicorn_companions={"worker": worker})


def work(host):
    """What the worker has noted since the last time, without the values of its secrets."""
    noted = host.check_output("cat /var/opt/shop/work; : > /var/opt/shop/work").replace(HARD, "")
    return sorted(line for line in noted.splitlines() if line)


def worker_pids(host):
    return host.run("supervisorctl status 'shop-worker:*' | grep --only-matching 'pid [0-9]*' | sort").stdout.split(
        "\n"
    )


def test_companions_are_programs(host):
    """With the user and the secrets of the service, and a log that their user opens; the service goes on."""
    before = processes(host)
    run = deploy_worker("1")
    assert run.code == 0, run.output
    assert processes(host) == before
    assert host.check_output("supervisorctl status 'shop-worker:*'").count("RUNNING") == 2
    began = work(host)
    assert [line.split()[:2] for line in began] == [["began", "1"], ["began", "2"]]
    assert all("s3cret" in line for line in began)
    assert host.check_output("stat --format=%U:%a /var/log/shop/worker.log") == "shop:644"
    assert host.file("/var/log/shop/worker.log").content_string == "at work\n" * 2
    asked = "pyweb.gunicorn.gunicorn_service_info", "name=shop sample=0.1"
    (told,) = host.ansible(*asked, check=False, become=True)["services"]
    (worker,) = told["companions"]
    assert (worker["name"], worker["unit"], worker["state"]) == ("worker", "shop-worker:*", "active")
    assert (worker["running"], worker["wanted"], worker["restarts"]) == (2, 2, None)
    assert {pid.split()[-1] for pid in worker_pids(host) if pid} <= {str(pid) for pid in worker["pids"]}
    assert worker["memory"]["rss"] >= worker["memory"]["pss"] > 0
    assert deploy_worker("1").changed() == []


def test_old_companions_end_before_new_ones_begin(host):
    """After their task, and without the service."""
    before = processes(host)
    assert deploy_worker("2").code == 0
    noted = [line.split() for line in work(host)]
    assert [(line[0], line[1], line[-1]) for line in noted] == [
        ("began", "1", "2"),
        ("began", "2", "2"),
        ("ended", "1", "1"),
        ("ended", "2", "1"),
    ]
    assert processes(host) == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"command": ["sh", "-c", "echo no mail today; exit 3"]}, "no mail today"),
        ({"check": "sh -c 'echo no ping from {instance}; exit 1'", "check_timeout": 3}, "no ping from 1"),
    ],
)
def test_companion_that_does_not_work_is_taken_back(host, more, said):
    """With its own words; the files and the programs are those of before."""
    before = files(host)
    message = deploy_worker("3", **more).error()
    assert said in message
    # The run has waited for them.
    assert host.run("supervisorctl status 'shop-worker:*'").stdout.count("RUNNING") == 2
    assert "The previous configuration is live again" in message
    assert "did not come up again" not in message
    assert files(host) == before
    began = [line for line in work(host) if line.startswith("began")]
    assert sum(line.endswith(" 2") for line in began) == 2
    assert deploy_worker("2").changed() == []


def test_supervisor_has_no_timers(host):
    """One sentence says what to use."""
    before = files(host)
    message = deploy(**VARIABLES, gunicorn_companions={"nightly": {"command": "true", "calendar": "daily"}}).error()
    assert "gunicorn_companions['nightly']['calendar']: 'daily' can't be used" in message
    assert message.endswith("Nothing was changed.")
    assert files(host) == before


def test_host_without_web_workers(host):
    """The companions go on alone, and come back with the next variable."""
    alone = {**VARIABLES, "gunicorn_workers": 0}
    worker = {**WORKER, "environment": {"VERSION": "2"}}
    pids = worker_pids(host)
    run = deploy(**alone, gunicorn_companions={"worker": worker})
    assert run.code == 0, run.output
    assert state(host) == "STOPPED"
    assert worker_pids(host) == pids
    assert deploy(**alone, gunicorn_companions={"worker": worker}).changed() == []


def test_companion_that_is_not_wanted_any_more_goes(host):
    run = deploy(**VARIABLES)
    assert run.code == 0, run.output
    assert state(host) == "RUNNING"
    assert host.run("supervisorctl status 'shop-worker:*'").stdout.count("RUNNING") == 0
    assert host.run("ls /etc/supervisor/conf.d/*worker* /etc/opt/shop/*worker*").rc != 0
    assert [line.split()[0] for line in work(host)][-2:] == ["ended", "ended"]
    host.check_output("rm /var/opt/shop/work /var/log/shop/worker.log")
    assert deploy(**VARIABLES).changed() == []


def test_commands_of_the_project(host):
    """As the service's user, with its secrets and its virtual environment; the exit status is handed through."""
    code = "import os, sys; print(os.getuid() > 0, 's3cret' in os.environ['TOKEN'], sys.prefix, os.getcwd())"
    said = host.check_output(f'/usr/local/sbin/shop-run python -c "{code}"').split()
    assert said[:2] == ["True", "True"]
    assert said[2].startswith("/opt/shop/venv")
    assert said[3] == "/opt/shop"
    assert host.run("/usr/local/sbin/shop-run sh -c 'exit 9'").rc == 9
    assert host.run("/usr/local/sbin/shop-run sh -c 'kill -KILL $$'").rc == 137
    assert host.check_output("echo piped | /usr/local/sbin/shop-run cat") == "piped"
    host.check_output("nohup /usr/local/sbin/shop-run sleep 444 < /dev/null > /dev/null 2>&1 & echo $! > /tmp/run.pid")
    wait_for(lambda: "sleep 444" in host.check_output("ps -eo args"))
    host.check_output("kill -KILL $(cat /tmp/run.pid)")
    wait_for(lambda: "sleep 444" not in host.check_output("ps -eo args"))
    wait_for(lambda: host.run("ls -d /run/gunicorn*shop-run*").rc != 0)


def test_service_can_be_stopped_and_disabled(host):
    """It stays stopped when supervisor starts again, and comes back when it is wanted again."""
    stopped = {"gunicorn_service_state": "stopped", "gunicorn_service_enabled": False}
    assert deploy(**VARIABLES, **stopped).code == 0
    assert state(host) == "STOPPED"
    # Debian's script does not wait for supervisor's end, and its restart only stops it.
    assert host.run("service supervisor stop").rc == 0
    wait_for(lambda: not host.file("/run/supervisord.pid").exists)
    assert host.run("service supervisor start").rc == 0
    wait_for(lambda: host.run("supervisorctl pid").rc == 0)
    assert state(host) == "STOPPED"
    assert deploy().code == 0
    assert state(host) == "RUNNING"
    assert not host.file("/run/shop.sock").exists
    assert not host.file("/etc/opt/shop/secrets.env").exists
    assert "Hello from shop" in get(host, URLS[1])


# The last tests remove everything again.


def remove(*options, **variables):
    return PlaybookRun(SCENARIO / "converge.yml", *options, variables={"gunicorn_state": "absent", **variables})


def named_like(host):
    """The files with the project's name, and the files beside its settings."""
    found = host.check_output(
        "{ find /etc /run /opt /var -name '*shop*' -not -path '/opt/shop/*' -not -path '/var/lib/dpkg/*';"
        " find /etc/opt/shop -mindepth 1 -not -name '*.pyc' -not -name __pycache__; } 2> /dev/null | sort -u"
    )
    return found.split()


OWN = ["/etc/opt/shop", "/etc/opt/shop/settings.py", "/opt/shop", "/var/log/shop", "/var/opt/shop"]
QUEUE = "/etc/supervisor/conf.d/queue.conf"


@pytest.fixture
def queue(host):
    """Another program, not the role's, which names the project's data directory."""
    text = "[program:queue]\\ncommand=sleep 1000000\\ndirectory=/var/opt/shop\\n"
    host.check_output(f"printf '{text}' > {QUEUE} && supervisorctl update queue")
    wait_for(lambda: host.run("supervisorctl status queue").rc == 0)
    yield int(host.check_output("supervisorctl pid queue"))
    host.check_output(f"rm {QUEUE} && supervisorctl update queue")


@pytest.fixture
def mail(host):
    """The file of a program that the role did not make, and that was never started."""
    path = "/etc/supervisor/conf.d/other.conf"
    host.check_output(f"printf '[program:mail]\\ncommand=sleep 1000000\\nautostart=false\\n' > {path}")
    yield path
    host.check_output(f"rm {path}")


def test_another_program_is_not_removed(host, mail):
    """The error names its file; neither it nor the project is touched."""
    before = files(host), processes(host)
    message = remove(gunicorn_service_name="mail").error()
    assert "gunicorn_service_name: 'mail'" in message
    assert f"the program in {mail} was not" in message
    assert (files(host), processes(host)) == before


def test_removed(host, queue):
    """Only what the role made is gone; supervisor and its other program go on."""
    variables = {"gunicorn_bind": VARIABLES["gunicorn_bind"], "gunicorn_secrets": {"A": "1"}}
    assert deploy(**variables, gunicorn_credentials=VARIABLES["gunicorn_credentials"]).code == 0
    supervisor = host.check_output("supervisorctl pid")
    before = files(host), processes(host)
    checked = remove("--check", "--diff")
    assert checked.changed() == ["Remove what the role made, and what is named"]
    assert "/etc/supervisor/conf.d/shop.conf" in checked.output
    assert (files(host), processes(host)) == before
    run = remove()
    assert run.code == 0, run.output
    assert run.changed() == checked.changed()
    assert named_like(host) == sorted([*OWN, "/var/log/supervisor/shop"])
    assert host.file("/opt/shop/shop/wsgi.py").exists
    assert host.file("/opt/shop/venv/bin/gunicorn").exists
    assert host.file("/var/log/shop/gunicorn.log").exists
    assert host.user("shop").exists
    assert host.run("ps -u shop").rc == 1
    assert host.run(f"curl --silent {URLS[0]}/").rc == 7
    assert "shop" not in host.check_output("supervisorctl avail")
    assert (host.check_output("supervisorctl pid"), int(host.check_output("supervisorctl pid queue"))) == (
        supervisor,
        queue,
    )
    assert remove().changed() == []


def test_removed_after_supervisor_was_killed(host, queue):
    """The processes that a killed supervisor left end, half of the files may be gone, and what is named is removed."""
    assert deploy().code == 0
    pid = master(host)
    host.check_output("kill -KILL $(cat /run/supervisord.pid) && rm /etc/supervisor/conf.d/shop.conf")
    assert host.file(f"/proc/{pid}").exists
    named = ["venv", "code", "config", "data", "logs", "user"]
    run = remove(gunicorn_absent_remove=named)
    assert run.code == 0, run.output
    assert run.warnings() == ["/var/opt/shop is named by queue.conf: it stays."]
    assert named_like(host) == ["/var/opt/shop"]
    assert not host.user("shop").exists
    assert not host.group("shop").exists
    assert host.run(f"curl --silent {URLS[0]}/").rc == 7
    host.check_output("rm -f /run/supervisord.pid /run/supervisor.sock; kill %s; service supervisor start", str(queue))
    wait_for(lambda: host.run("supervisorctl pid").rc == 0)
