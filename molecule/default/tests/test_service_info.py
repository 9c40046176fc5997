"""gunicorn_service_info says the same about a real host as systemctl, ps, ss and free."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from files_on_host import write
from service import main_pid, shown, workers
from waiting import wait_for

MODULE = "pyweb.gunicorn.gunicorn_service_info"
MIB = 1 << 20
# /wait waits twenty times as long as it computes, and /hang waits for ever.
APPLICATION = """
import time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        time.sleep(0.02)
        sum(range(20000))
    while environ["PATH_INFO"] == "/hang":
        time.sleep(1)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
# As the book's, without a runtime directory, and with an access log that has the times of the requests
BY_HAND = """
[Unit]
Description=made by hand
[Service]
User=shop
Group=shop
Environment=PYTHONPATH=/srv/byhand
MemoryMax=300M
ExecStart=/opt/shop/venv/bin/gunicorn --workers=2 --timeout=2 --log-file=/var/log/shop/byhand.log \\
  --access-logfile=/var/log/shop/byhand-access.log --access-logformat="%%(t)s %%(s)s \\"%%(r)s\\" %%(D)s" \\
  --env=TOKEN=secret --bind=127.0.0.1:8020 --bind=[::1]:8020 byhand:application
[Install]
WantedBy=multi-user.target
"""
STOPPED = """
[Service]
User=shop
MemoryMax=200M
ExecStart=/opt/shop/venv/bin/python -m gunicorn -w 3 -b unix:/run/stopped.sock shop.wsgi
"""


def logged(host, text):
    return host.run("grep --quiet %s /var/log/shop/byhand.log", text).rc == 0


def by_name(result):
    return {service["name"]: service for service in result["services"]}


@pytest.fixture(scope="module", autouse=True)
def _services(host):
    """A service made by hand, with one worker that was killed and one that hung, and a stopped service."""
    write(host, "/srv/byhand/byhand.py", APPLICATION)
    write(host, "/etc/systemd/system/byhand.service", BY_HAND)
    write(host, "/etc/systemd/system/stopped.service", STOPPED)
    assert host.run("systemctl daemon-reload && systemctl start byhand").rc == 0
    wait_for(lambda: len(workers(host, "byhand")) == 2 and host.run("curl --silent 127.0.0.1:8020").rc == 0)
    assert host.run("kill -KILL %s", str(min(workers(host, "byhand")))).rc == 0
    wait_for(lambda: logged(host, "was sent SIGKILL"))
    host.run("curl --silent --max-time 20 127.0.0.1:8020/hang")
    wait_for(lambda: logged(host, "WORKER TIMEOUT") and len(workers(host, "byhand")) == 2)
    yield
    host.run("systemctl stop byhand; rm -r /srv/byhand /etc/systemd/system/byhand.service")
    host.run("rm /etc/systemd/system/stopped.service /var/log/shop/byhand*; systemctl daemon-reload")


def measure(host):
    """Call the module as root, with a longer sample if too few requests are answered within a short one."""
    for sample in (3, 10, 30):
        result = host.ansible(MODULE, f"sample={sample}", check=False, become=True)
        if "host" not in result or (by_name(result)["byhand"]["requests"] or {}).get("wait_ratio") is not None:
            break
    return result


@pytest.fixture(scope="module")
def told(host, _services):
    """The results for root, for an ordinary user and for a misspelt name, all at the same time."""
    load = "curl --silent --parallel --parallel-max 4 --output /dev/null 'http://127.0.0.1:8020/wait?[1-100000]'"
    assert host.run("systemd-run --quiet --collect --unit=load sh -c %s", load).rc == 0
    try:
        with ThreadPoolExecutor() as pool:
            running = {
                "root": pool.submit(measure, host),
                "user": pool.submit(host.ansible, MODULE, "sample=0.1", check=False, become=False),
                "misspelt": pool.submit(host.ansible, MODULE, "name=ssh", check=False, become=True),
            }
        return {who: call.result() for who, call in running.items()}
    finally:
        host.run("systemctl stop load")


@pytest.fixture(scope="module")
def result(told):
    """The result for root while requests come in."""
    assert "host" in told["root"], told["root"]
    return told["root"]


@pytest.fixture(scope="module")
def seen(told):
    """The result for an ordinary user."""
    assert "host" in told["user"], told["user"]
    return told["user"]


