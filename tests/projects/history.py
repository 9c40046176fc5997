#!/usr/bin/env python3
"""Make a bare git repository of a project beside this: a tag for each version, and main at the first one.

history.py PROJECT DIRECTORY     leaves DIRECTORY/PROJECT.git

PROJECT/versions.json has the versions, each with the one that its files change, and PROJECT/commits these files.
The same files give the same commits.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECTS = Path(__file__).parent
AUTHOR = ("-c", "user.name=tests", "-c", "user.email=tests@example.com")
DATES = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-01-01T00:00:00Z")


def main() -> None:
    """Make the repository anew."""
    project, directory = sys.argv[1], Path(sys.argv[2]).resolve()
    work, bare = directory / project, directory / f"{project}.git"
    for path in (work, bare):
        shutil.rmtree(path, ignore_errors=True)
    work.mkdir(parents=True)
    git(work, "init", "--quiet", "--initial-branch=main", "--template=")
    for name, parent in json.loads((PROJECTS / project / "versions.json").read_text()).items():
        if parent:
            git(work, "checkout", "--quiet", "--detach", parent)
        shutil.copytree(PROJECTS / project / "commits" / name, work, dirs_exist_ok=True)
        (work / project / "version.py").write_text(f'VERSION = "{name}"\n')
        for stylesheet in work.rglob("*.css"):
            with stylesheet.open("a") as file:
                file.write(f"/* Version {name} */\n")
        git(work, "add", ".")
        git(work, *AUTHOR, "commit", "--quiet", f"--message={name}")
        git(work, "tag", name)
    git(directory, "clone", "--quiet", "--bare", "--template=", str(work), str(bare))
    git(bare, "symbolic-ref", "HEAD", "refs/heads/main")
    git(bare, "update-ref", "refs/heads/main", "first")


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=directory, env={**os.environ, **DATES}, check=True)


if __name__ == "__main__":
    main()
