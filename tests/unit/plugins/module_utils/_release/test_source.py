# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import source as release_source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.source import Source
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

COMMIT = "3f2a9c1d4e5b60718293a4b5c6d7e8f901234567"
SHA256 = "a" * 64
URL = "https://git.example.com/shop.git"


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ({"git": URL}, Source("git", URL)),
        ({"git": URL, "version": None, "path": ""}, Source("git", URL)),
        ({"git": URL, "version": "release/2.1"}, Source("git", URL, "release/2.1")),
        ({"git": URL, "version": "refs/pull/7/head"}, Source("git", URL, "refs/pull/7/head")),
        ({"git": URL, "version": COMMIT.upper()}, Source("git", URL, COMMIT)),
        ({"git": "git@example.com:shop.git"}, Source("git", "git@example.com:shop.git")),
        ({"git": "ssh://git@example.com:2222/a/b.git"}, Source("git", "ssh://git@example.com:2222/a/b.git")),
        ({"git": "http://[::1]:8080/shop.git"}, Source("git", "http://[::1]:8080/shop.git")),
        (
            {"git": "http://git.example.com/shop.git", "version": COMMIT},
            Source("git", "http://git.example.com/shop.git", COMMIT),
        ),
        ({"git": "/srv/git/shop.git"}, Source("git", "/srv/git/shop.git")),
        ({"git": "file:///srv/git/shop.git"}, Source("git", "file:///srv/git/shop.git")),
        (
            {"git": URL, "submodules": "True", "path": "sites/shop/"},
            Source("git", URL, path="sites/shop", submodules=True),
        ),
        ({"archive": "/tmp/shop 1.tar.gz"}, Source("archive", "/tmp/shop 1.tar.gz")),
        ({"archive": "dist/shop.zip"}, Source("archive", "dist/shop.zip")),
        ({"archive": "/srv/shop.tgz", "remote_src": True}, Source("archive", "/srv/shop.tgz", remote_src=True)),
        (
            {"archive": "https://example.com/shop.tgz", "checksum": f"SHA256:{SHA256.upper()}", "path": "shop"},
            Source("archive", "https://example.com/shop.tgz", path="shop", sha256=SHA256),
        ),
        ({"checkout": "~/shop"}, Source("checkout", "~/shop", "HEAD")),
        ({"checkout": "../shop", "version": "v2", "path": "src"}, Source("checkout", "../shop", "v2", "src")),
        ({"requirement": "shop == 1.4.2"}, Source("requirement", "shop==1.4.2")),
        ({"requirement": "Shop[pg, s3]==1!1.4rc1+deb.1"}, Source("requirement", "Shop[pg,s3]==1!1.4rc1+deb.1")),
        ({"requirement": "/srv/shop-1.4-py3-none-any.whl"}, Source("requirement", "/srv/shop-1.4-py3-none-any.whl")),
        ("previous", Source("kept", "previous")),
        ("3f2a9c1d4e5b-0a1b2c", Source("kept", "3f2a9c1d4e5b-0a1b2c")),
    ],
)
def test_sources(value: object, source: Source) -> None:
    """Each kind of source is read as it is meant."""
    assert release_source.parse(value) == source


GIT_URLS = [
    "",
    " ",
    "--upload-pack=touch /tmp/pwned",
    "-oProxyCommand=touch /tmp/pwned",
    "ext::sh -c 'touch /tmp/pwned'",
    "ext::sh",
    "fd::7",
    "https::https://git.example.com/a.git",
    "ssh://-oProxyCommand=touch/a",
    "-oProxyCommand=x:a.git",
    "git@-oProxyCommand=x:a.git",
    "git@example.com:-a.git",
    "shop.git",
    "../shop.git",
    "/srv/../etc",
    "file://host/srv/a.git",
    "https://",
    "https://git.example.com",
    "https://git.example.com/a b.git",
    "https://git.example.com/a.git\n",
    "https://evil.example.com%0ahost=git.example.com/a.git",
    "http://git.example.com/a.git",
    "git://git.example.com/a.git",
    "ftp://git.example.com/a.git",
    {"url": URL},
    ["a"],
    7,
    True,
]


