"""The hosts of a scenario, by their names; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import testinfra


def connect(name: str, sudo: bool = True):
    """Return a host of the inventory, as testinfra has it."""
    return testinfra.get_host(f"ansible://{name}", ansible_inventory="", sudo=sudo)


def was_rebooted(host) -> bool:
    """Return whether a host was started after reboot.yml noted how long it had been up."""
    uptime_before = float(host.file("/var/tmp/uptime-before-reboot").content_string.split()[0])
    started = int(host.check_output("cut -d ' ' -f 22 /proc/1/stat")) / int(host.check_output("getconf CLK_TCK"))
    return started >= uptime_before
