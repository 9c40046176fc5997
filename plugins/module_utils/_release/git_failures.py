# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What git and ssh say when they fail, as one sentence that helps."""

from __future__ import annotations

import re

from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.pyweb.gunicorn.plugins.module_utils._release.login import VARIABLE, Login
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import text as values_text
from ansible_collections.pyweb.gunicorn.plugins.module_utils._values import urls

# The first that matches counts; {host} and {url} are those of the repository. What is in front tells more than what
# follows: git ends what ssh has said with "Could not read from remote repository".
_SENTENCES = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|POSSIBLE DNS SPOOFING",
        "{host} shows another host key than the known one. Either its owner has replaced it, or somebody is in "
        "between. Ask the owner, and give the new line in {login}['known_hosts']",
    ),
    (
        r"Host key verification failed|host key is known for|authenticity of host",
        "the host key of {host} is not known. Give it in {login}['known_hosts']: 'ssh-keyscan {scan}' prints the "
        "lines; compare them with what the owner of {host} publishes",
    ),
    (r"Load key .*(?:libcrypto|invalid format|unsupported)", "ssh can't read {login}['key']"),
    (r"Permission denied|Too many authentication failures|no mutual signature", "{refused_key}"),
    (
        r"could not read (?:Username|Password)|terminal prompts disabled",
        "{url} asks for a login, or does not exist. Give user and password, or a token as password, in {login}",
    ),
    (r"Authentication failed|HTTP Basic: Access denied|returned error: 40[13]", "{refused_password}"),
    (r"[Cc]ould not resolve host(?:name)?|Name or service not known", "the host has no address for {host}"),
    (
        r"Connection (?:refused|reset|timed out|closed)|No route to host|Network is unreachable|Operation timed out"
        r"|Failed to connect|Timeout was reached|Operation too slow|early EOF|unexpected disconnect",
        "{host} can't be reached, or ends the connection ({said})",
    ),
    (
        r"certificate|SSL|TLS",
        "the host does not trust the certificate of {host}; install the one that signed it there ({said})",
    ),
    (
        r"dubious ownership",
        "{url} belongs to another user of the host, whose configuration root's git would obey. Give it to root, "
        "or fetch it by ssh",
    ),
    (r"transport '.*' not allowed", "{url} leads to a protocol that is neither https nor ssh ({said})"),
    (
        r"[Rr]epository '?.*'? ?not found|does not appear to be a git repository|does not exist|returned error: 404"
        r"|project you were looking for could not be found|not found\b",
        "there is no repository at {url}, or the login may not see it",
    ),
)
_SCP = re.compile(r"(?:[^@/]*@)?(?P<host>\[[^]]*\]|[^:/]+):")
_URL = re.compile(r"[a-z]+://(?:[^@/]*@)?(?P<host>\[[^]]*\]|[^:/]+)(?::(?P<port>[0-9]+))?")
_NOISE = re.compile(
    r"\s*\Z|warning: |hint: |remote: *\Z|Please make sure|and the repository exists|fatal: Could not read from remote"
)


class GitError(ReleaseError):
    """git has failed; `said` is all that it has said, which may hold secrets."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


def error_of(said: str, url: str, login: Login) -> GitError:
    """The error for what git has said of a repository."""
    found = _URL.match(url) or _SCP.match(url)
    host = found["host"].strip("[]") if found else ""
    port = found["port"] if found and "port" in found.re.groupindex else ""
    words = {
        "host": host or "the repository's host",
        "scan": f"-p {port} {host}" if port and url.startswith("ssh:") else host,
        "url": urls.without_passwords(url),
        "login": VARIABLE,
        "said": _line_of(said, login),
        "refused_key": _refused_key(login, host),
        "refused_password": _refused_password(login, host),
    }
    for pattern, sentence in _SENTENCES:
        if re.search(pattern, said):
            return GitError(sentence.format(**words), said)
    return GitError("git can't use {url}: {said}".format(**words), said)


def _refused_key(login: Login, host: str) -> str:
    if login.key:
        return f"{host} refuses {VARIABLE}['key']. Add its public half to the repository, as a deploy key"
    return f"{host} lets nobody in without a key that it knows. Give one in {VARIABLE}['key']"


def _refused_password(login: Login, host: str) -> str:
    if login.password:
        return f"{host} refuses the user and the password in {VARIABLE}, or does not let them read the repository"
    return f"{host} lets nobody in without a login. Give user and password, or a token as password, in {VARIABLE}"


def _line_of(said: str, login: Login) -> str:
    """The line that says most, without secrets and control characters."""
    lines = [line for line in said.splitlines() if not _NOISE.match(line)]
    telling = [line for line in lines if re.match(r"(?:fatal|error|ssh|remote|ERROR): ", line)]
    line = (telling or lines or ["it says nothing"])[-1]
    return values_text.shown(values_text.masked(urls.without_passwords(line), login.secrets))
