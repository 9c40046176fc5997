#!/usr/bin/env python3
"""Throw-away Debian hosts for the tests and the demo.

Each host is a podman container that boots systemd, or sysvinit if its suite says so, and is reached over SSH. Ansible,
systemd's sandboxing and a reboot behave as on a real machine. Images are made from the Debian archive, without a
container registry. Needs Python 3.10, podman, mmdebstrap and the OpenSSH client.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Two checkouts on one machine must not use the same names.
CHECKOUT = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:6]
NETWORK = "pyweb-gunicorn"
IMAGE = "localhost/pyweb-testhost"
OWNER_LABEL = "pyweb.gunicorn=testhost"
CHECKOUT_LABEL = f"pyweb.gunicorn.checkout={CHECKOUT}"
RECIPE_LABEL = "pyweb.gunicorn.recipe"

# Releases of Debian, a release with another init than systemd, and hosts that lack a capability, as many containers do
SYSVINIT = "-sysvinit"
UNTRACED = "-without-ptrace"
NARROW = "-narrow"  # with the capabilities that podman gives by default, and none more
NEWEST = ("sid", "testing")
SUITES = (
    "bookworm",
    "trixie",
    f"bookworm{SYSVINIT}",
    f"trixie{UNTRACED}",
    f"bookworm{NARROW}",
    f"trixie{NARROW}",
    *NEWEST,
)
# Without python3-venv, logrotate and supervisor, which the role installs.
# python3-apt: without it, the apt module installs it first, and fails in check mode.
PACKAGES = ("ca-certificates", "curl", "iproute2", "openssh-server", "procps", "python3", "python3-apt", "sudo")
SYSTEMD_PACKAGES = ("dbus", "libpam-systemd", "systemd", "systemd-sysv")
SYSVINIT_PACKAGES = ("initscripts", "insserv", "sysv-rc", "sysvinit-core")
# apt-daily would lock dpkg during a play; the others have nothing to do here.
MASKED_UNITS = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer")
EXTRA_AUTHORITIES = Path("/usr/local/share/ca-certificates")
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
AUTHORIZED_KEYS = "/etc/ssh/testhost_authorized_keys"

# SYS_ADMIN: without it, systemd skips ProtectSystem=, PrivateTmp= and similar directives, and says so only in its log.
# NET_ADMIN: PrivateNetwork= and IPAddressDeny=. SYS_NICE: a negative Nice=.
# SYS_PTRACE: ProtectProc= together with PrivateUsers= (systemd must see the process that it sets up).
# Not --privileged: it gives access to the machine's devices as well.
CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_NICE", "SYS_PTRACE")
CAP_SYS_RESOURCE = 24
CGROUP = Path("/sys/fs/cgroup")
CGROUP_V1_CONTROLLERS = ("cpu", "cpuacct", "memory", "pids")
# Files for the hosts' Python; the first one says what they do.
BYTECODE = tuple(Path(__file__).resolve().with_name(f"testhost_bytecode.{kind}") for kind in ("py", "pth"))
DIST_PACKAGES = "/usr/lib/python3/dist-packages"
INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_PER_HOST = 8
INOTIFY_OTHERS = 40

# The kernel's boot_id is the same for all containers and survives their reboots; the start of PID 1 is a host's own.
BOOT_TIME_COMMAND = "cut -d ' ' -f 22 /proc/1/stat"
SSH_OPTIONS = (
    "UserKnownHostsFile=/dev/null",
    "StrictHostKeyChecking=no",
    "IdentitiesOnly=yes",
    "LogLevel=ERROR",
    "ServerAliveInterval=5",
)
BOOT_TIMEOUT = 120.0
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


class HostError(Exception):
    """A message for the person who called the program."""


@dataclass(frozen=True)
class Host:
    """A host: its name in the inventory, and its Debian release."""

    name: str
    suite: str

    @property
    def container(self) -> str:
        return container_name(self.name)


@dataclass(frozen=True)
class Container:
    """What podman says about one of our containers."""

    running: bool
    recipe: str


def container_name(host: str) -> str:
    """Return the container's name of a host."""
    return f"pyweb-{CHECKOUT}-{host}"


