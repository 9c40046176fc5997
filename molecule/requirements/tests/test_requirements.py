"""What is installed is what pip installs from the file in its own folder, or one error says why not."""

import json
import zipfile
from pathlib import Path

import ansible
import pytest
import yaml
from playbook_run import PlaybookRun

SCENARIO = Path(__file__).parent.parent
ROOT = SCENARIO.parent.parent
HOSTS = {"requirements-bookworm": "bookworm", "requirements-trixie": "trixie"}
INSTALLERS = {"bookworm": ["pip"], "trixie": ["pip", "uv"]}
TABLE = yaml.safe_load((ROOT / "tests/fixtures/kinds_of_requirements.yml").read_text(encoding="utf-8"))
# What Gunicorn brings, and what a new virtual environment has
BESIDE = {"gunicorn", "packaging", "pip", "setuptools"}


def steps_of(case):
    """The first step and those that follow."""
    return [case, *case.get("then", [])]


def installers_of(case, suite):
    """pip differs from one Debian to the next. uv is the same on both, and so tried on one."""
    return case.get("installers", INSTALLERS[suite])


def rows(refused):
    """Each step of each case, on each host and with each installer: those that must be refused, or the others."""
    return [
        pytest.param(host, case, installer, number, id=f"{suite}-{case['case']}-{installer}-{number + 1}")
        for host, suite in HOSTS.items()
        for case in TABLE
        if suite in case.get("hosts", HOSTS.values())
        for installer in installers_of(case, suite)
        for number, step in enumerate(steps_of(case))
        if ("refused" in step) is refused
    ]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What came of each case on each host: all of them are tried in one run of Ansible."""
    folder = tmp_path_factory.mktemp("requirements")
    code, cases = folder / "code.zip", folder / "cases.json"
    archive_code(code)
    cases.write_text(json.dumps(TABLE))
    variables = {"installers": INSTALLERS, "code": str(code), "cases": str(cases), "results": str(folder)}
    run = PlaybookRun(SCENARIO / "try.yml", variables=variables)
    assert run.code == 0, run.output
    return {host: json.loads((folder / f"{host}.json").read_text()) for host in HOSTS}


def archive_code(path):
    """Write an archive of what Ansible sends to a host with the module."""
    library = Path(ansible.__file__).parent
    trees = {
        "ansible/module_utils": library / "module_utils",
        "ansible_collections/pyweb/gunicorn/plugins": ROOT / "plugins",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        # As Ansible does: its own imports what is not sent.
        archive.writestr("ansible/__init__.py", "")
        archive.write(library / "release.py", "ansible/release.py")
        for place, tree in trees.items():
            for file in sorted(tree.rglob("*.py")):
                archive.write(file, f"{place}/{file.relative_to(tree)}")


@pytest.fixture
def record(results, host_name, case, installer):
    """What came of a case."""
    found = results[host_name][f"{case['case']}-{installer}"]
    assert "broken" not in found, found["broken"]
    return found


@pytest.mark.parametrize(("host_name", "case", "installer", "number"), rows(refused=False))
def test_what_is_installed(record, case, number):
    """It is what the table says and no more, new code is there, and the module says whether it changed something."""
    step, seen = steps_of(case)[number], record["steps"][number]
    assert "msg" not in seen["answer"], seen["answer"]["msg"]
    wanted = dict(line.split("==") for line in step["installs"])
    found = {
        name: version for name, version in seen["after"]["listing"].items() if name in wanted or name not in BESIDE
    }
    assert found == wanted
    assert "gunicorn" in seen["after"]["listing"]
    assert seen["values"] == step.get("imports", {})
    assert seen["answer"]["changed"] is step.get("changed", True)
    assert (seen["before"]["directory"] == seen["after"]["directory"]) is not step.get("changed", True)


@pytest.mark.parametrize(("host_name", "case", "installer", "number"), rows(refused=False))
def test_a_second_run_changes_nothing(record, number):
    """Nothing is found to be done, and nothing was done."""
    seen = record["steps"][number]
    assert "msg" not in seen["again"], seen["again"]["msg"]
    assert seen["again"]["changed"] is False
    assert seen["later"] == seen["after"]


@pytest.mark.parametrize(("host_name", "case", "installer", "number"), rows(refused=True))
def test_what_is_refused(record, case, number):
    """One error in one line has what must be known to go on, and nothing was changed."""
    step, seen = steps_of(case)[number], record["steps"][number]
    assert seen["answer"].get("failed"), f"{seen['answer']} {seen['after']}"
    message = seen["answer"]["msg"]
    assert [
        text for text in step["refused"] if text.replace("<here>", f"/srv/cases/{case['case']}") not in message
    ] == [], message
    assert "\n" not in message
    assert seen["after"] == seen["before"]


@pytest.mark.parametrize(
    ("host_name", "case", "installer"),
    [
        pytest.param(host, case, installers_of(case, suite)[0], id=f"{suite}-{case['case']}")
        for host, suite in HOSTS.items()
        for case in TABLE
        if suite in case.get("hosts", HOSTS.values()) and case.get("pip") != "differs"
    ],
)
def test_pip_itself(record, case):
    """The table is right about what pip does with the same files."""
    pip = record["pip"]
    if "refused" in case and case.get("pip") != "takes it":
        assert pip["code"]
        return
    assert pip["code"] == 0, pip["output"]
    if "installs" in case:
        listing = {name: version for name, version in pip["listing"].items() if name not in ("pip", "setuptools")}
        assert listing == dict(line.split("==") for line in case["installs"])
