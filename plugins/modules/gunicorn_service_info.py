#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_service_info
short_description: Report what runs under Gunicorn on a host, and the health of the host
version_added: 1.0.0
description:
  - Reports what each Gunicorn service of a host really runs. That is the state of its unit, master and workers with
    their CPU time and memory, the versions of the running process, its limits, its sockets, workers that ended
    unexpectedly, and requests and their latency as far as an access log has them.
  - Reports the health of the host, as the book "Deploying Django on a single Debian or Ubuntu server" reads C(top).
    That is memory, swap, CPU, load and pressure, each with a verdict and one sentence that says why.
  - Finds masters by their command line or by the title that C(setproctitle) gives them, and stopped services by the
    C(ExecStart) of their unit files. Does not find an application that starts Gunicorn from within its own program.
  - If the host is a container with limits, or the service is in a slice with limits, those limits count instead of what
    the machine has.
  - The module reads processes, logs and files of the service's user. That user can make them say anything, so do not
    rely on the result as proof.
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.info_module
options:
  name:
    description:
      - The only service to report, with or without C(.service). It is an error if the host has no Gunicorn service of
        that name.
      - If not given, all Gunicorn services of the host are reported.
    type: str
  sample:
    description:
      - Seconds for which CPU, paging and requests are watched, from V(0.1) to V(60). The module waits that long.
      - What other processes compute for the requests is measured in a sample of at least 100 requests. Take a longer
        sample if a database or a proxy is on the same host.
    type: float
    default: 0.5
notes:
  - Runs on Linux. Needs no privileges, but only root and the service's user can read the memory of processes, their
    sockets and most logs. What could not be read is null, and RV(services[].unseen) says so.
  - Reading a service takes about 0.04 seconds of CPU on a host with 200 processes. Before it begins, Python and Ansible
    take more.
  - Gunicorn's configuration file is not run. Settings in it count if they are assigned as literals. Computed settings
    are not known.
  - Values of environment variables on a command line (C(--env)) are not returned.
author:
  - The pyweb.gunicorn authors (@pyweb)
seealso:
  - module: pyweb.gunicorn.gunicorn_sizing_info
    description: Takes RV(services[].measured) and computes how many workers fit.
  - name: Deploying Django on a single Debian or Ubuntu server
    description: The book whose chapter on C(top) the verdicts follow.
    link: https://djangodeployment.com/
  - name: Pressure stall information
    description: How the kernel defines RV(host.pressure).
    link: https://docs.kernel.org/accounting/psi.html
"""

EXAMPLES = r"""
- name: Look at all Gunicorn services of the host, and at the host
  pyweb.gunicorn.gunicorn_service_info:
  become: true
  register: info

- name: Show the health of the host
  ansible.builtin.debug:
    msg: "{{ info.host.verdict }}: {{ info.host.reason }}"

- name: Measure one service under load for ten seconds
  pyweb.gunicorn.gunicorn_service_info:
    name: shop
    sample: 10
  become: true
  register: measured

- name: Size it by the measurement
  pyweb.gunicorn.gunicorn_sizing_info:
    memory_per_worker: "{{ measured.services[0].measured.memory_per_worker }}"
    wait_ratio: "{{ measured.services[0].measured.wait_ratio | default(omit) }}"
  when: measured.services[0].measured
