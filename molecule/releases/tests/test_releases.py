"""Releases of a real Django project, as its visitors and those who deploy it see them.

The tests build on each other: each one finds the sites as the one before left them. The hosts are under load all the
time, and each answer names the version of the code that made it. Each run of the role is on both hosts at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hosts import connect
from load_on_host import Load
from playbook_run import PlaybookRun
from service import main_pid, shown, workers
from waiting import wait_for

SCENARIO = Path(__file__).parent.parent
REPOSITORY = SCENARIO.parents[1]
ROLL_BACK = REPOSITORY / "playbooks" / "roll_back.yml"
SITE = SCENARIO / "site.yml"
NAME = "board.example.com"
RESOLVE = f"--resolve {NAME}:80:127.0.0.1 --resolve {NAME}:443:127.0.0.1"
CURL = f"curl --silent --show-error --fail --max-time 20 --insecure {RESOLVE}"
# With max_requests: 20; each 20 of them start a worker, which takes half a second.
REQUESTS = int(os.environ.get("RELEASES_REQUESTS", "600"))
KEPT = 3
# A request of each worker, and the connections that nginx keeps open
IN_FLIGHT = 2 + 4


class Server:
    """A host, and ways to look at its site."""

    def __init__(self, name: str, url: str, share: float, *load: str) -> None:
        self.name, self.url, self._share, self._load = name, url, share, load
        self.host = connect(name)

    def start_load(self, rate: int) -> Load:
        """Send a share of a rate to Gunicorn and to the web server; one of the pages writes to the database."""
        return Load(self.host, "role", self._load, "--header=X-Version", f"--rate={rate * self._share:g}")

    def get(self, path: str) -> str:
        return self.host.check_output(f"{CURL} '{self.url}{path}'")

    def status(self, path: str) -> int:
        answered = f"{CURL.replace('--fail ', '')} --output /dev/null --write-out '%{{http_code}}'"
        return int(self.host.check_output(f"{answered} '{self.url}{path}'"))

    def version(self) -> str:
        """The version of the page."""
        return re.search(r"version (\w+)", self.get("/"))[1]

    def stylesheet(self) -> str:
        """The path of the page's stylesheet, which has a hash of its content in its name."""
        return re.search(r'href="(/static/board/board\.[0-9a-f]+\.css)"', self.get("/"))[1]

    def live(self) -> tuple:
        """What a refused release must leave alone: the processes, the live release and its virtual environment."""
        links = self.host.check_output("readlink --canonicalize /opt/board/current /opt/board/venv")
        return main_pid(self.host, "board"), workers(self.host, "board"), links

    def release(self) -> str:
        """The release that runs, as the unit names it."""
        environment = shown(self.host, "board.service", "Environment")
        return re.search(r"PYTHONPATH=\S*:/opt/board/releases/([0-9a-f-]+)", environment)[1]

    def releases(self) -> set[str]:
        """The complete releases on the disk."""
        return set(self.host.check_output("ls /opt/board/releases").split())


SERVERS = (
    Server(
        "releases-bookworm",
        f"https://{NAME}",
        0.1,
        f"tcp=127.0.0.1:8000,host={NAME},scheme=https",
        f"add=127.0.0.1:8000,host={NAME},scheme=https,path=/add",
    ),
    Server(
        "releases-trixie",
        f"http://{NAME}",
        1,
        f"tcp=127.0.0.1:8000,host={NAME}",
        f"nginx=127.0.0.1:80,host={NAME},keepalive=4",
        f"add=127.0.0.1:8000,host={NAME},path=/add",
    ),
)
BUSY = SERVERS[1]
each_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)