def test_all_services_are_found(result):
    """The role's, the one made by hand, and the stopped one; nothing else is taken for a service."""
    assert list(by_name(result)) == ["byhand", "shop", "stopped"]
    assert not result["changed"]


@pytest.mark.parametrize("name", ["byhand", "shop", "stopped"])
def test_units_are_as_systemd_says(host, result, name):
    """State, description, user, slice and restarts."""
    service = by_name(result)[name]
    assert service["state"] == shown(host, name, "ActiveState")
    assert service["sub_state"] == shown(host, name, "SubState")
    assert service["description"] == shown(host, name, "Description")
    assert service["user"] == shown(host, name, "User")
    assert service["slice"] == shown(host, name, "Slice")
    assert service["restarts"] == int(shown(host, name, "NRestarts"))


@pytest.mark.parametrize("name", ["byhand", "shop"])
def test_processes_are_as_ps_says(host, result, name):
    """The master first, then its workers, with the memory and the start that ps shows."""
    service = by_name(result)[name]
    processes = service["processes"]
    assert processes[0]["pid"] == main_pid(host, name)
    assert {process["pid"] for process in processes[1:]} == workers(host, name)
    assert service["workers"] == {"configured": len(processes) - 1, "running": len(processes) - 1}
    pids = ",".join(str(process["pid"]) for process in processes)
    now, *lines = host.check_output("date +%%s; ps --no-headers -o pid,rss,etimes -p %s", pids).splitlines()
    listed = {int(pid): (int(rss) * 1024, int(now) - int(elapsed)) for pid, rss, elapsed in map(str.split, lines)}
    for process in processes:
        rss, started = listed[process["pid"]]
        assert process["rss"] == pytest.approx(rss, rel=0.2)
        assert process["started"] == pytest.approx(started, abs=3)
        assert process["private"] <= process["pss"] <= process["rss"]
        assert process["private"] + process["shared"] == pytest.approx(process["rss"], rel=0.05)


def test_memory_counts_what_is_shared_once(host, result):
    """The sum of PSS is below the sum of RSS, and about the kernel's own for all processes of the unit."""
    memory = by_name(result)["shop"]["memory"]
    pids = [str(process["pid"]) for process in by_name(result)["shop"]["processes"]]
    files = " ".join(f"/proc/{pid}/smaps_rollup" for pid in pids)
    pss = int(host.check_output(f"awk '/^Pss:/ {{ sum += $2 }} END {{ print sum }}' {files}")) * 1024
    assert memory["private"] + memory["shared"] == memory["pss"] == pytest.approx(pss, rel=0.1)
    assert memory["pss"] < memory["rss"]
    assert memory["pss"] / len(pids) < memory["per_worker"] < memory["rss"]


@pytest.mark.parametrize("name", ["byhand", "shop"])
def test_versions_are_those_that_run(host, result, name):
    """The versions of Gunicorn and Python in the virtual environment that both services run from."""
    python = "/opt/shop/venv/bin/python"
    service = by_name(result)[name]
    assert service["gunicorn_version"] == host.check_output(
        "%s -c 'import gunicorn; print(gunicorn.__version__)'", python
    )
    minor = host.check_output("%s -c 'import sys; print(*sys.version_info[:2], sep=\".\")'", python)
    assert service["python_version"] == minor


@pytest.mark.parametrize(("name", "port", "owner"), [("byhand", 8020, "gunicorn"), ("shop", 8000, "systemd")])
def test_sockets_are_as_ss_says(host, result, name, port, owner):
    """Both loopback addresses, with their owner: systemd, or Gunicorn alone."""
    lines = host.check_output(
        "ss --no-header --listening --tcp --numeric --processes sport = :%s", str(port)
    ).splitlines()
    addresses = {line.split()[3] for line in lines}
    assert {socket["address"] for socket in by_name(result)[name]["sockets"]} == addresses
    assert {socket["owner"] for socket in by_name(result)[name]["sockets"]} == {owner}
    assert all(('"systemd",pid=1,' in line) == (owner == "systemd") for line in lines)


def test_limits_are_the_tightest(host, result):
    """The unit's own limits if it has some, also of a stopped service; otherwise the host's."""
    services = by_name(result)
    total = int(host.check_output("free --bytes | awk '/^Mem:/ { print $2 }'"))
    assert services["byhand"]["limits"]["memory"] == 300 * MIB
    assert services["byhand"]["limits"]["memory_limited_by"] == "cgroup"
    assert services["stopped"]["limits"]["memory"] == 200 * MIB
    assert services["shop"]["limits"]["memory"] == total
    assert services["shop"]["limits"]["cpus"] == int(host.check_output("nproc"))
    assert services["shop"]["limits"]["tasks"] == int(shown(host, "shop", "TasksMax"))


