"""A change that does not work ends before it touches the live service, or is undone; either way it says why.

The tests build on each other: the first one finds a fresh host, the others the service that it left.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import load_on_host
import pytest
import service
from files_on_host import damaged
from playbook_run import PlaybookRun
from waiting import wait_for
from web import answers, get, get_json

SCENARIO = Path(__file__).parent.parent
URL = "http://127.0.0.1:8000"
NOT_TOUCHED = "The live service was not touched."
WENT_BACK = "The previous configuration is live again."
# The project's files, without its logs and its database, which grow
WATCHED = "/etc /opt /usr/bin /usr/lib/systemd /run/systemd/system /var/lib/systemd"
TARGETS = ("v4=127.0.0.1:8000", "v6=[::1]:8000", "kept=127.0.0.1:8000,keepalive=2")


def deploy(**variables):
    return PlaybookRun(SCENARIO / "converge.yml", variables=variables)


def page(host):
    return get(host, f"{URL}/", "--max-time 10")


def about(host):
    return get_json(host, f"{URL}/about", "--max-time 10")


def main_pid(host):
    return service.main_pid(host, "shop.service")


def workers(host):
    return service.workers(host, "shop.service")


def units(host):
    return host.check_output("systemctl list-units --all --plain --no-legend 'shop*' | cut -d ' ' -f 1").split()


def snapshot(host):
    """Every file that the role could touch, and what runs."""
    listing = host.check_output(
        f"find {WATCHED} -xdev -not -name '*.pyc' -not -name __pycache__ -printf '%p %y %l %m %u %g %s\\n' | sort"
    )
    contents = host.check_output(
        "find /etc/opt/shop /etc/systemd/system -xdev -type f -not -name settings.py | sort | xargs sha256sum"
    )
    return listing, contents, units(host)


def processes(host):
    return main_pid(host), workers(host)


def under_load(host):
    """Twenty-five requests a second, with and without keepalive, none of which may fail."""
    return load_on_host.under_load([host], TARGETS, "--rate=25")


def test_first_deployment_that_fails_leaves_nothing(host):
    """No unit, no configuration, no virtual environment, and nothing listens."""
    with damaged(host, "/opt/shop/shop/wsgi.py", "raise RuntimeError('no shop today')"):
        said = deploy().error()
    assert "RuntimeError: no shop today" in said.splitlines()[0]
    assert "No unit was left behind." in said
    assert "\nThe end of /var/log/shop/gunicorn.log:\n" in said
    assert "\nRuntimeError: no shop today\n" in said
    assert units(host) == []
    assert host.check_output("ls -A /etc/opt/shop /opt/shop").split() == [
        "/etc/opt/shop:", "settings.py", "/opt/shop:", "manage.py", "shop"
    ]  # fmt: skip
    assert host.run("find /etc/systemd /run/systemd/system -name '*shop*' | grep .").rc == 1
    assert host.run(f"curl --silent {URL}/").rc != 0


def test_next_deployment_works(host):
    """The failed one left nothing that disturbs it."""
    run = deploy()
    assert run.code == 0, run.output
    assert "Hello from shop" in page(host)
    assert deploy().changed() == []


# Django logs the exception of a view nowhere by default.
BROKEN_VIEW = 'urlpatterns.insert(0, path("", lambda request: %s))'

# Those who come by http get a redirect, which says nothing.
FAILS_BY_HTTPS = "SECURE_SSL_REDIRECT = True; ROOT_URLCONF = 'no_urls'"

# How a change is broken: a file and the line that is added to it, variables, and what the first line of the error has
BROKEN = {
    "import": ("/opt/shop/shop/wsgi.py", "import nowhere", {}, "ModuleNotFoundError: No module named 'nowhere'"),
    "settings": ("/etc/opt/shop/settings.py", "DEBUG =", {}, "SyntaxError: invalid syntax"),
    "URLconf": ("/opt/shop/shop/urls.py", "import no_urls", {}, "ModuleNotFoundError: No module named 'no_urls'"),
    "view": ("/opt/shop/shop/urls.py", BROKEN_VIEW % '{}["no price"]', {}, "KeyError: 'no price'"),
    "settings file": (None, None, {"gunicorn_environment": {"DJANGO_SETTINGS_MODULE": "other"}}, "'other'"),
    "Gunicorn setting": (None, None, {"gunicorn_settings": {"worker_tmp_dir": "/nowhere"}}, "/nowhere"),
    "status": (None, None, {"gunicorn_health_path": "/nowhere", "gunicorn_health_statuses": [200]}, "status 404"),
    "host name": (
        None,
        None,
        {"gunicorn_health_host": "evil.example.com"},
        "lacks 'evil.example.com': set",
    ),
    "site": (None, None, {"proxy_server_names": ["www.example.com"]}, "lacks 'www.example.com': set"),
    "redirect to https": ("/etc/opt/shop/settings.py", FAILS_BY_HTTPS, {}, "No module named 'no_urls'"),
    "sandbox": (None, None, {"gunicorn_service_directives": {"InaccessiblePaths": "/opt/shop/shop"}}, "shop"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_change_does_not_touch_the_live_service(host, name):
    """After the error, the same processes serve the same page, and the files are the same."""
    path, line, variables, said = BROKEN[name]
    before = snapshot(host), processes(host)
    with under_load(host), damaged(host, path, line) if path else contextlib.nullcontext():
        message = deploy(gunicorn_app_revision=name, **variables).error()
        assert said in message.splitlines()[0]
        assert NOT_TOUCHED in message
        assert "Hello from shop" in page(host)
    assert (snapshot(host), processes(host)) == before


def test_what_the_application_says_can_be_shown(host):
    """Its error has no secret, no control sequence and no line of megabytes, in whatever Ansible prints."""
    error = 'exec(\'import os; raise ValueError("red \\x1b[31m" + os.environ["TOKEN"] + "x" * 3_000_000)\')'
    variables = {"gunicorn_secrets": {"TOKEN": "canary-a81c"}}
    with damaged(host, "/opt/shop/shop/urls.py", BROKEN_VIEW % error):
        run = deploy(**variables)
    assert "ValueError: red ********xxx" in run.error().splitlines()[0]
    assert NOT_TOUCHED in run.error()
    assert "canary" not in run.output
    assert "\x1b" not in run.output
    assert len(run.output) < 100_000


def test_port_of_another_program_is_refused_before_anything_is_tried(host):
    """Only the plan has run."""
    before = snapshot(host), processes(host)
    run = deploy(gunicorn_bind=["127.0.0.1:8000", "127.0.0.1:22"])
    assert "gunicorn_bind: '127.0.0.1:22'" in run.error()
    assert len(run.on_host()) == 1
    assert (snapshot(host), processes(host)) == before


@pytest.mark.parametrize("name", ["import", "URLconf"])
def test_old_release_serves_on_while_the_code_is_broken(host, name):
    """Even if a worker dies, which is replaced once the code is whole again."""
    path, line, _variables, _said = BROKEN[name]
    everyone = workers(host)
    with under_load(host):
        with damaged(host, path, line):
            assert NOT_TOUCHED in deploy(gunicorn_app_revision=name).error()
            # TERM: the worker finishes its request first, and the load goes to the others.
            host.check_output(f"kill -TERM {min(everyone)}")
            wait_for(
                lambda: host.run("grep --quiet 'leaves the work to the others' /var/log/shop/gunicorn.log").rc == 0
            )
            # Longer than the timeout after which Gunicorn kills a worker that does not answer
            end = time.monotonic() + (35 if name == "import" else 5)
            while time.monotonic() < end:
                assert "Hello from shop" in page(host)
                time.sleep(1)
        host.check_output("truncate --size=0 /var/log/shop/gunicorn.log")
        wait_for(lambda: host.run("ls /run/gunicorn/shop/worker-*").stdout.count("worker-") == 3)
    assert len(workers(host)) == 3
    # Nothing but a trial says that the code is whole again.
    assert deploy().changed() != []
    assert deploy().changed() == []


def test_refused_code_in_place_is_not_started_by_max_requests(host):
    """The workers that have loaded the good code serve on; after the next good run, they are replaced again."""
    few = {"gunicorn_settings": {"max_requests": 20}}
    assert deploy(**few).code == 0
    everyone = workers(host)
    ask = f"for number in $(seq 200); do curl --silent --output /dev/null --write-out '%{{http_code}}\n' {URL}/; done"
    with damaged(host, *BROKEN["URLconf"][:2]):
        message = deploy(**few, gunicorn_app_revision="URLconf").error()
        assert "If the code is why: it is in /opt/shop, and a restart, a reboot or the end of a worker" in message
        assert host.check_output(f"{{ {ask}; }} | sort | uniq --count").split() == ["200", "200"]
        assert workers(host) == everyone
        # With the old variables, too, what is there is tried.
        assert NOT_TOUCHED in deploy(**few).error()
        assert workers(host) == everyone
    assert deploy(**few).code == 0
    everyone = set(workers(host))
    host.check_output(ask)
    wait_for(lambda: not everyone & set(workers(host)))
    assert host.run("ls /run/gunicorn-shop.*").rc != 0
    assert deploy().code == 0


# Fails in all workers but one that load it at the same time
MAKES_TABLES = (
    "import sqlite3, time; base = sqlite3.connect('/var/opt/shop/tables'); "
    "here = base.execute('SELECT * FROM sqlite_master').fetchall(); time.sleep(0.5); "
    "here or base.execute('CREATE TABLE goods (name)')"
)


@pytest.mark.parametrize("settings", [{}, {"preload_app": True}])
def test_one_worker_loads_what_was_never_loaded_before_the_others_do(host, settings):
    """An application that makes its tables while it loads is tried and started by eight workers."""
    many = {"gunicorn_workers": 8, "gunicorn_settings": settings, "gunicorn_app_revision": "tables"}
    with damaged(host, "/opt/shop/shop/wsgi.py", MAKES_TABLES):
        run = deploy(**many)
        assert run.code == 0, run.output
        host.check_output("systemctl stop shop.socket shop.service && rm /var/opt/shop/tables")
        run = deploy(**many)
        assert run.code == 0, run.output
        assert deploy(**many).changed() == []
        assert host.run("ls /run/gunicorn-shop.*").rc != 0
    host.check_output("rm /var/opt/shop/tables")
    assert deploy().code == 0


def test_change_that_fails_only_when_live_is_undone(host):
    """Settings, secrets and Gunicorn itself are the previous ones again, and the next run has nothing to do."""
    variables = {"gunicorn_secrets": {"TOKEN": "first"}}
    assert deploy(**variables).code == 0
    before = snapshot(host)
    version = host.check_output("/opt/shop/venv/bin/pip list --format=freeze | grep gunicorn")
    run = deploy(
        gunicorn_environment={"ANSWERS": "inside only"},
        gunicorn_secrets={"TOKEN": "second"},
        gunicorn_version="26.0.0",
        gunicorn_workers=2,
        gunicorn_health_timeout=3,
    )
    message = run.error()
    assert WENT_BACK in message
    assert "127.0.0.1:8000 answers / with status 503" in message
    assert snapshot(host) == before
    assert host.check_output("/opt/shop/venv/bin/pip list --format=freeze | grep gunicorn") == version
    assert about(host)["environment"]["TOKEN"] == "first"
    assert len(workers(host)) == 3
    assert deploy(**variables).changed() == []
    assert deploy().code == 0


def test_addresses_are_added_and_removed_alone(host):
    """A new address is open, a removed one is closed and leaves nothing behind, and the others never close."""
    before = snapshot(host)
    more = ["127.0.0.1:8000", "[::1]:8000", "127.0.0.1:8001", "unix:/run/shop.sock"]
    with under_load(host):
        assert deploy(gunicorn_bind=more).code == 0
        assert "Hello from shop" in get(host, "http://127.0.0.1:8001/")
        assert "Hello" in get(host, "http://localhost/", "--unix-socket /run/shop.sock")
        assert deploy(gunicorn_bind=more).changed() == []
        # The kernel goes on listing a socket whose file is gone.
        host.check_output("rm /run/shop.sock")
        assert deploy(gunicorn_bind=more).code == 0
        assert "Hello" in get(host, "http://localhost/", "--unix-socket /run/shop.sock")
        assert deploy(gunicorn_bind=more).changed() == []
        assert deploy().code == 0
    assert host.run("curl --silent http://127.0.0.1:8001/").rc != 0
    assert not host.file("/run/shop.sock").exists
    assert snapshot(host) == before


@pytest.mark.parametrize(
    ("unit", "lines", "directive", "variable"),
    [
        (
            "shop.service",
            "[Service]\\nExecStart=\\nExecStart=/opt/shop/venv/bin/gunicorn",
            "ExecStart",
            "gunicorn_workers",
        ),
        ("shop.service", "[Service]\\nUser=nobody", "User", "gunicorn_user"),
        ("shop.socket", "[Socket]\\nListenStream=127.0.0.1:9000", "ListenStream", "gunicorn_bind"),
        ("service", "[Service]\\nWorkingDirectory=/srv", "WorkingDirectory", "gunicorn_service_directives"),
    ],
)
def test_drop_in_that_overrides_a_variable_is_named(host, unit, lines, directive, variable):
    """The role can't override an administrator's drop-in: it says what to do, before anything changes."""
    drop_in = f"/etc/systemd/system/{unit}.d/override.conf"
    before = snapshot(host)
    host.check_output(f"mkdir --parents $(dirname {drop_in}) && printf '{lines}\\n' > {drop_in}")
    message = deploy(gunicorn_workers=2).error()
    host.check_output(f"rm -r $(dirname {drop_in})")
    assert f"no {directive}= in {drop_in}" in message
    assert variable in message
    assert snapshot(host) == before


def test_address_that_a_drop_in_opened_is_closed(host):
    """systemd forgets it with the drop-in; the service would go on listening."""
    folder = "/etc/systemd/system/shop.socket.d"
    host.check_output(f"mkdir {folder} && printf '[Socket]\\nListenStream=127.0.0.1:9000\\n' > {folder}/more.conf")
    host.check_output("systemctl daemon-reload && systemctl stop shop.socket && systemctl start shop")
    assert answers(host, "http://127.0.0.1:9000/")
    host.check_output(f"rm -r {folder} && systemctl daemon-reload")
    run = deploy()
    assert run.changed() != []
    assert not answers(host, "http://127.0.0.1:9000/")
    assert deploy().changed() == []


def test_drop_in_with_another_sandbox_holds_for_the_trial_too(host):
    """The new code writes below /usr, which the drop-in allows: without it, the trial would refuse the change."""
    folder = "/etc/systemd/system/shop.service.d"
    host.check_output(
        f"mkdir {folder} && printf '[Service]\\nMemoryMax=512M\\nProtectSystem=no\\n' > {folder}/more.conf"
    )
    host.check_output("install --directory --mode=0777 /usr/local/shop && cp /opt/shop/shop/wsgi.py /root/wsgi.py")
    host.check_output('echo \'open("/usr/local/shop/started", "w").close()\' >> /opt/shop/shop/wsgi.py')
    run = deploy(gunicorn_app_revision="writes")
    assert run.code == 0, run.output
    assert deploy(gunicorn_app_revision="writes").changed() == []
    assert host.check_output("systemctl show --property=MemoryMax --value shop") == str(512 << 20)
    host.check_output(f"rm -r {folder} /usr/local/shop && cp /root/wsgi.py /opt/shop/shop/wsgi.py")
    assert deploy().code == 0


def test_reload_by_hand_is_tried_first(host):
    """With broken code it fails, and the old code is served; with new code, the same master serves that."""
    master = main_pid(host)
    for name in ("import", "URLconf", "settings"):
        with damaged(host, *BROKEN[name][:2]):
            assert host.run("systemctl reload shop").rc != 0
            assert "Hello from shop" in page(host)
    host.check_output("sed --in-place 's/Hello from/Welcome to/' /opt/shop/shop/pages.py")
    assert host.run("systemctl reload shop").rc == 0
    wait_for(lambda: len(workers(host)) == 3)
    assert "Welcome to shop" in page(host)
    assert main_pid(host) == master
    host.check_output("sed --in-place 's/Welcome to/Hello from/' /opt/shop/shop/pages.py")
    assert deploy(gunicorn_app_revision="back").code == 0
    assert "Hello from shop" in page(host)


def test_own_venv_is_put_back_if_a_change_fails(host):
    """A virtual environment that is not the role's is changed in place, and put back."""
    host.check_output("python3 -m venv /opt/shop/own")
    host.check_output("/opt/shop/own/bin/pip install --quiet Django whitenoise gunicorn==26.0.0")
    own = {"gunicorn_venv": "/opt/shop/own", "tried_requirements": []}
    assert deploy(**own).code == 0
    contents = "cd /opt/shop && find own -type f -not -name '*.pyc' | sort | xargs sha256sum && ls -d own*"
    before = host.check_output(contents), processes(host)
    with under_load(host), damaged(host, *BROKEN["import"][:2]):
        assert NOT_TOUCHED in deploy(**own, gunicorn_version="27.0.1").error()
    assert (host.check_output(contents), processes(host)) == before
    assert deploy(**own, gunicorn_version="27.0.1").code == 0
    assert "under Gunicorn 27.0.1" in page(host)
    assert host.check_output("ls -d /opt/shop/own*") == "/opt/shop/own"
    assert deploy().code == 0


