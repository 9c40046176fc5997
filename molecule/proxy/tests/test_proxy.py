"""nginx and Apache in front of Django, as their administrators and their clients see them.

The tests build on each other: the tests that change the sites come last. Each run of the role is on both hosts at once.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
from pathlib import Path

import pytest
import service
from browser import chromium
from hosts import connect
from load_on_host import Load
from playbook_run import PlaybookRun
from waiting import wait_for

SCENARIO = Path(__file__).parent.parent
SCREENSHOTS = SCENARIO.parents[1] / ".cache" / "screenshots"
NAME = "gallery.example.com"
FAMILIES = ("v4", "v6")
# Of 78 characters: nginx takes 46 without more room
LONG_NAME = f"{'customer.' * 6}some.{NAME}"
ROOM = "/etc/nginx/conf.d/gunicorn-proxy-names.conf"
# What a client could claim about itself
CLAIMS = {
    "X-Forwarded-For": "192.0.2.66",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Port": "81",
    "Forwarded": "for=192.0.2.66;proto=https",
    "X-Real-IP": "192.0.2.66",
}
CURL = "curl --silent --show-error --max-time 20 --cacert /etc/ssl/certs/gallery.pem"


class Server:
    """A host with its web server, and ways to look at it."""

    def __init__(self, host_name: str, title: str, folder: str, suffix: str, unit: str) -> None:
        self.name, self.title, self.folder, self.unit = host_name, title, folder, unit
        self.host = connect(host_name)
        self.file = f"{folder}/sites-available/gallery{suffix}"
        self.link = f"{folder}/sites-enabled/gallery{suffix}"

    @property
    def address(self) -> str:
        return self.host.check_output("ip -4 -oneline addr show dev eth0 | awk '{print $4}'").partition("/")[0]

    def curl(self, *arguments: str) -> str:
        words = " ".join(f"'{argument}'" for argument in arguments)
        return self.host.check_output(f"{CURL} {words}")

    def status(self, *arguments: str) -> int:
        return int(self.curl("--output", "/dev/null", "--write-out", "%{http_code}", *arguments))

    def main_pid(self) -> int:
        return service.main_pid(self.host, self.unit)

    def workers(self) -> set[int]:
        return service.workers(self.host, self.unit)

    def state(self) -> tuple:
        """Every file and link of the server's configuration with its content, and the processes."""
        listing = self.host.check_output(f"find {self.folder} -printf '%p %y %m %u %g %l\\n' | sort")
        contents = self.host.check_output(f"find {self.folder} -type f | sort | xargs sha256sum")
        return listing, contents, self.main_pid(), self.workers()


SERVERS = {
    "apache": Server("proxy-bookworm", "Apache", "/etc/apache2", ".conf", "apache2.service"),
    "nginx": Server("proxy-trixie", "nginx", "/etc/nginx", "", "nginx.service"),
}


@pytest.fixture(params=SERVERS)
def server(request) -> Server:
    """Each of the two servers."""
    return SERVERS[request.param]


def play(variables: dict | None = None, *arguments: str) -> PlaybookRun:
    """Run the role on both hosts."""
    return PlaybookRun(SCENARIO / "proxy.yml", *arguments, variables=variables)


def bring(variables: dict | None = None) -> list[str]:
    """Run the role on both hosts, successfully, and return the hosts that it changed."""
    run = play(variables)
    assert run.code == 0, run.output
    return sorted(result["host"] for result in run.results if result["changed"])


def refused(run: PlaybookRun, server: Server) -> str:
    """The one error of a host."""
    (message,) = run.errors_by_host()[server.name]
    return message


BOTH = sorted(server.name for server in SERVERS.values())


@contextlib.contextmanager
def socks(server: Server):
    """A SOCKS server whose connections begin on a host, which also looks up the names."""
    known = server.host.ansible.get_variables()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["ssh", *known["ansible_ssh_common_args"].split(), "-i", known["ansible_ssh_private_key_file"],
         "-p", str(known["ansible_port"]), "-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes", "-N",
         "-D", f"127.0.0.1:{port}", f"{known['ansible_user']}@{known['ansible_host']}"]
    )  # fmt: skip
    try:
        wait_for(lambda: answers(port))
        yield f"socks5://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=SERVERS)
