#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_service_info
short_description: Say what runs under Gunicorn on a host, and how the host is
version_added: 0.1.0
description:
  - Tells of each Gunicorn service of a host what really runs. That is the state of its unit, master and workers with
    their CPU time and memory, the versions of the running process, its limits, its sockets, workers that ended by no
    wish of the master, and its requests and their latency as far as an access log gives them.
  - Tells how the host is, in the terms in which the book "Deploying Django on a single Debian or Ubuntu server" reads
    C(top). That is memory, swap, CPU, load and pressure, each with a verdict and one sentence that says why.
  - Finds masters by their command line or by the title that C(setproctitle) gives them, and stopped services by the
    C(ExecStart) of their unit files. An application that starts Gunicorn from within its own program is not found.
  - Where the host is a container with limits, or the service is in a slice with limits, those count and not what the
    machine has.
  - What the module says of a service it has from processes, logs and files of the service's user, who can make them say
    anything.
author:
  - The pyweb.gunicorn authors (@pyweb)
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.info_module
options:
  name:
    description:
      - The one service to report, with or without C(.service). A name that no Gunicorn service of the host has is an
        error.
      - If not given, all Gunicorn services of the host are reported.
    type: str
  sample:
    description:
      - Seconds from V(0.1) to V(60) for which CPU, paging and requests are watched. The module waits that long.
    type: float
    default: 0.5
notes:
  - Runs on Linux. Needs no privileges, but the memory of processes, their sockets and most logs are for root and the
    service's user alone. What could not be seen is null, and RV(services[].unseen) says so.
  - Takes less than 0.1 seconds of CPU on a host with 200 processes.
  - Gunicorn's configuration file is not run. Settings in it count where they are assigned as literals, and what is
    computed there is not known.
  - Values of environment variables on a command line (C(--env)) are not returned.
seealso:
  - module: pyweb.gunicorn.gunicorn_sizing_info
    description: Takes RV(services[].measured) and says how many workers fit.
  - name: Deploying Django on a single Debian or Ubuntu server
    description: The book whose chapter on C(top) the verdicts follow.
    link: https://djangodeployment.com/
  - name: Pressure stall information
    description: What the kernel says of RV(host.pressure).
    link: https://docs.kernel.org/accounting/psi.html
"""

EXAMPLES = r"""
- name: Look at all Gunicorn services of the host, and at the host
  pyweb.gunicorn.gunicorn_service_info:
  become: true
  register: info

- name: Say how the host is
  ansible.builtin.debug:
    msg: "{{ info.host.verdict }}: {{ info.host.reason }}"

- name: Measure one service under load for ten seconds
  pyweb.gunicorn.gunicorn_service_info:
    name: shop
    sample: 10
  become: true
  register: measured

- name: Size it by what was measured
  pyweb.gunicorn.gunicorn_sizing_info:
    memory_per_worker: "{{ measured.services[0].measured.memory_per_worker }}"
    wait_ratio: "{{ measured.services[0].measured.wait_ratio | default(omit) }}"
  when: measured.services[0].measured
