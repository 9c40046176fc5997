#!/usr/bin/python
# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gunicorn_sizing_info
short_description: Compute how many Gunicorn workers fit a host
version_added: 1.0.0
description:
  - Computes the number of workers, and for the gthread worker class that of threads, for one project on one host, and
    says why.
  - Reads only what stays the same from run to run. That is the CPUs, the total memory, and the limits that affinity,
    cpusets and control groups set for the slice of the service and for everything above it. The same host gives the
    same answer.
  - The CPU bound is C(2 x cores + 1) unless O(wait_ratio), O(threads) or O(worker_class) say more about the
    application. The memory bound is how many workers fit into the memory beside O(memory_reserve),
    O(memory_neighbours), O(memory_companions) and the Gunicorn master. The smaller of the two counts, kept between
    O(minimum) and O(maximum).
  - Limits of the service's own unit count if they are given in O(service_directives).
extends_documentation_fragment:
  - pyweb.gunicorn.attributes
  - pyweb.gunicorn.attributes.info_module
options:
  memory_per_worker:
    description:
      - The memory that one worker takes at its peak, as a number with a unit. Units are powers of 1024.
      - Give twice the memory of a worker, because a reload starts the new workers before the old ones have stopped.
        Measure it under load, as PSS or private memory. RSS counts shared memory once for each worker.
      - The default is for a worker of 64 MiB. A worker of a bare Django project takes about 35 MiB. The rest is for the
        project's own libraries and data.
    type: str
    default: 128M
  memory_reserve:
    description:
      - The memory of the host that is not for Gunicorn, but for the system, the proxy, the database and the page cache.
      - The host keeps the reserve once, however many projects share it. Projects whose O(share) add up to V(1.0) fit
        together.
      - If not given, one fifth of the memory, but at least V(128M).
    type: str
  memory_companions:
    description:
      - The memory of this project's other processes, such as Celery workers, as in O(memory_per_worker). It is part of
        what O(share) gives to the project.
      - The role C(gunicorn) computes it from the C(memory_max) of its companions.
    type: str
  memory_neighbours:
    description:
      - The memory that other projects on this host were given, as in O(memory_per_worker). It is not for this one.
      - The role C(gunicorn) computes it from what it noted as it deployed them.
    type: str
    version_added: 1.1.0
  memory_kept:
    description:
      - The memory that this project was given already, with its master and its companions. O(memory_neighbours) does
        not make it less.
    type: str
    version_added: 1.1.0
  wait_ratio:
    description:
      - How many seconds a request waits (for the database, other services, disks) for each second that it computes.
        Measure it, for example with M(pyweb.gunicorn.gunicorn_service_info). What it waits while another process
        computes for it on the same cores does not count.
      - V(0) is for an application that only computes, V(1.0) for one that waits half of its time, V(20) for one that
        asks other services for everything.
      - If not given, the application is taken as not measured, and gets the C(2 x cores + 1) of Gunicorn's
        documentation.
    type: float
  worker_class:
    description:
      - Gunicorn's worker class, one of V(sync), V(gthread), V(gevent), V(gevent_wsgi), V(gevent_pywsgi), V(tornado),
        V(asgi), V(eventlet), or the dotted path of a class.
      - All but V(sync) and V(gthread) are treated as event loops, one process of which keeps a core busy. They get one
        worker for each core.
    type: str
    default: sync
  threads:
    description:
      - The number of threads of each worker. More than one turns V(sync) into V(gthread), as Gunicorn itself does.
      - If not given, 1 for the worker class V(sync). V(gthread), and V(sync) with O(thread_safe), get as many as one
        worker for each core needs to carry all requests, but at least 2 and at most 32.
      - Has no effect on the other worker classes.
    type: int
  thread_safe:
    description:
      - Whether the application may serve several requests at once in one process. Only someone who knows its code can
        say so.
      - If it may, and its requests wait for at least half as long as they compute (O(wait_ratio)), it gets threads
        before more workers. Threads take less memory.
    type: bool
    default: false
  minimum:
    description:
      - The least number of workers. If they do not fit into the memory, there are fewer, and a warning.
    type: int
    default: 1
  maximum:
    description:
      - The greatest number of workers. If not given, there is none.
    type: int
  share:
    description:
      - The part of the host that is for this project, above 0 and at most 1. It applies to the CPUs, and to the memory
        that is left after O(memory_reserve).
    type: float
    default: 1.0
  slice:
    description:
      - The systemd slice that the service runs in. Its limits count, and those of every slice and container around it.
      - A slice that does not exist yet has no limits of its own.
    type: str
    default: system.slice
  service_directives:
    description:
      - Directives of the service's own unit. C(MemoryMax), C(MemoryHigh), C(CPUQuota) and C(TasksMax) count, others are
        ignored. They are for this project alone, so O(share) and O(memory_reserve) are not subtracted from them. Nor
        is O(memory_companions), as these processes are other units.
      - The lower of C(MemoryMax) and C(MemoryHigh) bounds the memory. C(TasksMax) must hold the master, what a reload
        runs, and twice the workers with their threads, because a reload starts the new workers before the old ones have
        stopped.
      - Values have systemd's own syntax. A value that systemd would ignore is an error.
    type: dict
    default: {}
  cpus:
    description:
      - The number of CPUs to compute with, which may be a fraction. If not given, that of the host.
    type: float
  memory:
    description:
      - The memory to compute with, as in O(memory_per_worker). If not given, that of the host.
    type: str
