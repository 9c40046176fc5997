#!/usr/bin/env python3
"""Make a bare git repository of the board: a tag for each version, and main at the first one.

history.py DIRECTORY     leaves DIRECTORY/board.git
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

COMMITS = Path(__file__).parent / "commits"
# Each version, and the one that its files change
PARENTS = {
    "first": None,
    "column": "first",
    # What must never go live
    "broken": "column",
    "error_500": "column",
    "bad_build": "column",
    "bad_migration": "column",
    # A column is renamed
    "expand": "column",
    "move": "expand",
    "contract": "move",
    "last": "contract",
}
AUTHOR = ("-c", "user.name=tests", "-c", "user.email=tests@example.com")


def main() -> None:
    """Make the repository anew."""
    directory = Path(sys.argv[1]).resolve()
    work, bare = directory / "board", directory / "board.git"
    for path in (work, bare):
        shutil.rmtree(path, ignore_errors=True)
    work.mkdir(parents=True)
    git(work, "init", "--quiet", "--initial-branch=main", "--template=")
    for name, parent in PARENTS.items():
        if parent:
            git(work, "checkout", "--quiet", "--detach", parent)
        shutil.copytree(COMMITS / name, work, dirs_exist_ok=True)
        (work / "board" / "version.py").write_text(f'VERSION = "{name}"\n')
        with (work / "board" / "static" / "board" / "board.css").open("a") as stylesheet:
            stylesheet.write(f"/* Version {name} */\n")
        git(work, "add", ".")
        git(work, *AUTHOR, "commit", "--quiet", f"--message={name}")
        git(work, "tag", name)
    git(directory, "clone", "--quiet", "--bare", "--template=", str(work), str(bare))
    git(bare, "symbolic-ref", "HEAD", "refs/heads/main")
    git(bare, "update-ref", "refs/heads/main", "first")


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=directory, check=True)


if __name__ == "__main__":
    main()
