//! Callers that sign. The signatures are made by `examples/signed/client.py` and by `openssl`, never by the code under
//! test; where one of them is missing, the test says so and is left out.

#![expect(clippy::print_stdout, reason = "a test that is left out says so")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use portway_testkit::{Answer, Backend, Client, Gateway};

/// What the gateway of the testkit takes for the secret `A`.
const SECRET: &str = "secret-of-A";

/// A document with a service that takes signatures; `hmac` are the details of that.
fn signed(backend: &Backend, hmac: &str, more: &str) -> String {
    format!(
        "gateway: {{ workers: 2, drain_timeout: 1s, log: {{ calls: json }} }}\nservices:\n  app:\n    routes: [ '* /a', '* /b' ]\n    path: /release\n    \
         auth: [ {{ hmac: {{ {hmac} }} }} ]\n    backend: http://{}\n{more}\napps:\n  \
         phone: {{ hmac: [ {{ id: APID1, secret: {{ env: A }} }} ] }}\n",
        backend.address()
    )
}

/// What the client in the examples prints: status and body. Nothing where there is no Python.
fn client(
    gateway: &Gateway,
    form: &str,
    method: &str,
    target: &str,
    rest: &[&str],
) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/signed/client.py");
    let url = format!("http://{}{target}", gateway.address());
    let (id, rest) = rest.split_first().expect("an id");
    let output = Command::new("python3")
        .arg(&script)
        .args([form, method, &url, id])
        .args(rest)
        .env("PHONE_SECRET", SECRET)
        .output();
    let Ok(output) = output else {
        println!("SKIPPED: there is no python3 to sign with");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// What a command prints for this input; nothing where it is not there.
fn piped(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("SKIPPED: there is no {program} to sign with");
        return None;
    };
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    Some(output.stdout)
}

/// Base64 of the HMAC with SHA-256, by `openssl`.
fn signature(text: &str) -> Option<String> {
    let tag = piped("openssl", &["dgst", "-sha256", "-hmac", SECRET, "-binary"], text.as_bytes())?;
    let base64 = piped("openssl", &["base64", "-A"], &tag)?;
    Some(String::from_utf8(base64).expect("text"))
}

/// The time as HTTP writes it, by `date`.
fn now() -> Option<String> {
    let date = piped("env", &["LC_ALL=C", "date", "-u", "+%a, %d %b %Y %H:%M:%S GMT"], b"")?;
    Some(String::from_utf8(date).expect("text").trim().to_owned())
}

/// The lines of a head for a call that is signed; `text` has the place of the date in it.
fn lines(text: &str) -> Option<String> {
    let date = now()?;
    let signature = signature(&text.replace("DATE", &date))?;
    Some(format!(
        "Host: a\r\nX-Date: {date}\r\nAuthorization: hmac id=\"APID1\", algorithm=\"hmac-sha256\", headers=\"x-date\", \
         signature=\"{signature}\"\r\n"
    ))
}

#[test]
fn a_client_of_its_own_is_understood() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&signed(&backend, "", "    errors: tencent"));
    for (method, target, rest) in [
        ("GET", "/release/a", &["APID1"][..]),
        ("GET", "/release/a?c=1&b=3&b=2&d&e=%2B+%C3%BC", &["APID1"]),
        ("POST", "/release/a", &["APID1", "p=test"]),
        ("POST", "/release/a?x=1", &["APID1", "b=2&a=%26&c="]),
        ("PUT", "/release/b", &["APID1", "{\"n\":1}", "application/json"]),
        ("DELETE", "/release/b", &["APID1", "", "text/plain", "X-Source:apigw test"]),
    ] {
        let Some(printed) = client(&gateway, "app", method, target, rest) else { return };
        let body = rest.get(1).unwrap_or(&"");
        assert_eq!(printed, format!("200 ok:{body}"), "{method} {target}");
        let got = backend.last();
        assert_eq!(got.values("x-portway-app"), ["phone"]);
        assert!(got.values("authorization").is_empty(), "{}", got.head);
        assert!(got.line().starts_with(&format!("{method} /{}", &target["/release/".len()..])));
    }
    // An id that nobody has is told what it should have signed, as one with another secret is.
    let asked = client(&gateway, "app", "GET", "/release/a?q=1", &["APID2"]).expect("as above");
    assert!(
        asked.starts_with(
            r#"401 {"message":"HMAC signature does not match, Server StringToSign:x-date: "#
        ) && asked.ends_with(
            r#" GMT#GET#application\/json#application\/x-www-form-urlencoded##\/a?q=1"}"#
        ),
        "{asked}"
    );
    // The other form is none of this service.
    let asked = client(&gateway, "key_pair", "GET", "/release/a", &["APID1"]).expect("as above");
    assert!(asked.starts_with("401 "), "{asked}");
    let log = gateway.log(8);
    assert!(!log.contains(SECRET) && log.contains("credentials-invalid"), "{log}");
}