notes:
  - Runs on Linux and needs no privileges, but must be able to read C(/proc/1).
  - With both O(cpus) and O(memory), and without O(service_directives), the module reads nothing of the host.
  - Units are powers of 1024. V(512M), V(512MB), V(512Mi) and V(512MiB) are the same.
  - The rule, its sources and a table of its results are in C(docs/sizing.md) of this collection.
author:
  - The pyweb.gunicorn authors (@pyweb)
seealso:
  - name: Gunicorn, design
    description: Gunicorn's own advice on the number of workers and threads, and on the worker class.
    link: https://gunicorn.org/design/
  - name: Deploying Django on a single Debian or Ubuntu server
    description: The book whose layout this collection follows. Its advice is two to five workers for each core, fewer
      when short of memory.
    link: https://djangodeployment.com/
  - name: systemd.resource-control
    description: The limits of slices and services which this module takes into account.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html
"""

EXAMPLES = r"""
- name: Size a project that has the host for itself
  pyweb.gunicorn.gunicorn_sizing_info:
  register: sizing

- name: Show the number and how it came about
  ansible.builtin.debug:
    msg: "{{ sizing.reason }}"

- name: Size a project that mostly waits for other services, with threads
  pyweb.gunicorn.gunicorn_sizing_info:
    worker_class: gthread
    wait_ratio: 20
    memory_per_worker: 300M

- name: Size one of two projects on a host that also runs PostgreSQL
  pyweb.gunicorn.gunicorn_sizing_info:
    share: 0.5
    memory_reserve: 2G
    slice: web-shop.slice

- name: Size a project whose service has limits of its own
  pyweb.gunicorn.gunicorn_sizing_info:
    service_directives:
      MemoryMax: 512M
      CPUQuota: 150%

- name: Ask what a host would get that is not there yet
  pyweb.gunicorn.gunicorn_sizing_info:
    cpus: 4
    memory: 8G
  delegate_to: localhost
"""

RETURN = r"""
workers:
  description: The number of workers to run, at least 1.
  returned: success
  type: int
  sample: 5
threads:
  description: The number of threads of each worker.
  returned: success
  type: int
  sample: 1
worker_class:
  description: The worker class that Gunicorn will use. V(gthread) if O(threads) turn O(worker_class=sync) into it.
  returned: success
  type: str
  sample: sync
