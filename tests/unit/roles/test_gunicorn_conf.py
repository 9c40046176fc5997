"""gunicorn.conf.py, as Ansible renders it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Callable

import pytest
import yaml

from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import (
    configuration as inspection_configuration,
)
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection import request_counters

ROLE = Path(__file__).parents[3] / "roles/gunicorn"
HOOKS = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))["__gunicorn_hooks"]
UTILS = "ansible_collections.pyweb.gunicorn.plugins.module_utils"
# What is embedded in place of an import
EMBEDDED = {
    f"from {UTILS}._service.asgi_application import AsgiApplication": "_service/asgi_application.py",
    f"from {UTILS}._service.counters_format import CountersFormat": "_service/counters_format.py",
    f"from {UTILS}._values.health_answer import HealthAnswer": "_values/health_answer.py",
}
ODD = 'it\'s {{ a }} {% b %} {# c #} "d" \\ \n\u2028é'
SETTINGS = {
    "chdir": None,  # set by the fixture
    "graceful_timeout": 45,
    "proc_name": ODD,
    "raw_env": ["A=1", "B={{ 2 }}"],
    "when_ready": "notes.when_ready",
    "child_exit": "notes.child_exit",
}


def render(path: Path, **variables: object) -> Path:
    """Write the template's text to a file, with the role's defaults and these variables."""
    variables = {"role_path": str(ROLE), "gunicorn_project": "shop", "gunicorn_threads": 3, **variables}
    # Text that is given must not be rendered, as in the role no variable's value is.
    marked = path.with_suffix(".yml")
    marked.write_text("\n".join(f"{name}: !unsafe {json.dumps(value)}" for name, value in variables.items()))
    content = "{{ lookup('ansible.builtin.template', role_path ~ '/templates/gunicorn.conf.py.j2') }}"
    files = (ROLE / "defaults/main.yml", ROLE / "vars/main.yml", marked)
    subprocess.run(
        ["ansible", "localhost", *(f"--extra-vars=@{file}" for file in files), "--module-name=ansible.builtin.copy"]
        + [f"--args={json.dumps({'content': content, 'dest': str(path)})}"],
        env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCALHOST_WARNING": "false"},
        check=True,
        capture_output=True,
        timeout=60,
    )
    return path


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service works in, with its application and a stand-in for Gunicorn, which the tests do not install."""
    made = tmp_path_factory.mktemp("shop")
    (made / "gunicorn").mkdir()
    (made / "gunicorn/__init__.py").write_text("__version__ = '23.0.0'\n")
    (made / "gunicorn/util.py").write_text(
        "import importlib\ndef import_app(name):\n    return importlib.import_module(name).application\n"
    )
    (made / "shop.py").write_text(
        "import os\ndef application(environ, start_response):\n"
        "    start_response(os.environ['STATUS'], [])\n    return [environ['PATH_INFO'].encode()]\n"
    )
    return made


@pytest.fixture(scope="module")
def configuration(directory: Path) -> Path:
    """The file with everything that can be set."""
    return render(
        directory / "gunicorn.conf.py",
        gunicorn_app="shop",
        gunicorn_worker_class="gthread",
        gunicorn_health_path="/up?{{ a }}",
        gunicorn_health_host="www.example.com",
        gunicorn_health_statuses=["200", 301],
        gunicorn_settings={**SETTINGS, "chdir": str(directory)},
    )


@pytest.fixture
def loaded(configuration: Path, load_configuration: Callable[[Path], types.ModuleType]) -> types.ModuleType:
    """The file, executed as Gunicorn does it."""
    return load_configuration(configuration)


def test_the_hooks_are_embedded_as_they_are(configuration: Path) -> None:
    """Nothing of their text is rendered, and in place of their imports from the collection is what these import."""
    hooks = (ROLE / "files/gunicorn_hooks.py").read_text(encoding="utf-8").rstrip()
    assert hooks.count("ansible_collections") == len(EMBEDDED)
    for line, name in EMBEDDED.items():
        assert hooks.count(line) == 1
        embedded = (ROLE / "../../plugins/module_utils" / name).read_text(encoding="utf-8").rstrip()
        hooks = hooks.replace(line, embedded)
    header, text = configuration.read_text(encoding="utf-8").split('"""', 1)
    assert "".join(text.split()).startswith("".join(hooks.split())[len('"""') :] + "#Thevaluesofthisdeployment")
    assert [line[:2] for line in header.splitlines()] == ["# "] * 3
    assert header.startswith("# Managed by Ansible (role pyweb.gunicorn.gunicorn): ")
    assert "# The command line in shop.service sets workers" in header


