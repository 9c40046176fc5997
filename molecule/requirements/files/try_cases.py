"""Tries the cases of the table on a host, and writes what came of them.

    try_cases.py CODE CASES RESULTS

CODE is an archive of the collection's and Ansible's code. The module runs as Ansible runs it, with the arguments as
JSON, in a process of its own; but without a connection for each run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import traceback
import zipfile
from pathlib import Path

import backend

WHEELS = Path("/srv/wheels")
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": str(WHEELS),
    "UV_FIND_LINKS": str(WHEELS),
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    # Compiling takes time, and is seen elsewhere.
    "PIP_COMPILE": "0",
}
TEMPLATE = "/srv/template"
# Puts pip from there into a virtual environment. ensurepip itself, which other scenarios use, would take more time than
# all the rest.
ENSUREPIP = f"""
import glob, subprocess, sys, sysconfig
folder = sysconfig.get_path("purelib")
found = glob.glob(folder.replace(sys.prefix, "{TEMPLATE}") + "/pip*")
subprocess.run(["cp", "--archive", "--link", *found, folder], check=True)
"""
AUTHOR = {f"GIT_{who}_{what}": "nobody@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Case:
    """A case of the table with its folder, in which its files are, and its virtual environments."""

    def __init__(self, given: dict, installer: str) -> None:
        self.given = given
        self.installer = installer
        self.folder = Path("/srv/cases") / given["case"]
        self.venv = Path("/srv/venvs") / f"{given['case']}-{installer}"

    def put(self, step: dict) -> None:
        """Make the files of a step, and run its commands."""
        for path, content in step.get("files", {}).items():
            put(self.folder / path, content, self.filled)
        for command in step.get("run", []):
            subprocess.run(
                self.filled(command), shell=True, cwd=self.folder, env={**os.environ, **OFFLINE, **AUTHOR}, check=True
            )

    def filled(self, text: str) -> str:
        """The text with <here>, <venv>, <commit REPOSITORY>, <version NAME> and <sha256 NAME-VERSION> filled in."""
        text = text.replace("<here>", str(self.folder)).replace("<venv>", str(self.venv))
        text = re.sub(r"<version (\S+)>", lambda match: version(match[1]), text)
        text = re.sub(r"<commit (\S+)>", lambda match: commit(self.folder / match[1]), text)
        return re.sub(r"<sha256 (\S+)>", lambda match: sha256(match[1]), text)

    def requirements(self, step: dict) -> list | str | None:
        """What the module gets."""
        given = {**self.given, **step}.get("requirements", "<here>/requirements.txt")
        return [self.filled(line) for line in given] if isinstance(given, list) else self.filled(given)

    def environment(self, step: dict) -> dict:
        """The variables of what installs."""
        given = {**OFFLINE, **self.given.get("environment", {}), **step.get("environment", {})}
        return {name: self.filled(value) for name, value in given.items()}

    def module(self, step: dict) -> dict:
        """Run the module, and return what it answers."""
        options = {**self.given.get("options", {}), **step.get("options", {})}
        secret = {"environment": self.environment(step)}
        if self.installer == "uv":
            options["pip_extra_args"] = ["--no-index", "--no-compile-bytecode", *options.get("pip_extra_args", [])]
        arguments = {
            "path": str(self.venv),
            "installer": self.installer,
            "requirements": self.requirements(step),
            "confidential": base64_of(json.dumps(secret)),
            **{name: filled_in(self.filled, value) for name, value in options.items()},
        }
        return run_module(arguments)

    def seen(self) -> dict:
        """What is in the virtual environment, and what its modules say."""
        entries = sorted(path.name for path in self.venv.parent.glob(f"{self.venv.name}*"))
        if not (self.venv / "bin/python").exists():
            return {"directory": "", "entries": entries, "listing": {}}
        return {"directory": os.path.realpath(self.venv), "entries": entries, "listing": listing(self.venv)}

    def value(self, module: str) -> str:
        return value(self.venv, module) if self.venv.exists() else ""


def put(path: Path, content: str | dict, filled=str) -> None:
    """Write a file; or make a wheel, or the folder of a project."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_bytes(filled(content).encode())
    elif "text" in content:
        path.write_bytes(filled(content["text"]).encode(content["encoding"]))
    elif "wheel" in content:
        make_wheel(path, *content["wheel"].split(), **content.get("with", {}))
    else:
        make_project(path, *content["project"].split(), **content.get("with", {}))


