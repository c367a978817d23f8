#!/usr/bin/env python3
"""What people do with the file server all day, from a few addresses: look around, fetch files, send some.

    traffic.py GATEWAY     # host:port

Ends with 1 if something of it was not answered as it should be.
"""
import http.client
import sys

PAGES = ["/", "/docs/", "/readme.txt", "/docs/manual.txt", "/.cpr/browser.css?_=a1b2", "/.cpr/browser.js?_=a1b2"]
BOUNDARY = "day-by-day"


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    failed = []
    for turn in range(12):
        client = http.client.HTTPConnection(host, int(port), timeout=10, source_address=(f"127.0.0.{2 + turn % 3}", 0))
        for page in PAGES:
            client.request("GET", page)
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                failed.append(f"GET {page}: {answer.status}")
        body = "".join(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n"
            for name, more, value in [
                ("act", "", "bput"),
                ("f", f'; filename="note-{turn}.txt"\r\nContent-Type: text/plain', "a note"),
            ]
        ) + f"--{BOUNDARY}--\r\n"
        client.request("POST", "/in/", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        answer = client.getresponse()
        answer.read()
        if answer.status not in (200, 201, 303):
            failed.append(f"POST /in/: {answer.status}")
        client.close()
    print(f"{12 * (len(PAGES) + 1)} calls, {len(failed)} not as they should be", *failed, sep="\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