#[test]
fn a_client_with_a_key_pair_is_understood() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&signed(&backend, "form: key_pair", ""));
    for (method, target, id, status) in [
        ("GET", "/release/a", "APID1", "200 ok:"),
        ("DELETE", "/release/b?any=thing", "APID1", "200 ok:"),
        ("GET", "/release/a", "APID2", "401 {\"type\":\"urn:portway:problem:credentials-invalid\""),
    ] {
        let rest = [id, "", "text/plain", "X-Source:apigw test"];
        let Some(printed) = client(&gateway, "key_pair", method, target, &rest) else { return };
        assert!(printed.starts_with(status), "{printed}");
    }
}

#[test]
fn a_nonce_is_taken_once_and_by_one_app() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&signed(&backend, "nonce: required", ""));
    let ask = |nonce: &str| {
        client(&gateway, "app", "GET", "/release/a", &["APID1", "", "text/plain", nonce])
    };
    let Some(first) = ask("X-Apigw-Nonce:n-1") else { return };
    assert_eq!(first, "200 ok:");
    let again = ask("X-Apigw-Nonce:n-1").expect("as above");
    assert!(again.starts_with("401 ") && again.contains("was taken before"), "{again}");
    assert_eq!(ask("X-Apigw-Nonce:n-2").expect("as above"), "200 ok:");
    let none = ask("X-Other:n-3").expect("as above");
    assert!(none.starts_with("401 ") && none.contains("X-Apigw-Nonce must"), "{none}");
}

const JSON_TEXT: &str =
    "x-date: DATE\nPOST\n\napplication/json\nMzNiMjk0MTJjZWIzMWQ5NmE1OGRiZDYyOWMwNWQ0ZGE=\n/a";
const JSON: &str = "{\"arg1\":\"a\",\"arg2\":\"b\"}";
const MD5: &str = "Content-Type: application/json\r\nContent-MD5: MzNiMjk0MTJjZWIzMWQ5NmE1OGRiZDYyOWMwNWQ0ZGE=\r\n";

fn post(gateway: &Gateway, lines: &str, body: &str) -> Answer {
    let length = body.len();
    Client::ask(
        gateway.address(),
        format!("POST /release/a HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n{body}"),
    )
}

#[test]
fn a_body_goes_on_only_if_it_is_the_one_that_was_signed() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&signed(&backend, "", ""));
    let Some(lines) = lines(JSON_TEXT) else { return };
    let with_md5 = format!("{lines}{MD5}");
    let unsaid = format!("{lines}Content-Type: application/json\r\n");
    for lines in [&with_md5, &unsaid] {
        assert_eq!(post(&gateway, lines, JSON).text(), format!("ok:{JSON}"));
    }
    assert_eq!(backend.received().len(), 2);
    for lines in [&with_md5, &unsaid] {
        for body in ["", "{}", &JSON[1..], &format!("{JSON} ")] {
            let answer = post(&gateway, lines, body);
            assert_eq!((answer.status, answer.problem().as_str()), (401, "credentials-invalid"));
            assert_eq!(answer.value("www-authenticate"), Some("hmac realm=\"portway\""));
        }
    }
    assert_eq!(backend.received().len(), 2, "nothing of a changed body reached the backend");
}

