#!/usr/bin/env bash
# Measures how soon an edit of one service among many is live, in the real program.
#
#   scripts/edit-at-scale.sh [SERVICES [OPERATIONS [EDITS]]]
#
# Writes a directory with a document and a contract for each service (1,000 of 100 operations), which the first
# document includes, runs the program there, and edits one of the documents again and again (20 times), by renaming.
# For each edit two figures in milliseconds: from the rename until the edit is live, and how much of that was reading,
# compiling and publishing (`took_ms`); the rest is noticing it. PORTWAY names the program (target/release/portway).
set -euo pipefail

services=${1:-1000} operations=${2:-100} edits=${3:-20}
root=$(cd "$(dirname "$0")/.." && pwd)
portway=${PORTWAY:-${CARGO_TARGET_DIR:-$root/target}/release/portway}
directory=$(mktemp -d)
process=
trap '[[ -z $process ]] || kill "$process"; rm -rf "$directory"' EXIT

mkdir -p "$directory/services/contracts"
cat >"$directory/portway.yaml" <<'END'
portway: 1
include: ["services/*.yaml"]
gateway: { listen: ["127.0.0.1:0"], admin: "off", workers: 1, log: { calls: "off" } }
END

answers="responses: { '200': { description: fine } }"
parameter() { echo "{ name: $1, in: path, required: true, schema: { type: string } }"; }
for ((resource = 0; resource < (operations + 4) / 5; resource++)); do
    cat <<END
  /resource$resource:
    get: { operationId: listResource$resource, $answers }
    post: { operationId: createResource$resource, $answers }
  /resource$resource/{id}:
    parameters: [ $(parameter id) ]
    get: { operationId: readResource$resource, $answers }
    delete: { operationId: deleteResource$resource, $answers }
  /resource$resource/{id}/lines/{line}:
    parameters: [ $(parameter id), $(parameter line) ]
    get: { operationId: readLineResource$resource, $answers }
END
done >"$directory/paths"

document() { # NUMBER TIMEOUT
    echo "portway: 1
services:
  s$1: { contract: contracts/s$1.yaml, path: /s$1, backend: \"http://127.0.0.1:9\", auth: [key], limits: [ 200/s, 20/s per app ], timeout: $2 }"
}
for ((number = 0; number < services; number++)); do
    document "$number" 3s >"$directory/services/s$number.yaml"
    { echo "openapi: 3.1.0
info: { title: s$number, version: '1' }
paths:"; cat "$directory/paths"; } >"$directory/services/contracts/s$number.yaml"
done

log=$directory/log
"$portway" run "$directory" 2>"$log" >/dev/null &
process=$!
lives() { grep -c 'the documents are live' "$log" || true; }
until grep -q ' serving ' "$log"; do
    kill -0 "$process" || { cat "$log"; exit 1; }
    sleep 0.1
done
grep -o ' serving .*' "$log"
edited=$services/2
for ((edit = 1; edit <= edits; edit++)); do
    # The turns in between are quiet: what follows an edit (watching the files that were read) is over.
    sleep 1
    document $((edited)) "$((edit + 3))s" >"$directory/services/.new"
    began=$(date +%s%N)
    mv "$directory/services/.new" "$directory/services/s$((edited)).yaml"
    # Seldom, so that looking does not take what the program needs; the log has the time.
    while (($(lives) < edit)); do sleep 0.3; done
    line=$(grep 'the documents are live' "$log" | tail -1)
    ended=$(date -d "${line%% *}" +%s%N)
    echo "$(((ended - began) / 1000000)) ${line##*took_ms=}"
done | sort -n | awk '{ all[NR] = $1; took[NR] = $2 } END {
    for (i = 1; i <= NR; i++) for (j = i + 1; j <= NR; j++) if (took[j] < took[i]) { t = took[i]; took[i] = took[j]; took[j] = t }
    middle = int((NR + 1) / 2)
    printf "%d edits: live after %d ms (median; %d to %d), of which reading, compiling and publishing %d ms (%d to %d)\n", NR, all[middle], all[1], all[NR], took[middle], took[1], took[NR] }'
