"""The sites that the role writes for nginx and Apache."""

from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.filter.web_argument import web_argument

ROLE = Path(__file__).parents[3] / "roles" / "proxy"
TLS = {"proxy_tls_certificate": "/etc/ssl/certs/my shop.pem", "proxy_tls_key": "/etc/ssl/private/shop.key"}
PLAN = {
    "upstreams": ["127.0.0.1:8000", "[::1]:8000"],
    "upstream_keepalive": 0,
    "websockets": False,
    "timeout": 60,
    "max_body_size": 10 << 20,
    "ipv6": True,
    "media_links_from": "/var/opt/shop",
}


def render(server: str, plan: dict | None = None, **variables) -> list[str]:
    """The site's lines without their indentation, as Ansible would render them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["pyweb.gunicorn.web_argument"] = web_argument
    names = {"proxy_site": "shop", "proxy_server_names": ["www.example.com", "example.com"], "proxy_extra_config": ""}
    names |= {"proxy_static_url": "/static/", "proxy_static_directory": "/var/cache/shop/static"}
    names |= {"proxy_media_url": "/media/", "proxy_media_directory": "/var/opt/shop/media"} | variables
    names["__proxy_plan"] = PLAN | (plan or {})
    names["__proxy_tls"] = "proxy_tls_certificate" in variables
    names["__proxy_redirects"] = names["__proxy_tls"] and variables.get("proxy_tls_redirect", True)
    names["__proxy_dropped_headers"] = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__proxy_dropped_headers"]
    text = environment.get_template(f"{server}.conf.j2").render(names)
    assert text.count("{") == text.count("}")
    assert text.count("<VirtualHost") == text.count("</VirtualHost>")
    return [line.strip() for line in text.splitlines()]


def test_nginx_without_tls() -> None:
    """One server block, on both families, in front of both addresses."""
    lines = render("nginx")
    assert [line for line in lines if line.startswith(("listen", "server 1", "server ["))] == [
        "server 127.0.0.1:8000 max_fails=0;",
        "server [::1]:8000 max_fails=0;",
        "listen 80;",
        "listen [::]:80;",
    ]
    assert "server_name www.example.com example.com;" in lines
    assert "client_max_body_size 10485760;" in lines
    assert "proxy_read_timeout 60s;" in lines
    assert not [line for line in lines if "ssl" in line or "keepalive" in line]


def test_nginx_with_tls() -> None:
    """Port 80 leads to port 443, or is served as well."""
    lines = render("nginx", **TLS)
    assert [line for line in lines if line.startswith(("listen", "return", "location /"))] == [
        "listen 80;",
        "listen [::]:80;",
        "return 301 https://$host$request_uri;",
        "listen 443 ssl;",
        "listen [::]:443 ssl;",
        "location / {",
    ]
    assert 'ssl_certificate "/etc/ssl/certs/my shop.pem";' in lines
    both = render("nginx", **TLS, proxy_tls_redirect=False)
    assert [line for line in both if line.startswith(("listen", "return"))] == [
        "listen 80;",
        "listen [::]:80;",
        "listen 443 ssl;",
        "listen [::]:443 ssl;",
    ]


def test_apache_without_tls() -> None:
    """One virtual host in front of both addresses."""
    lines = render("apache")
    assert [line for line in lines if line.startswith(("<Virtual", "BalancerMember", "ProxyPass /"))] == [
        "BalancerMember http://127.0.0.1:8000 retry=0 disablereuse=on",
        "BalancerMember http://[::1]:8000 retry=0 disablereuse=on",
        "<VirtualHost *:80>",
        "ProxyPass /static/ !",
        "ProxyPass /media/ !",
        "ProxyPass / balancer://gunicorn-shop/ nocanon",
    ]
    assert "RequestHeader set X-Forwarded-Proto http" in lines
    assert [line for line in lines if line.startswith("Server")] == [
        "ServerName www.example.com",
        "ServerAlias example.com",
    ]


def test_apache_with_tls() -> None:
    """Each virtual host says which scheme it has."""
    lines = render("apache", **TLS)
    assert lines.count("RequestHeader set X-Forwarded-Proto https") == 1
    assert "RequestHeader set X-Forwarded-Proto http" not in lines
    assert 'SSLCertificateFile "/etc/ssl/certs/my shop.pem"' in lines
    both = render("apache", **TLS, proxy_tls_redirect=False)
    assert [line for line in both if line.startswith(("<Virtual", "RequestHeader set X-Forwarded-Proto"))] == [
        "<VirtualHost *:80>",
        "RequestHeader set X-Forwarded-Proto http",
        "<VirtualHost *:443>",
        "RequestHeader set X-Forwarded-Proto https",
    ]


def test_a_unix_socket_with_kept_connections() -> None:
    """Each server has its own way to write that."""
    plan = {"upstreams": ["unix:/run/shop.sock"], "upstream_keepalive": 4}
    nginx = render("nginx", plan)
    assert "server unix:/run/shop.sock max_fails=0;" in nginx
    assert "keepalive_timeout 4s;" in nginx
    assert "BalancerMember unix:/run/shop.sock|http://localhost retry=0 enablereuse=on ttl=4" in render("apache", plan)


def test_websockets() -> None:
    """They are passed on, and an upgrade to another protocol is not; without them, nothing of both."""
    plan = {"upstreams": ["127.0.0.1:8000", "unix:/run/shop.sock"], "websockets": True}
    nginx = render("nginx", plan)
    lines = [line for line in nginx if "pgrade" in line or "Connection" in line]
    assert [line for line in lines if not line.startswith("#")] == [
        'set $gunicorn_upgrade "";',
        "if ($http_upgrade ~* ^websocket$) {",
        "set $gunicorn_upgrade websocket;",
        "set $gunicorn_connection upgrade;",
        "proxy_set_header Upgrade $gunicorn_upgrade;",
        "proxy_set_header Connection $gunicorn_connection;",
    ]
    members = [line for line in render("apache", plan) if line.startswith("BalancerMember")]
    assert [line.endswith(" upgrade=websocket") for line in members] == [True, True]
    for server in ("nginx", "apache"):
        assert "pgrade" not in "".join(render(server))
    assert 'proxy_set_header Connection "";' in render("nginx")


def test_a_host_without_ipv6() -> None:
    """nginx can't listen on what is not there."""
    assert not [line for line in render("nginx", {"ipv6": False}, **TLS) if line.startswith("listen [")]


