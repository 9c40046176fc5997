# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a release of the collection. scripts/release calls this with the tools in place."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
# What a fragment of these sections makes of the next version; see docs/support.md. All others fit a patch.
MAJOR = {"breaking_changes", "removed_features"}
MINOR = {"major_changes", "minor_changes", "deprecated_features"}
ADDED = re.compile(r"\bversion_added: *['\"]?([\w.-]+)")
# Where pages pin this collection, by its artifact's name or in requirements.yml
PIN = re.compile(r"(pyweb-gunicorn-|name: pyweb\.gunicorn\n +version: \")" + VERSION.pattern)


class ReleaseError(Exception):
    """The release can't be made; the message says why."""


def main() -> int:
    """Make the release, or say what is in its way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="do everything on a copy, and change nothing")
    parser.add_argument("version", help="such as 1.2.0")
    arguments = parser.parse_args()
    try:
        found = problems(ROOT, arguments.version)
        if found:
            raise ReleaseError("\n".join(found))
        with tempfile.TemporaryDirectory() as folder:
            made, artifact = make(ROOT, Path(folder), arguments.version)
            if arguments.check:
                print(f"{arguments.version} can be released. Nothing was changed.")
                return 0
            take_over(made, ROOT)
            kept = ROOT / ".cache" / "release" / artifact.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(artifact, kept)
    except ReleaseError as error:
        print(f"error: {error}\nNothing was changed.", file=sys.stderr)
        return 1
    print(next_steps(arguments.version, kept.relative_to(ROOT)))
    return 0


def problems(tree: Path, version: str) -> list[str]:
    """What is in the way of releasing a checkout as this version, each in a sentence."""
    if not VERSION.fullmatch(version):
        return [f"VERSION is {version!r}, and must be three numbers, such as 1.2.0."]
    fragments = read_fragments(tree)
    found = []
    if run(tree, "git", "status", "--porcelain"):
        found.append("The checkout has changes that are not committed. Commit or stash them: git status")
    if run(tree, "git", "tag", "--list", f"v{version}"):
        found.append(f"The tag v{version} is there already.")
    before = galaxy_version(tree)
    needed = least_version(before, fragments)
    if numbers(version) < numbers(needed):
        found.append(
            f"VERSION is {version}, and must be {needed} or newer: galaxy.yml has {before}, and the fragments have "
            f"{', '.join(sorted(fragments)) or 'nothing'}."
        )
    if not fragments.keys() - {"release_summary", "trivial"}:
        found.append("changelogs/fragments has no change to release.")
    if "release_summary" not in fragments:
        found.append(
            "No file of changelogs/fragments has a release_summary: two or three sentences on what this version is."
        )
    return found + wrong_additions(tree, version)


def read_fragments(tree: Path) -> dict[str, set[str]]:
    """The sections that the fragments have, with the names of their files."""
    sections: dict[str, set[str]] = {}
    for path in sorted((tree / "changelogs" / "fragments").glob("*.yml")):
        for section in yaml.safe_load(path.read_text(encoding="utf-8")) or {}:
            sections.setdefault(section, set()).add(path.name)
    return sections


def galaxy_version(tree: Path) -> str:
    """The version in galaxy.yml."""
    return yaml.safe_load((tree / "galaxy.yml").read_text(encoding="utf-8"))["version"]


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, which can be compared."""
    return tuple(map(int, version.split(".")))


def least_version(before: str, sections: dict[str, set[str]]) -> str:
    """The lowest version after another one that may have changes of these sections."""
    major, minor, patch = numbers(before)
    if sections.keys() & MAJOR:
        return f"{major + 1}.0.0"
    if sections.keys() & MINOR:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def wrong_additions(tree: Path, version: str) -> list[str]:
    """The versions in the documentation of plugins and roles that are no releases."""
    changelog = yaml.safe_load((tree / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))
    released = {version, *changelog["releases"]}
    return [
        f"{path.relative_to(tree)} has version_added: {added}, which is neither {version} nor a released version."
        for folder in ("plugins", "roles")
        for path in sorted((tree / folder).rglob("*"))
        if path.suffix in (".py", ".yml")
        for added in ADDED.findall(path.read_text(encoding="utf-8"))
        if added not in released
    ]


def make(tree: Path, folder: Path, version: str) -> tuple[Path, Path]:
    """Release a copy of a checkout, and check its artifact; return both."""
    copy = folder / "copy"
    run(tree, "git", "clone", "--quiet", "--no-hardlinks", str(tree), str(copy))
    write_version(copy, version)
    run(copy, "antsibull-changelog", "lint")
    run(copy, "antsibull-changelog", "release", "--reload-plugins")
    run(copy, "ansible-galaxy", "collection", "build", "--output-path", str(folder))
    (artifact,) = folder.glob(f"*-{version}.tar.gz")
    # All that Galaxy does with an artifact, with ansible-lint, which scripts/test leaves out.
    run(copy, "tests/integration/artifact", str(artifact), GALAXY_IMPORTER_RUN_ANSIBLE_LINT="true")
    return copy, artifact


def write_version(tree: Path, version: str) -> None:
    """Put a version into galaxy.yml, and into the pages that pin one."""
    galaxy = tree / "galaxy.yml"
    text = re.sub(r"^version: .*$", f"version: {version}", galaxy.read_text(encoding="utf-8"), flags=re.MULTILINE)
    galaxy.write_text(text, encoding="utf-8")
    for page in (tree / "README.md", *sorted((tree / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        page.write_text(PIN.sub(rf"\g<1>{version}", text), encoding="utf-8")


def take_over(copy: Path, tree: Path) -> None:
    """Do in a checkout what was done in its copy. Nothing is done half."""
    run(copy, "git", "add", "--all")
    patch = run(copy, "git", "diff", "--cached", "--binary", "HEAD")
    run(tree, "git", "apply", "--index", "-", stdin=patch)


def run(folder: Path, *command: str, stdin: str | None = None, **environment: str) -> str:
    """The output of a command, whose tools are those beside this Python."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    env = {**os.environ, "PATH": path, **environment}
    done = subprocess.run(command, cwd=folder, env=env, input=stdin, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ReleaseError(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def next_steps(version: str, artifact: Path) -> str:
    """What is left to a person."""
    return f"""{version} is made, and its changes are staged. Read CHANGELOG.md, then:

  git commit --message "Release {version}"
  git tag --annotate v{version} --message "Release {version}"
  git push origin HEAD v{version}
  ansible-galaxy collection publish {artifact}

The artifact is {artifact}. Galaxy takes each version once: what is wrong in it needs another version."""


if __name__ == "__main__":
    sys.exit(main())
