# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the figures from the capacity report's page, and looks them up in its JSON."""

from __future__ import annotations

import html.parser
import re
from typing import NamedTuple

# HTML's elements without content.
_EMPTY = {"meta", "br", "img", "link", "input", "hr"}
UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "ms": 0.001, "s": 1, "%": 1, "": 1}


class Figure(NamedTuple):
    """A figure of the page: its host, its service, its key, its exact value, and its text."""

    host: str | None
    service: str | None
    path: str
    value: float
    text: str


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stack: list[tuple[str, dict]] = []
        self.figures: list[Figure] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        if tag not in _EMPTY:
            self.stack.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        # An end tag also ends the elements inside that have none, such as dd.
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1][0] not in ("style", "script"):
            self.texts.append(data)
        if self.stack and self.stack[-1][0] == "data":
            path = ".".join(attributes["data-k"] for _tag, attributes in self.stack if "data-k" in attributes)
            self.figures.append(
                Figure(
                    self._around("data-host"), self._around("data-service"), path, float(self._around("value")), data
                )
            )

    def _around(self, name: str) -> str | None:
        return next((attributes[name] for _tag, attributes in reversed(self.stack) if name in attributes), None)


def read(page: str) -> list[Figure]:
    """Return the figures of a page, in their order."""
    reader = _Reader()
    reader.feed(page)
    return reader.figures


def text(page: str) -> str:
    """Return the text that a person reads on a page."""
    reader = _Reader()
    reader.feed(page)
    return " ".join(" ".join(reader.texts).split())


def expected(report: dict, figure: Figure, shown: object = str) -> float:
    """Return the JSON's value of a figure; names are compared after `shown` has changed them as the page does."""
    if figure.host is None:
        return report[figure.path]
    host = next(host for host in report["hosts"] if shown(host["name"]) == figure.host)
    if figure.path.startswith("sum."):
        return _sum(host, figure.path[4:], figure.service, shown)
    if figure.path == "other":
        return max(
            0,
            (host["host"]["memory"]["used"] or 0) - sum(_sum(host, key) for key in ("private", "shared", "companions")),
        )
    part = host["host"]
    # The row of a service in the fleet's table also has figures of its host.
    if figure.service is not None:
        service = next(service for service in host["services"] if shown(service["name"]) == figure.service)
        part = host["host"] if figure.path in ("cpu.id", "load.per_core.five") else service
    for key in figure.path.split("."):
        part = part[int(key)] if isinstance(part, list) else part[key]
    return part


def _sum(host: dict, key: str, service: str | None = None, shown: object = str) -> float:
    """Return what all services of a host take together, or one of them; companions take memory of their own."""
    services = [each for each in host["services"] if service in (None, shown(each["name"]))]
    if key == "companions":
        return sum(companion["memory"]["pss"] or 0 for each in services for companion in each["companions"])
    return sum(each["memory"][key] or 0 for each in services)


def number(text: str) -> tuple[float, float]:
    """Return the number that a person reads, and half of its last digit: how far it may be rounded."""
    match = re.fullmatch(r"(-?[0-9,]+)(?:\.([0-9]+))? ?(bytes|[KMGT]iB|ms|s|%)?", text)
    assert match, f"not a figure: {text}"
    unit = UNITS[match[3] or ""]
    whole = float(f"{match[1].replace(',', '')}.{match[2] or 0}")
    return whole * unit, 0.5 * 10 ** -len(match[2] or "") * unit