@pytest.mark.parametrize("url", GIT_URLS)
def test_urls_that_git_must_not_get(url: object) -> None:
    """Options, transports that run commands, what has no certificate or host key, and what is no URL are refused."""
    with pytest.raises(InvalidValue, match=r"^gunicorn_release\['git'\]: .* can't be used: expected "):
        release_source.parse({"git": url})


@pytest.mark.parametrize(
    "version",
    [
        "--force",
        "-x",
        "a b",
        "a\nb",
        "a..b",
        "a:b",
        "a^{}",
        "a~1",
        "*",
        "a?",
        "[a]",
        "a\\b",
        "a/",
        "a.lock",
        "@{1}",
        1.1,
        7,
        [],
    ]
    + [True, "/a/.b", "a//b", "\0"],
)
def test_versions_that_git_must_not_get(version: object) -> None:
    """Options, patterns, expressions and numbers of YAML are no version."""
    for kind in ({"git": URL}, {"checkout": "/srv/shop"}):
        with pytest.raises(InvalidValue, match=r"^gunicorn_release\['version'\]: "):
            release_source.parse({**kind, "version": version})


@pytest.mark.parametrize(
    "path",
    ["..", "../a", "a/../b", "/etc", "/", "a/./b", "a//b", ".git", "a/.GIT/hooks", "-a", "a b", "a\n", "$(x)", 7, []],
)
def test_paths_that_lead_out(path: object) -> None:
    """A path stays inside of what it is a path of, and out of .git."""
    for kind in ({"git": URL}, {"archive": "/a.tar"}, {"checkout": "/srv/shop"}):
        with pytest.raises(InvalidValue, match=r"^gunicorn_release\['path'\]: "):
            release_source.parse({**kind, "path": path})


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        7,
        True,
        "",
        "a b",
        URL,
        "/srv/shop",
        "../../etc",
        ".3f2a9c1d4e5b.new",
        "-previous",
        {"version": "main"},
    ]
    + [{"git": None}, {"git": URL, "archive": "/a.tar"}, {"url": URL}],
)
def test_what_is_no_source(value: object) -> None:
    """One error says which forms there are."""
    with pytest.raises(InvalidValue, match=r"^gunicorn_release: .* expected a mapping with one of git .* 'previous'"):
        release_source.parse(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"git": URL, "verison": "main"},
            r"gunicorn_release\['verison'\]: 'main' .* beside git only version, submodules",
        ),
        ({"requirement": "shop==1", "path": "a"}, r"gunicorn_release\['path'\]: 'a' .* nothing beside requirement"),
        ({"git": URL, "submodules": 2}, r"gunicorn_release\['submodules'\]: 2 .* true or false"),
        ({"git": URL, "version": 1.10}, r"gunicorn_release\['version'\]: 1.1 .* in quotes"),
        ({"archive": "https://example.com/a.tgz"}, r"gunicorn_release\['checksum'\]: '' .* 'sha256:'"),
        ({"archive": "/a.tgz", "checksum": "md5:" + "a" * 32}, r"gunicorn_release\['checksum'\]: 'md5:"),
        ({"archive": "/a.tgz", "checksum": "a" * 64}, r"gunicorn_release\['checksum'\]: "),
        ({"archive": "/a.tgz", "checksum": "sha256:https://example.com/SHA256SUMS"}, r"gunicorn_release\['checksum'\]"),
        ({"archive": "ftp://example.com/a.tgz"}, r"gunicorn_release\['archive'\]: "),
        ({"archive": "file:///a.tgz"}, r"gunicorn_release\['archive'\]: "),
        ({"archive": "--checkpoint-action=exec=sh"}, r"gunicorn_release\['archive'\]: "),
        ({"archive": "a.tgz", "remote_src": True}, r"gunicorn_release\['archive'\]: .* absolute path on the host"),
        (
            {"archive": "/a/../b.tgz", "remote_src": True},
            r"gunicorn_release\['archive'\]: .* absolute path on the host",
        ),
        ({"checkout": "-c core.pager=x"}, r"gunicorn_release\['checkout'\]: "),
        ({"checkout": URL}, r"gunicorn_release\['checkout'\]: "),
        ({"requirement": "shop"}, r"gunicorn_release\['requirement'\]: 'shop' .* Write 'shop==VERSION'"),
        ({"requirement": "shop>=1"}, r"gunicorn_release\['requirement'\]: 'shop>=1' .* exact version"),
        ({"requirement": "shop==1.*"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "shop==1,!=2"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "shop==1; python_version>'3'"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "shop @ https://example.com/shop.whl"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "-r /etc/shadow"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "--index-url=https://evil.example.com"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "/srv/../etc/a.whl"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "/srv/shop"}, r"gunicorn_release\['requirement'\]: "),
        ({"requirement": "./shop.whl"}, r"gunicorn_release\['requirement'\]: "),
    ],
)
def test_errors_name_the_key(value: dict, message: str) -> None:
    """The error names the part of the variable, its value and what was expected."""
    with pytest.raises(InvalidValue, match=rf"^{message}"):
        release_source.parse(value)


