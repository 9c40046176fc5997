"""Builds a package of one module; pip and uv call it as a build backend (PEP 517), and it needs nothing.

VALUE in the module is what its source says, or the build's option "value".
"""

import base64
import hashlib
import os
import zipfile

import tomllib


def write_wheel(path, name, version, files, metadata=""):
    """Write a wheel with files, which are texts by their names, and with further lines of metadata."""
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD,,\n"
    for each, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        record += f"{each},sha256={digest},{len(text.encode())}\n"
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in {**files, f"{info}/RECORD": record}.items():
            # With this time, the same content is the same archive.
            archive.writestr(zipfile.ZipInfo(each), text)


def build_wheel(folder, config_settings=None, metadata_directory=None):
    """Build the project in the current directory."""
    project = _project()
    if "value" in (config_settings or {}):
        code = f"VALUE = {config_settings['value']}\n"
    else:
        with open(f"{project['name']}.py") as file:
            code = file.read()
    return _built(folder, project, {f"{project['name']}.py": code})


def build_editable(folder, config_settings=None, metadata_directory=None):
    """Build what leads to the current directory (PEP 660)."""
    project = _project()
    return _built(folder, project, {f"{project['name']}.pth": f"{os.getcwd()}\n"})


def build_sdist(folder, config_settings=None):
    """A backend must have it, and nobody calls it."""
    raise NotImplementedError


def _project():
    with open("pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]


def _built(folder, project, files):
    name, version = project["name"], project["version"]
    wheel = f"{name}-{version}-py3-none-any.whl"
    needs = "".join(f"Requires-Dist: {each}\n" for each in project["dependencies"])
    write_wheel(os.path.join(folder, wheel), name, version, files, needs)
    return wheel
