"""A test host behaves like a real one, so the tests of a role mean something.

Where a container engine withholds a capability, systemd skips a sandboxing directive and does not fail the unit. Every
test of a hardened service would then pass and prove nothing. So the tests here show that each directive takes effect.
"""

import shlex

import pytest

CONNECT = "import socket; socket.create_connection(('127.0.0.1', 22), 2)"
MAP_WRITABLE_CODE = "import mmap; mmap.mmap(-1, 4096, prot=7)"
USE_256_MB = "b'x' * (256 << 20)"
# Only the names of the root of a hierarchy differ between cgroup v1 and v2.
MAKE_CGROUP = "cd /sys/fs/cgroup; test -d systemd && cd systemd; mkdir probe.$$ && rmdir probe.$$"

# Each script works in a plain unit, and fails in a unit with these properties.
FORBIDDEN = {
    "ProtectSystem=strict": ("touch /srv/probe", ["ProtectSystem=strict"]),
    "ProtectSystem=strict, /usr": ("touch /usr/probe", ["ProtectSystem=strict"]),
    "ProtectHome": ("test -e /home/ansible/.profile", ["ProtectHome=true"]),
    "ReadOnlyPaths": ("touch /srv/probe", ["ReadOnlyPaths=/srv"]),
    "InaccessiblePaths": ("test -e /etc/ssh/sshd_config", ["InaccessiblePaths=/etc/ssh"]),
    "PrivateTmp": ("test -e /tmp/probe", ["PrivateTmp=true"]),
    "PrivateDevices": ("test -e /dev/probe", ["PrivateDevices=true"]),
    "PrivateNetwork": ("ip route show default | grep .", ["PrivateNetwork=true"]),
    "ProtectProc": ("test -e /proc/1/status", ["ProtectProc=invisible", "User=daemon"]),
    "ProtectProc, PrivateUsers": (
        "test -e /proc/1/status",
        ["ProtectProc=invisible", "PrivateUsers=true", "User=daemon"],
    ),
    "ProcSubset": ("test -e /proc/meminfo", ["ProcSubset=pid"]),
    "ProtectControlGroups": (MAKE_CGROUP, ["ProtectControlGroups=true"]),
    "RestrictAddressFamilies": (f'python3 -c "{CONNECT}"', ["RestrictAddressFamilies=AF_UNIX"]),
    "IPAddressDeny": (f'python3 -c "{CONNECT}"', ["IPAddressDeny=any"]),
    "RestrictNamespaces": ("unshare --net true", ["RestrictNamespaces=true"]),
    "RestrictSUIDSGID": ("chmod u+s /tmp/probe", ["RestrictSUIDSGID=true"]),
    "MemoryDenyWriteExecute": (f'python3 -c "{MAP_WRITABLE_CODE}"', ["MemoryDenyWriteExecute=true"]),
    "LockPersonality": ("setarch i686 true", ["LockPersonality=true"]),
    "SystemCallFilter": (
        "mount -t tmpfs none /mnt && umount /mnt",
        ["SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM"],
    ),
    "MemoryMax": (f'python3 -c "{USE_256_MB}"', ["MemoryMax=64M", "MemorySwapMax=0"]),
}


def in_unit(host, script, *properties):
    """Run a shell script in a transient unit with some properties, and return testinfra's result."""
    options = " ".join(f"--property={shlex.quote(item)}" for item in properties)
    return host.run(f"systemd-run --quiet --wait --pipe --collect {options} sh -c {shlex.quote(script)}")


@pytest.fixture(scope="module", autouse=True)
def _probes(host):
    """Files that some of the directives hide."""
    assert host.run("touch /dev/probe /tmp/probe").rc == 0
    yield
    host.run("rm --force /dev/probe /tmp/probe /srv/probe /usr/probe")


def test_systemd_is_in_charge(host):
    """PID 1 is systemd, and no unit has failed."""
    assert host.file("/proc/1/comm").content_string.strip() == "systemd"
    assert host.check_output("systemctl is-system-running") == "running"


def test_ipv6_loopback_can_be_bound(host):
    """A service can listen on ::1, and localhost is ::1 as well."""
    bind = "import socket; socket.socket(socket.AF_INET6).bind(('::1', 0))"
    assert host.run(f"python3 -c {shlex.quote(bind)}").rc == 0
    assert "::1" in host.check_output("getent ahostsv6 localhost")


def test_root_mount_is_shared(host):
    """Mounts propagate as on a real machine, also after a reboot."""
    assert host.check_output("findmnt --noheadings --output PROPAGATION /") == "shared"


@pytest.mark.parametrize("package", ["python3-venv", "logrotate"])
def test_apt_knows_what_the_role_installs(host, package):
    """Without a refresh of its lists."""
    assert package in host.check_output("apt-cache --names-only search '^%s$'", package)


def need_real_root(host):
    """Skip a test that needs the machine's own root, if podman runs as an ordinary user."""
    if host.check_output("cat /proc/self/uid_map").split() != ["0", "0", "4294967295"]:
        pytest.skip("the host's root is an ordinary user of the machine")


@pytest.mark.parametrize("directive", FORBIDDEN)
def test_directive_takes_effect(host, directive):
    """The script works in a plain unit, and fails in a unit with the directive."""
    if directive == "IPAddressDeny":
        need_real_root(host)
    script, properties = FORBIDDEN[directive]
    assert in_unit(host, script).rc == 0
    assert in_unit(host, script, *properties).rc != 0


def test_limits_take_effect(host):
    """A process has the limits that its unit sets."""
    wanted = ["LimitNOFILE=4096", "UMask=0027", "OOMScoreAdjust=500"]
    script = "ulimit -n; umask; cat /proc/self/oom_score_adj"
    assert in_unit(host, script, *wanted).stdout.split() == ["4096", "0027", "500"]


def test_priority_takes_effect(host):
    """A unit may have a negative nice value."""
    need_real_root(host)
    assert in_unit(host, "nice", "Nice=-5").stdout.strip() == "-5"


def test_cpu_quota_takes_effect(host):
    """A unit with a fifth of a CPU is throttled."""
    spin = "python3 -c 'import time; end = time.time() + 1\nwhile time.time() < end: pass\nprint(time.process_time())'"
    assert float(in_unit(host, spin, "CPUQuota=20%").stdout) < 0.5


def test_credentials_reach_the_unit(host):
    """LoadCredential= hands over a file; it needs the shared root mount."""
    script = 'cat "$CREDENTIALS_DIRECTORY/probe"'
    result = in_unit(host, script, "LoadCredential=probe:/etc/hostname", "DynamicUser=true")
    assert result.stdout == host.file("/etc/hostname").content_string
