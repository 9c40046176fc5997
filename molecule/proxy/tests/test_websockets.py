"""A project of Django Channels behind both servers, deployed as docs/worker_kinds.md says.

The tests of test_proxy.py come before these, and leave Caddy in the place of nginx.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hosts import connect
from playbook_run import PlaybookRun
from waiting import wait_for
from web import get_json
from websocket_on_host import SERVICE_RESTART, open_websocket

SCENARIO = Path(__file__).parent.parent
DOCS = SCENARIO.parents[1] / "docs/worker_kinds.md"
HOSTS = {"apache": "proxy-bookworm", "nginx": "proxy-trixie"}
NAME = "chat.example.com"
ECHO = f"wss://{NAME}/echo"


def deploy(*arguments: str, **variables: str) -> PlaybookRun:
    """Deploy the project with the entry that the page shows."""
    page = DOCS.read_text(encoding="utf-8")
    entry = re.search(r"^```python\n(import os\n.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    variables |= {"chat_asgi": entry.replace("mysite", "chat")}
    run = PlaybookRun(SCENARIO / "chat.yml", *arguments, variables=variables)
    assert run.code == 0, run.output
    return run


@pytest.fixture(scope="module", autouse=True)
def _chat() -> None:
    connect(HOSTS["nginx"]).run("systemctl stop caddy && systemctl start nginx")
    deploy()


@pytest.fixture(params=HOSTS)
def host(request):
    """The host of each of the two servers."""
    return connect(HOSTS[request.param])


@pytest.mark.parametrize("upgrade", ["", "h2c"])
def test_pages_answer(host, upgrade):
    """To those who want no websocket, and a wish for another protocol does not get through."""
    wish = f"--header 'Connection: Upgrade, HTTP2-Settings' --header 'Upgrade: {upgrade}'" if upgrade else ""
    seen = get_json(host, f"https://{NAME}/", "--insecure --http1.1", f"--connect-to ::127.0.0.1: {wish}")
    assert seen == {"scheme": "https", "upgrade": ""}


def test_websocket_answers(host):
    """What the client said comes back by the channel layer, and Channels knows how it has come, and as whom."""
    told = open_websocket(host, "echo", ECHO)
    wait_for(lambda: "hello" in told.content_string)
    assert "HTTP/1.1 101 " in told.content_string
    assert "wss AnonymousUser hello" in told.content_string


def test_page_of_another_site_opens_no_websocket(host):
    """The browser says whose page it is, and AllowedHostsOriginValidator refuses it."""
    told = open_websocket(host, "stranger", ECHO, origin="https://evil.example.com")
    wait_for(lambda: "HTTP/1.1 " in told.content_string)
    assert "HTTP/1.1 403 " in told.content_string


def test_change_tells_the_client_to_come_again():
    """It hears through the web server that the service restarts, and its next websocket works."""
    host = connect(HOSTS["nginx"])
    told = open_websocket(host, "before", ECHO)
    wait_for(lambda: "hello" in told.content_string)
    deploy("--limit", HOSTS["nginx"], "--skip-tags=site", gunicorn_app_revision="second")
    wait_for(lambda: SERVICE_RESTART in told.content_string, 10)
    again = open_websocket(host, "after", ECHO)
    wait_for(lambda: "hello" in again.content_string)
