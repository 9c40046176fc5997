"""The report on real hosts, read from its files and from its page in a real browser."""

import json
import os
import subprocess
from pathlib import Path

import figures
import fleet
import pytest
import yaml
from browser import chromium
from hosts import connect
from service import workers

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import page as report_page
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._characters import on_one_line

ROOT = Path(__file__).parents[3]
SCREENSHOTS = ROOT / ".cache" / "screenshots"
WEB, CACHE, GONE = "report-bookworm", "report-trixie", "gone"
# Nothing listens there.
UNREACHABLE = f"{GONE} ansible_host=127.0.0.1 ansible_port=1\n"
REQUESTS = 300
LOAD = f"""
import urllib.request
for _number in range({REQUESTS}):
    urllib.request.urlopen("http://127.0.0.1:8000/", timeout=10).read()
"""
INVENTORIES = [f"--inventory={source}" for source in os.environ["ANSIBLE_INVENTORY"].split(",")]
# Without molecule's colours, and with results as they are shown by default.
AS_USERS = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
WINDOWS = [(width, scheme) for width in (360, 768, 1440) for scheme in ("light", "dark")]


class Run:
    """One run of the playbook, called as users call it, and the files that it left in its directory."""

    def __init__(self, directory, *arguments):
        (directory / "gone").write_text(UNREACHABLE)
        process = subprocess.run(
            ["ansible-playbook", *INVENTORIES, f"--inventory={directory / 'gone'}", *arguments,
             "pyweb.gunicorn.capacity_report"],
            cwd=directory, env=AS_USERS, capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.code, self.output = process.returncode, process.stdout + process.stderr
        self.files = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()} - {"gone"}
        self.page = directory / "capacity_report.html"
        self.snippet = directory / "capacity_report_host_vars" / f"{WEB}.yml"
        written = directory / "capacity_report.json"
        self.report = json.loads(written.read_text(encoding="utf-8")) if written.exists() else None

    def host(self, name):
        return next(host for host in self.report["hosts"] if host["name"] == name)


@pytest.fixture(scope="module")
def served():
    """The host with a service, after it has answered some requests."""
    host = connect(WEB)
    assert host.run("python3 -c %s", LOAD).rc == 0
    return host


@pytest.fixture(scope="module")
def run(served, tmp_path_factory):
    """The report on all hosts, as root."""
    return Run(tmp_path_factory.mktemp("report"), "--become")


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def test_the_report_is_written_where_it_was_called(run):
    """A page, its figures, and a snippet for the host with a service; the exit code says that a host is missing."""
    assert run.files == {"capacity_report.html", "capacity_report.json", f"capacity_report_host_vars/{WEB}.yml"}, (
        run.output
    )
    assert run.code == 2
    assert f"fatal: [{GONE}]: FAILED! => " in run.output
    assert "Missing in the report. Not reachable: " in run.output
    assert "Traceback" not in run.output
    assert "[WARNING]" not in run.output


def test_each_host_is_in_it(run):
    """The one with a service, the one without Gunicorn, and the one that does not answer, in the inventory's order."""
    told = {
        host["name"]: (host["reachable"], [service["name"] for service in host["services"]])
        for host in run.report["hosts"]
    }
    assert told == {WEB: (True, ["shop"]), CACHE: (True, []), GONE: (False, [])}
    assert run.host(GONE)["problem"].startswith("Not reachable: ")
    assert run.host(WEB)["problem"] is None


def test_the_figures_are_those_of_the_host(run, served):
    """Workers, memory and sockets as the host itself counts them."""
    service = run.host(WEB)["services"][0]
    assert service["workers"]["running"] == len(workers(served, "shop")) == service["workers"]["configured"]
    total = int(served.check_output("awk '/^MemTotal/ {printf \"%.0f\", $2 * 1024}' /proc/meminfo"))
    assert run.host(WEB)["host"]["memory"]["total"] <= total
    assert {socket["address"] for socket in service["sockets"]} == {"127.0.0.1:8000", "[::1]:8000"}


def test_what_others_compute_is_said_not_to_be_known(run):
    """Nobody used the service in the sample. The report says how to measure it, in all its forms."""
    service = run.host(WEB)["services"][0]
    assert service["requests"]["wait_ratio"] > 0
    assert service["requests"]["other_cpu_ratio"] is None
    told = (" ".join(service["unseen"]), *(path.read_text(encoding="utf-8") for path in (run.page, run.snippet)))
    assert all("capacity_report_sample" in text for text in told)


