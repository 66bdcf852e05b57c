#!/bin/sh
# make_venv.sh PYTHON DIR LIST
#
# Make the virtual environment DIR with exactly the packages of LIST, wheels only, each checked against its hash.
# What stops it is said in one sentence, and no half-built DIR is left behind.
set -eu
unset PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

python=$1 dir=$2 list=$3
say() { printf 'set-up: %s\n' "$1" >&2; }
stop() { say "$1"; exit 1; }

version=$("$python" -c 'import sys; print(".".join(map(str, sys.version_info[:3])))' 2>/dev/null) ||
    stop "there is no working $python here, and polycore needs Python 3.11, 3.12 or 3.13: apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$python is Python $version, and polycore needs 3.11, 3.12 or 3.13: name one, as in PYTHON=python3.12 make test"
"$python" -c 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
    stop "$python is Python $version, for which coincurve, which signs orders, has no wheel yet: name a 3.11, 3.12 or 3.13, as in PYTHON=python3.13 make test"

package=python3-venv
[ "$python" = python3 ] || package="python${version%.*}-venv"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    stop "$python cannot make a virtual environment with pip in it: apt-get install $package"
[ ! -e "$dir" ] || [ -f "$dir/.made-by-make" ] ||
    stop "$dir is there and was not made by make: remove it, or name another place, as in VENV=.venv-2 make test"

trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
say "making $dir with Python $version"
rm -rf "$dir"
mkdir -p "$dir"
touch "$dir/.made-by-make"
"$python" -m venv "$dir" || stop "$python -m venv failed: apt-get install $package"
"$dir/bin/python" -m pip --version >/dev/null 2>&1 || stop "$dir came without pip: apt-get install $package"
say "installing the packages of $list, each checked against its hash (half a minute on a good line)"
"$dir/bin/python" -m pip install -qq --require-hashes --only-binary :all: -r "$list" ||
    stop "pip could not install $list; $dir is removed, and the next call starts again"
trap - EXIT INT TERM
