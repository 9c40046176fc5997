"""All processes of a real Django project change together, and no task is lost or done twice.

The tests build on each other: each one finds the hosts as the one before left them. What the processes did is in the
project's database, and which code they have is read from /proc. Each run of the role is on both hosts at once.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from cut_off import CutOff
from hosts import connect
from load_on_host import under_load
from playbook_run import PlaybookRun
from service import main_pid, shown, workers
from waiting import wait_for

SCENARIO = Path(__file__).parent.parent
PLAYBOOKS = SCENARIO.parents[1] / "playbooks"
SITE = SCENARIO / "site.yml"
COMPARE = "Compare what runs with what is wanted"
MODULE = "pyweb.gunicorn.gunicorn_service_info"
CURL = "curl --silent --show-error --fail --max-time 60 --header 'Host: letters.example.com' http://127.0.0.1:8000"
# How many tasks of 1 s a release goes over: 16 at a time, so that they take half a minute
MANY = 500
INSTANCES, CHILDREN = 2, 8


class Server:
    """A host, and ways to look at what its processes do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = connect(name)
        # The names of all letters and stamps that were ordered
        self.ordered: dict[str, set[str]] = {"letter": set(), "stamp": set()}

    def sql(self, query: str) -> list[list[str]]:
        """The rows of an answer of the database."""
        return [line.split("|") for line in self.host.check_output(self._psql(query)).splitlines()]

    def redis(self, *words: str) -> str:
        return self.host.check_output(f"{self._redis_cli()} {' '.join(words)}")

    @staticmethod
    def _psql(query: str) -> str:
        return f'cd / && runuser -u postgres -- psql --no-psqlrc -At letters -c "{query}"'

    def _redis_cli(self) -> str:
        return f"REDISCLI_AUTH={self.host.ansible.get_variables()['broker_password']} redis-cli"

    def order(self, **numbers: int) -> None:
        """Order letters and stamps on the site."""
        query = "&".join(f"{name}={number}" for name, number in numbers.items())
        for kind, names in json.loads(self.host.check_output(f"{CURL}/'order?{query}'")).items():
            self.ordered[kind] |= set(names)

    def version(self) -> str:
        """The version of the site."""
        return re.search(r"version (\w+)", self.host.check_output(f"{CURL}/"))[1]

    def versions(self) -> dict[str, str]:
        """The version of each commit."""
        tags = "for-each-ref --format='%(objectname:short=12) %(refname:short)' refs/tags"
        told = self.host.check_output(f"git --git-dir=/srv/letters.git {tags}")
        return dict(line.split() for line in told.splitlines())

    def processes(self) -> dict[str, dict[int, str]]:
        """The processes of each companion, with the versions of their code."""
        versions = self.versions()
        seen = json.loads(self.host.check_output("/usr/local/bin/watch.py"))
        return {
            name: {pid: versions.get(release[:12], release) for pid, release in found} for name, found in seen.items()
        }

    def timeline(self) -> list[dict[str, set[str]]]:
        """The versions of the processes of each companion, and how many there were, whenever that changed."""
        versions = self.versions()
        lines = [json.loads(line) for line in self.host.file("/root/watched").content_string.splitlines()]
        return [
            {name: [versions.get(release[:12], release) for _pid, release in found] for name, found in seen.items()}
            for _time, seen in lines
        ]

    def site(self) -> tuple:
        """The processes of the site."""
        return main_pid(self.host, "letters"), workers(self.host, "letters")

    def live(self) -> tuple:
        """What a refused change must leave alone: the workers, the release, and the version of beat and of the site."""
        running = self.processes()
        links = self.host.check_output("readlink --canonicalize /opt/letters/current /opt/letters/venv")
        return running["worker"], running.get("stamps"), list(running["beat"].values()), self.version(), links

    def count(self, kind: str, condition: str = "true") -> int:
        return int(self.sql(f"SELECT count(*) FROM letters_work WHERE kind = '{kind}' AND {condition}")[0][0])

    def not_begun_once(self, kind: str) -> dict[str, str]:
        """What was ordered and not begun, or not once, by name, with what the logs say of it."""
        rows = Counter(name for (name,) in self.sql(f"SELECT name FROM letters_work WHERE kind = '{kind}'"))
        once = {name for name, times in rows.items() if times == 1}
        return {name: self.said_of(name) for name in self.ordered[kind] ^ once}

    def said_of(self, name: str) -> str:
        """What is said of a task in the logs, and in what Redis keeps of tasks that nobody has acknowledged."""
        logs = self.host.run(f"grep --no-filename --after-context=12 {name} /var/log/letters/*.log").stdout
        return f"{logs[-2000:]}\nnot acknowledged: {name in self.redis('HVALS', 'unacked')}"

    def left_to_do(self) -> int:
        """How many letters and stamps wait or are under way; those that are held don't count."""
        waiting = f"printf 'LLEN letters\\nLLEN huey.redis.stamps\\n' | {self._redis_cli()}"
        begun = "SELECT count(*) FROM letters_work WHERE ended IS NULL"
        begun = self._psql(f"{begun} AND (kind = 'stamp' OR kind = 'letter' AND {NOT_HELD})")
        # In one command, since this is asked again and again
        return sum(map(int, self.host.check_output(f"{waiting} && {begun}").split()))


