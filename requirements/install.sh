#!/usr/bin/env bash
# Make .venv and install all that the demo needs ("run") or the tests too ("test").
# `make` calls it only when this folder or pyproject.toml has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly what="${1:?run or test}" venv=.venv

find_python() {
    local name
    for name in ${PYTHON:-} python3.11 python3.12 python3 python; do
        # A version manager's stand-in may exist and still not run, so each one is tried.
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "rtdecode needs Python 3.11 or 3.12 and found neither: install one" \
        "(apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3.11" >&2
    exit 2
}

missing_packages() {
    local name
    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || echo "$name"
    done
}

# Install Debian packages, or name those that only root can install.
need_packages() {
    local missing
    command -v dpkg-query >/dev/null || return 0
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "These packages are missing: sudo apt-get install ${missing[*]}" >&2
        return 0
    fi
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        echo "apt-get could not install ${missing[*]}: what needs them will say so" >&2
}

make_venv() {
    local python version
    python="$(find_python)"
    version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        return
    fi
    # Debian splits `venv` off its Python.
    "$python" -c 'import ensurepip' 2>/dev/null || need_packages "python$version-venv"
    "$python" -m venv --clear "$venv"
}

install_python_packages() {
    echo "Installing Python packages into $venv; the first time takes a few minutes."
    local pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
    # Exactly this version and first: an open one may bring gigabytes of CUDA libraries.
    "${pip[@]}" torch==2.13.0
    "${pip[@]}" -r requirements/stimulus.txt
    if [ "$what" = test ]; then
        "${pip[@]}" -e '.[cluster,decoder,dev,docs,foxglove,notebook,nwb]'
    else
        "${pip[@]}" -e '.[decoder]'
    fi
    # Last, for pip lists all that PsychoPy lacks in every later call.
    "${pip[@]}" --no-deps psychopy==2026.2.5
}

need_packages $(cat requirements/apt.txt)
make_venv
install_python_packages
if [ "$what" = test ] && ! command -v chromium >/dev/null; then
    need_packages $(cat requirements/apt-test.txt)
fi
touch "$venv/.installed-run" "$venv/.installed-$what"
