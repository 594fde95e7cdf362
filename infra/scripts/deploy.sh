#!/usr/bin/env bash
# Publishes a package, and sees that the host has found every function in it.
#
#   AZURE_RESOURCE_GROUP=... AZURE_FUNCTION_APP=... deploy.sh dist/contacts-mirror.zip
#
# You are signed in (az login). Runs that go on are cut off; the next one goes on where they stopped.
set -euo pipefail

fail() {
    echo "$1" >&2
    exit "${2:-1}"
}

package=${1:-dist/contacts-mirror.zip}
[[ -f $package ]] || fail "$package is not there: run make package." 2
[[ ${AZURE_RESOURCE_GROUP:-} ]] || fail "AZURE_RESOURCE_GROUP must name the resource group." 2
[[ ${AZURE_FUNCTION_APP:-} ]] || fail "AZURE_FUNCTION_APP must name the Function app." 2
command -v az >/dev/null || fail "The Azure CLI (az) is needed, and is not there." 2
app=(--resource-group "$AZURE_RESOURCE_GROUP" --name "$AZURE_FUNCTION_APP")

root=$(dirname "$0")/../..
expected=$(sed -n 's/^async def \([a-z]\w*\)(.*/\1/p' "$root/function_app.py" | sort)
# Those of runs in shards are there only if AUTOMATION_SYNCCONTACTS_SCALE_OUT says so, and then all of them.
more=$(sed -nE '/^@blueprint\.\w+_trigger/,/^(async )?def/ s/^(async )?def (\w+)\(.*/\2/p' "$root/shared/orchestration.py")
in_shards=$(sort <<<"$expected"$'\n'"$more")
az functionapp deployment source config-zip "${app[@]}" --src "$package" --output none ||
    fail "The package was not taken. The message above is the Azure CLI's."

for ((try = 1; try <= ${TRIES:-10}; try++)); do
    found=$(az functionapp function list "${app[@]}" --query "[].name" --output tsv | sed 's|.*/||' | sort)
    if [[ $found == "$expected" || $found == "$in_shards" ]]; then
        echo "published: $(wc -l <<<"$found") functions are there"
        exit
    fi
    sleep "${PAUSE:-15}"
done
fail "Published, but the host has found only: ${found:-no function}. Look at the app's log stream."
