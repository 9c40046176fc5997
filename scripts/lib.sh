# Functions that the scripts of this folder share; for bash to source.
# shellcheck shell=bash

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$repository/.cache

say() {
  printf '%s\n' "$*" >&2
}

die() {
  say "error: $*"
  exit 1
}

# as_root COMMAND...: run a command as root.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root and there is no sudo: $*"
  fi
}

# install_packages PACKAGE...: install the Debian or Ubuntu packages that are missing.
install_packages() {
  local package missing=()
  for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "please install: ${missing[*]}"
  say "installing ${missing[*]}"
  as_root apt-get --quiet=2 update >/dev/null || die "apt-get update failed"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --yes install "${missing[@]}" >/dev/null ||
    die "could not install: ${missing[*]}"
}

# find_python: print a Python that ansible-core 2.19 runs on and that can make virtual environments. Debian's own comes first:
# it is built with optimizations that pyenv leaves out, and takes a quarter less CPU for the same run.
find_python() {
  local candidate
  for candidate in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# make_venv [NAME...]: make a virtual environment with requirements-dev.txt, or only its named lines, and put it first on
# PATH. If the environment has these lines already, return at once without asking the package index.
make_venv() {
  local venv=$cache/venv wanted python
  wanted=$(select_requirements "$@") || exit
  export PATH=$venv/bin:$PATH
  mkdir -p "$cache"
  {
    flock 9
    venv_has "$venv" "$wanted" && return
    if ! python=$(find_python); then
      install_packages python3-venv
      python=$(find_python) || die "Python 3.11 or newer is needed"
    fi
    say "installing ${*:-requirements-dev.txt} into .cache/venv"
    # Scripts have the path of their interpreter, so an environment that was moved is made again.
    [[ -f $venv/installed.txt && $(head -n 1 "$venv/installed.txt") == "# $venv" ]] || rm -rf "$venv"
    [[ -x $venv/bin/python ]] || "$python" -m venv --clear "$venv" || die "could not make $venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --requirement <(printf '%s\n' "$wanted") ||
      die "pip could not install ${*:-requirements-dev.txt}"
    printf '# %s\n%s\n' "$venv" "$wanted" >"$venv/installed.txt"
  } 9>"$cache/venv.lock"
}

# select_requirements [NAME...]: print the lines of requirements-dev.txt, or only the lines of the named packages.
select_requirements() {
  local name file=$repository/requirements-dev.txt
  if (($# == 0)); then
    grep -v '^#' "$file"
    return
  fi
  for name in "$@"; do
    grep "^$name " "$file" || die "$name is not in requirements-dev.txt"
  done
}

# venv_has VENV LINES: whether an environment works and was made from these lines, among others.
venv_has() {
  [[ -f $1/installed.txt ]] || return 1
  ! grep -vxFf "$1/installed.txt" <<<"# $1"$'\n'"$2" >/dev/null && "$1/bin/python" -c 'import ansible' 2>/dev/null
}

# install_testhost_packages: install the packages that tests/hosts/testhosts.py needs.
install_testhost_packages() {
  local packages
  install_packages python3
  mapfile -t packages < <("$repository/tests/hosts/testhosts.py" packages)
  install_packages "${packages[@]}"
}

# install_browser: install the browser for tests of pages, see molecule/shared/browser.py.
install_browser() {
  install_packages chromium chromium-driver
}

# link_collection: let Ansible find this checkout as a collection.
link_collection() {
  local parent
  parent=$cache/collections/ansible_collections/$(galaxy_value namespace)
  mkdir -p "$parent"
  ln -sfn "$repository" "$parent/$(galaxy_value name)"
  export ANSIBLE_COLLECTIONS_PATH=$cache/collections
}

# galaxy_value KEY: print a value of galaxy.yml that is plain text.
galaxy_value() {
  sed -n "s/^$1: *//p" "$repository/galaxy.yml"
}

# use_molecule: set the environment that molecule needs beside .config/molecule/config.yml.
use_molecule() {
  # Set explicitly, so that molecule does not advise to move the scenarios to extensions/.
  export MOLECULE_GLOB='molecule/*/molecule.yml'
  # Molecule keeps its state there by the name of the checkout's folder, which two checkouts may share.
  export ANSIBLE_HOME=$cache/ansible
  # Borders would cut lines at 80 columns.
  export MOLECULE_COMMAND_BORDERS=false
  # Tests import the plugins by their full names.
  export PYTHONPATH=$cache/collections
}