def parse_host(text: str) -> Host:
    """Read `NAME=SUITE`."""
    name, _, suite = text.partition("=")
    if suite not in SUITES:
        raise HostError(f"'{text}': expected NAME=SUITE with a suite of {', '.join(SUITES)}")
    return Host(parse_name(name), suite)


def parse_name(text: str) -> str:
    """Read a host's name, without a `=` and what follows it."""
    name = text.partition("=")[0]
    if not NAME.fullmatch(name):
        raise HostError(f"'{name}' is not a host name: lower-case letters, digits and inner hyphens, at most 42")
    return name


def say(text: str) -> None:
    """Report progress on standard error, as a caller may read standard output."""
    print(f"testhosts: {text}", file=sys.stderr, flush=True)


def attempt(*argv: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command, and return its result whether it succeeded or not."""
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=timeout
        )
    except FileNotFoundError as error:
        packages = " ".join(required_packages())
        raise HostError(f"{argv[0]} is not installed; as root: apt-get install {packages}") from error
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"no answer within {timeout:.0f} s")


def run(*argv: str, log: Path | None = None) -> str:
    """Run a command that must succeed, and return its output. If it fails, its output is written to the log, if any."""
    result = attempt(*argv)
    if result.returncode:
        reason = last_line(result.stderr or result.stdout)
        if log:
            log.write_text(result.stdout + result.stderr, encoding="utf-8")
            reason = f"see {log}"
        raise HostError(f"'{' '.join(argv[:3])} ...' failed: {reason}")
    return result.stdout.strip()


def last_line(text: str) -> str:
    """Return the last line of a command's output, which says why it failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


@contextlib.contextmanager
def locked(state: Path, name: str) -> Iterator[None]:
    """Hold a lock against other processes and threads."""
    state.mkdir(parents=True, exist_ok=True)
    with open(state / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# This machine


def is_root() -> bool:
    return os.geteuid() == 0


def has_unified_cgroups() -> bool:
    """Return whether the machine has cgroup v2 alone, not v1 and not the hybrid of both."""
    return (CGROUP / "cgroup.controllers").exists()


def has_capability(number: int) -> bool:
    """Return whether this process has a Linux capability."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(found and int(found[1], 16) >> number & 1)


def has_apparmor() -> bool:
    flag = Path("/sys/module/apparmor/parameters/enabled")
    return flag.exists() and flag.read_text(encoding="utf-8").strip() == "Y"


def required_packages() -> list[str]:
    """Return the Debian and Ubuntu packages that this program needs."""
    packages = [
        "aardvark-dns",
        "debian-archive-keyring",
        "iptables",
        "mmdebstrap",
        "netavark",
        "openssh-client",
        "podman",
    ]
    packages.append("crun" if has_unified_cgroups() else "runc")
    if not is_root():
        # podman only recommends them. Its network uses slirp4netns in Debian 12 and passt in Debian 13.
        packages += ["dbus-user-session", "passt", "slirp4netns", "uidmap"]
    return sorted(packages)


def podman(*argv: str) -> tuple[str, ...]:
    """Return a podman command line with the runtime that can boot systemd on this machine's cgroups."""
    # crun refuses to start on a hybrid of cgroup v1 and v2.
    runtime = () if has_unified_cgroups() else ("--runtime=runc",)
    return ("podman", *runtime, *argv)


def ensure_user_bus() -> None:
    """Start the user's D-Bus, which podman needs for cgroups; a login older than its installation has none."""
    if is_root() or not has_unified_cgroups():
        return
    started = attempt("systemctl", "--user", "start", "dbus.socket")
    if started.returncode:
        raise HostError(f"podman needs a login of its own, not one by su or sudo: {last_line(started.stderr)}")


def limit_options() -> list[str]:
    """Return limits that this process may pass on; podman would ask for higher ones and be refused."""
    if not is_root() or has_capability(CAP_SYS_RESOURCE):
        return []
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="utf-8"))
    hard = {
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "nproc": min(resource.getrlimit(resource.RLIMIT_NPROC)[1], pid_max),
    }
    return [f"--ulimit={name}={value}:{value}" for name, value in hard.items() if value > 0]