def test_service_made_by_hand_is_tried_beside_it(host):
    """It serves on if its replacement does not work. Its wider address can't be shared, and the run says so."""
    host.check_output("systemctl stop shop.socket shop.service && rm /etc/systemd/system/shop.socket")
    unit = (
        "[Service]\\nUser=shop\\nWorkingDirectory=/var/opt/shop\\n"
        "Environment=PYTHONPATH=/etc/opt/shop:/opt/shop DJANGO_SETTINGS_MODULE=settings\\n"
        "ExecStart=/opt/shop/venv/bin/gunicorn --bind=0.0.0.0:8000 --bind=[::1]:8000 shop.wsgi\\n"
    )
    host.check_output(f"printf '{unit}' > /etc/systemd/system/shop.service")
    host.check_output("systemctl daemon-reload && systemctl start shop")
    wait_for(lambda: answers(host, f"{URL}/"))
    before = main_pid(host)
    with under_load(host), damaged(host, *BROKEN["import"][:2]):
        assert NOT_TOUCHED in deploy().error()
    assert main_pid(host) == before
    run = deploy()
    assert run.code == 0, run.output
    told = run.warnings()[-1]
    assert "shop.service refused connections for a moment while it was replaced: it listens on 0.0.0.0:8000" in told
    assert "Hello from shop" in page(host)
    assert host.socket("tcp://127.0.0.1:8000").is_listening
    assert deploy().changed() == []
