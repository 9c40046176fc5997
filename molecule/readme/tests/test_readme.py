"""The README's site playbook works as it is, apart from the repository's URL, and so does the demo."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hosts import connect
from playbook_run import PlaybookRun

DEMO = "readme-bookworm"
SCENARIO = Path(__file__).parent.parent
ROOT = SCENARIO.parents[1]
# The host of the tests that ask a host; the demo has its own.
testinfra_hosts = ["ansible://web"]
REPOSITORY = "https://git.example.com/mysite.git"
CURL = "curl --silent --show-error --fail --max-time 20 --cacert /etc/ssl/certs/example.com.pem"
NAMES = " ".join(
    f"--resolve {name}:{port}:127.0.0.1" for name in ("www.example.com", "example.com") for port in (80, 443)
)


@pytest.fixture(scope="module")
def playbook(tmp_path_factory) -> Path:
    """The playbook, and the settings that it copies, in their own folder."""
    folder = tmp_path_factory.mktemp("site")
    readme = (ROOT / "README.md").read_text()
    (text,) = re.findall(r"^## A site playbook\n.*?^```yaml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert text.count(REPOSITORY) == 1
    (folder / "site.yml").write_text(text.replace(REPOSITORY, "/srv/mysite.git"))
    shutil.copy(SCENARIO / "project" / "settings.py", folder)
    return folder / "site.yml"


def test_the_site_is_served(playbook, host):
    """Over TLS, with its stylesheet from nginx, by a service that starts at boot."""
    run = PlaybookRun(playbook)
    assert run.code == 0, run.output
    page = host.check_output(f"{CURL} {NAMES} https://www.example.com/")
    assert page.endswith("<p>To 127.0.0.1 by https")
    (stylesheet,) = re.findall("href=(/static/[a-z.]+)", page)
    head = host.check_output(f"{CURL} {NAMES} --include https://example.com{stylesheet}")
    assert "\nServer: nginx" in head
    assert head.endswith("p { color: green }")
    redirect = f"{CURL} {NAMES} --output /dev/null --write-out '%{{http_code}} %{{redirect_url}}' http://example.com/"
    assert host.check_output(redirect) == "301 https://example.com/"
    for unit in ("mysite.service", "nginx.service"):
        assert host.service(unit).is_running
        assert host.service(unit).is_enabled


def test_second_run_changes_nothing(playbook):
    """No task of the whole playbook reports a change."""
    run = PlaybookRun(playbook)
    assert run.code == 0, run.output
    assert run.changed() == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> str:
    """What the demo shows, on the scenario's host for it; its inventory has that host under the demo's own name."""
    folder = tmp_path_factory.mktemp("demo")
    made = json.loads(Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "inventory", "testhosts.json").read_text())
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"demo": made["all"]["hosts"][DEMO]}}}))
    command = [sys.executable, ROOT / "scripts" / "demo.py", folder / "hosts.json", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_shows_releases(demo):
    """How many workers and why, a good release, the error of a broken one, and the way back; nothing is lost."""
    assert re.search(r"^   [0-9]+ workers?: .* by CPU; .* so .* decides\.$", demo, re.MULTILINE)
    (refused,) = re.findall(r"^   demo was tried and does not work: (.*)$", demo, re.MULTILINE)
    assert refused.endswith("TemplateDoesNotExist: start.html. The live service was not touched.")
    rows = re.findall(r"^([a-z ]+?)  +[0-9.]+ s +([0-9]+) +([0-9]+) +[0-9.]+ s  (.*)$", demo, re.MULTILINE)
    assert [(event, lost, versions) for event, _requests, lost, versions in rows] == [
        ("nothing changes", "0", "first"),
        ("a good release", "0", "first, second"),
        ("a broken release", "0", "second"),
        ("going back", "0", "first, second"),
    ]
    assert all(int(requests) > 50 for _event, requests, *_rest in rows)


def test_the_demo_leaves_the_site(demo):
    """It answers over both families, runs no load any more, and ssh finds it as the demo says."""
    host = connect(DEMO)
    for address in ("127.0.0.1", "[::1]"):
        page = host.check_output(
            f"curl --silent --fail --max-time 20 --header 'Host: localhost' http://{address}:8000/"
        )
        assert "<h1>It works</h1>" in page
    assert not host.service("demo-load").is_running
    (config,) = re.findall(r"^  ssh -F (\S+) demo$", demo, re.MULTILINE)
    logged_in = subprocess.run(["ssh", "-F", config, "demo", "hostname"], capture_output=True, text=True, check=True)
    assert logged_in.stdout == f"{DEMO}\n"
