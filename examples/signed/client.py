"""A caller that signs, with nothing but Python's own library.

client.py FORM METHOD URL ID [BODY [CONTENT_TYPE]] [NAME:VALUE ...]

FORM is app or key_pair, the secret is in PHONE_SECRET. Headers given as NAME:VALUE are signed, too. Prints the status and
the body of the answer.
"""

import base64
import hashlib
import hmac
import http.client
import os
import sys
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

FORM_TYPE = "application/x-www-form-urlencoded"


def parameters(url, body, content_type):
    pairs = parse_qsl(url.query, keep_blank_values=True)
    if content_type == FORM_TYPE:
        pairs += parse_qsl(body, keep_blank_values=True)
    pairs = [f"{name}={value}" if value else name for name, value in sorted(pairs)]
    return "?" + "&".join(pairs) if pairs else ""


def headers_of(form, method, url, key, secret, body, content_type, more):
    headers = {"X-Date": formatdate(usegmt=True)} | more
    signed = {name.lower(): value for name, value in sorted(headers.items())}
    text = "\n".join(f"{name}: {value}" for name, value in signed.items())
    if form == "app":
        headers |= {"Accept": "application/json", "Content-Type": content_type}
        digest = ""
        if body and content_type != FORM_TYPE:
            digest = base64.b64encode(hashlib.md5(body.encode()).hexdigest().encode()).decode()
            headers["Content-MD5"] = digest
        path = url.path
        for environment in ("/release", "/test", "/prepub"):
            if path == environment or path.startswith(environment + "/"):
                path = path[len(environment) :] or "/"
                break
        path += parameters(url, body, content_type)
        text = "\n".join([text, method, headers["Accept"], content_type, digest, path])
    signature = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())
    headers["Authorization"] = (
        f'hmac id="{key}", algorithm="hmac-sha256", headers="{" ".join(signed)}", '
        f'signature="{signature.decode()}"'
    )
    return headers


def main():
    form, method, address, key, *rest = sys.argv[1:]
    plain = [word for word in rest if not word.startswith("X-")]
    more = dict(word.split(":", 1) for word in rest if word.startswith("X-"))
    body = plain[0] if plain else ""
    content_type = plain[1] if len(plain) > 1 else FORM_TYPE
    url = urlsplit(address)
    headers = headers_of(
        form, method, url, key, os.environ["PHONE_SECRET"], body, content_type, more
    )
    connection = http.client.HTTPConnection(url.netloc)
    target = url.path + ("?" + url.query if url.query else "")
    connection.request(method, target, body.encode() or None, headers)
    answer = connection.getresponse()
    print(answer.status, answer.read().decode(), end="")


main()