@pytest.mark.parametrize("server", ["nginx", "apache"])
def test_what_is_not_served(server: str) -> None:
    """Without directories Gunicorn is asked for everything; without a limit nothing is counted."""
    lines = render(server, {"max_body_size": 0}, proxy_static_directory="", proxy_media_directory="")
    assert not [line for line in lines if "static" in line or "media" in line]
    assert not [line for line in lines if "Content-Length" in line]


@pytest.mark.parametrize("server", ["nginx", "apache"])
def test_extra_directives_come_last(server: str) -> None:
    """In the block of the site, line by line."""
    lines = render(server, proxy_extra_config="one;\ntwo;\n")
    end = "}" if server == "nginx" else "</VirtualHost>"
    at = lines.index("one;")
    assert lines[at : at + 3] == ["one;", "two;", end]


@pytest.mark.parametrize("server", ["nginx", "apache"])
def test_what_clients_claim_is_dropped(server: str) -> None:
    """All that Gunicorn's secure_scheme_headers and Django's settings may listen to is set or taken away."""
    text = "\n".join(render(server))
    for header in (
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Protocol",
        "X-Forwarded-Ssl",
        "X-Forwarded-Host",
    ):
        assert f" {header}" in text
    assert "proxy_add_x_forwarded_for" not in text


def test_links_of_the_application_lead_to_its_own_files() -> None:
    """Also one in the place of the media directory, if the application can put it there."""
    assert "disable_symlinks if_not_owner from=/var/opt/shop;" in render("nginx")
    lines = render("apache")
    above = lines.index("<Directory /var/opt/shop>")
    assert lines[above + 1 : above + 3] == ["Options SymLinksIfOwnerMatch", "</Directory>"]
    lines = render("apache", {"media_links_from": "/var/opt/shop/media"})
    assert [line for line in lines if line.startswith("<Directory /var/opt")] == ["<Directory /var/opt/shop/media>"]