# The letter that is held began long ago.
NOT_HELD = "started > now() - interval '10 seconds'"
SERVERS = (Server("companions-bookworm"), Server("companions-trixie"))
HOSTS = [server.host for server in SERVERS]
each_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)


class Letters:
    """The project, with the variables of the last deployment."""

    def __init__(self) -> None:
        self.variables: dict = {}
        # How many letters wait for somebody on each host: one at most
        self.held = 0

    def move(self, *versions: str) -> None:
        """Move the branch main of the project's repository to a version, or to another one on each host."""
        for server, version in zip(SERVERS, itertools.cycle(versions)):
            server.host.check_output(f"git --git-dir=/srv/letters.git update-ref refs/heads/main {version}")

    def run(self, variables: dict | None = None, *arguments: str) -> PlaybookRun:
        """Run the site's playbook on both hosts, with more variables than before."""
        self.variables |= variables or {}
        return PlaybookRun(SITE, *arguments, variables=self.variables)

    def deploy(self, version: str, variables: dict | None = None) -> PlaybookRun:
        """Deploy a version, which must go live on both hosts."""
        self.move(version)
        run = self.run(variables)
        assert run.code == 0, run.output
        self.went_live(version)
        return run

    def went_live(self, version: str) -> None:
        """The site and the newest processes of all companions have a version."""
        for server in SERVERS:
            assert server.version() == version
            running = server.processes()
            assert list(running["worker"].values()).count(version) == INSTANCES
            assert list(running["beat"].values()) == [version]
            if "stamps" not in self.variables.get("companions_left_out", []):
                assert list(running["stamps"].values()).count(version) == 1

    def order(self, letters: int = 0, stamps: int = 0) -> None:
        """Order so many on each host."""
        for server in SERVERS:
            server.order(letters=letters, stamps=stamps)

    def all_done_once(self, seconds: float = 180) -> None:
        """Whatever was ordered is done soon, and each once.

        A worker that ends may have one letter that Redis was just handing to it when it was told to. It gives that back
        at its end, which comes after the letter that is held.
        """
        for server in SERVERS:
            # Twice, since what a worker has just taken from the queue has no row yet.
            for _time in range(2):
                wait_for(lambda server=server: server.left_to_do() == 0, seconds, f"{server.name}: all is done")
            if not self.held:
                wait_for(lambda server=server: not server.not_begun_once("letter"), seconds, "all is begun")
            kept = server.not_begun_once("letter")
            assert len(kept) <= self.held, kept
            assert server.not_begun_once("stamp") == {}
            wait_for(lambda server=server: server.count("letter", "ended IS NULL") == self.held)
            assert server.count("stamp", "ended IS NULL") == 0

    def hold_a_letter(self) -> None:
        """Order a letter on each host that takes until letter_goes_on."""
        for server in SERVERS:
            server.host.check_output("touch /var/opt/letters/hold-letter")
            server.order(letters=1, held=1)
        self.held = 1

    def letter_goes_on(self) -> None:
        for server in SERVERS:
            server.host.check_output("rm /var/opt/letters/hold-letter")
        self.held = 0


