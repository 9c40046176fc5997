#!/usr/bin/env bash
# nginx 1.22.1 (Debian 12): a server name that is too long for the table of names is taken as long as its site is the only one
# at its address. The second site there, whatever its name is, makes nginx refuse its configuration, with the name in neither.
#
# nginx builds the table (server_names_hash) for each address with more than one server. The line of a table holds names of up
# to 46 characters by default, on machines with cache lines of 64 bytes (server_names_hash_bucket_size).
#
# Most people expect that a name which works goes on working, and look for the fault in the site that they have just added.
#
# The server is Debian's, unpacked into a temporary folder.
#
# Output seen:
#   one site with a name of 72 characters: successful
#   another site at another address: successful
#   another site at the same address: could not build server_names_hash
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get download --quiet=2 nginx 2>log || { cat log >&2 && exit 2; }
dpkg-deb --extract nginx_*.deb root
name=$(printf 'a%.0s' {1..60}).example.com
folders=""
for kind in client_body proxy fastcgi uwsgi scgi; do folders+="${kind}_temp_path $kind; "; done

# try [ADDRESS]: print what nginx says of a site with a long name, and of another one at an address.
try() {
  {
    echo "pid nginx.pid; error_log stderr; events {} http { access_log off; $folders"
    echo "server { listen unix:one.sock; server_name $name; }"
    (($# == 0)) || echo "server { listen unix:$1; server_name b.example.com; }"
    echo "}"
  } >nginx.conf
  root/usr/sbin/nginx -p "$PWD" -c nginx.conf -t 2>&1 | grep --only-matching --max-count=1 \
    'could not build server_names_hash\|test is successful' | sed 's/test is //' || true
}

seen="one site with a name of ${#name} characters: $(try)
another site at another address: $(try other.sock)
another site at the same address: $(try one.sock)"
echo "$seen"
[[ $seen == "one site with a name of 72 characters: successful
another site at another address: successful
another site at the same address: could not build server_names_hash" ]]