def test_every_supported_python_reads_it(configuration: Path) -> None:
    """The oldest is 3.8."""
    ast.parse(configuration.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_values_are_the_given_ones(loaded: types.ModuleType, directory: Path) -> None:
    """Whatever is in a text, it arrives as it was given."""
    given = {name: value for name, value in SETTINGS.items() if name not in HOOKS}
    assert {name: getattr(loaded, name) for name in given} == {**given, "chdir": str(directory)}
    assert (loaded.worker_class, loaded.threads, loaded.control_socket_disable) == ("gthread", 3, True)
    assert (loaded._APP, loaded._HEALTH_PATH, loaded._HEALTH_HOST) == ("shop", "/up?{{ a }}", "www.example.com")
    assert (loaded._HEALTH_STATUSES, loaded._HEALTH_SCHEME) == ([200, 301], "http")
    assert loaded._USERS_HOOKS == {"when_ready": "notes.when_ready", "child_exit": "notes.child_exit"}


def test_gunicorn_finds_its_settings_and_none_else(loaded: types.ModuleType) -> None:
    """It takes each global name that is one of a setting: the hooks, and what is set."""
    public = {
        name
        for name, value in vars(loaded).items()
        if name[0].islower() and not isinstance(value, types.ModuleType) and name != "annotations"
    }
    assert public == {*HOOKS, *SETTINGS, "worker_class", "threads", "control_socket_disable"}
    assert all(isinstance(getattr(loaded, name), types.FunctionType) for name in HOOKS)


def test_settings_are_read_without_executing_the_file(configuration: Path) -> None:
    """gunicorn_service_info does so, and the defaults of the hooks must not hide what is assigned after them."""
    found = inspection_configuration.parse_file(configuration.read_bytes())
    assert (found["worker_class"], found["threads"]) == ("gthread", 3)


def test_what_it_counts_is_read(loaded: types.ModuleType, tmp_path: Path) -> None:
    """The embedded definition of the counters' file is the reader's."""
    loaded._counters = loaded._count(types.SimpleNamespace(cfg=types.SimpleNamespace(worker_class_str="sync")))
    loaded._USERS_HOOKS = {}
    for _number in range(5):
        request = types.SimpleNamespace()
        loaded.pre_request(None, request)
        loaded.post_request(None, request, {}, None)
    assert request_counters.summarize(request_counters.read_all(str(tmp_path)), 0).count == 5


@pytest.mark.parametrize(("status", "code"), [("301 Moved", 0), ("404 Not Found", 1)])
def test_run_as_a_program(configuration: Path, directory: Path, status: str, code: int) -> None:
    """It asks the application from the service's directory, and fails with its answer."""
    done = subprocess.run(
        [sys.executable, configuration],
        cwd="/",
        env={"PYTHONPATH": str(directory), "STATUS": status},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert code == 0 or "RuntimeError: shop answers /up?{{ a }} with status 404: see what it" in done.stderr


def test_defaults(directory: Path, load_configuration: Callable[[Path], types.ModuleType]) -> None:
    """Without settings there are none but the role's own."""
    loaded = load_configuration(render(directory / "plain.conf.py", gunicorn_app="shop"))
    assert (loaded._APP, loaded._HEALTH_STATUSES, loaded._USERS_HOOKS) == ("shop", [], {})
    assert (loaded._HEALTH_HOST, loaded._HEALTH_SCHEME) == ("localhost", "http")
    assert (loaded.chdir, loaded._LEFT_OUT) == ("/var/opt/shop", os.path.realpath("/var/opt/shop"))


@pytest.mark.parametrize(
    ("variables", "host", "scheme"),
    [
        ({"proxy_server_names": ["*.example.com", "www.example.com"]}, "www.example.com", "http"),
        ({"proxy_server_names": ["example.com"], "proxy_tls_certificate": "/etc/ssl/a.pem"}, "example.com", "https"),
        ({"proxy_tls_certificate": ""}, "localhost", "http"),
        ({"gunicorn_settings": {"certfile": "/etc/ssl/a.pem"}}, "localhost", "https"),
    ],
)
def test_the_request_comes_as_a_visitors(
    tmp_path: Path,
    load_configuration: Callable[[Path], types.ModuleType],
    variables: dict[str, object],
    host: str,
    scheme: str,
) -> None:
    """By the name and the scheme of the site that the play has."""
    loaded = load_configuration(render(tmp_path / "gunicorn.conf.py", gunicorn_app="shop", **variables))
    assert (host, scheme) == (loaded._HEALTH_HOST, loaded._HEALTH_SCHEME)


@pytest.mark.parametrize("named", [False, True])
def test_the_data_directory_has_no_code(directory: Path, tmp_path: Path, named: bool) -> None:
    """What the service writes there is not imported, unless PYTHONPATH names it; it works there all the same."""
    (tmp_path / "harmless.py").write_text("print('imported')\n")
    application = "import os\nprint(os.getcwd())\ntry:\n    import harmless\nexcept ImportError:\n    pass\n"
    code = tmp_path / "code"
    code.mkdir()
    (code / "careless.py").write_text(f"{application}from shop import application\n")
    path = render(tmp_path / "gunicorn.conf.py", gunicorn_app="careless", gunicorn_data_directory=str(tmp_path))
    done = subprocess.run(
        [sys.executable, path],
        cwd="/",
        env={"PYTHONPATH": f"{code}:{directory}" + (f":{tmp_path}" if named else ""), "STATUS": "200 OK"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [str(tmp_path), *(["imported"] if named else [])], done.stderr


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, None),
        ({"control_socket_disable": True, "control_socket": "/run/x.ctl"}, None),
        ({"control_socket_disable": False}, "/run/gunicorn/shop/gunicorn.ctl"),
        ({"control_socket": "/run/x.ctl"}, "/run/x.ctl"),
        ({"control_socket_disable": False, "control_socket": "/run/x.ctl"}, "/run/x.ctl"),
    ],
)
def test_a_control_socket(
    directory: Path,
    load_configuration: Callable[[Path], types.ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    settings: dict,
    path: str | None,
) -> None:
    """The live service alone has it, where the user wants one: a stand-in would take it over."""
    file = render(directory / f"control-{len(settings)}-{path is None}.py", gunicorn_settings=settings)
    for standin in (False, True):
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(directory / ("shop-standin" if standin else "shop")))
        loaded = load_configuration(file)
        assert loaded.control_socket_disable is (path is None or standin)
    assert getattr(loaded, "control_socket", None) == (settings.get("control_socket") or path)