def make_wheel(
    path: Path, name: str, version: str, value: object = 1, requires: tuple = (), extras: tuple = ()
) -> None:
    """Make a wheel of one module, whose VALUE is `value`."""
    needs = "".join(f"Provides-Extra: {each}\n" for each in extras) + "".join(f"Requires-Dist: {r}\n" for r in requires)
    path.parent.mkdir(parents=True, exist_ok=True)
    backend.write_wheel(path, name, version, {f"{name}.py": f"VALUE = {value!r}\n"}, needs)


def make_project(path: Path, name: str, version: str, value: object = 1, requires: tuple = ()) -> None:
    """Make the folder of a project with a pyproject.toml."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {json.dumps(list(requires))}\n'
    )
    shutil.copy(backend.__file__, path)
    (path / f"{name}.py").write_text(f"VALUE = {value!r}\n")


def sha256(package: str) -> str:
    """The hash of NAME-VERSION among the wheels, or of a file."""
    found = [Path(package)] if package.startswith("/") else sorted(WHEELS.glob(f"{package}-*"))
    return hashlib.sha256(found[0].read_bytes()).hexdigest()


def version(name: str) -> str:
    """The newest version of a package among the wheels."""
    found = [path.name.split("-")[1] for path in WHEELS.glob(f"{name}-*")]
    return max(found, key=lambda each: [int(number) for number in re.findall("[0-9]+", each)])


def commit(repository: Path) -> str:
    """The hash of the newest commit."""
    command = ["git", "-C", repository, "rev-parse", "HEAD"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def filled_in(filled, value: object) -> object:
    if isinstance(value, list):
        return [filled(each) for each in value]
    return filled(value) if isinstance(value, str) else value


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def run_module(arguments: dict) -> dict:
    """Run gunicorn_venv in a process of its own, and return its answer."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            try:
                from ansible.module_utils.testing import patch_module_args

                from ansible_collections.pyweb.gunicorn.plugins.modules import gunicorn_venv

                with patch_module_args(arguments):
                    gunicorn_venv.main()
            except SystemExit:
                pass
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        os.waitpid(child, 0)
        output.seek(0)
        text = output.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return {"failed": True, "msg": text}


def listing(venv: Path) -> dict:
    """Name and version of what is installed."""
    found = [path.name[: -len(".dist-info")].rpartition("-") for path in venv.glob("lib/*/site-packages/*.dist-info")]
    return {name.lower().replace("_", "-"): version for name, _hyphen, version in found}


