# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import checks, worker_classes
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.checks import MIB
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


class TestEnvironment:
    @given(
        environment=st.dictionaries(
            st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True).filter(lambda name: name != "WEB_CONCURRENCY"),
            st.text(st.characters(codec="ascii", exclude_characters="\0") | st.sampled_from("é😀\u2028")),
        )
    )
    def test_strings_pass_unchanged(self, environment: dict) -> None:
        """Quoting is not a user's business: what is given is what the process gets."""
        assert checks.check_environment("gunicorn_environment", environment) == environment

    @pytest.mark.parametrize(
        ("value", "text"), [(8000, "8000"), (1.5, "1.5"), ("true", "true"), ("", ""), ("a\nb", "a\nb"), ("😀", "😀")]
    )
    def test_numbers_become_text(self, value: object, text: str) -> None:
        """An unquoted number in YAML has one spelling; a boolean has several, and is refused below."""
        assert checks.check_environment("gunicorn_environment", {"A": value}) == {"A": text}

    def test_none_takes_a_variable_out(self) -> None:
        """This is how a variable of the role is left out."""
        assert checks.check_environment("gunicorn_environment", {"A": None, "B": "x"}) == {"B": "x"}

    @pytest.mark.parametrize("value", [True, False, [], {}, ["a"], "a\0b", "\0", "\ud83d", "\ufffe"])
    def test_a_value_that_is_no_text_is_refused(self, value: object) -> None:
        """The message names the variable of the environment, too."""
        with pytest.raises(InvalidValue) as caught:
            checks.check_environment("gunicorn_environment", {"GOOD": "x", "BAD": value})
        assert str(caught.value).startswith(f"gunicorn_environment['BAD']: {value!r} can't be used: expected ")

    @pytest.mark.parametrize("name", ["", "A B", "A=B", "1A", "Ä", "A\n", "A-B", "A.B", "%n", 5, True])
    def test_a_name_that_is_none_is_refused(self, name: object) -> None:
        """The message names it."""
        with pytest.raises(InvalidValue) as caught:
            checks.check_environment("gunicorn_environment", {name: "x"})
        assert str(caught.value).startswith(f"gunicorn_environment: {name!r} can't be used: expected ")

    @pytest.mark.parametrize(
        ("name", "instead"), [("WEB_CONCURRENCY", "gunicorn_workers"), ("GUNICORN_CMD_ARGS", "gunicorn_settings")]
    )
    def test_what_gunicorn_would_read_has_a_variable(self, name: str, instead: str) -> None:
        """The message says which variable to use instead."""
        with pytest.raises(InvalidValue, match=f"{name}.*{instead}"):
            checks.check_environment("gunicorn_environment", {name: "4"})


class TestParseSize:
    @pytest.mark.parametrize(
        ("text", "size_in_bytes"),
        [
            ("512M", 512 * MIB),
            ("512MB", 512 * MIB),
            ("512MiB", 512 * MIB),
            ("512Mi", 512 * MIB),
            ("512m", 512 * MIB),
            (" 512 M ", 512 * MIB),
            ("1.5G", 1536 * MIB),
            ("2048K", 2 * MIB),
            ("2048KB", 2 * MIB),
            ("2048KiB", 2 * MIB),
            ("1T", MIB * MIB),
            ("1073741824", 1024 * MIB),
            ("1M", MIB),
        ],
    )
    def test_units_are_powers_of_1024(self, text: str, size_in_bytes: int) -> None:
        """All the ways in which people write a size mean the same."""
        assert checks.parse_size("memory", text) == size_in_bytes

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "abc",
            "M",
            "-5M",
            "0",
            "nan",
            "inf",
            "1e9",
            "128",
            "1023K",
            "512X",
            "512Mb",
            "512MiBs",
            "1 000M",
            "1_000M",
            "512M\n512M",
            "٣M",
            "9" * 400,
        ],
    )
    def test_anything_else_is_refused_with_what_was_expected(self, text: str) -> None:
        """The error names the option, the value and the form; a number without its unit is a mistake as well."""
        with pytest.raises(InvalidValue) as caught:
            checks.parse_size("memory", text)
        assert str(caught.value).startswith(f"memory: {text!r} ")
        assert "128M" in str(caught.value)

    def test_zero_is_a_size_where_it_makes_sense(self) -> None:
        """A reserve may be nothing, but not a few bytes."""
        assert checks.parse_size("memory_reserve", "0", zero_allowed=True) == 0
        with pytest.raises(InvalidValue, match="or 0"):
            checks.parse_size("memory_reserve", "200", zero_allowed=True)