def cgroup_options() -> list[str]:
    """Return options for writable v1 controllers: podman's are read-only, and MemoryMax= would have no effect."""
    if has_unified_cgroups():
        return []
    mounts = sorted({(CGROUP / name).resolve() for name in CGROUP_V1_CONTROLLERS if (CGROUP / name).is_dir()})
    return [f"--volume={path}:{path}:rw" for path in mounts]


def security_options(suite: str) -> list[str]:
    """Return the options with which a host can set up sandboxes."""
    left_out = ("SYS_PTRACE",) if suite.endswith(UNTRACED) else CAPABILITIES if suite.endswith(NARROW) else ()
    options = [f"--cap-add={name}" for name in CAPABILITIES if name not in left_out]
    options.append("--security-opt=label=disable")
    if is_root() and has_apparmor():
        # The default profile forbids mount, which systemd's sandboxes need.
        options.append("--security-opt=apparmor=unconfined")
    if not is_root():
        # In a user namespace, the kernel mounts a new /proc (ProtectProc=) only if no part of it is masked.
        options.append("--security-opt=unmask=ALL")
    return options


def network_options() -> list[str]:
    """Return options for a port for SSH, and for ::1 if the machine has IPv6."""
    options = [f"--network={NETWORK}", "--publish=127.0.0.1::22"]
    if Path("/proc/sys/net/ipv6").is_dir():
        # Debian has ::1 in /etc/hosts, podman does not.
        options += ["--sysctl=net.ipv6.conf.lo.disable_ipv6=0", "--add-host=localhost:::1"]
    return options


def ensure_inotify(hosts: int) -> None:
    """Raise the limit of inotify instances for so many hosts: below it, they do not boot."""
    limit = int(INOTIFY_LIMIT.read_text(encoding="utf-8"))
    needed = hosts * INOTIFY_PER_HOST + INOTIFY_OTHERS
    if limit >= needed:
        return
    wanted = max(1024, needed)
    with contextlib.suppress(OSError):
        INOTIFY_LIMIT.write_text(f"{wanted}\n", encoding="utf-8")
        say(f"raised fs.inotify.max_user_instances from {limit} to {wanted}")
        return
    say(f"{hosts} hosts may not boot; as root: sysctl -w fs.inotify.max_user_instances={wanted}")


# The image


# As on a real machine: LoadCredential= and mount propagation fail on a container engine's private root mount.
SHARED_ROOT_UNIT = """\
[Unit]
Description=Share the root mount
DefaultDependencies=no
Before=local-fs-pre.target
Wants=local-fs-pre.target
ConditionCapability=CAP_SYS_ADMIN

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount --make-rshared /

[Install]
WantedBy=sysinit.target
"""
# The image has no host key: every host makes its own.
SSH_DROP_IN = """\
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'test -s "$0" || ssh-keygen -q -t ed25519 -N "" -f "$0"' /etc/ssh/ssh_host_ed25519_key
ExecStartPre=/usr/sbin/sshd -t
"""
SSHD_CONFIG = f"""\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys {AUTHORIZED_KEYS}
PasswordAuthentication no
"""
# A container has its file systems and its network before it boots, and keeps them over a reboot.
INITTAB = """\
id:2:initdefault:
si::sysinit:/etc/init.d/testhost-boot
l2:2:wait:/etc/init.d/rc 2
l6:6:wait:/etc/init.d/testhost-reboot
"""
BOOT_SCRIPT = """\
#!/bin/sh
mkdir -p /run/lock /run/sshd
key=/etc/ssh/ssh_host_ed25519_key
test -s $key || ssh-keygen -q -t ed25519 -N "" -f $key
"""
REBOOT_SCRIPT = """\
#!/bin/sh
for script in /etc/rc6.d/K*; do
    case $script in *umount* | *reboot) ;; *) $script stop ;; esac
done
exec reboot -d -f
"""
# From version 258 on, systemd refuses cgroup v1, and a hybrid of v1 and v2. There it gets v2 alone, without
# controllers: MemoryMax= and the like have no effect.
# PID 1 is already in a group of its own, which becomes the root that systemd sees.
INIT = "/sbin/testhost-init"
INIT_SCRIPT = """\
#!/bin/sh
test -e /sys/fs/cgroup/cgroup.controllers && exec /sbin/init
exec unshare --cgroup sh -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec /sbin/init'
"""
SUDOERS = "ansible ALL=(ALL:ALL) NOPASSWD: ALL\n"


