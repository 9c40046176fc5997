# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release import unpack as release_unpack
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError


def member(name: str, content: bytes = b"x", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mtime = 1_600_000_000
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    return entry, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind, linkname=target)


def make_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for entry, content in members:
            archive.addfile(entry, io.BytesIO(content))
    return path


def unpack(archive: Path, folder: Path, **options: str) -> list[str]:
    """Unpack into a new directory, settled as a release is."""
    folder.mkdir(mode=0o700)
    found = release_unpack.unpack(str(archive), str(folder), os.getegid(), **options)
    release_unpack.settle(str(folder), os.getegid())
    return found


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_modes_of_a_tar(tmp_path: Path, mode: str) -> None:
    """Nobody but root may write, only the executable bit is kept, and the time stays for servers of one fleet."""
    files = [
        member("a/b.py", b"print(1)", mode=0o666),
        member("run", mode=0o4777),
        member("secret", mode=0o600),
        member("d", b"", type=tarfile.DIRTYPE, mode=0o1777),
    ]
    unpack(make_tar(tmp_path / "archive", *files, mode=mode), tmp_path / "tree")
    tree = tmp_path / "tree"
    modes = {str(path.relative_to(tree)): stat.S_IMODE(path.lstat().st_mode) for path in sorted(tree.rglob("*"))}
    assert modes == {"a": 0o750, "a/b.py": 0o640, "d": 0o750, "run": 0o750, "secret": 0o640}
    assert stat.S_IMODE(tree.stat().st_mode) == 0o750
    assert (tree / "a" / "b.py").read_text() == "print(1)"
    assert (tree / "run").stat().st_mtime == 1_600_000_000


def test_a_zip(tmp_path: Path) -> None:
    """Modes and links are those of Unix; names of Windows become paths."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, system in [
            ("bin/run", 0o100755, 3),
            ("now", 0o120777, 3),
            ("empty/", 0o040777, 3),
            ("win\\x.py", 0, 0),
        ]:
            entry = zipfile.ZipInfo(name, (2020, 9, 13, 12, 26, 40))
            entry.create_system, entry.external_attr = system, mode << 16
            archive.writestr(entry, b"bin/run" if name == "now" else b"x")
    unpack(tmp_path / "a.zip", tmp_path / "tree")
    tree = tmp_path / "tree"
    assert stat.S_IMODE((tree / "bin" / "run").stat().st_mode) == 0o750
    assert (tree / "bin" / "run").stat().st_mtime == 1_600_000_000
    assert os.readlink(tree / "now") == "bin/run"
    assert (tree / "empty").is_dir()
    assert (tree / "win" / "x.py").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([member("../evil")], r"^\.\./evil leads out of the archive$"),
        ([member("a/../../evil")], "leads out"),
        ([member("/nowhere-else/evil")], r"^/nowhere-else/evil leads out of the archive$"),
        ([member("fifo", b"", type=tarfile.FIFOTYPE)], "^fifo is neither a file nor"),
        ([member("sda", b"", type=tarfile.BLKTYPE)], "^sda is neither a file nor"),
        ([member("null", b"", type=tarfile.CHRTYPE)], "^null is neither a file nor"),
        ([link("a", "/nowhere-else"), member("a/evil")], "^a is a link or a file, and a directory as well$"),
        ([link("a", ".."), member("a/evil")], "^a is a link or a file, and a directory as well$"),
        ([member("a"), member("a/evil")], "^a is a link or a file, and a directory as well$"),
        ([member("a/b"), member("a")], "^a is a directory, and something else as well$"),
        ([member("a/b"), link("a", "/etc")], "^a is a directory, and something else as well$"),
        ([link("a", "/etc/shadow", tarfile.LNKTYPE)], "leads out of the archive"),
        ([link("a", "../../etc/shadow", tarfile.LNKTYPE)], "leads out of the archive"),
        ([link("a", "missing", tarfile.LNKTYPE)], "^a is a hard link to missing, which is no file of the archive$"),
        ([link("l", "/etc/shadow"), link("a", "l", tarfile.LNKTYPE)], "^a is a hard link to l, which is no file"),
        (
            [link("l", "/etc"), link("a", "l/shadow", tarfile.LNKTYPE)],
            "^a is a hard link to l/shadow, which is no file",
        ),
        ([link("a", "")], "^a is a link to nothing$"),
        ([link("up", "../x")], r"^up is a link to \.\./x, which leads out of the release"),
        ([link("d/up", "../../x")], r"^d/up is a link to \.\./\.\./x, which leads out of the release"),
        ([link("d", "."), link("up", "d/..")], r"^up is a link to d/\.\., which leads out"),
        ([link("\x1b[31mred\nroot", "../x")], r"^\?\[31mred\?root|^red\?root"),
    ],
)
def test_hostile_tars(tmp_path: Path, entries: list, message: str) -> None:
    """What leads out, or is something else than code, ends with its name, and nothing is written elsewhere."""
    with pytest.raises(ReleaseError, match=message) as error:
        unpack(make_tar(tmp_path / "a.tar.gz", *entries), tmp_path / "tree")
    assert str(error.value).isprintable()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "tree"]
    assert not os.path.exists("/nowhere-else/evil")


@pytest.mark.parametrize("target", ["/var/opt/shop/media", "b/../x", "sub", "loop", "gone/x", "media/../../x"])
def test_links_that_stay(tmp_path: Path, target: str) -> None:
    """Absolute ones say what their author meant; what is missing or runs in a circle leads nowhere."""
    entries = [
        link("media", "/var/opt/shop/media"),
        link("a", target),
        link("loop", "loop"),
        member("b/c"),
        member("x"),
    ]
    unpack(make_tar(tmp_path / "a.tar", *entries), tmp_path / "tree")
    assert os.readlink(tmp_path / "tree" / "a") == target


def test_hard_links_and_repeated_members(tmp_path: Path) -> None:
    """A hard link is a second name, and of members with one name the last counts, as for tar."""
    entries = [member("a", b"1"), link("b", "a", tarfile.LNKTYPE), member("a", b"2"), link("c", "/etc/passwd")]
    unpack(make_tar(tmp_path / "a.tar", *entries, member("c", b"3")), tmp_path / "tree")
    tree = tmp_path / "tree"
    assert [(tree / name).read_bytes() for name in "abc"] == [b"2", b"1", b"3"]
    assert not (tree / "c").is_symlink()


def test_git_directories_are_left_out(tmp_path: Path) -> None:
    """They may hold passwords of remotes, and all that the code ever was."""
    entries = [member(".git/config"), member("sub/.git"), member("sub/x"), member(".gitignore")]
    unpack(make_tar(tmp_path / "a.tar", *entries), tmp_path / "tree")
    assert sorted(path.name for path in (tmp_path / "tree").rglob("*")) == [".gitignore", "sub", "x"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_was_cut(tmp_path: Path, mode: str) -> None:
    """Wherever an upload ended, the rest is missed: also at a header, where tarfile is content."""
    whole = make_tar(tmp_path / "whole", member("a", b"1" * 600), member("b", b"2" * 600), mode=mode).read_bytes()
    cuts = [0, 100, 512, 1024, 1536, 2000, 3072] if mode == "w" else range(0, len(whole) - 12, 16)
    for number, cut in enumerate(cuts):
        (tmp_path / "cut").write_bytes(whole[:cut])
        with pytest.raises(ReleaseError):
            unpack(tmp_path / "cut", tmp_path / f"tree{number}")


@pytest.mark.parametrize(
    "content", [b"", b"<html>Please log in</html>", os.urandom(5000), b"PK\x03\x04broken", bytes(100)]
)
def test_no_archive_at_all(tmp_path: Path, content: bytes) -> None:
    """The error says which formats there are."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ReleaseError, match=r"^it can't be read as a tar \(gz, bz2, xz\) or a zip file \("):
        unpack(tmp_path / "a", tmp_path / "tree")


