# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs Django's collectstatic as root, from files that the service's user can't change to where it can't write.

collectstatic follows links, and everybody may read its copies: a link of the user's would publish a file of root's.
Reads JSON: "user" is the service's, and "environment" has variables for the settings.
"""

import json
import os
import pwd
import stat
import sys


def changeable(path: str, user: pwd.struct_passwd, groups: list) -> bool:
    """Whether the user owns a file or directory, or its mode lets the user write to it."""
    status = os.stat(path)
    by_mode = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid in groups)
    # In a directory with the sticky bit, as /tmp, the owner of an entry counts.
    return status.st_uid == user.pw_uid or bool(by_mode and not status.st_mode & stat.S_ISVTX)


def steps_to(paths: list) -> set:
    """The paths and their parents, as they are written and as links lead, as far as they exist."""
    steps: set = set()
    for written in paths:
        for path in (os.path.abspath(written), os.path.realpath(written)):
            while path not in steps and path != "/":
                steps.add(path)
                path = os.path.dirname(path)
    return set(filter(os.path.exists, steps))


def main() -> None:
    """Collect the static files, or exit with the first path that the user can change."""
    given = json.load(sys.stdin)
    os.environ.update(given["environment"])

    import django

    django.setup()
    from django.conf import settings
    from django.contrib.staticfiles import finders
    from django.core.management import call_command

    found = [storage.path(name) for finder in finders.get_finders() for name, storage in finder.list([])]
    user = pwd.getpwnam(given["user"])
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    for path in sorted(steps_to([*found, settings.STATIC_ROOT])):
        if changeable(path, user, groups):
            sys.exit(
                f"STATICFILES_DIRS, STATIC_ROOT: {path!r} can't be used: expected files and directories that the user "
                f"{user.pw_name} can't change, since root collects them for everybody. Nothing was collected."
            )
    call_command("collectstatic", interactive=False)


if __name__ == "__main__":
    main()