"""

RETURN = r"""
services:
  description:
    - The Gunicorn services, sorted by name, including stopped ones.
    - Sizes are in bytes, times in epoch seconds, durations in seconds. What is not known is null.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description:
        - The name of the unit without C(.service).
        - For a master that systemd does not run, the name of the program of root's supervisor, else V(pid 1234). Every
          local user can start a process that looks like such a master, so it has no part in the sizing of others.
      type: str
    unit:
      description: The unit, from the cgroup of the master or from the unit file. Null if the master has none.
      type: str
    state:
      description: systemd's C(ActiveState). V(running) for a master that systemd does not run.
      type: str
    sub_state:
      description: systemd's C(SubState). V(running) for a master that systemd does not run.
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
      description: The start time of the master in epoch seconds, from C(/proc/PID/stat). Null if it does not run.
      type: float
    restarts:
      description: How often systemd restarted the service by itself (C(NRestarts)).
      type: int
    application:
      description: What Gunicorn loads, from the command line or the configuration file.
      type: str
    command:
      description:
        - The arguments of the master. A service of the role C(gunicorn) writes them into its runtime directory. For
          other services they are from C(/proc/PID/cmdline), for a stopped service from C(ExecStart) of its unit.
      type: list
      elements: str
    gunicorn_version:
      description:
        - The version of the running master, which may be older than the installed one. A service of the role
          C(gunicorn) writes it into its runtime directory. For other services it is that of the installed package, if
          the package is older than the process.
      type: str
    python_version:
      description: The major and minor version of the running interpreter, from C(/proc/PID/exe) or its library.
      type: str
    worker_class:
      description: The configured worker class. V(gthread) if threads turn V(sync) into it.
      type: str
    threads:
      description: The configured number of threads of each worker.
      type: int
    workers:
      description: The number of workers.
      type: dict
      contains:
        configured:
          description: The configured number, read from the same places and in the same order as Gunicorn does.
          type: int
        running:
          description:
            - The children of the master that are workers. During a reload, the old and the new ones.
            - Null if the user may not see the processes of others (C(hidepid)).
          type: int
    dirty_workers:
      description: The number of dirty workers, which Gunicorn from 25.0 on has for C(dirty_apps).
      type: dict
      contains:
        configured:
          description: The configured number, V(0) without C(dirty_apps).
          type: int
        running:
          description: Those that are there. Null where the number of workers is.
          type: int
    processes:
      description: >-
        The master, then the workers, the process that starts the dirty workers, and these, from C(/proc/PID). Sizes are
        in bytes.
      type: list
      elements: dict
      contains:
        pid:
          description: The process id.
          type: int
        role:
          description: V(master), V(worker), V(dirty arbiter) or V(dirty worker).
          type: str
        started:
          description: The start time in epoch seconds, from C(stat).
          type: float
        cpu_seconds:
          description: CPU time in seconds, from C(stat).
          type: float
        rss:
          description: Resident memory, C(VmRSS) of C(status). Shared memory counts in each process that shares it.
          type: int
        peak_rss:
          description: The peak of the resident memory, C(VmHWM) of C(status).
          type: int
        swap:
          description: Memory in swap, C(VmSwap) of C(status).
          type: int
        threads:
          description: The current number of threads, from C(status).
          type: int
        pss:
          description: Memory, with each shared page divided by how many processes share it, from C(smaps_rollup).
          type: int
        private:
          description: Memory that no other process shares, from C(smaps_rollup).
          type: int
        shared:
          description: Memory shared with other processes, each page in full, from C(smaps_rollup).
          type: int
        anonymous:
          description: Memory that is not from a file, shared or not, from C(smaps_rollup).
          type: int
        pss_file:
          description: The part of RV(services[].processes[].pss) that is from files, from C(smaps_rollup).
          type: int
        pss_shmem:
          description: The part of RV(services[].processes[].pss) that is shared memory, from C(smaps_rollup).
          type: int
    memory:
      description: The memory of all processes together, in bytes.
      type: dict
      contains:
        private:
          description: The sum of the memory that no other process shares.
          type: int
        shared:
          description: Shared memory, counted once.
          type: int
        pss:
          description: The sum of the proportional shares, which is what the service takes.
          type: int
        rss:
          description: The sum of the resident memory as C(ps) shows it. It is more than the service takes.
          type: int
        swap:
          description: Memory in swap.
          type: int
        per_worker:
          description:
            - The memory that one more worker takes at its peak. This is that of the largest worker, with its anonymous
              memory, its share of files and of shared memory, and the difference between its peak and now.
            - Anonymous pages count in full even while they are shared, because after C(preload_app) each write copies
              them.
          type: int
    cgroup:
      description: What the kernel counts for the unit, from its cgroup, else from systemd.
      type: dict
      contains:
        cpu_seconds:
          description: CPU time in seconds since the service was started, including processes that have ended.
          type: float
        memory:
          description: Memory in bytes, including the page cache of its files.
          type: int
        memory_peak:
          description: The peak of the memory, in bytes.
          type: int
        throttled_seconds:
          description: Seconds for which the CPU quota held it back. Null if there is no quota.
          type: float
    limits:
      description:
        - What the service may use. This is the smallest of its own limits, those of the slices and containers around
          it, and what the host has.
      type: dict
      contains:
        cpus:
          description: The number of CPUs, which a quota can make a fraction.
          type: float
        cpus_limited_by:
          description: What sets this number, one of V(online), V(affinity), V(cpuset) and V(quota).
          type: str
        cpus_source:
          description: The file that the limit is from, or the unit of a stopped service.
          type: str
        memory:
          description: Memory in bytes.
          type: int
        memory_limited_by:
          description: What sets this number, V(total) or V(cgroup).
          type: str
        memory_source:
          description: The file that the limit is from, or the unit of a stopped service.
          type: str
        tasks:
          description: The number of processes and threads, from C(pids.max). Null if there is no limit.
          type: int
    sandbox:
      description:
        - Which directives of the unit took effect, by what the kernel says of its main process. In many containers,
          systemd starts a service without a part of its sandbox, and does not say so.
        - Null if the service does not run under systemd. What can't be told is in RV(services[].unseen).
      type: dict
      contains:
        applied:
          description: Names of directives that took effect.
          type: list
          elements: str
        not_applied:
          description:
            - Names of directives that did not, and of those that the role left out since the host can't apply them.
          type: list
          elements: str
    sockets:
      description: The addresses that the service listens on, from C(/proc/PID/fd) and C(/proc/PID/net).
      type: list
      elements: dict
      contains:
        address:
          description: The address as Gunicorn's C(--bind) has it, such as V([::1]:8000) or V(unix:/run/shop.sock).
          type: str
        owner:
          description: V(systemd) if systemd opened it and keeps it open during a restart, else V(gunicorn).
          type: str
    exits:
      description:
        - Workers of the running master that ended unexpectedly. Counted from what the master wrote to the end of the
          error log, or to the journal. Applications write into the log, too, so these numbers are a hint.
      type: dict
      contains:
        timeout:
          description: Workers that did not answer within C(timeout).
          type: int
        killed:
          description: Workers that got C(SIGKILL) for another reason, such as from the kernel when memory ran out.
          type: int
        failed:
          description: Workers that exited with a code other than 0.
          type: int
        out_of_memory:
          description: Processes of the unit that the kernel killed because memory ran out, as its cgroup counts them.
          type: int
        since:
          description: The start of the master, or the time of the first line that was read, in epoch seconds.
          type: float
        source:
          description: The log, or V(journal).
          type: str
    requests:
      description: Requests of the running service. Null if nothing counts them.
      type: dict
      contains:
        count:
          description: The number of requests since RV(services[].requests.since).
          type: int
        since:
          description: The start of the service, or of the part of the access log that was read, in epoch seconds.
          type: float
        per_second:
          description: Requests a second since then.
          type: float
        latency:
          description:
            - Seconds that requests took within the worker. Null if the format of the access log has none of V(%(D\)s),
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
            - Seconds that requests waited for each second that they computed. Time in the queue for a CPU does not
              count as waiting.
            - From the service's counters, this covers requests that were alone in their process, because threads wait
              for each other. Null if there were fewer than 100 of these.
            - From the access log, this compares the times of the requests with the CPU time of the unit, in the sample,
              or in the whole life of the service if the log has it. With threads, it includes the time for which they
              wait for each other.
          type: float
        cpu_per_request:
          description: Seconds of CPU time for each of these requests.
          type: float
        other_cpu_ratio:
          description:
            - CPU seconds of the other processes of the host, such as a database and a proxy, for each CPU second of its
              Gunicorn services, in the sample. From the cgroups of the host, or of the container that it is, and of
              these services.
            - Other services of Gunicorn that systemd or the supervisor of root runs count with the service. So each of
              several services gets its part of what the others compute.
            - Null if the service answered fewer than 100 requests in the sample, or computed for less than a quarter of
              a core or of what it may use of one, if a Gunicorn service was restarted in the sample, or if no cgroup
              counts the CPU time of the host.
          type: float
          version_added: 1.1.0
        source:
          description: V(counters) if the service counts by itself, else V(access_log).
          type: str
    measured:
      description:
        - Options for M(pyweb.gunicorn.gunicorn_sizing_info). Null if the memory can't be read, or if the service has
          answered fewer than 100 requests.
      type: dict
      contains:
        wait_ratio:
          description:
            - RV(services[].requests.wait_ratio) less what other processes compute on the same cores, to two digits.
              Null if it is not known.
            - Null, too, if the rule would make more workers of it, although these kept the cores busy in a sample of at
              least 100 requests (less than 10% of the CPU time was idle), and other processes computed, too. Those
              waited for a core, and the requests for them, which no figure can tell from other waiting.
            - This is V((wait_ratio - other_cpu_ratio\) / (1 + other_cpu_ratio\)), and at least V(0). If limits of the
              service leave CPUs of the host to the others, it is more, and at most RV(services[].requests.wait_ratio).
            - RV(services[].requests.wait_ratio) itself if RV(services[].requests.other_cpu_ratio) is null, or exceeds
              it by more than V(1), since the requests are not the reason for so much.
          type: float
        memory_per_worker:
          description:
            - Twice RV(services[].memory.per_worker), because a reload starts the new workers before the old ones have
              stopped. Rounded up to 8 MiB, with a unit.
          type: str
        requests:
          description: How many requests the measurement is based on.
          type: int
    companions:
      description:
        - What runs beside the service, as C(gunicorn_companions) of P(pyweb.gunicorn.gunicorn#role) asks for it. Sorted
          by name.
        - Read from files that only root can write, from systemd or supervisor, and from the kernel.
        - A host that has the companions of a service, but not the service itself, reports the service as V(inactive).
        - supervisor answers root alone. It does not say which companion is V(single), how often it started one again,
          or when. There, no earlier processes finish beside new ones, and there are no jobs.
        - Empty if neither systemd nor supervisor runs the service.
      type: list
      elements: dict
      contains:
        name:
          description: The name of the companion.
          type: str
        kind:
          description:
            - V(service) if it has processes that are up all the time, V(single) if it has one that must never run
              twice, V(job) if the calendar starts it.
          type: str
        unit:
          description:
            - The unit that you start and stop. Of a job, this is the timer. Under supervisor, all processes of the
              program, such as C(shop-worker:*).
            - Null if the companion was removed, and its processes finish their tasks.
          type: str
        state:
          description:
            - systemd's C(ActiveState) of RV(services[].companions[].unit). It may be V(active) even if processes are
              down.
            - Under supervisor, the state of the process that is best off, in systemd's words. Null if this user may not
              ask.
          type: str
        running:
          description: How many of its processes are up. Of a job, V(1) if it runs now. Null if this user may not ask.
          type: int
        wanted:
          description: How many of its processes must be up. Null for a job.
          type: int
        pids:
          description: The ids of all its processes, with their children and those that finish.
          type: list
          elements: int
        memory:
          description:
            - The memory of all its processes together, in bytes, measured as that of the service.
            - This is not a part of RV(services[].memory).
          type: dict
          contains:
            private:
              description: The sum of the memory that no other process shares.
              type: int
            shared:
              description: Shared memory, counted once.
              type: int
            pss:
              description: The sum of the proportional shares, which is what the companion takes.
              type: int
            rss:
              description: The sum of the resident memory as C(ps) shows it.
              type: int
            swap:
              description: Memory in swap.
              type: int
        restarts:
          description:
            - How often systemd restarted its processes by itself since they were started (C(NRestarts)), all together.
              Null under supervisor.
          type: int
        restarts_since:
          description:
            - Since when RV(services[].companions[].restarts) counts at the earliest, in epoch seconds. This is the
              boot, or when the units of the processes were written. Null for a job, and under supervisor.
          type: float
        release:
          description:
            - The C(GUNICORN_APP_REVISION) in the environment of one of its processes, else its working directory.
              Without control characters, and cut after 100. The process can write anything there, so it is no proof.
            - Null if none runs, or if this user may not see it.
          type: str
        finishing:
          description: The units of earlier processes that finish their tasks.
          type: list
          elements: str
        last_result:
          description:
            - How a job ended, as systemd's C(Result), such as V(success), V(exit-code) or V(timeout).
            - Null for other companions, and if the job has not ended since the host was started, or runs now.
          type: str
        last_run:
          description: When a job ended, in epoch seconds. Null as RV(services[].companions[].last_result).
          type: float
        next_run:
          description:
            - When the calendar starts a job again, in epoch seconds. Null for other companions, and while the job runs.
          type: float
    unseen:
      description: What could not be read of this service, and why.
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
      dirty_workers: {configured: 0, running: 0}
      measured: {wait_ratio: 8.3, memory_per_worker: 152M, requests: 12000}
      companions:
        - name: worker
          kind: service
          unit: shop-worker.service
          state: active
          running: 2
          wanted: 2
          pids: [912, 913, 921, 922]
          memory: {private: 91226112, shared: 44040192, pss: 135266304, rss: 228589568, swap: 0}
          restarts: 0
          restarts_since: 1795345260.81
          release: 3f2a9c1d4e5b
          finishing: ["shop-worker@1-1.service"]
          last_result: null
          last_run: null
          next_run: null
      unseen: []
host:
  description: The health of the host. Verdicts are V(healthy), V(watch) or V(short).
  returned: success
  type: dict
  contains:
    name:
      description: The kernel's host name.
      type: str
    cpus:
      description: The number of CPUs that the host's services may use together.
      type: float
    cpus_limited_by:
      description: What sets this number, one of V(online), V(affinity), V(cpuset) and V(quota).
      type: str
    memory:
      description:
        - Memory in bytes, from C(/proc/meminfo), or from the cgroup if that has a smaller limit.
        - RV(host.memory.used), RV(host.memory.free) and RV(host.memory.buffers_cache) add up to RV(host.memory.total).
      type: dict
      contains:
        total:
          description: All memory that may be used.
          type: int
        used:
          description: Memory that is neither free nor cache.
          type: int
        free:
          description: Memory that nothing uses.
          type: int
        buffers_cache:
          description: Copies of files and metadata, as C(buff/cache) of C(free).
          type: int
        available:
          description: Memory that the kernel estimates to be available without swapping.
          type: int
        cache_share:
          description: The part of the memory that is cache, from 0 to 1.
          type: float
        granted:
          description:
            - Memory that the role C(gunicorn) has given to the projects of the host, by the notes of their deployments.
            - If it is more than the total, the verdict is V(watch) at least.
          type: int
        limited_by:
          description: V(total) or V(cgroup).
          type: str
        verdict: &verdict
          description: V(healthy), V(watch) or V(short).
          type: str
        reason: &reason
          description: Why, in one sentence.
          type: str
    swap:
      description: Swap in bytes, and how much moved during the sample. Null if the kernel does not count it.
      type: dict
      contains:
        total:
          description: All swap that may be used.
          type: int
        used:
          description: Swap in use.
          type: int
        in_per_second:
          description: Bytes a second that were read from swap.
          type: float
        out_per_second:
          description: Bytes a second that were written to swap.
          type: float
        compressed:
          description: Whether all swap is compressed memory (zram).
          type: bool
        verdict: *verdict
        reason: *reason
    cpu:
      description:
        - Percent of the CPU time of the sample, named as in C(top), from C(/proc/stat).
        - If a quota or a cpuset limits the host, percent of the CPUs that it may use, from its cgroup. The cgroup
          counts neither waiting nor interrupts nor steal, so these are null then.
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
          description: Idle.
          type: float
        wa:
          description: Idle, while something waited for the disk.
          type: float
        hi:
          description: Hardware interrupts.
          type: float
        si:
          description: Software interrupts.
          type: float
        st:
          description: Steal, which the hypervisor gave to other machines.
          type: float
        throttled:
          description: Percent of the scheduling periods in which the quota held tasks back. Null if there is no quota.
          type: float
        sample:
          description: The length of the sample in seconds.
          type: float
        verdict: *verdict
        reason: *reason
    load:
      description: The load average, from C(/proc/loadavg). In a container, too, it is that of the machine.
      type: dict
      contains:
        one: &one
          description: Over one minute.
          type: float
        five: &five
          description: Over 5 minutes.
          type: float
        fifteen: &fifteen
          description: Over 15 minutes.
          type: float
        per_core:
          description: The same, divided by the cores of the machine.
          type: dict
          contains:
            one: *one
            five: *five
            fifteen: *fifteen
        verdict: *verdict
        reason: *reason
    pressure:
      description:
        - Percent of the time in which some tasks waited, or all tasks, for each resource (V(cpu), V(memory), V(io)) and
          by the seconds of the average, such as C(some_10) and C(full_300). From C(/proc/pressure), or from the
          container's cgroup.
        - Null if the kernel has no pressure stall information.
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
        verdict: *verdict
        reason: *reason
    verdict:
      description: The worst of the verdicts.
      type: str
    reason:
      description: The reason of the worst verdict.
      type: str
    unseen:
      description: What could not be read of the host, and why.
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
      granted: 704643072
      limited_by: total
      verdict: healthy
      reason: 31% of the RAM is cache, and 66% is available.
    verdict: healthy
    reason: 31% of the RAM is cache, and 66% is available.
    unseen: []
"""

from typing import Any

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

    def run_command(command: list[str], **options: Any) -> tuple[int, str, str]:
        """Print nothing where the host does not have a command, or does not let this user run it."""
        try:
            return module.run_command(command, errors="replace", handle_exceptions=False, **options)
        except OSError as error:
            return 127, "", str(error)

    try:
        result = read_all(module.params["name"], module.params["sample"], Runner(run_command))
    except (InvalidValue, HostFactsError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