def test_exits_are_counted(result):
    """One worker was killed and one hung; the kernel killed none for memory."""
    exits = by_name(result)["byhand"]["exits"]
    assert {name: exits[name] for name in ("timeout", "killed", "failed", "out_of_memory")} == {
        "timeout": 1,
        "killed": 1,
        "failed": 0,
        "out_of_memory": 0,
    }
    assert exits["source"] == "/var/log/shop/byhand.log"


def test_requests_and_their_wait_are_read_from_the_access_log(result):
    """Twenty milliseconds of waiting, and one of computing."""
    requests = by_name(result)["byhand"]["requests"]
    assert requests["source"] == "access_log"
    assert requests["count"] >= 50
    assert 0.02 <= requests["latency"]["p50"] <= requests["latency"]["p99"] <= requests["latency"]["max"]
    assert requests["wait_ratio"] > 3
    measured = by_name(result)["byhand"]["measured"]
    # While other scenarios use the machine, more waiting than its two workers make room for may be waiting for a core.
    hidden = [line for line in by_name(result)["byhand"]["unseen"] if "the cores were busy" in line]
    assert measured["wait_ratio"] == (None if hidden else pytest.approx(requests["wait_ratio"], rel=0.05))
    # twice a worker, for a reload, rounded up
    twice = 2 * by_name(result)["byhand"]["memory"]["per_worker"] / MIB
    assert twice <= int(measured["memory_per_worker"].rstrip("M")) < twice + 8


def test_stopped_service_is_described_by_its_unit(result):
    """What it would run; and it has no processes."""
    stopped = by_name(result)["stopped"]
    assert (stopped["state"], stopped["started"], stopped["processes"]) == ("inactive", None, [])
    assert stopped["application"] == "shop.wsgi"
    assert stopped["workers"] == {"configured": 3, "running": 0}


def test_secrets_of_a_command_line_are_hidden(result):
    """The rest of it is shown."""
    command = by_name(result)["byhand"]["command"]
    assert "--env=TOKEN=********" in command
    assert command[-1] == "byhand:application"


def test_the_host_is_as_free_and_uptime_say(host, result):
    """Memory, swap and load; and the shares of the CPU are 100 % together."""
    memory, swap = result["host"]["memory"], result["host"]["swap"]
    total, cache, available = map(int, host.check_output("free --bytes | awk '/^Mem:/ { print $2, $6, $7 }'").split())
    assert memory["total"] == total
    # Other hosts on the same machine use it meanwhile.
    assert memory["buffers_cache"] == pytest.approx(cache, rel=0.2)
    assert memory["available"] == pytest.approx(available, rel=0.2)
    assert swap["total"] == int(host.check_output("free --bytes | awk '/^Swap:/ { print $2 }'"))
    cpu = result["host"]["cpu"]
    assert sum(cpu[name] for name in ("us", "sy", "ni", "id", "wa", "hi", "si", "st")) == pytest.approx(100, abs=1)
    assert (
        result["host"]["load"]["per_core"]["five"] * int(host.check_output("nproc")) == result["host"]["load"]["five"]
    )
    assert result["host"]["name"] == host.check_output("uname --nodename")


def test_an_ordinary_user_sees_what_it_may(result, seen):
    """The same services and processes, without their private memory; and the result says what is missing."""
    for name, service in by_name(seen).items():
        full = by_name(result)[name]
        same = ("state", "user", "started", "application", "python_version", "workers", "sockets", "slice")
        assert [service[key] for key in same if key != "started"] == [full[key] for key in same if key != "started"]
        assert [process["pid"] for process in service["processes"]] == [process["pid"] for process in full["processes"]]
        assert all(process["pss"] is None and process["rss"] > 0 for process in service["processes"])
    byhand = by_name(seen)["byhand"]
    assert byhand["measured"] is None
    assert "memory of the processes (pss, private, shared): only root and the user shop may read it" in byhand["unseen"]
    assert seen["host"]["unseen"] == result["host"]["unseen"]


def test_unknown_service_is_an_error(told):
    """It names the services that exist."""
    assert "host" not in told["misspelt"]
    assert "byhand, shop, stopped" in told["misspelt"]["msg"]