def has_systemd(suite: str) -> bool:
    """Return whether hosts of the suite boot systemd."""
    return not suite.endswith(SYSVINIT)


def image_files(suite: str) -> dict[str, tuple[int, str]]:
    """Return the files, with modes and texts, that make a plain Debian a test host."""
    boot = {
        "etc/systemd/system/testhost-shared-root.service": (0o644, SHARED_ROOT_UNIT),
        "etc/systemd/system/ssh.service.d/testhost.conf": (0o644, SSH_DROP_IN),
    }
    if not has_systemd(suite):
        boot = {
            "etc/inittab": (0o644, INITTAB),
            "etc/init.d/testhost-boot": (0o755, BOOT_SCRIPT),
            "etc/init.d/testhost-reboot": (0o755, REBOOT_SCRIPT),
        }
    if suite in NEWEST:
        boot[INIT.lstrip("/")] = (0o755, INIT_SCRIPT)
    files = boot | {
        "etc/ssh/sshd_config.d/testhost.conf": (0o644, SSHD_CONFIG),
        "etc/sudoers.d/ansible": (0o440, SUDOERS),
    }
    return files | authority_files()


def authority_files() -> dict[str, tuple[int, str]]:
    """Return the certificate authorities that this machine trusts beyond Debian's, as behind a company's proxy."""
    found = sorted(EXTRA_AUTHORITIES.glob("**/*.crt"))
    if not found:
        return {}
    files = {str(path).lstrip("/"): (0o644, path.read_text(encoding="utf-8")) for path in found}
    # pip has its own list of authorities, and must be told to use the host's.
    return files | {"etc/pip.conf": (0o644, f"[global]\ncert = {CA_BUNDLE}\n")}


def image_command(suite: str, files: str, output: str) -> list[str]:
    """Return the mmdebstrap command that makes a root file system."""
    in_root = 'chroot "$1"'
    units = [
        f"{in_root} systemctl --quiet enable testhost-shared-root.service",
        f"{in_root} systemctl --quiet mask {' '.join(MASKED_UNITS)}",
    ]
    packages = sorted(PACKAGES + (SYSTEMD_PACKAGES if has_systemd(suite) else SYSVINIT_PACKAGES))
    hooks = [
        f"tar-in {files} /",
        f"{in_root} useradd --create-home --shell /bin/bash ansible",
        *(units if has_systemd(suite) else []),
        f"{in_root} update-ca-certificates >/dev/null",
        # An empty machine-id is filled at the first boot. The builder's name and resolver are not for the hosts.
        'rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id "$1"/etc/hostname "$1"/etc/resolv.conf',
        ': > "$1"/etc/machine-id',
    ]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "locale", "man")),
        '--aptopt=Acquire::Languages "none"',
        # The lists stay: the apt module takes an empty directory for up to date, and would find no package.
        '--aptopt=Acquire::GzipIndexes "true"',
        "--skip=cleanup/apt/lists",
        # A mirror may be older than its lists are valid; apt still checks the signatures.
        *(['--aptopt=Acquire::Check-Valid-Until "false"'] if suite in NEWEST else []),
        *(f"--customize-hook={hook}" for hook in hooks),
        suite.removesuffix(SYSVINIT),
        output,
    ]