@pytest.mark.parametrize(
    "value",
    [
        {"git": "https://me:canary@git.example.com/a.git"},
        {"git": "https://canary@git.example.com/a.git"},
        {"git": "ssh://git:canary@git.example.com/a.git"},
        {"git": "https://me:canary@git.example.com/a b.git"},
        {"git": "https://git.example.com/a.git?private_token=canary\n"},
        {"archive": "https://me:canary@example.com/a.tgz", "checksum": f"sha256:{SHA256}"},
        {"archive": "https://example.com/a.tgz?X-Amz-Signature=canary"},
        {"archive": "https://example.com/a b.tgz?token=canary", "checksum": f"sha256:{SHA256}"},
        {"git": "https://me:canary@git.example.com/a.git", "archive": "/a"},
        {"git": URL, "url": "https://me:canary@git.example.com/a.git"},
        {"requirement": "shop @ https://me:canary@example.com/shop.whl"},
        {"checkout": "https://me:canary@git.example.com/a.git"},
        "https://me:canary@git.example.com/a.git",
    ],
)
def test_no_error_shows_a_password(value: object) -> None:
    """A login in a URL is refused, and is in no error."""
    with pytest.raises(InvalidValue) as error:
        release_source.parse(value)
    assert "canary" not in str(error.value)


def test_a_token_in_an_archives_query_is_not_shown() -> None:
    """Signed URLs work, and are shown without what makes them work."""
    url = "https://example.com/a.tgz?X-Amz-Signature=canary"
    found = release_source.parse({"archive": url, "checksum": f"sha256:{SHA256}"})
    assert found.location == url
    assert "canary" not in found.shown


@pytest.mark.parametrize(
    ("value", "is_url", "is_on_host"),
    [
        ({"git": URL}, True, False),
        ({"git": "git@example.com:a.git"}, True, False),
        ({"git": "/srv/a.git"}, False, True),
        ({"git": "file:///srv/a.git"}, False, True),
        ({"archive": "https://example.com/a", "checksum": f"sha256:{SHA256}", "remote_src": True}, True, False),
        ({"archive": "/a.tar", "remote_src": True}, False, True),
        ({"archive": "/a.tar"}, False, False),
        ({"archive": "a.tar"}, False, False),
        ({"checkout": "a"}, False, False),
        ({"requirement": "a==1"}, False, False),
        ({"requirement": "/a.whl"}, False, True),
    ],
)
def test_where_a_source_is(value: dict, is_url: bool, is_on_host: bool) -> None:
    """On the network, on the host, or neither."""
    found = release_source.parse(value)
    assert (found.is_url, found.is_on_host) == (is_url, is_on_host)


@given(
    st.one_of(st.text(), st.dictionaries(st.sampled_from(["git", "archive", "checkout", "version", "path"]), st.text()))
)
def test_no_text_is_an_option_or_a_traceback(value: object) -> None:
    """Whatever is written: a source of which no part begins with a dash or leads out, or InvalidValue."""
    try:
        found = release_source.parse(value)
    except InvalidValue:
        return
    assert not any(part.startswith("-") for part in (found.location, found.version, found.path))
    assert ".." not in found.path.split("/")
