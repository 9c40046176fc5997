# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.health_answer import HealthAnswer


def answer(status: int, location: str = "", scheme: str = "http") -> HealthAnswer:
    """An answer to a request for /up of shop.example.com."""
    return HealthAnswer(scheme, "shop.example.com", "/up", status, location)


@pytest.mark.parametrize("status", [200, 204, 302, 401, 404, 499])
def test_most_statuses_are_good(status: int) -> None:
    """An application may want a login, or have nothing at the path."""
    assert answer(status).problem([]) == ""


@pytest.mark.parametrize("status", [0, 99, 400, 500, 503, 600])
def test_bad_statuses(status: int) -> None:
    """The host's name was refused, or the application has failed. Who wants them lists them."""
    assert answer(status).problem(()) == f"answers /up with status {status}"
    assert answer(status).problem([status]) == ""


@pytest.mark.parametrize("status", [200, 301, 404])
def test_a_list_is_all_that_is_accepted(status: int) -> None:
    """Also of what is accepted without one."""
    assert answer(status, "/login").problem([201]) == f"answers /up with status {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["shop.example.com", "www.example.com"])
def test_what_is_asked_again(status: int, host: str) -> None:
    """A redirect from http to https, even if it is to the main name of the site."""
    assert answer(status, f"https://{host}/up").wants_https([])
    assert answer(status, f"https://{host}/up").wants_https([200])
    assert not answer(status, f"https://{host}/up").wants_https([status])
    assert not answer(status, f"https://{host}/up", scheme="https").wants_https([])


@pytest.mark.parametrize(
    "location", ["", "/login", "http://shop.example.com/", "//a", "https", "https://[", "http://[::1"]
)
def test_what_is_not_asked_again(location: str) -> None:
    """Anything else, and what is no address."""
    assert not answer(301, location).wants_https([])
    assert not answer(200, "https://shop.example.com/up").wants_https([])


@pytest.mark.parametrize(
    ("scheme", "location", "itself"),
    [
        ("https", "https://shop.example.com/up", True),
        ("https", "https://SHOP.example.com:443/up", True),
        ("https", "/up", True),
        ("http", "http://shop.example.com/up#top", True),
        ("http", "https://shop.example.com/up", False),
        ("https", "https://www.example.com/up", False),
        ("https", "/up/", False),
        ("https", "/up?next=1", False),
        ("https", "https://[", False),
        ("https", "https://shop.example.com:99999/up", False),
    ],
)
def test_a_redirect_to_itself(scheme: str, location: str, itself: bool) -> None:
    """A visitor would never arrive; one who only logs in, or gets another name, does."""
    told = answer(301, location, scheme)
    assert told.leads_to_itself() == itself
    assert bool(told.problem([])) == itself
    assert bool(told.advice()) == itself


def test_an_address_without_a_path() -> None:
    """It is the same as the one with a slash."""
    assert HealthAnswer("https", "a", "/", 301, "https://a").leads_to_itself()


@pytest.mark.parametrize("host", ["shop:99999", "[::1]:8000"])
def test_odd_hosts(host: str) -> None:
    """A port that there is not makes no redirect one to itself."""
    assert not HealthAnswer("http", host, "/", 301, "/elsewhere").leads_to_itself()
    assert HealthAnswer("http", host, "/", 301, "/").leads_to_itself() == (host == "[::1]:8000")


def test_advice() -> None:
    """Only where the answer alone says what to do; what the other end has sent is not repeated."""
    assert answer(500).advice() == ""
    assert answer(400).advice() == (
        "if it refuses the host name 'shop.example.com', set gunicorn_health_host to one that it accepts"
    )
    assert "forwarded_allow_ips" in answer(301, "/up#EVIL").advice()
    assert "EVIL" not in answer(301, "/up#EVIL").advice()