def image_tag(suite: str) -> str:
    """Return the image's name, which changes with everything that the image is made from."""
    recipe = json.dumps([image_command(suite, "files.tar", "root.tar"), image_files(suite)])
    return f"{IMAGE}:{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def pack(files: dict[str, tuple[int, str]], archive: Path) -> None:
    """Write files into a tar archive, owned by root."""
    with tarfile.open(archive, "w") as tar:
        for name, (mode, text) in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(content)
            tar.addfile(entry, io.BytesIO(content))


def advise_on_storage() -> None:
    """Warn about podman's slowest storage, which is the default of ordinary users in Debian 12."""
    if attempt(*podman("info", "--format={{.Store.GraphDriverName}}")).stdout.strip() == "vfs":
        say('slow storage; put driver = "overlay" under [storage] in ~/.config/containers/storage.conf, and then')
        # Podman keeps the storage of its first call.
        say("run 'podman system reset', which removes all containers and images of yours")


def build_image(suite: str, tag: str, state: Path) -> None:
    """Make the image from the Debian archive."""
    advise_on_storage()
    say(f"building {tag}, which takes about a minute")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="image-", dir=state) as folder:
        files, root = Path(folder, "files.tar"), Path(folder, "root.tar")
        pack(image_files(suite), files)
        # Rootless mmdebstrap works under another uid, which needs access to this directory.
        os.chmod(folder, 0o755)
        run(*image_command(suite, str(files), str(root)), log=state / f"image-{suite}.log")
        init = INIT if suite in NEWEST else "/sbin/init"
        changes = (f'CMD ["{init}"]', "STOPSIGNAL SIGRTMIN+3", f"LABEL {OWNER_LABEL}")
        run(*podman("import", "--quiet", *(f"--change={change}" for change in changes), str(root), tag))
    say(f"built {tag} in {time.monotonic() - start:.0f} s")


def ensure_image(suite: str, state: Path) -> str:
    """Return the image's name; build the image if it is missing."""
    suite = suite.removesuffix(UNTRACED).removesuffix(NARROW)
    tag = image_tag(suite)
    with locked(state, f"image-{suite}"):
        if attempt(*podman("image", "exists", tag)).returncode:
            build_image(suite, tag, state)
    return tag


# The hosts


def ensure_key(state: Path) -> Path:
    """Return the SSH key for the hosts; make it if it is missing."""
    key = state.resolve() / "id_ed25519"
    with locked(state, "key"):
        if not key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testhosts", "-f", str(key))
    return key


def ensure_network(state: Path) -> None:
    """Make the network that the hosts share, if it is missing."""
    with locked(state, "network"):
        if attempt(*podman("network", "exists", NETWORK)).returncode:
            created = attempt(*podman("network", "create", "--label", OWNER_LABEL, NETWORK))
            # Another checkout may have made it meanwhile.
            if created.returncode and attempt(*podman("network", "exists", NETWORK)).returncode:
                raise HostError(f"no network {NETWORK}: {last_line(created.stderr)}")


def existing() -> dict[str, Container]:
    """Return the containers of this checkout, by name."""
    filters = (f"--filter=label={label}" for label in (OWNER_LABEL, CHECKOUT_LABEL))
    listed = json.loads(run(*podman("ps", "--all", "--format=json", *filters)) or "[]")
    return {
        entry["Names"][0]: Container(entry["State"] == "running", entry["Labels"].get(RECIPE_LABEL, ""))
        for entry in listed
    }


def bytecode_options() -> list[str]:
    """Return options with which Python on a host keeps bytecode of what Ansible sends."""
    return [f"--volume={path}:{DIST_PACKAGES}/{path.name}:ro" for path in BYTECODE]


