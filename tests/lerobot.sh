#!/bin/sh
# The tests that need LeRobot, in environments of their own: 0.4.4 on Python 3.10 or 3.11 (.venv-lerobot-3.11), 0.6 on Python
# 3.12 (.venv-lerobot-3.12), whichever of them this machine has. They bring torch, with gigabytes of CUDA packages.
set -u
failed=0
found=0
for version in 3.11 3.12; do
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
    venv="${LEROBOT_VENV:-.venv-lerobot}-$version"
    echo "python $version: $python"
    { [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"; } &&
        { [ "$venv/.complete" -nt pyproject.toml ] ||
            { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
                --editable '.[cpu,sim,lerobot,train-policy]' pytest hypothesis && touch "$venv/.complete"; }; } &&
        "$venv/bin/python" -m pytest -rs tests/robot/lerobot tests/launch/lerobot_plugin tests/policy/dataset \
            tests/policy/export tests/policy/training "$@" || failed=$((failed + 1))
done
echo "lerobot: $found tried, $failed failed"
[ "$found" -gt 0 ] && [ "$failed" -eq 0 ]
