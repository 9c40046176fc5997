# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables: what each module costs beside others on the host, and where that goes."""

from __future__ import annotations

from documents import markdown

KINDS = {"processes": "processes", "services": "services", "gunicorns": "Gunicorn services"}


def table(results: dict) -> str:
    """Return the tables in Markdown."""
    measured = results["measured"]
    before = {key(each): each for each in measured if each["version"] == "baseline"}
    own = [each for each in measured if each["version"] == "checkout"]
    told = f"Milliseconds of CPU, the median of {results['rounds']} rounds, on a host with {results['python']}"
    told += f" and {results['memory'] / 2**30:.0f} GiB of memory"
    if not before:
        return f"{parts(own)}\n{told}.\n"
    told += f"; the ratios are to {results['baseline']}, which was measured in turn with it."
    return f"{parts(own)}\n{ratios(own, before)}\n{told}\n"


def key(measured: dict) -> tuple[str, str, int]:
    """Return the case of what was measured."""
    return measured["module"], measured["kind"], measured["number"]


def named(measured: dict) -> tuple[str, str]:
    """Return the module, and what else is on the host."""
    return f"`{measured['module']}`", f"{measured['number']} {KINDS[measured['kind']]}"


def parts(own: list[dict]) -> str:
    """Return the table of where it goes."""
    heads = ("module", "others on the host", "reading", "commands", "its code", "Ansible's code", "Python", "all")
    rows = [heads, ("---", "---") + ("---:",) * (len(heads) - 2)]
    columns = ("reading", "commands", "collection", "ansible", "python", "all")
    rows += [(*named(each), *(f"{each[column]:.0f}" for column in columns)) for each in own]
    return markdown(rows)


def ratios(own: list[dict], before: dict[tuple[str, str, int], dict]) -> str:
    """Return the table of what it took before, and the ratios."""
    heads = ("module", "others on the host", "reading and commands", "before", "ratio", "all", "before", "ratio")
    rows = [heads, ("---", "---") + ("---:",) * (len(heads) - 2)]
    for each in own:
        cells: list[str] = []
        for columns in (("reading", "commands"), ("all",)):
            late, early = (sum(one[column] for column in columns) for one in (each, before[key(each)]))
            cells += [f"{late:.0f}", f"{early:.0f}", f"{late / early:.2f}"]
        rows.append((*named(each), *cells))
    return markdown(rows)