def test_a_damaged_header(tmp_path: Path) -> None:
    """tarfile takes a header that it can't read for the end."""
    make_tar(tmp_path / "a", member("a"), member("b"), mode="w")
    content = bytearray((tmp_path / "a").read_bytes())
    content[1024 + 150] ^= 1
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ReleaseError, match="^it is damaged, or ends too early$"):
        unpack(tmp_path / "a", tmp_path / "tree")


def test_a_zip_with_a_password_and_a_wrong_checksum(tmp_path: Path) -> None:
    """Both are said, and no traceback."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"content of a")
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole.replace(b"content of a", b"CONTENT of a"))
    with pytest.raises(ReleaseError, match="Bad CRC-32"):
        unpack(tmp_path / "a.zip", tmp_path / "one")
    # The flag for encryption, in both headers
    flagged = bytearray(whole)
    flagged[6] |= 1
    flagged[whole.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(flagged)
    with pytest.raises(ReleaseError, match="password required"):
        unpack(tmp_path / "a.zip", tmp_path / "two")


def test_pointers_of_large_files_are_told(tmp_path: Path) -> None:
    """They are not what the project's author sees."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 9\n"
    archive = make_tar(tmp_path / "a.tar", member("big.png", pointer), member("x"))
    assert unpack(archive, tmp_path / "tree", under="vendored/lib") == ["vendored/lib/big.png"]
    assert (tmp_path / "tree" / "vendored" / "lib" / "x").exists()


@pytest.mark.parametrize(
    ("names", "root"),
    [
        (["shop-3f2a9c/manage.py", "shop-3f2a9c/shop/x"], "shop-3f2a9c"),
        (["shop/__init__.py"], ""),
        (["manage.py"], ""),
        (["a/x", "b/x"], ""),
    ],
)
def test_a_single_directory_at_the_top(tmp_path: Path, names: list[str], root: str) -> None:
    """It is the archive's name, as with GitHub's, unless it is the package."""
    unpack(make_tar(tmp_path / "a.tar", *map(member, names)), tmp_path / "tree")
    assert release_unpack.root_of(str(tmp_path / "tree")) == str(tmp_path / "tree" / root).rstrip("/")


def test_a_single_link_at_the_top(tmp_path: Path) -> None:
    """It is not followed, and neither is one on the way to a path."""
    unpack(make_tar(tmp_path / "a.tar", link("etc", "/etc")), tmp_path / "tree")
    tree = str(tmp_path / "tree")
    assert release_unpack.root_of(tree) == tree
    assert [release_unpack.inside(tree, path) for path in ("", "etc", "etc/ssl", "gone")] == [tree, "", "", ""]