def run_options(key: Path, suite: str) -> list[str]:
    """Return the options of `podman run` that all hosts of a suite share."""
    return [
        "--systemd=always",
        # A reboot ends PID 1, and podman starts the container again, with the same files and the same port.
        "--restart=always",
        f"--volume={key}.pub:{AUTHORIZED_KEYS}:ro",
        f"--label={OWNER_LABEL}",
        f"--label={CHECKOUT_LABEL}",
        *network_options(),
        *security_options(suite),
        # At a reboot, systemd just exits, and sysvinit calls the kernel.
        *([] if has_systemd(suite) else ["--cap-add=SYS_BOOT"]),
        *limit_options(),
        *cgroup_options(),
    ]


def recipe_of(tag: str, options: Sequence[str]) -> str:
    """Return a hash of what a host is made from; if it differs, the host is made again."""
    return hashlib.sha256(json.dumps([tag, *options]).encode()).hexdigest()[:12]


def start(host: Host, tag: str, key: Path, more: Sequence[str]) -> str:
    """Start a host with more options unless it is running, and return what was done."""
    known = existing().get(host.container)
    options = [*run_options(key, host.suite), *more]
    recipe = recipe_of(tag, options)
    if known and known.running and known.recipe == recipe:
        return "already running"
    labels = (f"--label={RECIPE_LABEL}={recipe}",)
    names = (f"--name={host.container}", f"--hostname={host.name}")
    if known:
        remove([host.container])
    run(*podman("run", "--detach", *names, *labels, *options, tag))
    return "started"


def wait_for_boot(host: Host) -> None:
    """Wait until systemd says that the host is running."""
    deadline = time.monotonic() + BOOT_TIMEOUT
    while True:
        # Early in the boot there is no bus, and --wait returns at once.
        asked = attempt(
            *podman("exec", host.container, "systemctl", "is-system-running", "--wait"), timeout=BOOT_TIMEOUT
        )
        state = asked.stdout.strip()
        if state == "running":
            return
        if state == "degraded":
            raise HostError(f"{host.name} has failed units: {failed_units(host)}")
        if time.monotonic() > deadline:
            raise HostError(f"{host.name} did not boot within {BOOT_TIMEOUT:.0f} s: {state or last_line(asked.stderr)}")
        time.sleep(0.2)


def failed_units(host: Host) -> str:
    """Return the names of the units that failed."""
    listed = attempt(*podman("exec", host.container, "systemctl", "list-units", "--failed", "--plain", "--no-legend"))
    return ", ".join(line.split()[0] for line in listed.stdout.splitlines() if line) or "unknown"


def wait_for_ssh(host: Host, key: Path, port: int) -> None:
    """Wait until Ansible can log in and use sudo."""
    options = [part for option in SSH_OPTIONS for part in ("-o", option)]
    command = ("ssh", *options, "-o", "ConnectTimeout=5", "-o", "BatchMode=yes", "-i", str(key), "-p", str(port))
    deadline = time.monotonic() + BOOT_TIMEOUT
    while (result := attempt(*command, "ansible@127.0.0.1", "sudo -n true", timeout=20)).returncode:
        if time.monotonic() > deadline:
            raise HostError(f"{host.name} does not let SSH in on port {port}: {last_line(result.stderr)}")
        time.sleep(0.2)


def bring_up(host: Host, tag: str, key: Path, state: Path, more: Sequence[str]) -> dict[str, object]:
    """Start a host with more options unless it is running, and return its variables for the inventory."""
    began = time.monotonic()
    with locked(state, f"host-{host.name}"):
        outcome = start(host, tag, key, more)
        if outcome == "started" and has_systemd(host.suite):
            wait_for_boot(host)
        details = json.loads(run(*podman("container", "inspect", host.container)))[0]["NetworkSettings"]
        port = int(details["Ports"]["22/tcp"][0]["HostPort"])
        # A host that was running may be in any state, even with failed units, as long as SSH works.
        wait_for_ssh(host, key, port)
    say(f"{host.name} ({host.suite}) {outcome}, 127.0.0.1:{port}, {time.monotonic() - began:.1f} s")
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": port,
        "ansible_user": "ansible",
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": " ".join(f"-o {option}" for option in SSH_OPTIONS),
        "ansible_python_interpreter": "/usr/bin/python3",
        "testhost_suite": host.suite,
        "testhost_container": host.container,
        "testhost_boot_time_command": BOOT_TIME_COMMAND,
    }