def value(venv: Path, module: str) -> str:
    """What a module in a virtual environment says."""
    command = [venv / "bin/python", "-I", "-c", f"import {module}; print({module}.VALUE, end='')"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.stdout.splitlines()[-1] if result.stdout else ""


def what_pip_does(case: Case) -> dict:
    """What `pip install -r FILE` gives in the file's own folder."""
    venv = Path("/srv/pip") / case.given["case"]
    venv.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "--archive", "--link", TEMPLATE, venv], check=True)
    file = case.requirements({})
    if isinstance(file, list):
        # A list has no folder.
        Path("/list.txt").write_text("".join(f"{line}\n" for line in file))
        file = "/list.txt"
    extra = filled_in(case.filled, case.given.get("options", {}).get("pip_extra_args", []))
    command = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--no-compile", *extra, "--requirement", file]
    environment = {**os.environ, **case.environment({})}
    result = subprocess.run(
        command,
        cwd=os.path.dirname(file),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return {"code": result.returncode, "output": result.stdout, "listing": listing(venv)}


def try_case(given: dict, installer: str, with_pip: bool) -> dict:
    """What pip does, and a record for each step: the module's answer, what is there then, and a second run's answer."""
    case = Case(given, installer)
    shutil.rmtree(case.folder, ignore_errors=True)
    case.folder.mkdir(parents=True)
    case.venv.parent.mkdir(exist_ok=True)
    steps = [given, *given.get("then", [])]
    case.put(given)
    told = {"pip": what_pip_does(case) if with_pip else None, "steps": []}
    for number, step in enumerate(steps):
        if number:
            case.put(step)
        before = case.seen()
        answer = case.module(step)
        after = case.seen()
        values = {module: case.value(module) for module in step.get("imports", {})}
        again = {} if "refused" in step else case.module(step)
        seen = {"answer": answer, "before": before, "after": after, "values": values}
        told["steps"].append({**seen, "again": again, "later": case.seen()})
    return told


def quicken() -> None:
    """Have Python bring pip from the template, where it is compiled."""
    ensurepip = Path(sysconfig.get_path("stdlib"), "ensurepip")
    (ensurepip / "__main__.py").write_text(ENSUREPIP)
    (ensurepip / "_bundled").mkdir(exist_ok=True)
    bundled = ensurepip / "_bundled/pip-0.whl"
    if not bundled.exists():
        bundled.symlink_to(sysconfig.get_path("purelib", vars={"base": TEMPLATE}, scheme="venv"))


def make_packages() -> None:
    """The packages that the cases install."""
    for name, version, more in (
        ("apple", "1.0", {}),
        ("apple", "1.1", {}),
        ("apple", "2.0rc1", {}),
        ("pear", "1.0", {}),
        ("pear", "1.1", {}),
        ("plum", "1.0", {"requires": ["pear; extra == 'jam'"], "extras": ["jam"]}),
        ("cherry", "1.0", {"requires": ["apple"]}),
    ):
        make_wheel(WHEELS / f"{name}-{version}-py3-none-any.whl", name, version, **more)
    make_wheel(WHEELS / "quince-1.0-py3-none-any.whl", "quince", "1.0", "wheel")
    with tempfile.TemporaryDirectory() as folder:
        make_project(Path(folder) / "quince-1.0", "quince", "1.0", "source")
        (Path(folder) / "quince-1.0/PKG-INFO").write_text("Metadata-Version: 2.1\nName: quince\nVersion: 1.0\n")
        with tarfile.open(WHEELS / "quince-1.0.tar.gz", "w:gz") as archive:
            archive.add(Path(folder) / "quince-1.0", "quince-1.0")


def main() -> None:
    code, cases, results = sys.argv[1:4]
    installers = sys.argv[4:]
    zipfile.ZipFile(code).extractall("/srv/code")
    sys.path.insert(0, "/srv/code")
    # Imported once for all runs
    from ansible.module_utils.testing import patch_module_args  # noqa: F401

    from ansible_collections.pyweb.gunicorn.plugins.modules import gunicorn_venv  # noqa: F401

    for left in ("/srv/cases", "/srv/pip", "/srv/venvs"):
        shutil.rmtree(left, ignore_errors=True)
    quicken()
    make_packages()
    told = {}
    for case in json.loads(Path(cases).read_text()):
        for number, installer in enumerate(case.get("installers", installers)):
            begin = sum(os.times()[:4])
            try:
                outcome = try_case(case, installer, with_pip=not number)
            except Exception:
                outcome = {"broken": traceback.format_exc()}
            told[f"{case['case']}-{installer}"] = {**outcome, "seconds": round(sum(os.times()[:4]) - begin, 2)}
            Path(results).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
