"""Passwords for a package index reach what installs, and no local user."""

import base64
import functools
from pathlib import Path

from playbook_run import PlaybookRun

SCENARIO = Path(__file__).parent.parent
Run = functools.partial(PlaybookRun, SCENARIO / "converge.yml")
PASSWORD = "harmless-word"  # noqa: S105
INDEX = f"http://deploy:{PASSWORD}@127.0.0.1:8081"
# It waits while it is built, in an environment that pip fills by another pip.
SETUP = "import setuptools, subprocess; subprocess.run(['sleep', '5.125']); setuptools.setup(name='slow', version='1')"
EVERYBODY_SEES = "while :; do cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; sleep 0.1; done > /srv/seen 2>/dev/null"


def write(host, path, text):
    assert host.run(f"printf %s %s > {path}", "%s", text).rc == 0


def make_index(host):
    """Serve Gunicorn, Flask, and a package that is built from its source."""
    host.check_output("mkdir --parents /srv/guarded/files /srv/guarded/slow-1")
    write(host, "/srv/guarded/index.py", (SCENARIO / "files/guarded_index.py").read_text())
    # Not as it is, since what the test runs is logged as well.
    write(host, "/srv/guarded/login", base64.b64encode(f"deploy:{PASSWORD}".encode()).decode())
    write(host, "/srv/guarded/slow-1/setup.py", SETUP)
    host.check_output("tar --create --gzip --file /srv/guarded/files/slow-1.tar.gz --directory /srv/guarded slow-1")
    host.check_output(
        "/opt/notes/venv/bin/pip download --quiet --dest /srv/guarded/files gunicorn flask setuptools wheel"
    )
    host.check_output(
        "systemd-run --quiet --unit=guarded-index /usr/bin/python3 /srv/guarded/index.py "
        "/srv/guarded/files /srv/guarded/login 8081"
    )


def test_no_local_user_can_read_a_password(host):
    """It is not on any command line while a package is built, in the log, in the output of -vvv, or in a file."""
    assert Run().code == 0
    make_index(host)
    host.check_output("touch /srv/seen && chown nobody /srv/seen")
    assert host.run("systemd-run --quiet --unit=everybody --uid=nobody /bin/sh -c %s", EVERYBODY_SEES).rc == 0
    run = Run(
        "-vvv",
        variables={
            "gunicorn_venv": "/srv/notes/guarded",
            "gunicorn_requirements": ["Flask", f"slow @ {INDEX}/files/slow-1.tar.gz"],
            "gunicorn_pip_extra_args": [f"--index-url={INDEX}/simple", "--no-cache-dir"],
            "gunicorn_pip_environment": {"PIP_EXTRA_INDEX_URL": f"{INDEX}/more", "MY_TOKEN": PASSWORD},
        },
        environment={"ANSIBLE_STDOUT_CALLBACK": "default"},
    )
    host.check_output("systemctl stop everybody guarded-index")
    assert run.code == 0, run.output
    assert "slow" in host.check_output("/srv/notes/guarded/bin/pip list")
    seen = host.file("/srv/seen").content_string
    # Both were there to be seen: the build, and the pip that brought what it needs.
    assert "sleep 5.125" in seen
    assert "http://127.0.0.1:8081/simple" in seen
    assert PASSWORD not in seen
    assert "confidential" in run.output
    assert PASSWORD not in run.output
    assert PASSWORD not in host.check_output("journalctl --no-pager --output=cat")
    places = "/opt /srv/notes /etc /run /tmp"
    assert host.run(f"grep --recursive --devices=skip --files-with-matches {PASSWORD} {places}").stdout == ""
    assert Run().code == 0