def browsed(request):
    """Each server, and a browser on its host."""
    server = SERVERS[request.param]
    with socks(server) as proxy, chromium(f"--proxy-server={proxy}", "--ignore-certificate-errors") as browser:
        yield server, browser


def test_nobody_reads_the_secret_of_the_settings():
    """Ansible does not show it, not even in the command lines of processes on the host."""
    run = PlaybookRun(SCENARIO.parents[1] / "playbooks" / "site.yml", "-vvv")
    assert run.code == 0, run.output
    assert "Collect the static files" in [result["task"] for result in run.results]
    assert "4c1f70be92d6" not in run.output


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_has_its_style_in_a_browser(browsed, family):
    """http leads to https, the web server has the stylesheet, and Django sees the client's own address."""
    server, browser = browsed
    browser.visit(f"http://{family}.{NAME}/")
    assert browser.evaluate("location.href") == f"https://{family}.{NAME}/"
    client = {"v4": "127.0.0.1", "v6": "::1"}[family]
    assert browser.evaluate("document.querySelector('p').innerText") == f"Seen by {client} over https."
    assert browser.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 128, 96)"
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(240, 248, 232)"
    assert [message for message in browser.messages() if "favicon" not in message] == []
    browser.screenshot(SCREENSHOTS / f"proxy-{server.title.lower()}-{family}.png")


@pytest.mark.parametrize("family", FAMILIES)
def test_http_leads_to_https(server, family):
    """To the same page with the same host name, permanently."""
    shown = server.curl("--include", f"http://{family}.{NAME}/seen?page=2")
    assert " 301 " in shown.splitlines()[0]
    assert f"Location: https://{family}.{NAME}/seen?page=2\r" in shown


def other(server: Server) -> Server:
    return next(one for one in SERVERS.values() if one is not server)


def seen_from_outside(server: Server, url: str, claims: dict) -> dict:
    """What Django sees of a request from the other host."""
    headers = [word for name, value in claims.items() for word in ("--header", f"{name}: {value}")]
    return json.loads(other(server).curl("--insecure", "--connect-to", f"::{server.address}:", *headers, url))


@pytest.mark.parametrize("claims", [{}, CLAIMS], ids=["honest", "spoofed"])
def test_django_sees_the_client(server, claims):
    """Its address, the scheme and the host, and nothing that the client claims."""
    seen = seen_from_outside(server, f"https://{NAME}/seen", claims)
    assert seen["forwarded"] == {"X-Forwarded-For": other(server).address, "X-Forwarded-Proto": "https"}
    assert (seen["scheme"], seen["host"], seen["real"]) == ("https", NAME, None)


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO"])
def test_client_can_not_say_where_the_application_is(server, name):
    """Gunicorn takes both headers from a server that it trusts: /x/seen would become /seen, past its restrictions."""
    claim = ["--insecure", "--connect-to", f"::{server.address}:", "--header", f"{name}: /x"]
    assert other(server).status(*claim, f"https://{NAME}/x/seen") == 404
    assert other(server).status(*claim, f"https://{NAME}/seen") == 200


def test_no_websocket_is_passed_to_a_class_without_them(server):
    """Gunicorn's class sync would answer a page, and the client wait for a websocket."""
    wish = ["--http1.1", "--header", "Connection: Upgrade", "--header", "Upgrade: websocket"]
    seen = json.loads(server.curl(*wish, f"https://v4.{NAME}/seen"))
    assert (seen["upgrade"], seen["connection"].lower().count("upgrade")) == ("", 0)


def test_url_arrives_unchanged(server):
    """Neither server decodes or shortens it."""
    path = "/seen/%2F/%C3%BC//a+b/..;/?q=%20"
    assert json.loads(server.curl("--path-as-is", f"https://v4.{NAME}{path}"))["url"] == path


def test_gunicorn_trusts_the_web_server_alone(server):
    """A peer with another address can't claim https on the same port."""
    request = ["--header", f"Host: {NAME}", "--header", "X-Forwarded-Proto: https", "http://127.0.0.1:8000/seen"]
    assert json.loads(server.curl(*request))["scheme"] == "https"
    outside = json.loads(server.curl("--interface", server.address, *request))
    assert (outside["peer"], outside["scheme"]) == (server.address, "http")


