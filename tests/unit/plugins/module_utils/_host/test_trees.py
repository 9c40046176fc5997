# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of directories that others write: what is refused, what is lost, and that nothing leads root elsewhere."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import links
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host import trees
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.trees import Copy, UnfitTree

USER = 65534  # nobody


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory of the user's, in a release."""
    made = tmp_path / "release" / "tree"
    made.mkdir(parents=True)
    os.chown(made, USER, USER)
    return made


def take_over(tree: Path) -> Path:
    """Copy it, as root does after a step."""
    release = tree.parent
    for folder, names, found in os.walk(tree):
        for name in (*names, *found):
            path = os.path.join(folder, name)
            # Not a file of others that the user has linked
            if name in names or os.lstat(path).st_nlink < 2:
                os.chown(path, USER, USER, follow_symlinks=False)
    copy = release.parent / "copy"
    trees.copy(str(tree), str(copy), Copy(0, 12, of_user=USER, inside=str(release), path=str(tree)))
    return copy


def test_a_copy_is_roots(tree: Path) -> None:
    """Content, names and links are the same; owner, group and modes are not the user's to choose."""
    (tree / "a\nb").mkdir(0o777)
    (tree / "a\nb" / "page.html").write_text("x" * 100_000)
    (tree / "tool").write_text("#!/bin/sh\n")
    (tree / "tool").chmod(0o4777)
    (tree / "secret").write_text("s")
    (tree / "secret").chmod(0o600)
    (tree / "link").symlink_to("a\nb/page.html")
    (tree / os.fsdecode(b"\xff\xfe")).write_text("bytes")
    copy = take_over(tree)
    assert (copy / "a\nb" / "page.html").read_text() == "x" * 100_000
    assert (copy / "link").read_text() == "x" * 100_000
    assert (copy / os.fsdecode(b"\xff\xfe")).read_text() == "bytes"
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in copy.rglob("*") if not path.is_symlink()}
    assert modes["tool"] == 0o754
    assert modes["secret"] == 0o640
    assert modes["a\nb"] in (0o750, 0o755)
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in (copy, *copy.rglob("*"))} == {(0, 12)}


def test_what_a_process_has_open_is_not_in_the_copy(tree: Path) -> None:
    """A descriptor of the user's writes into the user's file, and into that alone."""
    (tree / "app.js").write_text("good")
    with (tree / "app.js").open("r+") as held:
        copy = take_over(tree)
        held.write("evil")
    assert (copy / "app.js").read_text() == "good"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: os.mkfifo(path), "a FIFO can't be copied"),
        (lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3)), "a device can't be copied"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "a socket can't be copied"),
        (lambda path: path.symlink_to("/etc/shadow"), "a link to '/etc/shadow', which is not in the release"),
        (lambda path: path.symlink_to("../../../secret"), "a link to '../../../secret'"),
        (lambda path: path.symlink_to("sub/../../secret"), "a link to"),
        (lambda path: path.symlink_to(".."), None),
        (lambda path: path.symlink_to("../code.py"), None),
        (lambda path: os.link("/etc/hostname", path), "it belongs to the user 0"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40), "almost none were written"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_the_users_is_named(
    tree: Path, make: Callable[[Path], None], reason: str | None, tmp_path: Path
) -> None:
    """Root does not copy what is not the user's own, what leads out of the release, and what is no file."""
    (tree / "sub").mkdir()
    try:
        make(tree / "sub" / "ob\x1bject")
    except OSError:
        (tmp_path / "others").write_text("not the user's")
        os.link(tmp_path / "others", tree / "sub" / "ob\x1bject")
    if reason is None:
        take_over(tree)
        return
    with pytest.raises(UnfitTree) as error:
        take_over(tree)
    assert str(error.value).startswith("'sub/ob\\x1bject': ")
    assert reason in str(error.value)


def test_links_to_links_do_not_lead_out(tree: Path) -> None:
    """A way up after a link's name begins where that link leads: no such link is taken."""
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "top").symlink_to("../..")
    (tree / "a" / "b" / "out").symlink_to("top/../../secret")
    with pytest.raises(UnfitTree, match="'a/b/out': a link to"):
        take_over(tree)


