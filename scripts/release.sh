#!/usr/bin/env bash
# The binary that is given out: built twice, the second time from what the first counted while it carried calls of every
# usual kind (profile-guided optimisation). A call takes about a tenth less time than with a plain optimised build.
# Takes two builds of several minutes each, and a debug build for the calls; the result is target/release/portway.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
counts=$target/counts
host=$(rustc -vV | sed -n 's/^host: //p')

profdata() { find "$(rustc --print sysroot)" -name llvm-profdata -type f | head -n 1; }
if [ -z "$(profdata)" ]; then
    rustup component add llvm-tools
fi

# With --target the flags are for the binary only, not for what helps to build it.
build() { RUSTFLAGS=$1 cargo build --release --locked -p portway --target "$host" --target-dir "$2"; }

echo "== 1 of 3: a build that counts"
rm -rf "$counts"
mkdir -p "$counts"
build "-Cprofile-generate=$counts" "$target/counting"

echo "== 2 of 3: calls of every usual kind"
LLVM_PROFILE_FILE=$counts/%p.profraw \
    cargo run --locked -q -p portway --example train -- "$target/counting/$host/release/portway"
"$(profdata)" merge -o "$counts/all.profdata" "$counts"/*.profraw

echo "== 3 of 3: the build that uses the counts"
build "-Cprofile-use=$counts/all.profdata" "$target/counted"
mkdir -p "$target/release"
cp "$target/counted/$host/release/portway" "$target/release/portway"
ls -l "$target/release/portway"
