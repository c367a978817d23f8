#!/usr/bin/env bash
# An old application, attacked at its own address and behind Portway: starts copyparty 1.8.1 (from PyPI) on 127.0.0.1:19100, learns
# what it is asked for, then enforces it, and prints what became of each attack. Needs python3; `portway` is taken from
# $PORTWAY or the path. Ends with 1 if a usual call fails or an attack gets through.
set -euo pipefail
cd "$(dirname "$0")"
portway=$(command -v "${PORTWAY:-portway}") || { echo "portway is not in the path; set PORTWAY to the binary"; exit 2; }
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
cp ./* "$work" 2>/dev/null || true
cd "$work"

python3 -m venv app
app/bin/pip install -q --disable-pip-version-check copyparty==1.8.1
mkdir -p files/docs files/in learned
echo "read me" >files/readme.txt
echo "the manual" >files/docs/manual.txt
app/bin/python -m copyparty -i 127.0.0.1 -p 19100 -v files::r -v files/in:in:w -q >app.log 2>&1 &
serve() {
    "$portway" run "$1" >calls.log 2>>portway.log &
    gateway=$!
    until python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:19102/ready", timeout=2)' 2>/dev/null; do
        kill -0 "$gateway" 2>/dev/null || { cat portway.log; exit 1; }
        sleep 0.1
    done
}
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", 19100), 1)' 2>/dev/null; do sleep 0.1; done

echo "== learning"
serve learn.yaml
python3 traffic.py 127.0.0.1:19101
kill "$gateway" && wait "$gateway" || true
"$portway" contract learned/files.yaml

echo "== enforcing"
serve portway.yaml
python3 traffic.py 127.0.0.1:19101
echo
python3 attacks.py 127.0.0.1:19100 127.0.0.1:19101