def test_the_snippet_gives_what_the_report_recommends(run):
    """The sizing comes to the same number with it; and it has the host's own settings of the sizing."""
    document = yaml.safe_load(run.snippet.read_text(encoding="utf-8"))
    assert set(document) == {"gunicorn_sizing"}
    assert document["gunicorn_sizing"]["memory_reserve"] == "1G"
    options = json.dumps(document["gunicorn_sizing"])
    command = ["ansible", WEB, *INVENTORIES, "--module-name=pyweb.gunicorn.gunicorn_sizing_info", f"--args={options}"]
    told = subprocess.run(command, env=AS_USERS, capture_output=True, text=True, check=True).stdout
    sized = json.loads(told.partition("=> ")[2])
    recommended = run.host(WEB)["services"][0]["recommended"]
    assert (sized["workers"], sized["threads"]) == (recommended["workers"], recommended["threads"])


def test_the_terminal_shows_a_table(run):
    """With each host, in lines of at most 100 columns."""
    table = run.output.partition("TASK [Show the fleet]")[2].partition("TASK [")[0]
    assert all(name in table for name in (WEB, CACHE, GONE))
    assert max(map(len, table.splitlines()[1:])) <= 100


def test_check_mode_writes_nothing(served, tmp_path):
    """It shows the table, and leaves the directory as it was."""
    run = Run(tmp_path, "--check", "--become")
    assert run.files == set()
    assert WEB in run.output.partition("TASK [Show the fleet]")[2]


def test_a_user_without_privileges_gets_what_it_may_see(served, tmp_path):
    """The report says what could not be seen, and nothing fails; --limit leaves out the missing host."""
    run = Run(tmp_path, f"--limit={WEB}")
    assert run.code == 0, run.output
    unseen = run.host(WEB)["services"][0]["unseen"]
    assert unseen
    assert all(on_one_line(entry) in figures.text(run.page.read_text(encoding="utf-8")) for entry in unseen)


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_the_page_shows_the_figures_in_a_browser(run, browser, width, scheme):
    """Every figure is the JSON's, is visible, and needs no scrolling to the side."""
    browser.show(run.page, width, scheme)
    check(browser, run.report, width)
    browser.screenshot(SCREENSHOTS / f"hosts-{width}-{scheme}.png")


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
@pytest.mark.parametrize("kind", ["of_every_kind", "hostile"])
def test_any_page_shows_the_figures_in_a_browser(browser, tmp_path, kind, width, scheme):
    """With hosts of every kind, and with hostile names and answers of every kind."""
    report = getattr(fleet, kind)()
    page = tmp_path / "capacity_report.html"
    page.write_text(report_page.page(report), encoding="utf-8")
    browser.show(page, width, scheme)
    check(browser, report, width)
    browser.screenshot(SCREENSHOTS / f"{kind}-{width}-{scheme}.png")


def test_printed_page_shows_the_figures(browser, tmp_path):
    """On A4 at 96 dots an inch."""
    report = fleet.of_every_kind()
    page = tmp_path / "capacity_report.html"
    page.write_text(report_page.page(report), encoding="utf-8")
    browser.show(page, 794, media="print")
    check(browser, report, 794)
    browser.screenshot(SCREENSHOTS / "of_every_kind-print.png")


def check(browser, report, width):
    """Assert that the page shows the report's figures, fits the window, loads nothing and runs nothing."""
    found = figures.read(browser.evaluate("document.documentElement.outerHTML"))
    assert len(found) > 30 * sum(host["host"] is not None for host in report["hosts"])
    for figure in found:
        value = figures.expected(report, figure, on_one_line)
        assert figure.value == value, figure
        if not figure.text.endswith(" UTC"):
            read, rounding = figures.number(figure.text)
            assert read == pytest.approx(value, rel=1e-9, abs=rounding * 1.001), figure
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate(UNSEEN) == []
    assert browser.evaluate("document.title") == "Gunicorn capacity report"
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0
    assert browser.evaluate("document.querySelectorAll('script, img, link, iframe, object').length") == 0
    assert browser.messages() == []


# Elements that are partly outside of the window, and figures that are not visible
OUTSIDE = """[...document.querySelectorAll('main *, header *')].filter(e => {
  const box = e.getBoundingClientRect();
  return !e.closest('thead, details') && box.width > 1 && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(e => e.outerHTML.slice(0, 200))"""
UNSEEN = """[...document.querySelectorAll('data')].filter(e => {
  for (const host of document.querySelectorAll('.host')) host.style.contentVisibility = 'visible';
  const box = e.getBoundingClientRect();
  return !box.width || !box.height || getComputedStyle(e).visibility != 'visible';
}).map(e => e.outerHTML)"""
