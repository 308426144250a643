#!/bin/sh
# Which requirements are shown by a test, and by which. A test shows a
# requirement by carrying its id in its name: `int_4_an_empty_policy_denies`
# shows INT-4, and `why_5_pil_7_...` two. With --check, fails when a test names an id that does not exist.
set -eu
cd "$(dirname "$0")/.."

ids=$(grep -oE '^[A-Z]+-[0-9]+' docs/requirements.txt)
families=$(printf '%s\n' "$ids" | sed 's/-.*//' | sort -u | tr 'A-Z\n' 'a-z|' | sed 's/|$//')
tests=$(grep -rhoE "fn ($families)_[0-9]+_[a-z0-9_]+" src tests | sed 's/^fn //' | sort -u)

status=0 shown=0 total=0
for test in $tests; do
    id=$(printf '%s' "$test" | sed -E 's/^([a-z]+)_([0-9]+)_.*/\1-\2/' | tr 'a-z' 'A-Z')
    if ! printf '%s\n' "$ids" | grep -qx "$id"; then
        echo "$test names $id, which is no requirement" >&2
        status=1
    fi
done
for id in $ids; do
    total=$((total + 1))
    prefix=$(printf '%s' "$id" | tr 'A-Z-' 'a-z_')
    by=$(printf '%s\n' "$tests" | grep -E "^(($families)_[0-9]+_)*${prefix}_[a-z]" | tr '\n' ' ' || true)
    if [ -n "$by" ]; then
        shown=$((shown + 1))
        [ "${1:-}" = --check ] || printf '%-8s shown by %s\n' "$id" "$by"
    else
        [ "${1:-}" = --check ] || printf '%-8s not shown\n' "$id"
    fi
done
echo "$shown of $total requirements are shown by a test"
exit $status
