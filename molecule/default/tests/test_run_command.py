"""What an operator gets from shop-run, on a terminal and in a pipe."""

import re

import pytest
from waiting import wait_for

# A terminal of its own for what is run, with what is typed once something was printed; then its output and its end
ON_A_TERMINAL = """
import fcntl, os, pty, select, struct, sys, termios, time
awaited, typed, command = sys.argv[1].encode(), sys.argv[2].encode().decode("unicode_escape").encode(), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
output, deadline = b"", time.monotonic() + 30
while time.monotonic() < deadline:
    if select.select([terminal], [], [], 0.2)[0]:
        try:
            block = os.read(terminal, 4096)
        except OSError:
            break
        if not block: break
        output += block
    if typed and awaited in output:
        time.sleep(0.3)
        os.write(terminal, typed)
        typed = b""
print(output.decode(), "ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.fixture
def on_a_terminal(host):
    def run(awaited, typed, *command):
        quoted = " ".join(f"'{word}'" for word in (awaited, typed, *command))
        return host.check_output(f"python3 -c '{ON_A_TERMINAL}' {quoted}")

    return run


def left(host):
    """What commands have left: units, drop-ins, notes and processes."""
    units = "systemctl list-units --all --plain --no-legend 'shop-run-*'"
    files = "ls -d /run/systemd/system/shop-run-* /run/gunicorn-shop-run-* 2>/dev/null"
    return host.run(f"{units}; {files}; pgrep --full 'sleep 4[0-9][0-9]'").stdout


def test_it_is_the_service(host):
    """Its user, its environment, its virtual environment and its sandbox."""
    code = 'import os, sys; print(os.environ["DJANGO_SETTINGS_MODULE"], sys.prefix); open("/etc/shop-run", "w")'
    done = host.run(f"/usr/local/sbin/shop-run python -c '{code}'")
    assert done.rc == 1
    assert re.match(r"settings /opt/shop/venv-[0-9a-f]+\n", done.stdout)
    assert "Read-only file system: '/etc/shop-run'" in done.stderr
    assert host.check_output("/usr/local/sbin/shop-run id --user --name") == "shop"
    assert "no issues" in host.check_output("/usr/local/sbin/shop-run python -m django check")


@pytest.mark.parametrize(
    ("command", "status"), [("exit 0", 0), ("exit 9", 9), ("kill -KILL $$", 137), ("kill -INT $$", 130)]
)
def test_its_end_is_handed_through(host, command, status):
    assert host.run(f"/usr/local/sbin/shop-run sh -c '{command}'").rc == status


def test_it_reads_and_writes_the_callers_files(host):
    """Each stream on its own, byte by byte; and a reader that has enough ends it."""
    done = host.run(
        "printf 'a\\0b' | /usr/local/sbin/shop-run sh -c 'cat; echo error >&2' > /tmp/run.out 2> /tmp/run.err"
    )
    assert done.rc == 0
    assert host.file("/tmp/run.out").content == b"a\0b"
    assert host.file("/tmp/run.err").content_string == "error\n"
    assert host.check_output("timeout 20 /usr/local/sbin/shop-run yes | head -n 1") == "y"


def test_it_has_a_terminal_of_its_own(host, on_a_terminal):
    """With the size and the kind of the caller's."""
    said = on_a_terminal(
        "ready",
        "typed\\n",
        "/usr/local/sbin/shop-run",
        "sh",
        "-c",
        "stty size; echo ready $TERM; read x; echo got $x; exit 5",
    )
    assert "33 99" in said
    assert "ready xterm" in said
    assert "got typed" in said
    assert said.endswith("ended with 5")


def test_ctrl_c_ends_the_command(on_a_terminal):
    assert on_a_terminal("ready", "\\x03", "/usr/local/sbin/shop-run", "sh", "-c", "echo ready; sleep 400").endswith(
        "ended with 130"
    )


