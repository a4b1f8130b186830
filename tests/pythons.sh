#!/bin/sh
# The test suite on each supported Python that this machine has, each in an environment of its own.
set -u
failed=0
found=0
for version in 3.10 3.11 3.12; do
    python="$(command -v "python$version" || true)"
    if [ -z "$python" ] || ! "$python" -c '' 2>/dev/null; then
        # pyenv keeps its interpreters apart from the path
        python="$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python 2>/dev/null | tail -n 1)"
    fi
    if [ -z "$python" ]; then
        echo "python $version: not on this machine, skipped"
        continue
    fi
    found=$((found + 1))
    venv=".venv-$version"
    echo "python $version: $python"
    { [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"; } &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[cpu,sim,realsense,viz,dev]' &&
        "$venv/bin/python" -m pytest -n logical --maxprocesses 4 --dist worksteal || failed=$((failed + 1))
done
echo "pythons: $found tried, $failed failed"
[ "$found" -gt 0 ] && [ "$failed" -eq 0 ]