def test_web_server_reaches_gunicorn_at_the_given_addresses():
    """At both loopback addresses, or at the unix socket if there is one."""
    peers = {name: {seen["peer"] for seen in several(server)} for name, server in SERVERS.items()}
    assert peers == {"apache": {"127.0.0.1", "::1"}, "nginx": {""}}


def several(server: Server) -> list[dict]:
    return [json.loads(server.curl(f"https://v4.{NAME}/seen")) for _number in range(6)]


def upload(server: Server, megabytes: int, *arguments: str) -> tuple[int, str]:
    """Send a file that pretends to be a page, and return the status and the answer."""
    server.host.check_output(f"head --bytes={megabytes}M /dev/urandom > /tmp/sent.html")
    options = ["--header", "Expect:", "--data-binary", "@/tmp/sent.html", "--write-out", "\\n%{http_code}"]
    shown = server.curl(*options, *arguments, f"https://v4.{NAME}/upload?name=sent.html")
    answer, _newline, status = shown.rpartition("\n")
    return int(status), answer


def test_uploads_work_up_to_the_limit(server):
    """They reach Django, and the web server serves them; above the limit they are refused."""
    status, answer = upload(server, 9)
    assert status == 201
    url = f"https://v4.{NAME}{json.loads(answer)['url']}"
    server.curl("--output", "/tmp/back.html", "--dump-header", "/tmp/headers", url)
    server.host.check_output("cmp /tmp/sent.html /tmp/back.html")
    assert "nosniff" in server.host.file("/tmp/headers").content_string
    assert upload(server, 11)[0] == 413
    # Apache can't count a body that comes without its length.
    expected = {"Apache": 411, "nginx": 413}[server.title]
    assert upload(server, 11, "--header", "Transfer-Encoding: chunked")[0] == expected


def test_media_give_no_access_to_other_files(server):
    """The application can't make the web server serve files of others."""
    link = "ln --symbolic --force /etc/hostname /var/opt/gallery/media/pictures/out"
    server.host.check_output(f"runuser -u gallery -- {link}")
    assert server.status(f"https://v4.{NAME}/media/pictures/out") == 403
    # Nor by a link in the place of the whole directory
    as_user = "cd /var/opt/gallery && runuser -u gallery -- sh -c 'mv {} {} && {}'"
    server.host.check_output(as_user.format("media", "kept", "ln --symbolic /etc media"))
    assert server.status(f"https://v4.{NAME}/media/hostname") == 403
    server.host.check_output(as_user.format("media", "link", "rm link && mv kept media"))
    for path in ("/static../gallery/site.css", "/media../db.sqlite3", "/static/", "/media/pictures/"):
        assert server.status("--path-as-is", f"https://v4.{NAME}{path}") in (403, 404)


def test_others_can_pass_the_data_directory_but_not_read_it(server):
    """The web server gets to the media that way."""
    nobody = "runuser -u nobody --"
    assert server.host.run(f"{nobody} ls /var/opt/gallery").rc != 0
    assert server.host.run(f"{nobody} ls /var/opt/gallery/media").rc != 0
    assert "gallery" not in server.host.check_output("id --groups --name www-data").split()


def test_site_is_enabled_as_the_book_does_it(server):
    """By a link beside the link of the distribution's own site, which stays."""
    links = server.host.check_output(f"ls {server.folder}/sites-enabled").split()
    assert len(links) == 2
    assert server.host.check_output(f"readlink {server.link}") == f"../sites-available/{Path(server.file).name}"
    assert server.title.lower() in server.curl("http://127.0.0.1/").lower()
    assert server.host.check_output(f"stat --format='%U %G %a' {server.file}") == "root root 640"


def test_broken_configuration_is_refused():
    """The error has the server's own message; file, link, modules and processes are the same."""
    before = {name: server.state() for name, server in SERVERS.items()}
    run = play({"proxy_extra_config": "NoSuchDirective on;"})
    assert run.code == 2
    for name, server in SERVERS.items():
        message = refused(run, server)
        assert "the running server was not touched" in message
        assert "NoSuchDirective" in message
        assert server.file.replace("available", "enabled") in message
        assert server.state() == before[name]
        assert server.status(f"https://v4.{NAME}/") == 200
    assert bring() == []
    assert {name: server.state() for name, server in SERVERS.items()} == before


