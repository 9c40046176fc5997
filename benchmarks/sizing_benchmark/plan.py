# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which settings are measured: a walk over workers and threads that leaves out settings which can only be worse."""

from __future__ import annotations

import typing as t
from collections.abc import Generator, Mapping, Sequence

from sizing_benchmark.cases import Setting

# None for a setting that is not admissible: it does not survive load and a reload.
Throughput = t.Optional[float]
Walk = Generator[Setting, Throughput, float]


class Ladders(t.NamedTuple):
    """The numbers of workers to try with each number of threads, both in ascending order."""

    sync: Sequence[int]
    gthread: Sequence[int]
    threads: Sequence[int]


FULL = Ladders((*range(1, 13), 16, 24, 32, 48), (1, 2, 3, 4, 5, 6, 8, 12, 16, 24), (2, 4, 8, 16, 32))
QUICK = Ladders((1, 2, 3, 5, 8, 12, 24, 48), (1, 2, 3, 5, 8), (2, 4, 8, 16))

# A smaller gain is noise.
GAIN = 1.03
# So many settings in a row without a gain end a ladder, and so many ladders in a row end the walk.
FALLS = 2
# More workers would fill the machine's memory, and there are not so many requests at once.
MOST_WORKERS = 96


def sweep(ladders: Ladders) -> Generator[Setting, Throughput, None]:
    """Yield the settings one by one; the caller sends the throughput of each."""
    yield from climb([Setting(workers) for workers in ladders.sync])
    best, falls = 0.0, 0
    for threads in ladders.threads:
        top = yield from climb([Setting(workers, threads) for workers in ladders.gthread])
        falls = 0 if top > GAIN * best else falls + 1
        best = max(best, top)
        if falls == FALLS:
            return


def climb(ladder: Sequence[Setting]) -> Walk:
    """Yield the settings of a ladder until the throughput gains nothing more; return the best throughput."""
    best, falls = 0.0, 0
    for setting in ladder:
        throughput = yield setting
        if throughput is None:
            # If so many workers do not fit, more do not fit either.
            break
        falls = 0 if throughput > GAIN * best else falls + 1
        best = max(best, throughput)
        if falls == FALLS:
            break
    return best


def is_measurable(setting: Setting) -> bool:
    """Return whether a setting has few enough workers to be started."""
    return setting.workers <= MOST_WORKERS


def finalists(measured: Mapping[Setting, Throughput], share: float, most: int) -> list[Setting]:
    """Return the settings that may be the best, at most so many; they are measured more than once."""
    admissible = {setting: throughput for setting, throughput in measured.items() if throughput is not None}
    bound = share * max(admissible.values(), default=0)
    near = [setting for setting, throughput in admissible.items() if throughput >= bound]
    return sorted(near, key=lambda setting: -admissible[setting])[:most]