def test_a_file_with_several_names_takes_its_space_once(tree: Path) -> None:
    """Names that are hard links, as pnpm makes them, are hard links in the copy."""
    (tree / "store").mkdir()
    (tree / "store" / "one").write_bytes(b"x" * 4096)
    os.chown(tree / "store" / "one", USER, USER)
    for number in range(20):
        os.link(tree / "store" / "one", tree / f"name{number}")
    copy = take_over(tree)
    assert (copy / "store" / "one").stat().st_nlink == 21
    assert (copy / "name7").read_bytes() == b"x" * 4096


def test_holes_stay_holes(tree: Path) -> None:
    """A large file with little in it takes little."""
    with (tree / "base.sqlite").open("wb") as file:
        file.seek(1 << 28)
        file.write(b"end")
    copy = take_over(tree)
    assert (copy / "base.sqlite").stat().st_size == (1 << 28) + 3
    assert (copy / "base.sqlite").stat().st_blocks * 512 < 1 << 20
    with (copy / "base.sqlite").open("rb") as file:
        file.seek(1 << 28)
        assert file.read() == b"end"


def test_too_many_directories_in_each_other_are_refused(tree: Path) -> None:
    """Python's calls and descriptors are no limit that the user could run root into."""
    here = os.open(tree, os.O_RDONLY)
    for _number in range(300):
        os.mkdir("d" * 100, dir_fd=here)
        os.chown("d" * 100, USER, USER, dir_fd=here)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with pytest.raises(UnfitTree, match="more than 100 directories") as error:
        trees.copy(str(tree), f"{tree.parent.parent}/copy", Copy(0, 0, of_user=USER))
    assert len(str(error.value)) < 400


def test_a_lock_on_a_file_does_not_hold_root_up(tree: Path) -> None:
    """A lease makes the kernel let others wait for its holder; root does not."""
    path = tree / "held"
    path.write_text("x")
    with path.open("r+") as held:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        began = time.monotonic()
        with pytest.raises(UnfitTree, match="'held': a process keeps it locked"):
            take_over(tree)
        signal.signal(signal.SIGIO, before)
    assert time.monotonic() - began < 2


def test_a_directory_that_changes_into_a_link_leads_nowhere(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any one of root's looks, the user exchanges directory and file with links to others': none is followed."""
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "page").write_text("secret")
    (tree / "folder").mkdir()
    (tree / "folder" / "page").write_text("public")
    (tree / "page").write_text("public")
    (tree / "folder-link").symlink_to(tmp_path / "others")
    (tree / "page-link").symlink_to(tmp_path / "others" / "page")
    for path in (tree / "folder", tree / "folder" / "page", tree / "page"):
        os.chown(path, USER, USER)
    plain_open, contents = os.open, set()
    looks_left = 0

    def exchange() -> None:
        links.exchange(str(tree / "folder"), str(tree / "folder-link"))
        links.exchange(str(tree / "page"), str(tree / "page-link"))

    def exchange_and_open(name: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        nonlocal looks_left
        if looks_left == 0:
            exchange()
        looks_left -= 1
        return plain_open(name, flags, *args, dir_fd=dir_fd)

    # Each moment once with the directory first, and once with the link, since the exchange stays.
    for moment in sorted([*range(40)] * 2):
        looks_left = moment
        copy = Path(tempfile.mkdtemp(dir=tmp_path), "copy")
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", exchange_and_open)
            # Links of any kind are copied as links here, so that the copy gets past them.
            trees.copy(str(tree), str(copy), Copy(0, 0))
        for path in copy.rglob("*"):
            if not path.is_symlink() and path.is_file() and not any(map(Path.is_symlink, path.parents)):
                contents.add(path.read_text())
    assert looks_left > 0  # there was an exchange before each of them
    assert contents == {"public"}


def test_files_that_come_and_go_end(tree: Path) -> None:
    """A process that goes on writing neither stops the copy nor makes it endless."""
    program = (
        "import os, sys, itertools\nos.setuid(65534)\nos.chdir(sys.argv[1])\n"
        "f = open('log', 'ab', buffering=0)\nprint('go', flush=True)\n"
        "for n in itertools.count():\n    f.write(b'x' * 65536 if n < 2000 else b'')\n"
        "    open(str(n), 'w').close()\n    n > 50 and os.unlink(str(n - 50))\n"
    )
    tree.parent.parent.chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", program, str(tree)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            for number in range(20):
                trees.copy(str(tree), f"{tree.parent.parent}/copy{number}", Copy(0, 0, of_user=USER))
        finally:
            process.kill()
