# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import threading

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._atomic import lock


@pytest.fixture
def name():
    """A lock of this test."""
    yield (name := f"test-{os.getpid()}")
    if os.path.exists(lock.path_of(name)):
        os.unlink(lock.path_of(name))


def test_one_at_a_time(name: str) -> None:
    """A lock can be taken when the other holder lets go."""
    first = lock.take(name, 0)
    with pytest.raises(TimeoutError, match="within 0 s"):
        lock.take(name, 0)
    os.close(first)
    os.close(lock.take(name, 0))


def test_a_lock_that_is_removed_keeps_the_next_one_out_all_the_same(name: str) -> None:
    """A run that waited for the removed file takes the new one, as every other run does."""
    first = lock.take(name, 0)
    taken: list[int] = []
    waiting = threading.Thread(target=lambda: taken.append(lock.take(name, 30)))
    waiting.start()
    os.unlink(lock.path_of(name))
    os.close(first)
    waiting.join()
    with pytest.raises(TimeoutError):
        lock.take(name, 0)
    os.close(taken[0])


def test_a_lock_is_held_meanwhile(name: str) -> None:
    """Others wait for as long, and no longer."""
    with lock.held(name, 0), pytest.raises(TimeoutError, match="another run did not end within 0 s"):
        lock.take(name, 0)
    os.close(lock.take(name, 0))


def test_a_lock_is_free_after_a_failure(name: str) -> None:
    """The next run is not kept out by one that failed."""
    with pytest.raises(KeyError), lock.held(name, 0):
        raise KeyError
    os.close(lock.take(name, 0))


def test_a_lock_that_is_not_free_is_the_callers_own_error(name: str) -> None:
    """Which has the reason."""
    with lock.held(name, 0), pytest.raises(KeyError, match="within 0 s"), lock.held(name, 0, KeyError):
        pytest.fail("it was held twice")
