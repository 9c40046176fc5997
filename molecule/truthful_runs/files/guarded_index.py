"""A package index that wants a login: python3 guarded_index.py FOLDER LOGIN_FILE PORT. The login is in base64."""

import http.server
import re
import sys
from pathlib import Path

FOLDER, LOGIN, PORT = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])


def links(name: str) -> str:
    """The page of a project: the files of its name."""
    files = (file.name for file in sorted(FOLDER.iterdir()))
    fit = (file for file in files if re.split(r"-[0-9]", file)[0].lower().replace("_", "-") == name)
    return "".join(f'<a href="/files/{file}">{file}</a>\n' for file in fit)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, _slash, name = self.path.strip("/").partition("/")
        if self.headers.get("Authorization") != f"Basic {LOGIN.read_text()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        content = (FOLDER / name).read_bytes() if kind == "files" else links(name).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if kind == "files" else "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if self.command == "GET" else b"")

    do_HEAD = do_GET  # uv asks so first


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