@pytest.fixture(scope="module")
def letters():
    """The project."""
    return Letters()


def refusals(run: PlaybookRun, servers: tuple[Server, ...]) -> dict[str, str]:
    """The one error of each of the hosts, which are all on which the run failed."""
    assert run.code == 2, run.output
    errors = run.errors_by_host()
    assert sorted(errors) == sorted(server.name for server in servers), run.output
    assert all(len(messages) == 1 for messages in errors.values()), errors
    return {name: messages[0] for name, messages in errors.items()}


def test_first_deployment(letters):
    """On hosts with nothing but a database and a broker: one run, and all processes have the first version."""
    run = letters.run()
    assert run.code == 0, run.output
    letters.went_live("first")


def test_second_run_changes_nothing(letters):
    """No task changes anything, and no process is another."""
    before = [server.processes() for server in SERVERS]
    run = letters.run()
    assert (run.code, run.changed()) == (0, []), run.output
    for server, processes in zip(SERVERS, before):
        now = server.processes()
        assert {name: now[name] for name in ("worker", "beat", "stamps")} == {
            name: processes[name] for name in ("worker", "beat", "stamps")
        }


def test_all_work(letters):
    """Letters and stamps are done, the clock ticks, and the timer's command has the service's credential."""
    letters.order(letters=10, stamps=5)
    letters.all_done_once()
    for server in SERVERS:
        wait_for(lambda server=server: server.count("tick", "ended IS NOT NULL") > 1)
        wait_for(lambda server=server: server.count("report", "ended IS NOT NULL AND origin = 'wax'") > 0)


@each_server
def test_processes_are_as_those_of_the_site(server):
    """The same user and group, directory and virtual environment, and a sandbox: they can write their data alone."""
    environment = server.host.check_output("readlink --canonicalize /opt/letters/venv")
    release = server.host.check_output("readlink --canonicalize /opt/letters/current")
    for name, processes in server.processes().items():
        if name == "report":
            continue
        for pid in processes:
            assert server.host.check_output(f"stat --format=%U:%G /proc/{pid}") == "letters:letters"
            assert server.host.check_output(f"readlink /proc/{pid}/cwd") == release
            assert f" {environment}/" in server.host.check_output(f"cat /proc/{pid}/maps")
            assert "NoNewPrivs:\t1" in server.host.check_output(f"cat /proc/{pid}/status")
            in_it = f"nsenter --target {pid} --mount --setuid $(id -u letters) --setgid $(id -g letters)"
            assert server.host.run(f"{in_it} touch /opt/letters/probe").rc != 0
            assert server.host.run(f"{in_it} touch /var/opt/letters/probe").rc == 0


@each_server
def test_systemctl_has_all_by_their_names(server):
    """They are enabled, and the instances of a companion are parts of one unit."""
    for unit in ("letters-worker.service", "letters-beat.service", "letters-stamps.service", "letters-report.timer"):
        assert server.host.check_output(f"systemctl is-active {unit}") == "active"
        assert server.host.check_output(f"systemctl is-enabled {unit}") == "enabled"
    instances = server.host.check_output("systemctl list-units --plain --no-legend 'letters-worker@*'").splitlines()
    assert len(instances) == INSTANCES


@each_server
def test_memory_is_limited(server):
    """By each instance."""
    (instance, *_more) = server.host.check_output(
        "systemctl list-units --plain --no-legend 'letters-worker@*' | cut -d ' ' -f 1"
    ).split()
    assert shown(server.host, instance, "MemoryMax") == str(1 << 30)


