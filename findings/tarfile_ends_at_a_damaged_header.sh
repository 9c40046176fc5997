#!/usr/bin/env bash
# Python 3.11's tarfile: a damaged header is the end of the archive, and the checksum of a compressed one is not read.
#
# Of an archive with three files, the header of the second has a wrong bit. GNU tar says so and fails. tarfile raises
# ReadError only if the damage is in the first header; in a later one, it stops as if the archive ended there. The same
# holds for an archive that was cut between two files. Of a tar.gz whose checksum is wrong, tarfile stops before the
# checksum, and GNU tar fails.
#
# Most people expect that what was extracted without an exception is all that was packed. A deployment that unpacks an
# upload that was cut has half of the code, and says that all is well.
#
# Output seen:
#   tar      damaged header  exit 2, files: a c
#   tarfile  damaged header  exit 0, files: a
#   tarfile  cut             exit 0, files: a
#   tar      wrong checksum  exit 2, files: a b c
#   tarfile  wrong checksum  exit 0, files: a b c
#
# Exits with 1 if that has changed.

set -euo pipefail
script=$(realpath "$0")
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir packed
for name in a b c; do printf '%s\n' "$name" >"packed/$name"; done
tar --create --file whole.tar --directory packed a b c
gzip --keep whole.tar

python3 - <<'PYTHON'
from pathlib import Path

# Each file takes a header and a block of 512 bytes.
content = bytearray(Path("whole.tar").read_bytes())
Path("cut.tar").write_bytes(content[:1024])
content[1024] ^= 1
Path("damaged.tar").write_bytes(content)
packed = bytearray(Path("whole.tar.gz").read_bytes())
packed[-8] ^= 1  # the first byte of the checksum
Path("checksum.tar.gz").write_bytes(packed)
PYTHON

# extract PROGRAM WHAT COMMAND...: say how the command ends, and what it extracts.
extract() {
  local code=0
  rm -rf out && mkdir out
  "${@:3}" 2>/dev/null || code=$?
  printf '%-8s %-15s exit %d, files: %s\n' "$1" "$2" "$code" "$(cd out && echo *)"
}
unpack=(python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall("out")')

seen=$(
  extract tar 'damaged header' tar --extract --directory out --file damaged.tar
  extract tarfile 'damaged header' "${unpack[@]}" damaged.tar
  extract tarfile cut "${unpack[@]}" cut.tar
  extract tar 'wrong checksum' tar --extract --gzip --directory out --file checksum.tar.gz
  extract tarfile 'wrong checksum' "${unpack[@]}" checksum.tar.gz
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$script") <(printf '%s\n' "$seen")