#[test]
fn a_held_body_comes_in_any_framing_and_the_connection_goes_on() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&signed(&backend, "", ""));
    let Some(lines) = lines(JSON_TEXT) else { return };
    let lines = format!("{lines}{MD5}");
    let mut client = Client::connect(gateway.address());
    let (one, two) = JSON.split_at(7);
    let chunked = format!(
        "POST /release/a HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n7\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\nX-T: 1\r\n\r\n",
        two.len()
    );
    assert_eq!(client.send(&chunked).answer().text(), format!("ok:{JSON}"));
    assert_eq!(backend.last().trailers, ["X-T: 1"]);
    // Whoever waits to be asked for the body is asked; then another call on the same connection.
    let length = JSON.len();
    client.send(format!(
        "POST /release/a HTTP/1.1\r\n{lines}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 100);
    client.send(JSON);
    let mut answer = client.answer();
    while answer.status == 100 {
        answer = client.answer();
    }
    assert_eq!(answer.text(), format!("ok:{JSON}"));
    // A refused one leaves the connection usable, since its body was read.
    let wrong = format!("POST /release/a HTTP/1.1\r\n{lines}Content-Length: 2\r\n\r\n{{}}");
    assert_eq!(client.send(&wrong).answer().status, 401);
    assert_eq!(client.send(&chunked).answer().text(), format!("ok:{JSON}"));
}

#[test]
fn a_body_that_was_held_for_its_signature_is_checked_from_there() {
    let backend = Backend::polite();
    let with = |contract: &str| {
        let document = signed(&backend, "held_bytes: 1KiB", "");
        Gateway::start(&document.replace("routes: [ '* /a', '* /b' ]", contract))
    };
    let Some(lines) = lines(JSON_TEXT) else { return };
    let lines = format!("{lines}{MD5}");
    let gateway = with("contract: tests/data/bodies.yaml\n    check: report");
    assert_eq!(post(&gateway, &lines, JSON).text(), format!("ok:{JSON}"));
    assert!(gateway.log(1).contains(r#""breaks":"body required""#));
    let gateway = with("contract: tests/data/bodies.yaml");
    let mut client = Client::connect(gateway.address());
    let length = JSON.len();
    let call = format!("POST /release/a HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n{JSON}");
    assert_eq!(client.send(&call).answer().problem(), "contract-broken");
    // Both on one connection: nothing of the body was left over or waited for a second time.
    assert_eq!(client.send(&call).answer().problem(), "contract-broken");
    assert_eq!(gateway.metric("portway_held_bytes"), 0.0);
    let gateway = with("contract: tests/data/bodies.yaml\n    check_bounds: { body_bytes: 8B }");
    assert_eq!(post(&gateway, &lines, JSON).problem(), "body-too-large");
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn what_is_refused_by_its_head_has_no_body_read() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&signed(&backend, "held_bytes: 1KiB", "    body_bytes: 4KiB"));
    let Some(right) = lines(JSON_TEXT) else { return };
    let wrong =
        right.replace("POST", "").replace("x-date\", signature=\"", "x-date\", signature=\"A");
    // Nothing of the body is sent: an answer comes because nobody waits for it.
    for (lines, more, length, status) in [
        (&wrong, MD5, 100, 401),
        (&wrong, "Expect: 100-continue\r\nContent-MD5: x\r\n", 100, 401),
        (&right, MD5, 1_025, 413),
        (&right, "", 1_025, 413),
        (&right, "", 5_000, 413),
    ] {
        let mut client = Client::connect(gateway.address());
        client.send(format!(
            "POST /release/a HTTP/1.1\r\n{lines}{more}Content-Length: {length}\r\n\r\n"
        ));
        assert_eq!(client.answer().status, status, "{more} {length}");
    }
    // One that does not announce its length is cut off where it goes beyond.
    let mut client = Client::connect(gateway.address());
    client.send(format!(
        "POST /release/a HTTP/1.1\r\n{right}{MD5}Transfer-Encoding: chunked\r\n\r\n500\r\n{}",
        "a".repeat(0x500)
    ));
    assert_eq!(client.answer().status, 413);
    // One that breaks off is nobody's.
    let mut client = Client::connect(gateway.address());
    client.send(format!("POST /release/a HTTP/1.1\r\n{right}{MD5}Content-Length: 24\r\n\r\n{{"));
    client.end();
    assert!(client.answer_or_end().is_none());
    assert!(backend.received().is_empty());
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let backend = Backend::polite();
    let document = signed(&backend, "", "").replacen(
        "workers: 2,",
        "workers: 2, bounds: { body_timeout: 300ms },",
        1,
    );
    let gateway = Gateway::start(&document);
    let Some(lines) = lines(JSON_TEXT) else { return };
    let mut client = Client::connect(gateway.address());
    client.send(format!("POST /release/a HTTP/1.1\r\n{lines}{MD5}Content-Length: 24\r\n\r\n{{"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.problem().as_str()), (408, "body-timeout"));
}

#[test]
fn over_http2_as_over_http1() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&signed(&backend, "", ""));
    let Some(lines) = lines(JSON_TEXT) else { return };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.address()).await.expect("accepted");
        let (mut send, connection) = h2::client::handshake(stream).await.expect("a handshake");
        tokio::spawn(connection);
        for (body, status) in [(JSON, 200), ("{}", 401)] {
            let mut request = http::Request::post("http://a/release/a");
            for line in lines.lines().chain(MD5.lines()).filter(|line| !line.starts_with("Host")) {
                let (name, value) = line.split_once(": ").expect("a field");
                request = request.header(name, value);
            }
            let request = request.body(()).expect("a request");
            let (answer, mut stream) = send.send_request(request, false).expect("sent");
            stream.send_data(body.into(), true).expect("sent");
            assert_eq!(answer.await.expect("an answer").status(), status);
        }
    });
    assert_eq!(backend.received().len(), 1);
    assert_eq!(backend.last().body, JSON.as_bytes());
}

