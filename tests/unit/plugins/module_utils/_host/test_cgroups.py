# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.cgroups import check_slice
from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import read_host, read_memory
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue

MIB = 1 << 20


class TestCheckSlice:
    @pytest.mark.parametrize(
        "name",
        [
            "system.slice",
            "-.slice",
            "a-b-c.slice",
            "web_1.slice",
            "system-serial\\x2dgetty.slice",
            "a.b.slice",
        ],
    )
    def test_names_that_systemd_takes_are_taken(self, name: str) -> None:
        """They come back unchanged."""
        assert check_slice(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".slice",
            "system",
            "system.service",
            "/system.slice",
            "a/b.slice",
            "../a.slice",
            "a-.slice",
            "-a.slice",
            "a--b.slice",
            "a b.slice",
            "a.slice\n",
            "ä.slice",
            "a@b.slice",
        ],
    )
    def test_others_are_refused(self, name: str) -> None:
        """The error names option, value and what was expected; a path must never get through."""
        with pytest.raises(InvalidValue) as caught:
            check_slice(name)
        assert str(caught.value).startswith(f"slice: {name!r} can't be used: expected ")


class TestCgroupsOfSlice:
    @pytest.mark.parametrize(
        ("cgroup", "mount_root", "limited"),
        [
            # systemd in a cgroup of its own below the mount's root: limits above and below it count
            ("/lxc/shop/init.scope", "/", "lxc"),
            ("/lxc/shop/init.scope", "/", "lxc/shop"),
            ("/lxc/shop/init.scope", "/", "lxc/shop/system.slice"),
            ("/lxc/shop", "/lxc", "shop/system.slice"),
            # the mount's root is the cgroup of PID 1
            ("/init.scope", "/", "system.slice"),
            ("/lxc/shop", "/lxc/shop", "system.slice"),
            ("/lxc/shop/init.scope", "/lxc/shop", "."),
            # a cgroup namespace hides the way: the mount's root is what there is
            ("/", "/lxc/shop", "system.slice"),
            ("/", "/../..", "system.slice"),
            ("/../shop", "/lxc", "."),
            ("/..", "/", "."),
        ],
    )
    def test_limits_between_the_mount_and_the_slice_count(
        self, write_host: Callable[..., str], tmp_path: Path, cgroup: str, mount_root: str, limited: str
    ) -> None:
        """However a container sees the tree, each cgroup that it can see above its service counts."""
        root = write_host(
            tmp_path,
            {
                "proc/1/cgroup": f"0::{cgroup}\n",
                "proc/self/mountinfo": f"30 23 0:26 {mount_root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                f"sys/fs/cgroup/{limited}/memory.max": f"{512 * MIB}\n",
            },
        )
        assert read_memory("system.slice", root).amount == 512 * MIB

    def test_each_hierarchy_has_its_own_path(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """On a hybrid host PID 1 is in init.scope for systemd, and at the root for the v1 controllers."""
        root = write_host(
            tmp_path,
            {
                "proc/1/cgroup": "4:memory:/box\n3:cpu:/\n1:name=systemd:/init.scope\n0::/init.scope\n",
                "proc/self/mountinfo": (
                    "31 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                    "32 30 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                    "33 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
                ),
                "sys/fs/cgroup/memory/box/memory.limit_in_bytes": f"{512 * MIB}\n",
                "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            },
        )
        assert read_memory("system.slice", root).amount == 512 * MIB
        assert read_host("system.slice", root=root).cpus.amount == 8

    def test_a_mount_point_may_hold_a_space(self, write_host: Callable[..., str], tmp_path: Path) -> None:
        """The kernel writes it as an octal number."""
        root = write_host(
            tmp_path,
            {
                "proc/self/mountinfo": "30 23 0:26 / /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n",
                "sys/fs/c group/system.slice/memory.max": f"{512 * MIB}\n",
            },
        )
        assert read_memory("system.slice", root).source == "/sys/fs/c group/system.slice/memory.max"
