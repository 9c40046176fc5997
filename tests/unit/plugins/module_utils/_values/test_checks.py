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
        *["shop.wsgi:application", "shop.wsgi", "_a.b2"],
        *["shop:create_app()", "shop:create_app('x y', debug=False)"],
    ],
    checks.check_url_path: ["/", "/health?full=1", "/a%20b"],
    checks.check_host: ["localhost", "www.example.com", "127.0.0.1:8000", "[::1]", "[::1]:80", "my_host"],
    checks.check_text: ["", "shop: Gunicorn", "a\nb", "%n $HOME \\", "🦄"],
    checks.check_count: ["auto", "1", "42", "1000"],
    checks.check_status: [100, 200, 599],
    checks.check_pip_argument: ["--no-index", "--pre", "--find-links=/srv/wheels", "two words", "-q"],
    worker_classes.check_worker_class: ["sync", "gthread", "shop.workers.Own", "egg:gunicorn#sync"],
}
# These take free text: most of what is hostile elsewhere is good here.
FREE = (checks.check_text, checks.check_pip_argument)
STRICT = [check for check in GOOD if check not in FREE]
# None of the strict checks takes one of these.
HOSTILE = [
    *["", " ", "\n", "a b", "a\nb", "shop\n", "a\0b", "-rf", "ä", "а"],
    *["$HOME", "%n", "`id`", "a;b", "a'b", 'a"b', "a\\", "$(id)", "$(touch /tmp/pwned)", "a;touch /tmp/pwned"],
    *["my shop", "my site", "shop;id", "si\0te", "site\nUser=root", "schön", "ѕhop", "🦄"],
]
OTHER_TYPES = [None, True, 0, 1.5, [], ["shop"], {}, b"shop"]
BAD = {
    checks.check_project: [
        *["Shop", "Site", "2shop", "_shop", "my-site", "my-shop", "my.site", "my.shop"],
        *["a/b", "..", "../etc", "a" * 32, "abcdefghijklmnopqrstuvwxyz_123456"],
        *["shop٤", "shop\0", "site\n"],
    ],
    checks.check_name: [
        *["Shop", "Group", "2shop", "0", "shop.web", "shöp", "-a", "-x", "a" * 32],
        # What chown and usermod take for more than one name
        *["shop:web", "root:x", "www:data", "a:b", "a,b", "www-data,root", "a/b"],
        *["$USER", "notes\n", "notes\nExecStartPre=+/usr/bin/touch /tmp/pwned"],
    ],
    checks.check_service_name: [
        *["shop.service", "notes.service", "shop.socket", "shop.slice", "shop-standin", "shop-step"],
        # Instances of a template
        *["shop@1", "notes@1", "@"],
        *["a/b", "../shop", "../a", ".hidden", ".a", "-a", "-notes", "_x", "a:b", "a" * 65],
        *["notes\n[Service]"],
    ],
    checks.check_path: [
        *["opt", "etc", "var", "venv", "opt/notes", "opt/shop", "run/notes.sock", "access.log", "gunicorn.log"],
        *["./opt", "./notes", "~/a", "~/v", "~/venv", "@abstract", "syslog:", "--"],
        *["/", "//", "/opt/", "/opt//a", "/var//opt"],
        *["/opt/../etc", "/opt/.", "/..", "/etc/./a", "/opt/notes/../venv", "/run/../etc/passwd", "/run/../shop"],
        *["/o pt", "/opt/a b", "/run/a b", "/var/log/a b.log", "/var/log/*.log{", "/etc/opt/'a'", "/var/opt/ü"],
        *["/opt/$HOME", "/opt/%n"],
        # A colon would separate the paths of PYTHONPATH.
        *["/o:pt", "/opt/a:b", "/etc/opt/a:b", "/opt/notes:/tmp"],
        # These would write another line into a unit or into logrotate's configuration.
        *["/opt/venv\n", "/opt/venv\nUser=root", "/opt/notes\nUser=root", "/opt/shop\nUser=root"],
        *["/etc/opt/notes\nUser=root", "/var/log/notes/a.log\nUser=root", "/run/notes.sock\nUser=root"],
        *["/var/opt/notes\nRootDirectory=/tmp", "/var/log/a\nrotate 0"],
        *["/var/log/notes/a.log {\nprerotate\ntouch /tmp/pwned"],
    ],
    checks.check_mode: ["999", "0999", "0o660", "66", "06600", "4755", "1777", "u=rw", "0668", "٠٦٦٠"],
    checks.check_app: [
        *["shop.", ".shop", "..", "shop..wsgi", "2shop", "shop:", "shop.wsgi:", "shop:2"],
        *["config:/etc/x.ini", "/etc/x.ini#main", "production.ini", "egg:shop", "wsgi.py", "wsgi.py:application"],
        *["shop/wsgi.py", "/opt/notes/notes.py", "shop.wsgi application", "shop wsgi", "--help", "--config=x"],
        *["shop:app.x", "shop:a or b", "a:b:c", "shop:app; id", "notes:create_app(); touch /tmp/pwned"],
        # Arguments are literals, by position or by name.
        *["shop:make(open('x'))", "notes:create_app(open('/tmp/pwned', 'w'))", "shop:make(**{'a': 1})"],
        *["shop.wsgi:app\nx", "shop.wsgi:a\nUser=root", "notes:application'\nimport os #"],
    ],
    checks.check_url_path: [
        *["health", "//\n", "/a b", "/é", "http://localhost/"],
        *["/\nimport os", "/\r\nX-Forwarded-For: 127.0.0.1"],
    ],
    checks.check_host: ["a b", "::1", "[::1", "localhost:", "localhost\r\nX: y", "a/b", "ä"],
    checks.check_text: ["a\0b", "\ufffe", "\ud800"],
    checks.check_count: [
        *["0", "-1", "+4", "1001", "1000000000", "9" * 5000, "1e9", "2.5", "4.5", "0x4", "1_000", "04"],
        *["many", "Auto", "None", "٤", "²", " 4", "4 ", "4\n", "2 --user=root", "2\nimport os"],
    ],
    checks.check_status: [99, 600, 0, -200],
    checks.check_pip_argument: [
        *["--target=/usr", "--target=/usr/lib/python3", "-t", "-t/usr", "--user", "--prefix", "--root=/", "--python=x"],
        # The beginning of --target, which pip takes, too
        "--targ",
        *["", "a\nb", "--no-index\n--user"],
    ],
    worker_classes.check_worker_class: [
        *["gthread ", "gthreed", "shop.workers:Own", "my worker", "my class", "no such", "2fast", "é"],
        *["--daemon", "sync\n", "a,b", ".a", "'sync'", "sync'\nimport os #"],
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


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("config:/etc/x.ini", "application = get_app('/etc/x.ini')\", and gunicorn_app: project.wsgi:application"),
        ("config:/etc/x.ini#web", "application = get_app('/etc/x.ini', 'web')"),
        ("production.ini", "application = get_app('production.ini')"),
        ("egg:shop#main", "application = get_app('/etc/opt/project/production.ini')"),
        (
            "/opt/shop/wsgi.py",
            "'wsgi:application' for wsgi.py in gunicorn_code_directory, 'project.wsgi:application' for ",
        ),
        ("shop.py:app", "'shop:application' for shop.py"),
    ],
)
def test_an_application_that_is_no_module(value: str, advice: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(InvalidValue) as caught:
        checks.check_app("gunicorn_app", value)
    assert advice in str(caught.value)


@pytest.mark.parametrize(("check", "value"), cases(BAD) + cases(dict.fromkeys(STRICT, HOSTILE + OTHER_TYPES)))
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
