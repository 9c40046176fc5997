# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page as text; the scenario capacity_report looks at it in a browser."""

from __future__ import annotations

import re

import figures
import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import judgement
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import page as report_page
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report.characters import on_one_line

# What a person looks for, for a host and for a service.
HOST_FIGURES = {
    "memory.total", "memory.used", "memory.free", "memory.buffers_cache", "memory.available", "sum.private", "sum.shared",
    "other", "swap.used", "swap.total", "cpu.us", "cpu.sy", "cpu.ni", "cpu.id", "cpu.wa", "cpu.hi", "cpu.si", "cpu.st",
    "cpu.sample", "load.one", "load.five", "load.fifteen", "load.per_core.one", "load.per_core.five", "cpus",
    "load.per_core.fifteen", "pressure.cpu.some_10", "pressure.memory.some_60", "pressure.memory.full_300",
    "pressure.io.some_10", "pressure.io.full_10",
}  # fmt: skip
SERVICE_FIGURES = {
    "workers.configured", "workers.running", "recommended.workers", "recommended.bounds.cpu", "recommended.bounds.memory",
    "recommended.connections.steady", "recommended.connections.changing", "memory.per_worker", "memory.private",
    "memory.shared", "limits.cpus", "limits.memory", "requests.count", "requests.since", "requests.per_second",
    "requests.wait_ratio", "requests.cpu_per_request", "requests.latency.mean", "requests.latency.p50",
    "requests.latency.p95", "requests.latency.p99", "requests.latency.max", "exits.timeout", "exits.killed",
    "exits.out_of_memory", "exits.failed", "exits.since", "started", "restarts",
}  # fmt: skip


def test_every_figure_that_matters_is_on_the_page() -> None:
    """Of the host, of its service, and both in the fleet's table."""
    found = figures.read(report_page.page(fleet.report(fleet.host("web1"))))
    of_host = {figure.path for figure in found if (figure.host, figure.service) == ("web1", None)}
    of_service = {figure.path for figure in found if (figure.host, figure.service) == ("web1", "shop")}
    assert of_host >= HOST_FIGURES
    assert of_service >= SERVICE_FIGURES


@pytest.mark.parametrize("kind", ["of_every_kind", "hostile"])
def test_every_figure_is_that_of_the_json(kind: str) -> None:
    """The exact value is, and what a person reads is that value, rounded."""
    report = getattr(fleet, kind)()
    for figure in figures.read(report_page.page(report)):
        value = figures.expected(report, figure, on_one_line)
        assert figure.value == value, figure
        if not figure.text.endswith(" UTC"):
            read, rounding = figures.number(figure.text)
            assert read == pytest.approx(value, rel=1e-9, abs=rounding * 1.001), figure


def test_each_host_and_service_has_its_row_and_its_section() -> None:
    """And every link of the page leads somewhere."""
    report = fleet.of_every_kind()
    page = report_page.page(report)
    for host in report["hosts"]:
        assert page.count(f'<tr role=row data-host="{host["name"]}"') + page.count(
            f'<tr role=row class=gone data-host="{host["name"]}"'
        ) == max(1, len(host["services"]))
        assert page.count(f'data-host="{host["name"]}" aria-labelledby=') == 1
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(re.findall(r' id="([^"]*)"', page))
    text = figures.text(page)
    assert all(service["advice"] in text for host in report["hosts"] for service in host["services"])
    assert "2 hosts are missing here" in text


@given(st.text(st.characters(codec=None), min_size=1))
def test_nothing_that_a_host_says_is_markup(text: str) -> None:
    """In any place: the page has the same elements as with plain names, and a person reads the text as it is."""
    pages = [report_page.page(fleet.report(fleet.saying(said))) for said in ("plain", text)]
    plain, other = (re.findall(r"<[a-z/!]+|=|on[a-z]+=", re.sub(r'"[^"]*"', '""', markup(page))) for page in pages)
    assert other == plain
    assert on_one_line(text).split() == [] or " ".join(on_one_line(text).split()) in figures.text(pages[1])
    pages[1].encode("utf-8")
    assert all(character.isprintable() or character == "\n" for character in pages[1])


def markup(page: str) -> str:
    """Return a page without the texts between its elements."""
    return "".join(re.findall(r"<[^>]*>", page.partition("</style>")[2]))


@pytest.mark.parametrize("text", fleet.HOSTILE)
def test_hostile_names(text: str) -> None:
    """No element of theirs, no attribute of theirs."""
    page = report_page.page(fleet.report(fleet.saying(text)))
    assert "<script" not in page
    assert not re.search(r"<[^>\"]*\son[a-z]+=", page)
    assert "<img" not in page


