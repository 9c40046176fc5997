# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The capacity report as a page: one HTML file that needs no other file.

page.html.j2 has its texts and their order.
"""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2
import markupsafe

from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._capacity_report import (
    bars,
    companions,
    formats,
    judgement,
    ranking,
)
from ansible_collections.pyweb.gunicorn.plugins.plugin_utils._characters import on_one_line

TEMPLATE = Path(__file__).with_name("page.html.j2")
FORMATS = ("size", "percent", "number", "seconds", "moment")


def page(report: dict) -> str:
    """Return the report as HTML. Every text in it is made printable and escaped."""
    hosts = report["hosts"]
    rows = ranking.rows(hosts)
    services = [service for host in hosts for service in host["services"]]
    return _template().render(
        report=report,
        rows=rows,
        # A section for each host, in the order in which the table names them first.
        sections=[(place, hosts[place]) for place in dict.fromkeys(row.place for row in rows)],
        counts=ranking.verdicts(hosts),
        services=services,
        total=totals(services),
        available_share=ranking.available_share,
        host_verdict=ranking.host_verdict,
        memory_bar=bars.memory_bar,
        cpu_bar=bars.cpu_bar,
        load_bars=bars.load_bars,
        worker_bars=bars.worker_bars,
        latency_bars=bars.latency_bars,
        companions_memory=companions.memory,
        companion_problem=companions.problem,
        companions_alone=companions.are_alone,
        others_reduce=judgement.others_reduce,
        waiting_is_hidden=judgement.waiting_is_hidden,
    )


@functools.lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters.update({name: getattr(formats, name) for name in FORMATS})
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _shown(value: object) -> object:
    """Make what the template prints printable; what Jinja has escaped is printable already."""
    return on_one_line(value) if isinstance(value, str) and not isinstance(value, markupsafe.Markup) else value


def totals(services: list[dict]) -> dict[str, float]:
    """Return the workers of all services together; a service without a recommendation adds none to those."""
    return {
        "configured": sum(service["workers"]["configured"] or 0 for service in services),
        "running": sum(service["workers"]["running"] or 0 for service in services),
        "recommended": sum((service["recommended"] or {}).get("workers") or 0 for service in services),
    }