@each_server
def test_service_info_says_how_companions_are(server):
    """Those of each kind, with their processes, their memory and their times; and they are part of the one service."""
    service = read_between_reports(server.host)
    assert (service["name"], service["state"]) == ("letters", "active")
    found = {companion["name"]: companion for companion in service["companions"]}
    assert {each["name"]: (each["kind"], each["state"], each["wanted"]) for each in found.values()} == {
        "beat": ("single", "active", 1),
        "report": ("job", "active", None),
        "stamps": ("service", "active", 1),
        "worker": ("service", "active", 2),
    }
    listed = server.host.check_output("systemctl list-units --plain --no-legend --state=active 'letters-worker@*'")
    main_pids = {int(shown(server.host, line.split()[0], "MainPID")) for line in listed.splitlines()}
    assert found["worker"]["running"] == len(main_pids) == 2
    assert main_pids < set(found["worker"]["pids"])
    assert found["beat"]["pids"] == [int(shown(server.host, "letters-beat.service", "MainPID"))]
    for each in (found["beat"], found["stamps"], found["worker"]):
        memory = each["memory"]
        assert 5 << 20 < memory["pss"] <= memory["rss"]
        assert memory["private"] + memory["shared"] == memory["pss"]
        assert (each["running"], each["restarts"], each["last_run"]) == (each["wanted"], 0, None)
    # Not a part of the service's own
    own = {process["pid"] for process in service["processes"]}
    assert not own & {pid for each in found.values() for pid in each["pids"]}
    report, now = found["report"], time.time()
    assert report["last_result"] == "success"
    assert now - 60 < report["last_run"] <= now + 1
    assert now - 60 < report["next_run"] < now + 60


def read_between_reports(host):
    """What the module says of the one service. While its job runs, every 15 seconds, that has no times."""
    told = []

    def read():
        told[:] = host.ansible(MODULE, "sample=0.1", check=False, become=True)["services"]
        return [each["last_run"] and each["next_run"] for each in told[0]["companions"] if each["name"] == "report"][0]

    wait_for(read, 60, "the job has ended, and waits")
    (service,) = told
    return service


def watch(server: Server) -> None:
    server.host.check_output(
        "systemd-run --quiet --collect --unit=watch-companions /usr/local/bin/watch.py /root/watched"
    )