"""

RETURN = r"""
services:
  description:
    - The Gunicorn services, sorted by name. Stopped ones are among them.
    - Sizes are in bytes, times in epoch seconds, durations in seconds. What is not known is null.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description:
        - The name of the unit without C(.service).
        - For a master that systemd does not run, the name of supervisor's program, or else V(pid 1234).
      type: str
    unit:
      description: The unit, from the cgroup of the master or from the unit file. Null for a master without one.
      type: str
    state:
      description: systemd's C(ActiveState), V(running) for a master that systemd does not run.
      type: str
    sub_state:
      description: systemd's C(SubState), V(running) for a master that systemd does not run.
      type: str
    description:
      description: systemd's C(Description).
      type: str
    user:
      description: The user of the unit, or of the master.
      type: str
    slice:
      description: systemd's C(Slice).
      type: str
    started:
      description: When the master was started, in epoch seconds, from C(/proc/PID/stat). Null if it does not run.
      type: float
    restarts:
      description: How often systemd restarted the service by itself, its C(NRestarts).
      type: int
    application:
      description: What Gunicorn loads, by the command line or the configuration file.
      type: str
    command:
      description:
        - The arguments of the master, from what a service of the role C(gunicorn) says of itself in its runtime
          directory, else from C(/proc/PID/cmdline), and of a stopped service from C(ExecStart) of its unit.
      type: list
      elements: str
    gunicorn_version:
      description:
        - The version of the running master, which may be older than that in its virtual environment. From what a
          service of the role C(gunicorn) says of itself, else from the installed package if that is older than the
          process.
      type: str
    python_version:
      description: Major and minor version of the running interpreter, from C(/proc/PID/exe) or its library.
      type: str
    worker_class:
      description: The worker class that is configured, V(gthread) where threads turn V(sync) into it.
      type: str
    threads:
      description: Threads of each worker as configured.
      type: int
    workers:
      description: The number of workers.
      type: dict
      contains:
        configured:
          description: What is configured, in Gunicorn's order of the places where that may stand.
          type: int
        running:
          description:
            - Children of the master that are workers. During a reload the old and the new ones.
            - Null if the user may not see the processes of others (C(hidepid)).
          type: int
    processes:
      description: The master, then the workers, as C(/proc/PID) has them. Sizes are in bytes.
      type: list
      elements: dict
      contains:
        pid:
          description: The process id.
          type: int
        role:
          description: V(master) or V(worker).
          type: str
        started:
          description: When it was started, in epoch seconds, from C(stat).
          type: float
        cpu_seconds:
          description: CPU time, from C(stat).
          type: float
        rss:
          description: Resident memory, C(VmRSS) of C(status). What several processes share counts in each of them.
          type: int
        peak_rss:
          description: The most that it ever was, C(VmHWM) of C(status).
          type: int
        swap:
          description: Memory that lies in swap, C(VmSwap) of C(status).
          type: int
        threads:
          description: Threads that it has now, from C(status).
          type: int
        pss:
          description: Memory with each shared page divided by those that share it, from C(smaps_rollup).
          type: int
        private:
          description: Memory that it alone has, from C(smaps_rollup).
          type: int
        shared:
          description: Memory that it shares with others, each page in full, from C(smaps_rollup).
          type: int
        anonymous:
          description: Memory that is not of a file, shared or not, from C(smaps_rollup).
          type: int
        pss_file:
          description: The part of RV(services[].processes[].pss) that is of files, from C(smaps_rollup).
          type: int
        pss_shmem:
          description: The part of RV(services[].processes[].pss) that is shared memory, from C(smaps_rollup).
          type: int
    memory:
      description: The memory of all processes together, in bytes.
      type: dict
      contains:
        private:
          description: What one process alone has, added up.
          type: int
        shared:
          description: What they share with others, counted once.
          type: int
        pss:
          description: The proportional shares, added up, which is what the service takes.
          type: int
        rss:
          description: Resident memory, added up, as C(ps) would show it. More than the service takes.
          type: int
        swap:
          description: Memory that lies in swap.
          type: int
        per_worker:
          description:
            - What one more worker costs at its peak. The largest of the workers counts, with its anonymous memory, its
              share of files and of shared memory, and what it once had more than now.
            - Anonymous pages count in full even while they are shared, since after C(preload_app) each write copies
              them.
          type: int
    cgroup:
      description: What the kernel accounts to the unit, from its cgroup, else from systemd.
      type: dict
      contains:
        cpu_seconds:
          description: CPU time since the service was started, of processes that have ended, too.
          type: float
        memory:
          description: Memory in bytes, with the page cache of its files.
          type: int
        memory_peak:
          description: The most that it ever was.
          type: int
        throttled_seconds:
          description: For how long its CPU quota held it back. Null without one.
          type: float
    limits:
      description:
        - What the service may use, which is the smallest of its own limits, those of the slices and containers around
          it, and what the host has.
      type: dict
      contains:
        cpus:
          description: CPUs, a fraction where a quota says so.
          type: float
        cpus_limited_by:
          description: One of V(online), V(affinity), V(cpuset) and V(quota).
          type: str
        cpus_source:
          description: The file that says so, or the unit of a stopped service.
          type: str
        memory:
          description: Memory in bytes.
          type: int
        memory_limited_by:
          description: V(total) or V(cgroup).
          type: str
        memory_source:
          description: The file that says so, or the unit of a stopped service.
          type: str
        tasks:
          description: Processes and threads, from C(pids.max). Null without a limit.
          type: int
    sockets:
      description: The addresses that the service listens on, from C(/proc/PID/fd) and C(/proc/PID/net).
      type: list
      elements: dict
      contains:
        address:
          description: The address as Gunicorn's C(--bind) has it, such as V([::1]:8000) or V(unix:/run/shop.sock).
          type: str
        owner:
          description: V(systemd) if that opened it and keeps it open during a restart, else V(gunicorn).
          type: str
    exits:
      description:
        - Workers that ended by no wish of the running master. Counted from what it wrote to the end of the error log,
          or to the journal. Applications write into the log, too, so that these numbers are a hint.
      type: dict
      contains:
        timeout:
          description: Workers that did not answer within C(timeout).
          type: int
        killed:
          description: Workers that were sent C(SIGKILL) for another reason, by the kernel for want of memory, too.
          type: int
        failed:
          description: Workers that exited with another code than 0.
          type: int
        out_of_memory:
          description: Processes of the unit that the kernel killed for want of memory, as its cgroup counts them.
          type: int
        since:
          description: The start of the master, or the time of the first line that was read, in epoch seconds.
          type: float
        source:
          description: The log, or V(journal).
          type: str
    requests:
      description: Requests of the running service, as far as something counts them. Null without.
      type: dict
      contains:
        count:
          description: Requests since RV(services[].requests.since).
          type: int
        since:
          description: The start of the service, or what of it the end of the access log covers, in epoch seconds.
          type: float
        per_second:
          description: Requests a second since then.
          type: float
        latency:
          description:
            - Seconds that requests took within the worker. Null if the access log's format has none of V(%(D\)s),
              V(%(L\)s), V(%(M\)s) and V(%(T\)s).
          type: dict
          contains:
            mean:
              description: The mean.
              type: float
            p50:
              description: The median.
              type: float
            p95:
              description: 95% took no longer.
              type: float
            p99:
              description: 99% took no longer.
              type: float
            max:
              description: The longest.
              type: float
        wait_ratio:
          description:
            - Seconds that requests waited for each second that they computed. Having to queue for a CPU is no waiting.
            - By the service's counters, it is of requests that were alone in their process, since threads wait for each
              other. Null if these were fewer than 100.
            - By the access log, it is the times of the requests against the CPU time of the unit, in the sample, or in
              the whole life of the service if the log has it. With threads, their waiting for each other is in it.
          type: float
        cpu_per_request:
          description: Seconds of CPU time for each of these requests.
          type: float
        source:
          description: V(counters) where the service counts by itself, else V(access_log).
          type: str
    measured:
      description:
        - What M(pyweb.gunicorn.gunicorn_sizing_info) takes. Null if memory may not be seen, or the service has answered
          fewer than 100 requests.
      type: dict
      contains:
        wait_ratio:
          description: RV(services[].requests.wait_ratio) to two digits, null if it is not known.
          type: float
        memory_per_worker:
          description:
            - Twice RV(services[].memory.per_worker), as a reload starts the new workers before the old ones have
              stopped. Rounded up to 8 MiB, with its unit.
          type: str
        requests:
          description: How many requests there were to measure by.
          type: int
    unseen:
      description: What could not be seen of this service, and why.
      type: list
      elements: str
  sample:
    - name: shop
      unit: shop.service
      state: active
      sub_state: running
      description: "shop: Gunicorn"
      user: shop
      slice: system.slice
      started: 1795345270.23
      restarts: 0
      application: shop.wsgi:application
      command: [/opt/shop/venv/bin/gunicorn, --workers=2, "--bind=127.0.0.1:8000", "shop.wsgi:application"]
      gunicorn_version: 27.0.1
      python_version: "3.11"
      worker_class: sync
      threads: 1
      workers: {configured: 2, running: 2}
      measured: {wait_ratio: 8.3, memory_per_worker: 152M, requests: 12000}
      unseen: []