connections:
  description:
    - How many connections to a database the workers can hold if each thread keeps one, as Django's do with a
      C(CONN_MAX_AGE). The limit of the database must be above what all its clients hold.
    - V(null) for the worker classes that are event loops.
  returned: success
  type: dict
  contains:
    steady:
      description: While the service runs.
      type: int
    changing:
      description: While the service changes, when the new workers are there before the old ones have stopped.
      type: int
  sample:
    steady: 5
    changing: 10
bounds:
  description: What each term of the rule requires or allows, in workers.
  returned: success
  type: dict
  contains:
    cpu:
      description: Workers that keep the CPUs busy.
      type: int
    memory:
      description: Workers that fit into the memory. V(0) if none does.
      type: int
    tasks:
      description: Workers that fit into C(TasksMax) of O(service_directives). V(null) if there is no such limit.
      type: int
    minimum:
      description: The value of O(minimum).
      type: int
    maximum:
      description: The value of O(maximum). V(null) if there is none.
      type: int
  sample:
    cpu: 5
    memory: 99
    tasks: null
    minimum: 1
    maximum: null
decided_by:
  description: The bound that set RV(workers), one of V(cpu), V(memory), V(tasks), V(minimum), V(maximum).
  returned: success
  type: str
  sample: cpu
reason:
  description: The computation in one English sentence, so that you can check it with a calculator.
  returned: success
  type: str
  sample: >-
    5 workers: 2 cores x (1 + wait ratio 1) + 1 = 5 by CPU; 16000 MiB - 3200 MiB reserve - 32 MiB master holds
    99 workers of 128 MiB, so CPU decides.
fits:
  description: >-
    Whether at least one worker fits into the memory and the tasks. If not, RV(workers) is 1 and there is a warning.
  returned: success
  type: bool
  sample: true
warnings:
  description: What you should know, such as that O(minimum) does not fit into the memory.
  returned: when there is something to warn of
  type: list
  elements: str
host:
  description: The CPUs and the memory that the module computed with.
  returned: success
  type: dict
  contains:
    cpus:
      description: CPUs that a service in the slice may use, before O(share).
      type: float
    cpus_limited_by:
      description:
        - What sets this number, one of V(online) (all CPUs are usable), V(affinity), V(cpuset), V(quota), and
          V(option) if O(cpus) was given.
      type: str
    cpus_source:
      description: The file that the number is from. V(null) for V(option).
      type: str
    memory:
      description: Bytes of memory that a service in the slice may use, before O(memory_reserve) and O(share).
      type: int
    memory_limited_by:
      description:
        - What sets this number, one of V(total) (all the memory of the host), V(cgroup), and V(option) if O(memory)
          was given.
      type: str
    memory_source:
      description: The file that the number is from. V(null) for V(option).
      type: str
  sample:
    cpus: 1.5
    cpus_limited_by: quota
    cpus_source: /sys/fs/cgroup/system.slice/cpu.max
    memory: 16777216000
    memory_limited_by: total
    memory_source: /proc/meminfo
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pyweb.gunicorn.plugins.module_utils._host.resources import HostFactsError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._sizing import answer
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values.errors import InvalidValue


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "memory_per_worker": {"type": "str", "default": "128M"},
            "memory_reserve": {"type": "str"},
            "memory_companions": {"type": "str"},
            "memory_neighbours": {"type": "str"},
            "memory_kept": {"type": "str"},
            "wait_ratio": {"type": "float"},
            "worker_class": {"type": "str", "default": "sync"},
            "threads": {"type": "int"},
            "thread_safe": {"type": "bool", "default": False},
            "minimum": {"type": "int", "default": 1},
            "maximum": {"type": "int"},
            "share": {"type": "float", "default": 1.0},
            "slice": {"type": "str", "default": "system.slice"},
            "service_directives": {"type": "dict", "default": {}},
            "cpus": {"type": "float"},
            "memory": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result, warnings = answer.size(module.params)
    except (InvalidValue, HostFactsError) as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
