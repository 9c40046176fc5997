# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links and pictures of the Markdown pages of a folder; as a program, it fails if one of them leads nowhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

# Links to other sites are left alone. Code is not read: it has brackets of its own.
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")
PICTURE = re.compile(r"<(?:img|source)\b[^>]*\bsrc(?:set)?=\"(?!https?://)([^\"]*)\"")
CODE = re.compile(r"^( *```).*?^\1$|``.*?``|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)", re.MULTILINE)


def main() -> int:
    """Print the links of all pages of the folder that lead nowhere."""
    root = Path(sys.argv[1]).resolve()
    pages = sorted(root.rglob("*.md"))
    broken = [f"{page.relative_to(root)}: {link}" for page in pages for link in broken_links(page, root)]
    print(*broken, f"{len(pages)} pages, {len(broken)} links that lead nowhere", sep="\n")
    return 1 if broken or not pages else 0


def broken_links(page: Path, root: Path) -> list[str]:
    """The links and pictures of a page that lead to no file of the folder, or to a heading which that file lacks."""
    broken = []
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for path, anchor in [*LINK.findall(text), *((picture, "") for picture in PICTURE.findall(text))]:
        target = (page.parent / path).resolve() if path else page
        found = target.exists() and target.is_relative_to(root)
        if not found or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}" if anchor else path)
    return broken


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    text = re.sub(r"^( *```).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


if __name__ == "__main__":
    sys.exit(main())