def test_key_of_another_certificate_is_refused():
    """Apache's own check does not notice it, and the server would end."""
    before = {name: server.state() for name, server in SERVERS.items()}
    run = play({"proxy_tls_key": "/etc/ssl/private/another.key"})
    assert run.code == 2
    for server in SERVERS.values():
        message = refused(run, server)
        assert "proxy_tls_certificate" in message
        assert message.endswith("Nothing was changed.")
    assert {name: server.state() for name, server in SERVERS.items()} == before


def test_name_of_another_site_is_refused():
    """nginx would take one of the two sites, and report no error."""
    server = SERVERS["nginx"]
    rival = f"{server.folder}/sites-enabled/rival"
    server.host.check_output(f"printf 'server {{ listen 80; server_name rival.example.com; return 204; }}' > {rival}")
    run = play({"proxy_server_names": [NAME, "rival.example.com"]}, "--limit", server.name)
    server.host.check_output(f"rm {rival}")
    assert "Another site has the name rival.example.com" in refused(run, server)


def accepts_certificate(server: Server) -> bool:
    return server.host.run(f"{CURL} --output /dev/null https://v4.{NAME}/").rc == 0


def test_renewed_certificate_is_served():
    """The role loads files of the server that have changed, whoever changed them, and only once."""
    for server in SERVERS.values():
        for file in ("certs/{}.pem", "private/{}.key"):
            server.host.check_output(f"cp /etc/ssl/{file.format('renewed')} /etc/ssl/{file.format('gallery')}")
        assert not accepts_certificate(server)
    assert bring() == BOTH
    for server in SERVERS.values():
        wait_for(lambda server=server: accepts_certificate(server))
    assert bring() == []


def test_change_loses_no_request():
    """A change under load, after one to other addresses of Gunicorn, to http, and to a directory that needs quoting."""
    variables = {"proxy_tls_redirect": False, "proxy_static_directory": '/srv/static "new" \\ files'}
    for server in SERVERS.values():
        folder = variables["proxy_static_directory"]
        server.host.run_expect([0], "mkdir -p %s && echo new > %s/new.txt", folder, folder)
    # Each server gets the addresses that the other had.
    turned = {"proxy_gunicorn": {"bind": "{{ ['unix:/run/gallery.sock'] if proxy_server == 'apache' else [] }}"}}
    assert bring(variables | turned) == BOTH
    running = [server.main_pid() for server in SERVERS.values()]
    loads = {name: Load(server.host, "proxy", targets(name), "--rate=40") for name, server in SERVERS.items()}
    with contextlib.ExitStack() as stack:
        phases = [stack.enter_context(load.phase("changed")) for load in loads.values()]
        assert bring(variables | turned | {"proxy_max_body_size": "20M"}) == BOTH
    for load in loads.values():
        load.stop()
    assert [server.main_pid() for server in SERVERS.values()] == running
    assert [phase["details"] for phase in phases if phase["failed"] or not phase["requests"]] == []
    for server in SERVERS.values():
        assert server.curl(f"http://v4.{NAME}/static/new.txt") == "new"
        assert upload(server, 11)[0] == 201
        seen = seen_from_outside(server, f"http://{NAME}/seen", CLAIMS | {"X-Forwarded-Proto": "https"})
        assert seen["forwarded"] == {"X-Forwarded-For": other(server).address, "X-Forwarded-Proto": "http"}
    peers = {name: {seen["peer"] for seen in several(server)} for name, server in SERVERS.items()}
    assert peers == {"apache": {""}, "nginx": {"127.0.0.1", "::1"}}


def targets(name: str) -> tuple[str, ...]:
    addresses = {"v4": "127.0.0.1:80", "v6": "[::1]:80"}
    return tuple(f"{name}-{family}={address},host={NAME}" for family, address in addresses.items())


def test_long_name_is_served():
    """nginx gets the room that it needs, without a second site that has a long name, too; Apache needs none."""
    assert len(LONG_NAME) == 78
    names = {"proxy_server_names": [NAME, LONG_NAME]}
    nginx = SERVERS["nginx"]
    own = "/etc/nginx/conf.d/own.conf"
    nginx.host.check_output(f"echo 'server_names_hash_bucket_size 64;' > {own}")
    message = refused(play(names, "--limit", nginx.name), nginx)
    assert f"server_names_hash_bucket_size 128 in {own}, which sets 64" in message
    assert message.endswith("Nothing was changed.")
    nginx.host.check_output(f"rm {own}")
    assert bring(names) == BOTH
    assert bring(names) == []
    for server in SERVERS.values():
        there = ["--insecure", "--resolve", f"{LONG_NAME}:443:127.0.0.1"]
        assert server.status(*there, f"https://{LONG_NAME}/seen") == 200
        assert server.host.file(ROOM).exists == (server is nginx)