host:
  description: How the host is. Verdicts are V(healthy), V(watch) or V(short).
  returned: success
  type: dict
  contains:
    name:
      description: The kernel's host name.
      type: str
    cpus:
      description: CPUs that the host's services may use together.
      type: float
    cpus_limited_by:
      description: What sets this number, one of V(online), V(affinity), V(cpuset) and V(quota).
      type: str
    memory:
      description:
        - Memory in bytes, from C(/proc/meminfo), or from the cgroup where that has the smaller limit.
        - RV(host.memory.used), RV(host.memory.free) and RV(host.memory.buffers_cache) add up to RV(host.memory.total).
      type: dict
      contains:
        total:
          description: All memory that may be used.
          type: int
        used:
          description: What is neither free nor cache.
          type: int
        free:
          description: What nothing uses.
          type: int
        buffers_cache:
          description: Copies of files and metadata, as C(buff/cache) of C(free).
          type: int
        available:
          description: What can be had without swapping, by the kernel's reckoning.
          type: int
        cache_share:
          description: The part of the memory that is cache, from 0 to 1.
          type: float
        limited_by:
          description: V(total) or V(cgroup).
          type: str
        verdict:
          description: V(healthy), V(watch) or V(short).
          type: str
        reason:
          description: Why, in one sentence.
          type: str
    swap:
      description: Swap in bytes, and what of it moved during the sample. Null where the kernel does not count it.
      type: dict
      contains:
        total:
          description: All swap that may be used.
          type: int
        used:
          description: What is in use.
          type: int
        in_per_second:
          description: Bytes a second that were read from it.
          type: float
        out_per_second:
          description: Bytes a second that were written to it.
          type: float
        compressed:
          description: Whether all of it lies compressed in memory (zram).
          type: bool
        verdict:
          description: V(healthy), V(watch) or V(short).
          type: str
        reason:
          description: Why, in one sentence.
          type: str
    cpu:
      description:
        - Percent of the CPU time of the sample, named as in C(top), from C(/proc/stat).
        - Where a quota or a cpuset limits the host, percent of the CPUs that it may use, from its cgroup. That counts
          neither waiting nor interrupts nor steal, which are null then.
      type: dict
      contains:
        us:
          description: Programs.
          type: float
        sy:
          description: The kernel.
          type: float
        ni:
          description: Programs of low priority.
          type: float
        id:
          description: Nothing.
          type: float
        wa:
          description: Nothing, while the disk was waited for.
          type: float
        hi:
          description: Hardware interrupts.
          type: float
        si:
          description: Software interrupts.
          type: float
        st:
          description: What the machine below gave to others.
          type: float
        throttled:
          description: Percent of the scheduling periods in which the quota held tasks back. Null without a quota.
          type: float
        sample:
          description: Seconds that were watched.
          type: float
        verdict:
          description: V(healthy), V(watch) or V(short).
          type: str
        reason:
          description: Why, in one sentence.
          type: str
    load:
      description: The load average, from C(/proc/loadavg). It is the machine's, in a container, too.
      type: dict
      contains:
        one:
          description: Over one minute.
          type: float
        five:
          description: Over 5 minutes.
          type: float
        fifteen:
          description: Over 15 minutes.
          type: float
        per_core:
          description: The same, divided by the cores of the machine.
          type: dict
          contains:
            one:
              description: Over one minute.
              type: float
            five:
              description: Over 5 minutes.
              type: float
            fifteen:
              description: Over 15 minutes.
              type: float
        verdict:
          description: V(healthy), V(watch) or V(short).
          type: str
        reason:
          description: Why, in one sentence.
          type: str
    pressure:
      description:
        - Percent of the time in which some tasks waited, or all, by resource (V(cpu), V(memory), V(io)) and by the
          seconds of the average, such as C(some_10) and C(full_300). From C(/proc/pressure), or from the container's
          cgroup.
        - Null where the kernel has no pressure stall information.
      type: dict
      contains:
        cpu:
          description: Waiting for a CPU.
          type: dict
        memory:
          description: Waiting for memory.
          type: dict
        io:
          description: Waiting for the disk.
          type: dict
        verdict:
          description: V(healthy), V(watch) or V(short).
          type: str
        reason:
          description: Why, in one sentence.
          type: str
    verdict:
      description: The worst of the verdicts.
      type: str
    reason:
      description: The sentence of the worst verdict.
      type: str
    unseen:
      description: What could not be seen of the host, and why.
      type: list
      elements: str
  sample:
    name: web1
    cpus: 2.0
    cpus_limited_by: online
    memory:
      total: 2074148864
      used: 702545920
      free: 728612864
      buffers_cache: 642990080
      available: 1371602944
      cache_share: 0.31
      limited_by: total
      verdict: healthy
      reason: 31% of the RAM is cache, and 66% is available.
    verdict: healthy
    reason: 31% of the RAM is cache, and 66% is available.
    unseen: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import HostFactsError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._inspection.inspection import read_all
from ansible_collections.pyweb.gunicorn.plugins.module_utils._run import Runner
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "sample": {"type": "float", "default": 0.5},
        },
        supports_check_mode=True,
    )

    def run_command(command: list[str]) -> tuple[int, str, str]:
        """Print nothing where the host does not have a command, or does not let this user run it."""
        try:
            return module.run_command(command, errors="replace", handle_exceptions=False)
        except OSError as error:
            return 127, "", str(error)

    try:
        result = read_all(module.params["name"], module.params["sample"], Runner(run_command))
    except (InvalidValue, HostFactsError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