class Board:
    """The project, with the version that is live and the variables of the last deployment."""

    def __init__(self) -> None:
        self.variables: dict = {}
        self.version = ""
        # The stylesheets of the versions that were live, the newest last
        self.stylesheets: dict[str, str] = {}

    def move(self, version: str) -> None:
        """Move the branch main of the project's repository to a version."""
        for server in SERVERS:
            server.host.check_output(f"git --git-dir=/srv/board.git update-ref refs/heads/main {version}")

    def run(self, variables: dict | None = None) -> PlaybookRun:
        """Run the site's playbook on both hosts, with more variables than before."""
        self.variables |= variables or {}
        return PlaybookRun(SITE, variables=self.variables)

    def deploy(self, version: str, variables: dict | None = None) -> PlaybookRun:
        """Deploy a version, which must go live on both hosts."""
        self.move(version)
        run = self.run(variables)
        assert run.code == 0, run.output
        self.went_live(version)
        return run

    def went_live(self, version: str) -> None:
        """Note which version must answer from now on."""
        self.version = version
        for server in SERVERS:
            assert server.version() == version
            assert f"Version {version} " in server.get(server.stylesheet())
        self.stylesheets.pop(version, None)
        self.stylesheets[version] = BUSY.stylesheet()


@pytest.fixture(scope="module")
def board():
    """The project."""
    return Board()


