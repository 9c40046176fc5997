# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks, worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

GOOD = {
    checks.check_project: ["shop", "a", "my_site2", "a" * 31],
    checks.check_name: ["shop", "www-data", "_apt", "a" * 31],
    checks.check_service_name: ["shop", "shop-blue", "shop.example.com", "2048", "Shop_2", "a" * 64],
    checks.check_path: ["/opt", "/opt/shop/venv", "/srv/a.b-c_d@e+f=g,h", "/.venv", "/a..b"],
    checks.check_mode: ["0660", "660", "0000"],
    checks.check_app: [
        "shop.wsgi:application",
        "shop.wsgi",
        "_a.b2",
        "shop:create_app()",
        "shop:create_app('x y', debug=False)",
    ],
    checks.check_url_path: ["/", "/health?full=1", "/a%20b"],
    checks.check_host: ["localhost", "www.example.com", "127.0.0.1:8000", "[::1]", "[::1]:80", "my_host"],
    worker_classes.check_worker_class: ["sync", "gthread", "shop.workers.Own", "egg:gunicorn#sync"],
}
# what nothing of the above can be
HOSTILE = [
    "",
    " ",
    "\n",
    "a b",
    "a\nb",
    "shop\n",
    "a\0b",
    "-rf",
    "ä",
    "а",
    "$HOME",
    "%n",
    "`id`",
    "a;b",
    "a'b",
    'a"b',
    "a\\",
]
OTHER_TYPES = [None, True, 0, 1.5, [], ["shop"], {}, b"shop"]
BAD = {
    checks.check_project: ["Shop", "2shop", "_shop", "my-site", "my.site", "a/b", "..", "a" * 32, "shop٤"],
    checks.check_name: ["Shop", "2shop", "shop.web", "shop:web", "a/b", "a" * 32],
    checks.check_service_name: [
        "shop.service",
        "shop.socket",
        "shop.slice",
        "shop@1",
        "@",
        "a/b",
        "../shop",
        ".hidden",
        "_x",
        "a" * 65,
        "shop-standin",
        "a:b",
    ],
    checks.check_path: [
        "opt",
        "./opt",
        "/",
        "//",
        "/opt/",
        "/opt//a",
        "/opt/../etc",
        "/opt/.",
        "/..",
        "/o pt",
        "/o:pt",
        "~/a",
    ],
    checks.check_mode: ["999", "0o660", "66", "06600", "4755", "1777", "u=rw", "0668", "٠٦٦٠"],
    checks.check_app: [
        "shop.",
        ".shop",
        "shop..wsgi",
        "2shop",
        "shop:",
        "shop:2",
        "--help",
        "shop.wsgi:app\nx",
        "shop/wsgi.py",
        "shop.wsgi application",
    ],
    checks.check_url_path: ["health", "//\n", "/a b", "/é", "http://localhost/"],
    checks.check_host: ["a b", "::1", "[::1", "localhost:", "localhost\r\nX: y", "a/b", "ä"],
    worker_classes.check_worker_class: [
        "gthread ",
        "gthreed",
        "shop.workers:Own",
        "my worker",
        "2fast",
        "--daemon",
        "sync\n",
        "a,b",
        ".a",
    ],
}


def cases(table: dict) -> list:
    """One test case for each function and value."""
    return [
        pytest.param(check, value, id=f"{check.__name__}-{ascii(value)[:40]}")
        for check, row in table.items()
        for value in row
    ]


@pytest.mark.parametrize(("check", "value"), cases(GOOD))
def test_a_good_value_is_returned_as_it_is(check: Callable[[str, object], str], value: str) -> None:
    """What can be used is used unchanged."""
    assert check("gunicorn_x", value) == value


@pytest.mark.parametrize(("check", "value"), cases(BAD) + cases(dict.fromkeys(GOOD, HOSTILE + OTHER_TYPES)))
def test_a_bad_value_is_named_in_the_error(check: Callable[[str, object], str], value: object) -> None:
    """The message says which variable, which value, and what was expected."""
    with pytest.raises(InvalidValue) as caught:
        check("gunicorn_x", value)
    assert str(caught.value).startswith(f"gunicorn_x: {value!r} can't be used: expected ")
    assert len(caught.value.expected) > 5


@given(value=st.text())
def test_a_project_name_is_fit_for_all_that_it_names(value: str) -> None:
    """What is accepted as a project is a Python name, a user, a unit and a part of a path."""
    try:
        checks.check_project("gunicorn_project", value)
    except InvalidValue:
        return
    assert value.isidentifier()
    assert value.isascii()
    assert checks.check_name("gunicorn_user", value) == value
    assert checks.check_service_name("gunicorn_service_name", value) == value
    assert checks.check_path("gunicorn_venv", f"/opt/{value}/venv")