def write_inventory(path: Path, hosts: dict[str, dict[str, object]]) -> None:
    """Write an inventory, as a whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"all": {"hosts": hosts}}, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def remove(containers: Sequence[str]) -> None:
    """Remove containers; missing ones are no error."""
    if containers:
        run(*podman("rm", "--force", "--ignore", "--volumes", "--time=0", *containers))


# The commands


def image(arguments: argparse.Namespace) -> None:
    """Build the image of a suite and print its name."""
    print(ensure_image(arguments.suite, arguments.state))


def up(arguments: argparse.Namespace) -> None:
    """Start hosts and write their inventory."""
    hosts = [parse_host(text) for text in arguments.hosts]
    state: Path = arguments.state
    arguments.inventory.parent.mkdir(parents=True, exist_ok=True)
    ensure_user_bus()
    tags = {suite: ensure_image(suite, state) for suite in sorted({host.suite for host in hosts})}
    key = ensure_key(state)
    ensure_network(state)
    ensure_inotify(len(existing().keys() | {host.container for host in hosts}))
    more = bytecode_options() if arguments.keep_bytecode else []
    with ThreadPoolExecutor(max_workers=4) as pool:
        jobs = {host.name: pool.submit(bring_up, host, tags[host.suite], key, state, more) for host in hosts}
    write_inventory(arguments.inventory, {name: job.result() for name, job in jobs.items()})


def down(arguments: argparse.Namespace) -> None:
    """Remove hosts of this checkout and their inventory."""
    ours = existing()
    names = list(ours) if arguments.all else [container_name(parse_name(text)) for text in arguments.names]
    # A container with such a name but without our labels is not ours.
    remove([name for name in names if name in ours])
    if arguments.inventory:
        arguments.inventory.unlink(missing_ok=True)


def clean(_arguments: argparse.Namespace) -> None:
    """Remove all hosts of this checkout, and the images and the network that no other checkout uses."""
    remove(list(existing()))
    images = attempt("podman", "images", "--quiet", "--filter", f"reference={IMAGE}").stdout.split()
    for name in dict.fromkeys(images):
        attempt("podman", "image", "rm", name)
    attempt("podman", "network", "rm", NETWORK)


def packages(_arguments: argparse.Namespace) -> None:
    """Print the packages that this machine needs to run test hosts."""
    print("\n".join(required_packages()))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument(
        "--state",
        type=Path,
        default=REPOSITORY / ".cache" / "hosts",
        help="folder of the SSH key and the locks (default: .cache/hosts of the repository)",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for function in (image, up, down, clean, packages):
        command = commands.add_parser(function.__name__, help=function.__doc__, description=function.__doc__)
        command.set_defaults(function=function)
        if function is image:
            command.add_argument("suite", choices=SUITES)
        elif function is up:
            command.add_argument("--inventory", type=Path, required=True, help="the inventory to write, JSON")
            command.add_argument(
                "--keep-bytecode",
                action="store_true",
                help="let the hosts compile once what Ansible sends; not for measurements of runs",
            )
            command.add_argument("hosts", nargs="+", metavar="NAME=SUITE", help=f"suites: {', '.join(SUITES)}")
        elif function is down:
            command.add_argument("--inventory", type=Path, help="the inventory to remove")
            command.add_argument("--all", action="store_true", help="all hosts of this checkout")
            command.add_argument("names", nargs="*", metavar="NAME")
    return top


def main() -> int:
    """Run a command; errors are one line and status 1."""
    arguments = parser().parse_args()
    try:
        arguments.function(arguments)
    except HostError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error.filename}: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
