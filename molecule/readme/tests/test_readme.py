"""The README's site playbook works as it is, apart from the repository's URL, and so does the demo's."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playbook_run import PlaybookRun

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


def test_the_demo_shows_its_result():
    """The service's status, how many workers it has and why, and its page over both address families."""
    run = PlaybookRun(ROOT / "scripts" / "demo.yml")
    assert run.code == 0, run.output
    (shown,) = [result["message"] for result in run.results if result["task"] == "Show what was done"]
    assert "Active: active (running)" in shown
    assert re.search(r"^[0-9]+ workers?: .* by CPU; .* so .* decides\.$", shown, re.MULTILINE)
    for address in ("127.0.0.1", "[::1]"):
        assert f"http://{address}:8000/ answers 200: <!doctype html><title>demo</title><h1>It works</h1>" in shown