class Loads:
    """The load of both hosts."""

    def __init__(self, rate: int) -> None:
        with ThreadPoolExecutor() as pool:
            self._loads = list(pool.map(lambda server: server.start_load(rate), SERVERS))

    @contextlib.contextmanager
    def phase(self, name: str):
        """Count what happens meanwhile; yield the results of the hosts, which are there afterwards."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(load.phase(name)) for load in self._loads]

    def stop(self) -> None:
        for load in self._loads:
            load.stop()


@pytest.fixture(scope="module")
def loads(board, rate):
    """Constant requests to both sites, from the first deployment on."""
    running = Loads(rate)
    yield running
    running.stop()


@pytest.fixture
def followed():
    """Both sites, whose pages are followed to their stylesheets meanwhile. None may be missing."""
    for server in SERVERS:
        command = f"/usr/local/bin/follow.py {server.url.replace(NAME, '127.0.0.1')}/ {NAME} /root/followed.json"
        server.host.check_output(f"rm -f /root/followed.json; systemd-run --quiet --collect --unit=follow {command}")
    yield
    for server in SERVERS:
        server.host.check_output("systemctl stop follow.service")
        seen = json.loads(server.host.file("/root/followed.json").content_string)
        assert seen["missing"] == []
        assert sum(seen["pages"].values()) > 0


def answered_by(phases: list[dict], *versions: str, lost: int = 0) -> None:
    """All requests were answered, but for a few that were in flight, and by code of these versions alone."""
    for phase in phases:
        assert phase["requests"] > 0
        assert phase["failed"] <= lost, (phase["failures"], phase["details"])
        assert set(phase["values"]) <= set(versions), phase["values"]


def refusals(run: PlaybookRun) -> list[str]:
    """The one error of each host."""
    assert run.code == 2, run.output
    errors = run.errors_by_host()
    assert sorted(errors) == sorted(server.name for server in SERVERS)
    assert all(len(messages) == 1 for messages in errors.values()), errors
    return [messages[0] for messages in errors.values()]


def test_first_deployment(board):
    """On hosts with nothing but a database: the page needs its table and its manifest of static files."""
    run = board.run()
    assert run.code == 0, run.output
    board.went_live("first")
    for server in SERVERS:
        assert server.get("/").count("<li>") == 0
        assert re.fullmatch("[0-9a-f]{12}-[0-9a-f]{6}", server.release())


def test_second_run_changes_nothing(board):
    """And looks at the branch once, in the only task more than without releases."""
    run = board.run()
    assert (run.code, run.changed()) == (0, []), run.output
    assert run.on_host().count("Look which release is wanted") == len(SERVERS)


@pytest.mark.parametrize("version", ["column", "expand", "move", "contract"])
def test_good_release(board, loads, followed, results, version):
    """It adds a column, or takes a step of a rename: old and new code work with the database meanwhile."""
    before = board.version
    with loads.phase(f"release {version}") as phases:
        board.deploy(version)
    answered_by(phases, before, version)
    if version == "column":
        results["role"]["events"]["a good release"] = phases[1]
    for server in SERVERS:
        assert len(server.releases()) <= KEPT


@each_server
def test_old_pages_have_their_stylesheets(board, server):
    """Of the kept releases; those of the releases that were removed are gone."""
    kept = {version: server.status(path) for version, path in board.stylesheets.items()}
    assert kept == {"first": 404, "column": 404, "expand": 200, "move": 200, "contract": 200}


@each_server
def test_space_of_the_others_is_given_back(server):
    """Their virtual environments, too."""
    assert len(server.releases()) == KEPT
    files = server.host.check_output("find /opt/board -maxdepth 2 -name '.*.new' -o -maxdepth 2 -name '*.old'")
    assert files == ""
    environments = server.host.check_output("find /opt/board -maxdepth 1 -type d -name 'venv*'").split()
    assert 1 <= len(environments) <= KEPT


@each_server
def test_handlers_of_the_play_hear_of_each_release(server):
    """With what is live and what was, once for each; the run that changed nothing told them nothing."""
    commits = [
        server.host.check_output(f"git --git-dir=/srv/board.git rev-parse --short=12 {version}")
        for version in ("first", "column", "expand", "move", "contract")
    ]
    lines = server.host.file("/root/went_live").content_string.splitlines()
    assert [[release[:12] for release in line.split(" -> ")] for line in lines] == [
        list(pair) for pair in zip(["", *commits], commits)
    ]
    switched = server.host.file("/root/switched").content_string.splitlines()
    assert switched == [line.partition(" -> ")[2] + ": 2 workers" for line in lines]


def kill_workers(server: Server) -> None:
    server.host.check_output("kill -KILL " + " ".join(map(str, workers(server.host, "board"))))


@pytest.mark.parametrize(
    ("version", "event", "words"),
    [
        ("bad_build", "static files that fail", "paper.png"),
        ("bad_migration", "a migration that fails", 'column "author" of relation "board_note" already exists'),
        ("error_500", "a release that answers 500", "nobody tried this page"),
        ("broken", "a release that does not load", "board.visits"),
    ],
)
def test_bad_release_is_refused(board, loads, results, version, event, words):
    """With the words of what failed. Processes, release and virtual environment are the same, and new workers, too."""
    before = [server.live() for server in SERVERS]
    board.move(version)
    with loads.phase(event) as phases:
        for message in refusals(board.run()):
            assert words in message
        assert [server.live() for server in SERVERS] == before
        for server in SERVERS:
            kill_workers(server)
        time.sleep(2)
    answered_by(phases, board.version, lost=IN_FLIGHT)
    results["role"]["events"][event] = phases[1]


def kill_master(server: Server) -> None:
    server.host.check_output(f"kill -KILL {main_pid(server.host, 'board')}")


def restart(server: Server) -> None:
    server.host.check_output("systemctl restart board.service")


def reload(server: Server) -> None:
    server.host.check_output("systemctl reload board.service")


@pytest.mark.parametrize(
    ("event", "happens", "in_flight"),
    [
        ("then all workers killed", kill_workers, IN_FLIGHT),
        ("then the master killed", kill_master, IN_FLIGHT),
        ("then a restart", restart, 0),
        ("then a reload", reload, 0),
    ],
)
def test_new_processes_have_the_code_that_was_tried(board, loads, results, event, happens, in_flight):
    """The newest release on the disk is broken, and no process loads it. Requests in flight may be lost."""
    with loads.phase(event) as phases:
        for server in SERVERS:
            happens(server)
        time.sleep(2)
    answered_by(phases, board.version, lost=in_flight)
    results["role"]["events"][event] = phases[1]


def test_workers_that_are_replaced_all_the_time(board, loads, results):
    """Hundreds of requests with max_requests 20: none is lost, and all are answered by the good release."""
    # Under a constant rate, so few workers would have no time for the health request.
    loads.stop()
    board.deploy(board.version, {"gunicorn_settings": {"max_requests": 20}})
    before = main_pid(BUSY.host, "board")
    command = f"/usr/local/bin/load.py run --concurrency=8 --requests={REQUESTS} --timeout=30 --header=X-Version"
    load = json.loads(BUSY.host.check_output(f"{command} home=127.0.0.1:8000,host={NAME}"))
    answered_by(load["phases"], board.version)
    assert load["phases"][0]["requests"] == REQUESTS
    assert main_pid(BUSY.host, "board") == before
    board.deploy(board.version, {"gunicorn_settings": {}})
    results["role"]["events"][f"then {REQUESTS:,} requests, max_requests: 20"] = load["phases"][0]


def test_reboot(board):
    """The good release answers."""
    run = PlaybookRun(SCENARIO.parent / "shared" / "reboot.yml")
    assert run.code == 0, run.output
    for server in SERVERS:
        wait_for(lambda server=server: server.host.run(f"{CURL} {server.url}/").rc == 0)
        assert server.version() == board.version


@contextlib.contextmanager
def cut_off():
    """Take away the way to the package index meanwhile, and to everything else that is not in the same network."""
    routes = {server: server.host.check_output("ip route show default") for server in SERVERS}
    for server in SERVERS:
        server.host.check_output("ip route del default")
    try:
        yield
    finally:
        for server, route in routes.items():
            server.host.check_output(f"ip route add {route}")


@pytest.fixture(scope="module")
def second_load(board, rate):
    """The load after the reboot."""
    running = Loads(rate)
    yield running
    running.stop()


def test_way_back_by_playbook(board, second_load, followed, results):
    """To the release before, without the package index or a lost request, and its steps are not run again."""
    applied = "SELECT count(*) FROM django_migrations"
    before = [server.host.check_output(f"runuser -u postgres -- psql -Atc '{applied}' board") for server in SERVERS]
    with cut_off(), second_load.phase("back") as phases:
        begin = time.monotonic()
        run = PlaybookRun(ROLL_BACK)
        results["role"]["seconds"]["going back by the playbook"] = time.monotonic() - begin
        assert run.code == 0, run.output
    board.went_live("move")
    answered_by(phases, "contract", "move")
    results["role"]["events"]["going back"] = phases[1]
    after = [server.host.check_output(f"runuser -u postgres -- psql -Atc '{applied}' board") for server in SERVERS]
    assert after == before


def roll_back(server: Server, *arguments: str):
    """Go back by the command on a host."""
    return server.host.run(" ".join(["/usr/local/sbin/board-roll-back", *arguments]))


def id_of(server: Server, version: str) -> str:
    """The kept release with the code of a version."""
    commit = server.host.check_output(f"git --git-dir=/srv/board.git rev-parse --short=12 {version}")
    (found,) = [name for name in server.releases() if name.startswith(commit)]
    return found


def test_way_back_on_the_host(board, second_load, followed, results):
    """By one command, to a kept release that is named: here to the one that was left."""
    with cut_off(), second_load.phase("forward") as phases:
        for server in SERVERS:
            listed = server.host.check_output("/usr/local/sbin/board-roll-back --list")
            # Those that were refused are no way back.
            kept = [id_of(server, version) for version in ("expand", "move", "contract")]
            assert sorted(re.findall("^[0-9a-f]{12}-[0-9a-f]{6}", listed, re.MULTILINE)) == sorted(kept)
            begin = time.monotonic()
            done = roll_back(server, id_of(server, "contract"))
            assert done.rc == 0, done.stderr
    results["role"]["seconds"]["going back on the host"] = time.monotonic() - begin
    board.went_live("contract")
    answered_by(phases, "move", "contract")


def test_way_back_behind_the_schema_is_tried_first(board, second_load):
    """The code before the rename misses its column, and says so; the site goes on."""
    with second_load.phase("too far") as phases:
        for server in SERVERS:
            done = roll_back(server, id_of(server, "expand"))
            assert done.rc != 0
            assert "board_note.text does not exist" in done.stdout + done.stderr
    answered_by(phases, "contract")


def test_no_way_back_behind_a_step_that_can_not_be_undone(board, second_load):
    """The release says so itself, and nothing is tried."""
    migrate = {"name": "migrate", "command": "python -m django migrate --noinput", "once": False, "reversible": False}
    board.deploy("last", {"gunicorn_release_steps": ["check", "collectstatic", migrate]})
    with second_load.phase("no way back") as phases:
        for message in refusals(PlaybookRun(ROLL_BACK)):
            assert "whose step migrate c" in message
            assert message.endswith("Nothing was changed.")
    answered_by(phases, "last")


def test_way_back_takes_as_long_as_another_number_of_workers(board, second_load, results):
    """Side by side. The times are told, and not judged: a machine may have other things to do."""
    board.deploy("last", {"gunicorn_workers": 3, "with_proxy": False})
    begin = time.monotonic()
    run = board.run({"gunicorn_workers": 2})
    results["role"]["seconds"]["another number of workers"] = time.monotonic() - begin
    assert run.code == 0
