#!/bin/sh
# Builds .venv at the root of the checkout from the lock files. Finds a Python >= 3.12 by itself: on PATH, in pyenv
# (activated or not), or through uv. Installs with uv when it is on PATH, otherwise with pip.
#
# usage: scripts/bootstrap.sh core      what the package itself needs, no torch
#        scripts/bootstrap.sh all       every extra
#        scripts/bootstrap.sh find      print the Python that would be used
set -eu
cd "$(dirname "$0")/.."
what=${1:-core}
venv=.venv
MINIMUM='(3, 12)'
# A project's environment, not the caller's: a Python found in an activated environment still serves as the base.
unset PYTHONHOME PYTHONPATH || true

have_uv() { command -v uv >/dev/null 2>&1; }

# A pyenv shim exists for versions that are not active and then fails, so a candidate counts only if it really runs.
is_new_enough() { "$1" -c "import sys; sys.exit(sys.version_info < $MINIMUM)" >/dev/null 2>&1; }

# Debian ships Python without ensurepip unless python3-venv is installed; uv can do without it.
can_make_venv() { have_uv || "$1" -c "import ensurepip, venv" >/dev/null 2>&1; }

list_candidates() {
    for name in python3.13 python3.12 python3.14 python3 python; do
        command -v "$name" 2>/dev/null || true
    done
    root=$(pyenv root 2>/dev/null || printf '%s' "${PYENV_ROOT:-${HOME:-}/.pyenv}")
    for version in 3.13 3.12 3.14; do
        ls -d "$root"/versions/"$version"*/bin/python 2>/dev/null | sort -t. -k3 -V -r || true
    done
    if have_uv; then uv python find --no-project --managed-python '>=3.12' 2>/dev/null || true; fi
}

find_python() {
    without_venv=
    # A here-document rather than a pipe, so that the variables set in the loop outlive it.
    while IFS= read -r candidate; do
        [ -n "$candidate" ] && is_new_enough "$candidate" || continue
        if can_make_venv "$candidate"; then
            # The interpreter itself: a shim's answer depends on the folder it is called from.
            "$candidate" -c "import sys; print(sys.executable)"
            return 0
        fi
        without_venv=$candidate
    done <<CANDIDATES
$(list_candidates)
CANDIDATES
    {
        if [ -n "$without_venv" ]; then
            echo "error: $without_venv is new enough, but cannot make virtual environments (no ensurepip)."
            echo "       On Debian and Ubuntu: apt-get install python3-venv"
        else
            echo "error: ppaint needs Python 3.12 or newer, and none was found on PATH, in pyenv, or through uv."
            old=$(python3 --version 2>/dev/null || true)
            [ -z "$old" ] || echo "       The python3 on PATH is $old."
            echo "       Any of these provides one, then run the command again:"
            echo "         uv python install 3.13"
            echo "         pyenv install 3.13"
            echo "         apt-get install python3 python3-venv     (Debian 13, Ubuntu 24.04 or newer)"
        fi
    } >&2
    return 1
}

case $what in
    find) find_python; exit ;;
    core) lock=requirements-core.lock; size="the first time about 300 MB are downloaded" ;;
    all) lock=requirements.lock; size="the first time about 3 GB are downloaded, most of it for torch" ;;
    *) echo "usage: $0 core|all|find" >&2; exit 2 ;;
esac

# Kept if it still runs: its base Python may have been removed or be too old.
if ! { [ -x $venv/bin/python ] && is_new_enough $venv/bin/python; }; then
    python=$(find_python)
    echo "Making $venv with $("$python" --version)"
    rm -rf $venv
    if have_uv; then uv venv --quiet --no-project --python "$python" $venv; else "$python" -m venv $venv; fi
fi

# The locks are complete, so nothing is left to resolve (--no-deps), and every file is checked against its hash.
# The package itself goes in apart, because a folder has no hash.
if have_uv; then
    echo "Installing $lock with uv; $size"
    uv pip install --quiet --python $venv/bin/python --no-deps --require-hashes -r $lock
    uv pip install --quiet --python $venv/bin/python --no-deps -e .
else
    echo "Installing $lock with pip; $size"
    # An environment made by uv holds no pip.
    $venv/bin/python -m pip --version >/dev/null 2>&1 || $venv/bin/python -m ensurepip >/dev/null
    $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $lock
    $venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
