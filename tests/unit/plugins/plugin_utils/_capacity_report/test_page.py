# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page as text; the scenario capacity_report opens it in a browser."""

from __future__ import annotations

import re

import figures
import fleet
import pytest
from host_texts import TEXTS
from hypothesis import given

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import page as report_page
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import ranking
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._characters import on_one_line

# What people look for, for a host and for a service
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
    "requests.wait_ratio", "requests.other_cpu_ratio", "requests.cpu_per_request", "requests.latency.mean", "requests.latency.p50",
    "requests.latency.p95", "requests.latency.p99", "requests.latency.max", "exits.timeout", "exits.killed",
    "exits.out_of_memory", "exits.failed", "exits.since", "started", "restarts",
}  # fmt: skip


def test_every_figure_that_matters_is_on_the_page() -> None:
    """For the host, and for its service."""
    found = figures.read(report_page.page(fleet.report(fleet.host("web1"))))
    of_host = {figure.path for figure in found if (figure.host, figure.service) == ("web1", None)}
    of_service = {figure.path for figure in found if (figure.host, figure.service) == ("web1", "shop")}
    assert of_host >= HOST_FIGURES
    assert of_service >= SERVICE_FIGURES


@pytest.mark.parametrize("kind", ["of_every_kind", "hostile"])
def test_every_figure_is_that_of_the_json(kind: str) -> None:
    """Its value is exact, and its text is that value, rounded."""
    report = getattr(fleet, kind)()
    for figure in figures.read(report_page.page(report)):
        value = figures.expected(report, figure, on_one_line)
        assert figure.value == value, figure
        if not figure.text.endswith(" UTC"):
            read, rounding = figures.number(figure.text)
            assert read == pytest.approx(value, rel=1e-9, abs=rounding * 1.001), figure


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, "sized with 1.8, since other processes compute", "capacity_report_sample"),
        ({"service.requests.other_cpu_ratio": None}, "capacity_report_sample", "since other processes compute"),
        ({"service.requests.wait_ratio": 1.8}, "sized with 1.8", "since other processes compute"),
        ({"service.measured.wait_ratio": None}, "not used for the sizing, since the cores were busy", "sized with 1.8"),
    ],
)
def test_what_others_compute_is_said(changes: dict, said: str, unsaid: str) -> None:
    """Beside the waiting, from which it is taken; or how to measure it."""
    text = figures.text(report_page.page(fleet.report(fleet.host("web1", **changes))))
    assert said in text
    assert unsaid not in text


def test_each_host_and_service_has_its_row_and_its_section() -> None:
    """Every link of the page leads somewhere."""
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


@given(TEXTS)
def test_nothing_that_a_host_says_is_markup(text: str) -> None:
    """In any place. The page has the same elements as with plain names, and shows the text as it is."""
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
    """They add no element and no attribute."""
    page = report_page.page(fleet.report(fleet.saying(text)))
    assert "<script" not in page
    assert not re.search(r"<[^>\"]*\son[a-z]+=", page)
    assert "<img" not in page


def test_the_page_loads_nothing() -> None:
    """It needs no other file, and its policy has the browser refuse any."""
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
    """10 kB for a host: 500 hosts are about as large as a photo."""
    assert len(report_page.page(fleet.large(500)).encode()) < 500 * 10_000


def test_an_empty_fleet_has_a_page() -> None:
    """With only hosts without Gunicorn, and with none at all."""
    assert "No Gunicorn service was found" in report_page.page(fleet.report(fleet.without_service("cache")))
    assert "0 hosts" in report_page.page(fleet.report())
    assert ranking.rows([]) == []