#[test]
fn secrets_are_changed_by_an_edit() {
    let backend = Backend::polite();
    let document = signed(&backend, "", "");
    let gateway = Gateway::start(&document);
    let ask = || client(&gateway, "app", "GET", "/release/a", &["APID1"]);
    let Some(first) = ask() else { return };
    assert!(first.starts_with("200 "));
    gateway.publish(&document.replace("env: A", "env: B"));
    assert!(ask().expect("as above").starts_with("401 "));
    gateway.publish(
        &document.replace("{ id: APID1", "{ id: APID0, secret: { env: B } }, { id: APID1"),
    );
    assert!(ask().expect("as above").starts_with("200 "));
    gateway.publish(&document.replace("phone: {", "phone: { disabled: true,"));
    assert!(ask().expect("as above").starts_with("401 "));
}

/// A folder with an Ed25519 key, by `openssl`: its private and its public half.
fn key_pair() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    piped("openssl", &["genpkey", "-algorithm", "ed25519", "-out", &path("private.pem")], b"")?;
    piped(
        "openssl",
        &["pkey", "-in", &path("private.pem"), "-pubout", "-out", &path("public.pem")],
        b"",
    )?;
    Some(folder)
}

/// The lines of a head that is signed by RFC 9421: `text` is the base without its last line.
fn message_lines(folder: &Path, text: &str, list: &str, parameters: &str) -> Option<String> {
    let seconds = String::from_utf8(piped("date", &["+%s"], b"")?).expect("text");
    let parameters = format!("({list});created={};keyid=\"phone-1\"{parameters}", seconds.trim());
    let file = |name: &str| folder.join(name).display().to_string();
    // Not from a pipe: Ed25519 wants to know the length.
    std::fs::write(folder.join("base"), format!("{text}\"@signature-params\": {parameters}"))
        .expect("written");
    let (key, base) = (file("private.pem"), file("base"));
    let raw = piped("openssl", &["pkeyutl", "-sign", "-rawin", "-inkey", &key, "-in", &base], b"")?;
    let signature = String::from_utf8(piped("openssl", &["base64", "-A"], &raw)?).expect("text");
    Some(format!("Host: a\r\nSignature-Input: s={parameters}\r\nSignature: s=:{signature}:\r\n"))
}

#[test]
fn messages_signed_with_a_public_key() {
    let Some(folder) = key_pair() else { return };
    let backend = Backend::polite();
    let public = folder.path().join("public.pem").display().to_string();
    let gateway = Gateway::start(&format!(
        "gateway: {{ workers: 2, drain_timeout: 1s, log: {{ calls: json }} }}\nservices:\n  app:\n    routes: [ '* /a' ]\n    \
         auth: [ signature ]\n    backend: http://{}\napps:\n  phone: {{ signing_keys: [ {{ id: phone-1, algorithm: ed25519, key: {{ file: {public} }} }} ] }}\n",
        backend.address()
    ));
    let ask = |line: &str, lines: &str, body: &str| {
        let text =
            format!("{line} HTTP/1.1\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len());
        Client::ask(gateway.address(), text)
    };
    let parts = "\"@method\": GET\n\"@authority\": a\n\"@path\": /a\n\"@query\": ?x=1\n";
    let list = "\"@method\" \"@authority\" \"@path\" \"@query\"";
    let Some(get) = message_lines(folder.path(), parts, list, "") else { return };
    assert_eq!(ask("GET /a?x=1", &get, "").text(), "ok:");
    let got = backend.last();
    assert_eq!(got.values("x-portway-app"), ["phone"]);
    assert!(got.values("signature").is_empty() && got.values("signature-input").is_empty());
    let changed = ask("GET /a?x=2", &get, "");
    assert_eq!((changed.status, changed.problem().as_str()), (401, "credentials-invalid"));
    assert_eq!(changed.value("www-authenticate"), Some("Signature realm=\"portway\""));
    let bare = ask("POST /a?x=1", &get, "{}");
    assert!(bare.text().contains("does not cover"), "{}", bare.text());
    let none = ask("GET /a?x=1", "Host: a\r\n", "");
    assert_eq!(none.problem(), "credentials-missing");

    // A body by its digest, and a nonce.
    let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    let parts = format!(
        "{}\"content-digest\": {digest}\n",
        parts.replace("GET", "POST").replace("?x=1", "?")
    );
    let list = format!("{list} \"content-digest\"");
    let post = message_lines(folder.path(), &parts, &list, ";nonce=\"n-1\"").expect("as above");
    let post = format!("{post}Content-Digest: {digest}\r\n");
    assert_eq!(ask("POST /a", &post, "{\"hello\": \"World\"}").status, 401);
    assert_eq!(ask("POST /a", &post, "{\"hello\": \"world\"}").text(), "ok:{\"hello\": \"world\"}");
    let again = ask("POST /a", &post, "{\"hello\": \"world\"}");
    assert!(again.status == 401 && again.text().contains("taken before"), "{}", again.text());
    assert_eq!(backend.received().len(), 2);
}