def test_it_never_holds_the_callers_terminal(host, on_a_terminal):
    """Where its output goes to a file, and the rest is a terminal: it gets pipes."""
    command = '/usr/local/sbin/shop-run sh -c "ls -l /proc/self/fd" > /tmp/run.fds; cat /tmp/run.fds'
    on_a_terminal("never", "", "sh", "-c", command)
    assert "/dev/pts" not in host.file("/tmp/run.fds").content_string
    assert host.file("/tmp/run.fds").content_string.count("pipe:") == 2


@pytest.mark.parametrize("called", ["", "sudo --non-interactive "], ids=["root", "sudo"])
def test_a_killed_caller_leaves_nothing(host, called):
    """Who is in the group that may has become sudo."""
    host.check_output(
        f"sh -c 'nohup {called}/usr/local/sbin/shop-run sleep 444 </dev/null >/dev/null 2>&1 & echo $! > /tmp/run.pid'"
    )
    wait_for(lambda: host.run("pgrep --exact sleep").rc == 0 and "sleep 444" in host.check_output("ps -eo args"))
    host.check_output("kill -KILL $(cat /tmp/run.pid)")
    wait_for(lambda: left(host) == "")


def test_the_journal_says_who_ran_what(host):
    host.check_output("/usr/local/sbin/shop-run true one 'two words'")
    host.check_output("journalctl --sync")
    said = host.check_output("journalctl --quiet --identifier=shop-run --output=cat --lines=2")
    assert re.fullmatch(r"\S+ \([0-9]+\) runs: true one 'two words'\nended after [0-9.]+ s: status 0", said)
    assert left(host) == ""


def test_nobody_else_may(host):
    """The role has no group for it here; what is missing is said."""
    done = host.run("runuser -u nobody -- /usr/local/sbin/shop-run id")
    assert (done.rc, done.stderr) == (125, "only root can do this: use sudo\n")
    done = host.run("/usr/local/sbin/shop-run nosuch")
    assert done.rc == 125
    assert "there is no program 'nosuch'" in done.stderr


def test_standard_error_of_a_terminal_may_be_a_file(host, on_a_terminal):
    said = on_a_terminal("", "", "sh", "-c", 'shop-run sh -c "echo out; echo err >&2" 2>/tmp/err.log')
    assert "out" in said
    assert "err" not in said
    assert host.check_output("cat /tmp/err.log") == "err"


def test_status_of_a_command_that_leaves_a_process(host):
    """The process is killed, and the status is the command's."""
    stubborn = '(trap "" TERM; sleep 450 </dev/null >/dev/null 2>&1) & sleep 0.5; exit {}'
    # Both at a time: systemd waits ten seconds before it kills.
    commands = " ".join(f"{{ shop-run sh -c '{stubborn.format(status)}'; echo $?; }} &" for status in (0, 3))
    assert sorted(host.check_output(f"{commands} wait").split()) == ["0", "3"]
    assert left(host) == ""


def test_module(host):
    """It hands the input over, and the host's journal has neither that nor the words."""
    words = "name=shop command='sh -c \"cat; echo , word-in-the-command\"' stdin=input-of-the-command"
    result = host.ansible("pyweb.gunicorn.gunicorn_run", words, check=False, become=True)
    assert (result["rc"], result["changed"]) == (0, True)
    assert result["stdout"] == "input-of-the-command\n, word-in-the-command"
    noted = host.check_output("journalctl --since=-2min --no-pager --output=cat")
    assert "command=NOT_LOGGING_PARAMETER" in noted
    assert "input-of-the-command" not in noted


def test_module_whose_command_fails(host):
    failed = host.ansible(
        "pyweb.gunicorn.gunicorn_run", "name=shop command='sh -c \"exit 4\"'", check=False, become=True
    )
    assert (failed["rc"], failed["changed"], failed["msg"]) == (4, True, "non-zero return code")
    refused = host.ansible("pyweb.gunicorn.gunicorn_run", "name=shop command=id release=-x", check=False, become=True)
    assert (refused["rc"], refused["changed"], refused["msg"]) == (125, False, "non-zero return code")