@pytest.fixture(scope="module")
def over_a_release(letters):
    """Deploy the second version over many tasks, and hold a letter and a report in the first. The pids before."""
    for server in SERVERS:
        watch(server)
        server.host.check_output("touch /var/opt/letters/hold-report")
    before = [server.processes() for server in SERVERS]
    letters.hold_a_letter()
    for server in SERVERS:
        wait_for(lambda server=server: server.count("report", "ended IS NULL") == 1)
    letters.move("second")
    run = CutOff(SITE, "--extra-vars", json.dumps(letters.variables))
    # The switch is next: however slow the machine is, it comes in the midst of the tasks.
    run.wait_for_results(COMPARE, [server.name for server in SERVERS])
    letters.order(letters=MANY, stamps=MANY // 4)
    assert run.wait() == 0
    letters.went_live("second")
    # A slow machine may have been so long at it that the old workers have done all.
    letters.order(letters=INSTANCES * CHILDREN, stamps=4)
    return dict(zip(SERVERS, before))


def test_no_task_is_lost_or_done_twice_over_a_release(letters, over_a_release):
    """All are done, each once, by old code or new code."""
    letters.all_done_once()
    for server in SERVERS:
        for kind in ("letter", "stamp"):
            by_version = dict(server.sql(f"SELECT version, count(*) FROM letters_work WHERE kind='{kind}' GROUP BY 1"))
            assert set(by_version) == {"first", "second"}


@each_server
def test_old_and_new_workers_were_at_work_at_once(server, over_a_release):
    """The new ones started while the old ones finished their tasks; and beat was never there twice."""
    together = [seen for seen in server.timeline() if {"first", "second"} <= set(seen.get("worker", []))]
    assert together
    assert max(len(seen.get("beat", [])) for seen in server.timeline()) == 1
    # Each began and was ended by one version; what the old workers began, they ended.
    overlapping = "SELECT count(*) FROM letters_work WHERE kind = 'letter' AND version = 'first' AND ended IS NULL"
    assert server.sql(overlapping) == [["1"]]


@each_server
def test_a_worker_finishes_its_task_in_the_old_code(server, over_a_release):
    """The one with the letter that is held is the only old one; its release and virtual environment are there."""
    old = [pid for pid, version in server.processes()["worker"].items() if version == "first"]
    assert len(old) == 1
    assert old[0] in over_a_release[server]["worker"]
    assert server.host.file(server.host.check_output(f"readlink /proc/{old[0]}/cwd")).is_directory
    used = set(re.findall(r"/opt/letters/venv-[^/]*", server.host.check_output(f"cat /proc/{old[0]}/maps")))
    assert used
    assert all(server.host.file(path).is_directory for path in used)
    assert used != {server.host.check_output("readlink --canonicalize /opt/letters/venv")}


def test_a_job_that_runs_is_left_to_end(letters, over_a_release):
    """The held report is the process of before; its next run has the new code."""
    for server in SERVERS:
        assert list(server.processes()["report"].values()) == ["first"]
        server.host.check_output("rm /var/opt/letters/hold-report")
        wait_for(lambda server=server: server.count("report", "version = 'second' AND ended IS NOT NULL") > 0)
        assert server.count("report", "version = 'first' AND ended IS NULL") == 0


def test_only_what_a_change_concerns_restarts(letters):
    """Another command of the worker: the site, beat and huey have the same processes."""
    before = [(server.site(), server.processes()) for server in SERVERS]
    command = (
        "celery --app letters.celery worker --hostname worker-{instance}@%h --concurrency 7 --queues letters,ticks"
        " --loglevel INFO"
    )
    letters.deploy("second", {"companions_changed": {"worker": {"command": command}}})
    for server, (site, processes) in zip(SERVERS, before):
        assert server.site() == site
        now = server.processes()
        assert (now["beat"], now["stamps"]) == (processes["beat"], processes["stamps"])
        newest = set(now["worker"]) - set(processes["worker"])
        assert len(newest) == INSTANCES
        for pid in newest:
            assert server.host.check_output(f"tr '\\0' ' ' < /proc/{pid}/cmdline").count("--concurrency 7") == 1


REFUSED = {
    "no_import": "failed: ModuleNotFoundError: No module named 'letters.envelopes'.",
    "deaf": "its companion worker failed: its check failed: it ended with status 69.",
    "bad_beat": "its companion beat failed: ModuleNotFoundError: No module named 'letters.almanac'.",
}


# Versions of the first host and the second one. A worker that does not answer is asked again and again: one is enough.
@pytest.mark.parametrize("versions", [("no_import", "bad_beat"), ("deaf",)], ids=" and ".join)
def test_a_companion_that_does_not_work_is_refused(letters, versions):
    """A worker that does not start, one that does not answer, and beat: with its own words, and all is as before."""
    before = [server.live() for server in SERVERS]
    letters.order(letters=60, stamps=10)
    letters.move(*versions)
    worker = letters.variables["companions_changed"]["worker"]
    if "deaf" in versions:
        # Nobody waits a minute for a worker that does not answer.
        companions = {"worker": {**worker, "check_timeout": 10}}
    else:
        # On a slow machine, one that fails takes its time for that. All are watched as long as one of them asks for.
        companions = {"worker": worker, "beat": {"start_seconds": 20}}
    with under_load(HOSTS, ("site=127.0.0.1:8000,host=letters.example.com",), "--rate=10"):
        servers = SERVERS[: len(versions)]
        limit = "--limit=" + ",".join(server.name for server in servers)
        run = PlaybookRun(SITE, limit, variables=letters.variables | {"companions_changed": companions})
        messages = refusals(run, servers)
        for server, version in zip(servers, versions):
            assert REFUSED[version] in messages[server.name]
            assert "The previous configuration is live again" in messages[server.name]
    letters.all_done_once()
    assert [server.live() for server in SERVERS] == before
    for server in SERVERS:
        # It ticks again.
        ticks = server.count("tick")
        wait_for(lambda server=server, ticks=ticks: server.count("tick") > ticks)


def test_killed_run_is_completed_by_the_next(letters):
    """What runs on the hosts is killed while new workers are there already, and old ones still."""
    letters.move("third")
    letters.order(letters=120, stamps=10)
    run = CutOff(SITE, "--extra-vars", json.dumps(letters.variables))
    run.wait_for_results(COMPARE, [server.name for server in SERVERS])
    for server in SERVERS:
        wait_for(lambda server=server: "third" in server.processes()["worker"].values(), 180)
        server.host.run("pkill -KILL --exact --full /usr/bin/python3")
    assert run.wait() != 0
    letters.deploy("third")
    letters.all_done_once()
    for server in SERVERS:
        assert sorted(server.processes()["worker"].values()) == ["first", "third", "third"]
    assert letters.run().changed() == []


def test_way_back_by_playbook(letters):
    """The companions go back with the site."""
    letters.order(letters=60, stamps=10)
    run = PlaybookRun(PLAYBOOKS / "roll_back.yml", variables=letters.variables)
    assert run.code == 0, run.output
    letters.went_live("second")
    letters.all_done_once()


def test_way_back_on_the_host(letters):
    """By one command: here to the one that was left."""
    letters.order(letters=60, stamps=10)
    for server in SERVERS:
        commit = {version: commit for commit, version in server.versions().items()}["third"]
        kept = server.host.check_output("ls /opt/letters/releases").split()
        (release,) = [name for name in kept if name.startswith(commit)]
        done = server.host.run(f"/usr/local/sbin/letters-roll-back {release}")
        assert done.rc == 0, done.stdout + done.stderr
    letters.went_live("third")
    letters.all_done_once()


def kept(server: Server) -> set[str]:
    """The versions of the releases on the disk."""
    versions = server.versions()
    return {versions[name[:12]] for name in server.host.check_output("ls /opt/letters/releases").split()}


def test_one_that_is_no_longer_wanted_ends_after_its_task(letters):
    """Huey has no unit in /etc after the next release; its process is gone once its stamp is done."""
    for server in SERVERS:
        server.host.check_output("touch /var/opt/letters/hold-stamp")
    letters.order(stamps=1)
    for server in SERVERS:
        wait_for(lambda server=server: server.count("stamp", "ended IS NULL") == 1)
    letters.deploy("fourth", {"companions_left_out": ["stamps"]})
    for server in SERVERS:
        assert list(server.processes()["stamps"].values()) == ["third"]
        assert server.host.check_output("find /etc/systemd/system -name 'letters-stamps*'") == ""
        server.host.check_output("rm /var/opt/letters/hold-stamp")
    for server in SERVERS:
        wait_for(lambda server=server: "stamps" not in server.processes())
        wait_for(lambda server=server: not server.host.run("systemctl cat 'letters-stamps*'").stdout)
    letters.all_done_once()


def test_old_code_stays_as_long_as_a_process_has_it(letters):
    """The first release is older than the kept ones, and goes with the change after its last process has ended."""
    for server in SERVERS:
        assert "first" in server.processes()["worker"].values()
        assert kept(server) >= {"first", "second", "third", "fourth"}
    letters.letter_goes_on()
    letters.all_done_once()
    for server in SERVERS:
        assert server.count("letter", "version = 'first' AND ended IS NULL") == 0
        wait_for(lambda server=server: set(server.processes()["worker"].values()) == {"fourth"})


def test_another_secret_concerns_all(letters):
    """All processes are new ones that have it."""
    before = [server.processes() for server in SERVERS]
    secrets = dict(SERVERS[0].host.ansible.get_variables()["gunicorn_secrets"])
    password = SERVERS[0].host.ansible.get_variables()["broker_password"]
    secrets |= {"LETTERS_SECRET_KEY": "another", "LETTERS_BROKER": f"redis://:{password}@127.0.0.1:6379/0"}
    letters.deploy("fourth", {"gunicorn_secrets": secrets})
    for server, processes in zip(SERVERS, before):
        now = server.processes()
        for name in ("worker", "beat"):
            newest = [pid for pid, version in now[name].items() if version == "fourth"]
            assert not set(newest) & set(processes[name])
            for pid in newest:
                assert "LETTERS_SECRET_KEY=another" in server.host.check_output(f"tr '\\0' '\\n' < /proc/{pid}/environ")
        # The change came after the last process of the first release had ended.
        assert "first" not in kept(server)
        assert len(server.host.check_output("ls -d /opt/letters/venv-*").split()) == 1


def test_command_by_playbook():
    """On the first host or on each, in the live release; it fails as the command does, and says last of all why."""
    said = ["python", "-c", "from letters.version import VERSION; print('this is', VERSION)"]

    def run(**more: object) -> PlaybookRun:
        return PlaybookRun(PLAYBOOKS / "run.yml", variables={"gunicorn_run_command": said, **more})

    once, everywhere = run(), run(gunicorn_run_on="all")
    assert (once.code, once.changed()) == (0, ["Run the command"]), once.output
    assert (everywhere.code, everywhere.changed()) == (0, ["Run the command"] * 2), everywhere.output
    assert "this is fourth" in once.output
    assert run(gunicorn_run_command="python -c 'raise SystemExit(3)'").errors()[-1] == (
        "python -c raise SystemExit(3): it ended with status 3"
    )
    assert "elsewhere" in run(gunicorn_run_release="elsewhere").errors()[-1]
    assert run(gunicorn_run_on="both").errors() == [
        "gunicorn_run_on: both can't be used: expected first or all. Nothing was run."
    ]


def test_check_mode_says_what_would_change(letters):
    """In its diff, and changes nothing."""
    before = [(server.live(), server.processes()["beat"]) for server in SERVERS]
    changed = {"companions_changed": {"worker": {"instances": 3}}, "companions_left_out": ["beat"]}
    run = PlaybookRun(SITE, "--check", "--diff", variables=letters.variables | changed)
    assert run.code == 0, run.output
    assert COMPARE in " ".join(run.changed())
    told = "".join(result["diff"] for result in run.results)
    assert "letters-beat" in told
    assert "worker" in told
    assert [(server.live(), server.processes()["beat"]) for server in SERVERS] == before


def test_beat_was_never_there_twice():
    """In all of these changes."""
    for server in SERVERS:
        server.host.check_output("systemctl stop watch-companions.service")
        assert max(len(seen.get("beat", [])) for seen in server.timeline()) == 1


def test_reboot(letters):
    """All come back."""
    run = PlaybookRun(SCENARIO.parent / "shared" / "reboot.yml")
    assert run.code == 0, run.output
    for server in SERVERS:
        wait_for(lambda server=server: server.host.run(f"{CURL}/").rc == 0)
        wait_for(lambda server=server: set(server.processes()) >= {"worker", "beat"})
    letters.went_live("fourth")
    letters.order(letters=16)
    letters.all_done_once()
    for server in SERVERS:
        reports = server.count("report")
        wait_for(lambda server=server, reports=reports: server.count("report") > reports)


def test_host_of_workers_alone(letters):
    """Without web workers nothing listens, and the companions work."""
    server = SERVERS[1]
    server.order(letters=20)
    run = letters.run({"gunicorn_workers": 0}, "--limit", server.name)
    assert run.code == 0, run.output
    assert server.host.run("ss --listening --tcp --numeric | grep ':8000 '").rc != 0
    assert server.host.check_output("systemctl is-active letters.service letters.socket || true").split()[0] != "active"
    assert set(server.processes()) >= {"worker", "beat"}
    wait_for(lambda: server.left_to_do() == 0, 180)
    assert letters.run({}, "--limit", server.name).changed() == []


def test_removal_leaves_nothing(letters):
    """No process, unit, timer or file of the project."""
    run = letters.run({"gunicorn_state": "absent"})
    assert run.code == 0, run.output
    for server in SERVERS:
        assert server.processes() == {}
        units = server.host.check_output("systemctl list-units --all --plain --no-legend 'letters*'")
        assert units == ""
        files = "find /etc/systemd /run/systemd /etc/logrotate.d /usr/local/sbin -name '*letters*'"
        assert server.host.check_output(files) == ""
