#!/usr/bin/env python3
"""Three modules of one company that have nothing in common: ports 9101 to 9103.

stock   JSON, wants a bearer token          GET /v2/articles/{sku}
billing older: forms and XML, a password    POST /cgi-bin/invoice
rates   no password at all, easily flooded  GET /rates?from=EUR&to=USD
"""
import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BASIC = "Basic " + base64.b64encode(b"gateway:billing-secret").decode()


class Module(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind, text):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text) + 1))
        self.end_headers()
        self.wfile.write(text.encode() + b"\n")

    def log_message(self, form, *values):
        sys.stderr.write(f"{type(self).__name__} {self.headers['X-Portway-App']} {form % values}\n")


class Stock(Module):
    def do_GET(self):
        if self.headers["Authorization"] != "Bearer stock-secret":
            return self.answer(401, "text/plain", "who are you?")
        sku = self.path.rsplit("/", 1)[1]
        self.answer(200, "application/json", json.dumps({"sku": sku, "left": 7}))


class Billing(Module):
    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if self.headers["Authorization"] != BASIC:
            return self.answer(403, "text/html", "<h1>Forbidden</h1>")
        if "order" not in form:
            return self.answer(500, "text/html", "<pre>Traceback: /srv/billing/invoice.py line 80 KeyError 'order'</pre>")
        self.answer(200, "application/xml", f"<invoice order='{form['order'][0]}'/>")


class Rates(Module):
    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query)
        self.answer(200, "application/json", json.dumps({"pair": asked["from"][0] + asked["to"][0], "rate": 1.0842}))


for port, module in (9101, Stock), (9102, Billing), (9103, Rates):
    server = ThreadingHTTPServer(("127.0.0.1", port), module)
    threading.Thread(target=server.serve_forever).start()