def test_removal_takes_only_what_the_role_made():
    """The server serves its other sites, and a second run has nothing to do."""
    assert bring({"proxy_state": "absent"}) == BOTH
    for server in SERVERS.values():
        assert not server.host.file(server.file).exists
        assert not server.host.file(server.link).exists
        assert not server.host.file(ROOM).exists
        assert server.host.service(server.unit).is_running
        assert server.host.file("/var/opt/gallery/media/pictures/sent.html").exists
    assert bring({"proxy_state": "absent"}) == []


def test_broken_first_configuration_leaves_nothing():
    """Apache's modules, which it would have enabled, are not enabled either."""
    apache = SERVERS["apache"]
    modules = "proxy proxy_http proxy_balancer lbmethod_byrequests ssl"
    apache.host.check_output(f"a2dismod --quiet --force {modules} && systemctl reload apache2")
    wait_for(lambda: apache.host.run("apache2ctl -M | grep proxy").rc)
    before = {name: server.state()[:3] for name, server in SERVERS.items()}
    run = play({"proxy_extra_config": "NoSuchDirective on;"})
    assert run.code == 2
    assert {name: server.state()[:3] for name, server in SERVERS.items()} == before
    assert bring({"proxy_default_site": False}) == BOTH
    for server in SERVERS.values():
        assert server.host.check_output(f"ls {server.folder}/sites-enabled").split() == [Path(server.link).name]
        assert server.status(f"https://v4.{NAME}/") == 200


def test_caddy_as_the_documentation_says():
    """Debian's Caddy with the Caddyfile of docs/proxy.md serves the project, and passes on no claim of a client."""
    server = SERVERS["nginx"]
    documented = (SCENARIO.parents[1] / "docs" / "proxy.md").read_text(encoding="utf-8")
    caddyfile = re.search(r"^```caddyfile\n(.*?)^```$", documented, re.MULTILINE | re.DOTALL)[1]
    sites = [caddyfile.replace("www.example.com", NAME)]
    # The same on TCP, and without the lines that drop headers
    tcp = re.sub(r"unix//run/mysite.sock \{.*?\n\t\}", "127.0.0.1:8000 [::1]:8000", caddyfile, flags=re.DOTALL)
    sites.append(tcp.replace("www.example.com", f"http://plain.{NAME}, https://plain.{NAME}"))
    text = "{\n\tlocal_certs\n\tskip_install_trust\n}\n" + "".join(sites).replace("mysite", "gallery")
    server.host.check_output("systemctl stop nginx")
    server.host.check_output("apt-get install --yes -qq --no-install-recommends caddy >/dev/null 2>&1")
    server.host.run_expect([0], "printf %%s %s > /etc/caddy/Caddyfile && systemctl restart caddy", text)
    seen = seen_from_outside(server, f"https://{NAME}/seen", CLAIMS)
    assert seen["forwarded"] == {
        "X-Forwarded-For": other(server).address,
        "X-Forwarded-Host": NAME,
        "X-Forwarded-Proto": "https",
    }
    assert (seen["peer"], seen["scheme"], seen["host"], seen["real"]) == ("", "https", NAME, None)
    assert "color" in other(server).curl(
        "--insecure", "--connect-to", f"::{server.address}:", f"https://{NAME}/static/gallery/site.css"
    )
    plain = seen_from_outside(server, f"https://plain.{NAME}/seen", CLAIMS)
    assert plain["real"] == CLAIMS["X-Real-IP"]
    assert plain["peer"] in ("127.0.0.1", "::1")
    assert plain["forwarded"]["X-Forwarded-For"] == other(server).address
    outside = ["--connect-to", f"::{server.address}:", "--header", "X-Forwarded-Ssl: on"]
    assert other(server).status(*outside, f"http://plain.{NAME}/seen") == 400
