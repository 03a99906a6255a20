#!/bin/sh
# ./go COMMAND...: set up .venv where it is missing or out of date, then run COMMAND in it.
#   ./go chipcast run      ./go pytest      EXTRA=gpu ./go chipcast run
# uv is used where it is installed, otherwise Python's own venv and pip. PYTHON=... names the interpreter.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || { echo "usage: ./go COMMAND [ARGUMENT...], for example ./go chipcast run" >&2; exit 2; }
extra=${EXTRA:-test}
stamp=.venv/.made-for-$extra

suits() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if suits "$candidate"; then echo "$candidate"; return; fi
  done
}

make_environment() {
  python=$(find_python)
  echo "go: setting up .venv (once)" >&2
  if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --allow-existing ${python:+--python "$python"} .venv
    uv pip install --quiet --python .venv/bin/python --constraint constraints.txt --editable ".[$extra]"
    return
  fi
  [ -n "$python" ] || { echo "go: Python 3.11 or newer (or uv) must be on PATH" >&2; exit 1; }
  "$python" -m venv .venv || { echo "go: '$python -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$extra]"
}

if [ ! -f "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
  rm -f .venv/.made-for-*
  make_environment
  : > "$stamp"
fi
command=$1
shift
exec ".venv/bin/$command" "$@"
