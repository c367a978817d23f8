#!/usr/bin/env python3
"""Reads what Portway tells with other people's readers.

    python3 -m venv /tmp/readers && /tmp/readers/bin/pip install opentelemetry-proto prometheus_client
    /tmp/readers/bin/python scripts/telemetry.py [PORTWAY]

Starts the program (target/release/portway) before a backend and beside a collector, both of this script, makes some calls,
and reads: the spans with OpenTelemetry's own classes, the metrics with Prometheus' own parsers, both forms, exemplars
included. Ends with an error at the first thing that is not as it should be.
"""

import http.server
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.trace.v1 import trace_pb2
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVER, CLIENT = trace_pb2.Span.SPAN_KIND_SERVER, trace_pb2.Span.SPAN_KIND_CLIENT
spans, parents = [], []


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Backend(Quiet):
    def do_GET(self):
        parents.append(self.headers["traceparent"].split("-"))
        self.say(500 if "broken" in self.path else 200, b"fine")


class Collector(Quiet):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces", self.path
        assert self.headers["Content-Type"] == "application/x-protobuf"
        request = otlp.ExportTraceServiceRequest.FromString(body)
        # Nothing that these classes do not know.
        assert request.SerializeToString() and len(request.SerializeToString()) == len(body)
        for resource_spans in request.resource_spans:
            names = {pair.key: pair.value.string_value for pair in resource_spans.resource.attributes}
            assert names["service.name"] == "portway", names
            for scope_spans in resource_spans.scope_spans:
                assert scope_spans.scope.name == "portway"
                spans.extend(scope_spans.spans)
        self.say(200, otlp.ExportTraceServiceResponse().SerializeToString())


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def get(port, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def attributes(span):
    value = lambda any_value: getattr(any_value, any_value.WhichOneof("value"))
    return {pair.key: value(pair.value) for pair in span.attributes}


def check_spans():
    servers = [span for span in spans if span.kind == SERVER]
    clients = [span for span in spans if span.kind == CLIENT]
    assert len(servers) == len(clients) == len(parents) == 11, (len(servers), len(clients), len(parents))
    by_id = {span.span_id: span for span in servers}
    told = {(trace, span) for _, trace, span, _ in parents}
    for client in clients:
        server = by_id[client.parent_span_id]
        assert client.trace_id == server.trace_id and len(client.trace_id) == 16
        assert (client.trace_id.hex(), client.span_id.hex()) in told, "the backend was told of this span"
        assert server.start_time_unix_nano <= client.start_time_unix_nano
        assert client.end_time_unix_nano <= server.end_time_unix_nano
        assert abs(server.start_time_unix_nano / 1e9 - time.time()) < 300
    broken = [span for span in servers if span.status.code == trace_pb2.Status.STATUS_CODE_ERROR]
    assert [attributes(span)["http.response.status_code"] for span in broken] == [500]
    shown = attributes(servers[0])
    assert shown["http.route"] == "/shop/{id}" and servers[0].name == "GET /shop/{id}", shown
    assert "hush" not in str(spans)
    return len(spans)


def check_metrics(port):
    wanted = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"
    _, text, headers = get(port, "/metrics", Accept=wanted)
    assert headers["Content-Type"].startswith("application/openmetrics-text"), headers["Content-Type"]
    families = list(read_openmetrics(text))
    exemplars = [sample for family in families for sample in family.samples if sample.exemplar]
    assert exemplars and all(sample.name.endswith("_bucket") for sample in exemplars)
    traces = {span.trace_id.hex() for span in spans}
    assert all(sample.exemplar.labels["trace_id"] in traces for sample in exemplars), "every exemplar leads to a trace"
    _, text, headers = get(port, "/metrics")
    assert headers["Content-Type"].startswith("text/plain"), headers["Content-Type"]
    plain = list(read_plain(text))
    assert len(plain) == len(families), (len(plain), len(families))
    return len(families), len(exemplars)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target/release/portway")
    backend, collector = serve(Backend), serve(Collector)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "portway.yaml").write_text(
            f"""portway: 1
gateway:
  listen: ["127.0.0.1:0"]
  admin: "127.0.0.1:0"
  log: {{ to: calls.log }}
  traces: {{ to: "http://127.0.0.1:{collector}", sample: 100% }}
services:
  shop: {{ path: /shop, routes: ["GET /{{id}}"], auth: public, backend: "http://127.0.0.1:{backend}" }}
"""
        )
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PORTWAY_")}
        process = subprocess.Popen(
            [program, "run"], cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        try:
            ports = {}
            for line in process.stderr:
                found = re.search(r"(listening|watched) on 127\.0\.0\.1:(\d+)", line)
                if found:
                    ports[found[1]] = int(found[2])
                if "serving" in line and len(ports) == 2:
                    break
            threading.Thread(target=process.stderr.read, daemon=True).start()
            for number in range(10):
                assert get(ports["listening"], f"/shop/{number}?token=hush")[0] == 200
            assert get(ports["listening"], "/shop/broken")[0] == 500
            until = time.time() + 30
            while len(spans) < 22 and time.time() < until:
                time.sleep(0.05)
            count = check_spans()
            families, exemplars = check_metrics(ports["watched"])
            print(f"{count} spans, {families} families of metrics in two forms, {exemplars} exemplars: all as they should be")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


if __name__ == "__main__":
    main()
