#!/usr/bin/env python3
"""A function: takes a parcel, says what sending it costs. Listens on $PORT, as functions of most clouds may.

POST / executes it once. GET /executions tells how often that was, for the one who pays.
"""
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

executions = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"executions": executions})

    def do_POST(self):
        global executions
        executions += 1
        parcel = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer({"cents": 390 + 110 * parcel["kg"], "for": self.headers["X-Portway-App"]})

    def answer(self, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