def test_the_page_loads_nothing() -> None:
    """It needs nothing but itself, and its policy has the browser refuse the rest."""
    page = report_page.page(fleet.of_every_kind())
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|url\(|@import|<script|<link|<img|src=", page)


def test_texts_can_be_read_on_their_colours() -> None:
    """In both schemes, with the contrast of 4.5 that WCAG 2 asks for (success criterion 1.4.3)."""
    styles = report_page.TEMPLATE.read_text(encoding="utf-8")
    schemes = re.findall(r":root{(--page[^}]*)}", styles)
    assert len(schemes) == 3
    light = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", schemes[0]))
    for scheme in schemes:
        colours = {**light, **dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", scheme))}
        pairs = [(verdict, f"{verdict}-bg") for verdict in ("short", "watch", "healthy", "missing")]
        pairs += [(text, ground) for text in ("ink", "soft") for ground in ("page", "card")] + [("short", "card")]
        for text, ground in pairs:
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, scheme)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_page_stays_light() -> None:
    """10 kB for a host: 500 hosts are no more than a photo is."""
    assert len(report_page.page(fleet.large(500)).encode()) < 500 * 10_000


@given(
    st.integers(0, 10**11),
    st.integers(0, 10**11),
    st.lists(st.tuples(st.none() | st.integers(0, 10**10), st.none() | st.integers(0, 10**10)), max_size=3),
)
def test_bars_are_never_longer_than_the_whole(used: int, free: int, services: list) -> None:
    """Whatever a host says of its memory, also where the parts are more than the total."""
    host = fleet.host(**{"host.memory.used": used, "host.memory.free": free})["host"]
    found = [{"name": "x", "memory": {"private": p, "shared": s}, "limits": {"memory": 10**9}} for p, s in services]
    bar = report_page.memory_bar(host, found)
    assert sum(part.percent for part in bar.parts) <= 100.1
    assert all(0 <= place <= 100 for _label, place in bar.marks)


def test_bars_have_the_lengths_of_their_figures() -> None:
    """In proportion, with lines where the bounds are."""
    host = fleet.host("web1")
    memory = report_page.memory_bar(host["host"], host["services"])
    total = host["host"]["memory"]["total"]
    assert {part.key: part.percent for part in memory.parts}["memory.free"] == round(2852126720 / total * 100, 2)
    assert sum(part.percent for part in memory.parts) == pytest.approx(100, abs=0.1)
    (_key, _label, one), *_others = report_page.load_bars(host["host"])
    assert (one.parts[0].percent, one.parts[0].kind) == (round(0.62 / 2.5 * 100, 2), "calm")
    assert [place for _label, place in one.marks] == [56, 80]
    assert [bar.parts[0].percent for _label, _key, bar in report_page.worker_bars(host["services"][0])] == [
        71.43, 71.43, 100,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "amount", "text"),
    [
        ("size", 0, "0 bytes"),
        ("size", 999, "999 bytes"),
        ("size", 1000, "0.977 KiB"),
        ("size", 1 << 20, "1 MiB"),
        ("size", 8326742016, "7.75 GiB"),
        ("size", 3 << 40, "3 TiB"),
        ("size", 1 << 60, "1048576 TiB"),
        ("percent", 0, "0%"),
        ("percent", 0.02, "0.02%"),
        ("percent", 3.14, "3.1%"),
        ("percent", 81.4, "81%"),
        ("number", 12000, "12,000"),
        ("number", 31.25, "31.2"),
        ("number", 0.205, "0.205"),
        ("number", 2.0, "2"),
        ("seconds", 0.0482, "48.2 ms"),
        ("seconds", 1.84, "1.84 s"),
        ("seconds", 0, "0 ms"),
        ("moment", 1763812345, "2025-11-22 11:52 UTC"),
        ("moment", 1e300, "unknown"),
        ("moment", -1e18, "unknown"),
    ],
)
def test_figures_are_written_as_people_do(function: str, amount: float, text: str) -> None:
    """In the unit that one would choose, to three digits."""
    assert getattr(report_page, function)(amount) == text


def test_an_empty_fleet_has_a_page() -> None:
    """Hosts without Gunicorn alone, and none at all."""
    assert "No Gunicorn service was found" in report_page.page(fleet.report(fleet.without_service("cache")))
    assert "0 hosts" in report_page.page(fleet.report())
    assert judgement.rows([]) == []
