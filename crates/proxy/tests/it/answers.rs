//! What callers get to see of an application's answers.

use std::net::SocketAddr;
use std::time::Duration;

use portway_testkit::{Answer, Backend, Client, Gateway};

/// A service below `/erp` with a policy for its answers.
fn document(backend: SocketAddr, policy: &str) -> String {
    format!(
        "gateway: {{ workers: 1, drain_timeout: 2s, trusted_proxies: [ 127.0.0.1 ] }}\n\
         services:\n  app:\n    path: /erp\n    routes: [ 'GET /a', 'GET /{{rest+}}' ]\n    auth: public\n    \
         backend: http://{backend}\n    answers: {policy}\n"
    )
}

const ALL: &str = "{ mask: { hosts: [ erp.internal ] }, cookies: on, security_headers: on }";

/// What an application says that gives everything away.
fn talkative(backend: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nServer: Apache/2.4.1 (Unix)\r\nX-Powered-By: PHP/5.3\r\nVia: 1.1 squid\r\nX-Total: 7\r\n\
         Location: http://{backend}/login?next=/a\r\nContent-Location: http://erp.internal:81/b\r\n\
         Refresh: 0; url=http://erp.internal/c\r\nLink: </s.css>; rel=preload, <https://cdn.example/x>; rel=next\r\n\
         Set-Cookie: id=1; Domain=erp.internal; Path=/\r\nSet-Cookie: ok=1; Secure; HttpOnly; SameSite=None\r\n\
         X-Frame-Options: DENY\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\nhi"
    )
}

/// A backend that says that, with its own address in it.
fn talkative_backend() -> Backend {
    Backend::scripted(move |conversation| {
        let own = conversation.stream.local_addr().expect("bound").to_string();
        while conversation.read().is_some() {
            conversation.say(talkative(&own).as_bytes());
        }
    })
}

fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

/// The fields that the talkative application's answer must have.
fn expected(scheme: &str) -> Vec<(&'static str, Vec<String>)> {
    let own = |text: &str| vec![text.to_owned()];
    let (secure, sts) = if scheme == "https" {
        ("; Secure", vec!["max-age=31536000".to_owned()])
    } else {
        ("", vec![])
    };
    vec![
        ("server", vec![]),
        ("x-powered-by", vec![]),
        ("via", vec![]),
        ("x-total", own("7")),
        ("etag", own("\"1\"")),
        ("location", vec![format!("{scheme}://api.test/erp/login?next=/a")]),
        ("content-location", vec![format!("{scheme}://api.test/erp/b")]),
        ("refresh", vec![format!("0; url={scheme}://api.test/erp/c")]),
        ("link", own("</erp/s.css>; rel=preload, <https://cdn.example/x>; rel=next")),
        (
            "set-cookie",
            vec![
                format!("id=1; Path=/erp{secure}; HttpOnly; SameSite=Lax"),
                "ok=1; Secure; HttpOnly; SameSite=None".to_owned(),
            ],
        ),
        ("x-frame-options", own("DENY")),
        ("x-content-type-options", own("nosniff")),
        ("content-security-policy", own("frame-ancestors 'self'")),
        ("strict-transport-security", sts),
    ]
}

fn ask(gateway: &Gateway, method: &str, more: &str) -> Answer {
    let request = format!("{method} /erp/a HTTP/1.1\r\nHost: api.test\r\n{more}\r\n");
    let mut client = Client::connect(gateway.address());
    client.send(request);
    if method == "HEAD" { client.answer_to_head() } else { client.answer() }
}

#[test]
fn what_gives_an_application_away_is_masked() {
    let backend = talkative_backend();
    let gateway = Gateway::start(&document(backend.address(), ALL));
    for (method, more, scheme) in [
        ("GET", "", "http"),
        ("GET", "X-Forwarded-Proto: https\r\n", "https"),
        ("GET", "X-Forwarded-Proto: https, http\r\n", "http"),
    ] {
        let answer = ask(&gateway, method, more);
        assert_eq!((answer.status, answer.text().as_str()), (302, "hi"));
        for (name, wanted) in expected(scheme) {
            assert_eq!(values(&answer.head, name), wanted, "{scheme} {name}\n{}", answer.head);
        }
        assert!(!answer.head.contains("internal") && !answer.head.contains("127.0.0.1"));
    }
    let answer = ask(&gateway, "GET", "X-Forwarded-Host: www.test:8443\r\n");
    assert_eq!(answer.value("location"), Some("http://www.test:8443/erp/login?next=/a"));
    // Without the policy, nothing is touched.
    let open = document(backend.address(), "{}");
    let gateway = Gateway::start(&open);
    let answer = ask(&gateway, "GET", "X-Forwarded-Proto: https\r\n");
    let own = talkative(&backend.address().to_string());
    let lines = own.split("\r\n").skip(1).take_while(|line| !line.starts_with("Content-Length"));
    for line in lines {
        assert!(answer.head.contains(line), "{line}\n{}", answer.head);
    }
}

#[test]
fn over_http2_it_is_the_same() {
    let backend = talkative_backend();
    let gateway = Gateway::start(&document(backend.address(), ALL));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let call = async {
        let stream = tokio::net::TcpStream::connect(gateway.address()).await.expect("accepted");
        let (send, connection) = h2::client::handshake(stream).await.expect("a handshake");
        tokio::spawn(connection);
        let mut send = send.ready().await.expect("ready");
        let request = http::Request::get("http://api.test/erp/a").body(()).expect("a request");
        send.send_request(request, true).expect("sent").0.await.expect("answered")
    };
    let answer = runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(30), call).await })
        .expect("in time");
    assert_eq!(answer.status(), 302);
    for (name, wanted) in expected("http") {
        let got: Vec<_> = answer
            .headers()
            .get_all(name)
            .iter()
            .map(|value| value.to_str().expect("text"))
            .collect();
        assert_eq!(got, wanted, "{name}");
    }
}

#[test]
fn interim_answers_switches_and_trailers_are_masked_too() {
    let backend = Backend::saying(
        "HTTP/1.1 103 Early Hints\r\nServer: x\r\nLink: <http://erp.internal/s.css>; rel=preload\r\n\r\n\
         HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Runtime: 1\r\nX-Sum: 7\r\n\r\n",
    );
    let gateway = Gateway::start(&document(backend.address(), ALL));
    let mut client = Client::connect(gateway.address());
    client.send("GET /erp/a HTTP/1.1\r\nHost: api.test\r\n\r\n");
    let hints = client.answer_to_head();
    assert_eq!(hints.status, 103);
    assert_eq!(hints.value("link"), Some("<http://api.test/erp/s.css>; rel=preload"));
    assert_eq!((hints.value("server"), hints.value("x-frame-options")), (None, None));
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(answer.trailers, ["X-Sum: 7"]);
    assert_eq!(answer.value("x-frame-options"), Some("SAMEORIGIN"));

    let backend = Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            conversation.say(b"HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nConnection: upgrade\r\nUpgrade: x\r\nSet-Cookie: a=b\r\n\r\n");
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&document(backend.address(), ALL));
    let mut client = Client::connect(gateway.address());
    client.send("GET /erp/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let answer = client.answer_to_upgrade();
    assert_eq!((answer.status, answer.value("server")), (101, None));
    assert_eq!(answer.value("set-cookie"), Some("a=b; HttpOnly; SameSite=Lax"));
    assert_eq!(answer.value("upgrade"), Some("x"));
}

#[test]
fn answers_of_the_gateway_carry_the_security_headers_of_the_service() {
    let gateway = Gateway::start(&document(Backend::nobody(), ALL));
    for (target, method, status) in
        [("/erp/a", "GET", 502), ("/erp/a", "DELETE", 405), ("/erp/a", "OPTIONS", 204)]
    {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: api.test\r\n\r\n");
        let answer = Client::ask(gateway.address(), request);
        assert_eq!(answer.status, status);
        assert_eq!(values(&answer.head, "x-content-type-options"), ["nosniff"], "{}", answer.head);
    }
    let answer = Client::get(gateway.address(), "/elsewhere");
    assert_eq!((answer.status, answer.value("x-content-type-options")), (404, None));
}

#[test]
fn what_the_application_sets_stays_unless_it_is_overridden() {
    let backend = Backend::saying(
        "HTTP/1.1 200 OK\r\nX-Frame-Options: ALLOWALL\r\nStrict-Transport-Security: max-age=1\r\nConnection: Referrer-Policy\r\nReferrer-Policy: unsafe-url\r\nContent-Length: 2\r\n\r\nok",
    );
    for (policy, frames, sts) in [
        ("{ security_headers: on }", "ALLOWALL", vec!["max-age=1"]),
        ("{ security_headers: { override: true } }", "SAMEORIGIN", vec![]),
        (
            "{ security_headers: { override: true, set: { X-Frame-Options: DENY, Strict-Transport-Security: off } } }",
            "DENY",
            vec!["max-age=1"],
        ),
    ] {
        let gateway = Gateway::start(&document(backend.address(), policy));
        let answer = ask(&gateway, "GET", "");
        assert_eq!(values(&answer.head, "x-frame-options"), [frames], "{policy}");
        assert_eq!(values(&answer.head, "strict-transport-security"), sts, "{policy}");
        // A field that does not pass is none that the application has set.
        assert_eq!(values(&answer.head, "referrer-policy"), ["strict-origin-when-cross-origin"]);
    }
}

#[test]
fn the_name_and_the_base_path_that_a_backend_is_given_are_internal() {
    let backend = Backend::saying(
        "HTTP/1.1 302 Found\r\nLocation: https://app.corp:8443/base/x\r\nSet-Cookie: a=b; Path=/base; Domain=corp\r\nContent-Length: 0\r\n\r\n",
    );
    let document = document(backend.address(), "{ mask: on }").replace(
        &format!("backend: http://{}", backend.address()),
        &format!(
            "backend: {{ targets: 'http://{}/base', host: 'app.corp:81' }}",
            backend.address()
        ),
    );
    let gateway = Gateway::start(&document);
    let answer = ask(&gateway, "GET", "");
    assert_eq!(backend.last().line(), "GET /base/a HTTP/1.1");
    assert_eq!(answer.value("location"), Some("http://api.test/erp/x"));
    assert_eq!(answer.value("set-cookie"), Some("a=b; Path=/erp"));
}

/// A backend that answers with a page of an error, given the method.
fn failing(page: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Backend {
    Backend::scripted(move |conversation| {
        while let Some(request) = conversation.read() {
            let method = request.line().split(' ').next().unwrap_or_default().to_owned();
            conversation.say(&page(&method));
        }
    })
}

fn hiding(backend: SocketAddr, details: &str) -> String {
    let policy = format!("{{ security_headers: on, hide_errors: {details} }}");
    document(backend, &policy)
        .replace("drain_timeout", "log: { calls: json }, drain_timeout")
        .replace("'GET /a'", "'GET /a', 'POST /a'")
        + "    limits: [ 1000/h ]\n    cors: { origins: [ 'https://shop.test' ] }\n"
}

#[test]
fn pages_of_errors_are_hidden() {
    const TRACE: &str = "java.sql.SQLException at 10.0.0.7\n\tat com.corp.Secret";
    for status in [500, 501, 599] {
        let page = move |method: &str| {
            let body = if method == "HEAD" { "" } else { TRACE };
            format!("HTTP/1.1 {status} Oops\r\nServer: x\r\nSet-Cookie: a=b\r\nETag: \"1\"\r\nRetry-After: 7\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{body}", TRACE.len())
                .into_bytes()
        };
        let backend = failing(page);
        let gateway = Gateway::start(&hiding(backend.address(), "on"));
        let mut client = Client::connect(gateway.address());
        for round in 0..3 {
            client
                .send("GET /erp/a HTTP/1.1\r\nHost: api.test\r\nOrigin: https://shop.test\r\n\r\n");
            let answer = client.answer();
            assert_eq!((answer.status, answer.problem().as_str()), (status, "backend-error"));
            assert!(answer.text().contains(&format!("\"status\":{status}")), "{}", answer.text());
            for (name, value) in [
                ("content-type", "application/problem+json"),
                ("cache-control", "no-store"),
                ("retry-after", "7"),
                ("x-content-type-options", "nosniff"),
                ("access-control-allow-origin", "https://shop.test"),
            ] {
                assert_eq!(values(&answer.head, name), [value], "{round} {}", answer.head);
            }
            for name in ["server", "set-cookie", "etag", "content-encoding"] {
                assert_eq!(answer.value(name), None, "{}", answer.head);
            }
            assert!(answer.value("ratelimit").is_some(), "{}", answer.head);
        }
        let head = client.send("HEAD /erp/a HTTP/1.1\r\nHost: api.test\r\n\r\n").answer_to_head();
        assert_eq!((head.status, head.value("etag")), (status, None));
        client.send("GET /erp/a HTTP/1.1\r\nHost: api.test\r\n\r\n");
        assert_eq!(client.answer().problem(), "backend-error", "nothing followed the head");
        assert_eq!(backend.connections(), 1, "pages that end leave a connection of use");
        let log = gateway.log(5);
        assert!(log.contains("\"outcome\":\"backend-error\",\"source\":\"backend\""), "{log}");
        assert!(!log.contains("error_page") && !log.contains("SQL"), "{log}");
    }
}

#[test]
fn the_log_shows_how_a_hidden_page_began_if_asked() {
    let backend = failing(|_| {
        b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\"one\"\n\r\n3\r\ntwo\r\n0\r\n\r\n".to_vec()
    });
    for (details, shown) in [
        ("{ log_bytes: 4B }", Some("\"error_page\":\"\\\"one\"}")),
        ("{ log_bytes: 4KiB }", Some("\"error_page\":\"\\\"one\\\"\\ntwo\"}")),
        ("on", None),
    ] {
        let gateway = Gateway::start(&hiding(backend.address(), details));
        assert_eq!(ask(&gateway, "GET", "").problem(), "backend-error");
        let log = gateway.log(1);
        assert_eq!(log.contains("error_page"), shown.is_some(), "{log}");
        assert!(shown.is_none_or(|shown| log.contains(shown)), "{log}");
    }
}

#[test]
fn other_answers_are_not_hidden() {
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage",
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n",
        "HTTP/1.1 499 Odd\r\nContent-Length: 4\r\n\r\npage",
    ] {
        let backend = Backend::saying(said);
        let gateway = Gateway::start(&hiding(backend.address(), "on"));
        assert_eq!(ask(&gateway, "GET", "").text(), "page", "{said}");
    }
    let backend = Backend::saying("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n");
    let gateway = Gateway::start(&hiding(backend.address(), "on"));
    let answer = ask(&gateway, "GET", "");
    assert_eq!((answer.status, answer.value("etag")), (304, Some("\"1\"")));
    let backend = Backend::saying("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\npage");
    let gateway = Gateway::start(&document(backend.address(), "{ mask: on }"));
    assert_eq!(ask(&gateway, "GET", "").text(), "page");
}

#[test]
fn a_page_that_does_not_end_costs_its_connection_and_not_the_caller() {
    // One that is too long, one that breaks off, one that stops, and one that came before the request was whole.
    let long =
        format!("HTTP/1.1 500 Oops\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(200_000));
    for said in [
        long.as_str(),
        "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        "HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\nx",
    ] {
        let backend = Backend::saying(said);
        let gateway = Gateway::start(&hiding(backend.address(), "on"));
        let mut client = Client::connect(gateway.address());
        for _ in 0..2 {
            let answer = client.send("GET /erp/a HTTP/1.1\r\nHost: api.test\r\n\r\n").answer();
            assert!(answer.whole && matches!(answer.status, 500 | 502), "{}", answer.head);
            assert!(!answer.text().contains('x') || answer.text().contains("urn:portway"));
        }
        assert_eq!(backend.connections(), 2, "{}", &said[..40]);
    }
    let backend = Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            conversation.say(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\npage");
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&hiding(backend.address(), "on"));
    let mut client = Client::connect(gateway.address());
    client.send("POST /erp/a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\nab");
    let answer = client.answer();
    assert_eq!((answer.status, answer.problem().as_str()), (500, "backend-error"));
    // The rest of the body is not taken for a request.
    client.send("GET /erp/a HTTP/1.1\r\nHost: api.test\r\n\r\n");
    assert_ne!(client.ended(), portway_testkit::Ended::Open);
    assert_eq!(backend.connections(), 1);
}

#[test]
fn over_http2_pages_of_errors_are_hidden_too() {
    let backend =
        Backend::saying("HTTP/1.1 503 Oops\r\nServer: x\r\nContent-Length: 4\r\n\r\npage");
    let gateway = Gateway::start(&hiding(backend.address(), "on"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let call = async {
        let stream = tokio::net::TcpStream::connect(gateway.address()).await.expect("accepted");
        let (send, connection) = h2::client::handshake(stream).await.expect("a handshake");
        tokio::spawn(connection);
        let mut send = send.ready().await.expect("ready");
        for _ in 0..3 {
            let request = http::Request::get("http://api.test/erp/a").body(()).expect("a request");
            let answer = send.send_request(request, true).expect("sent").0.await.expect("answered");
            assert_eq!(answer.status(), 503);
            assert!(!answer.headers().contains_key("server"));
            let mut body = answer.into_body();
            let mut text = Vec::new();
            while let Some(piece) = body.data().await {
                text.extend_from_slice(&piece.expect("whole"));
            }
            let text = String::from_utf8(text).expect("text");
            assert!(text.contains("\"backend-error\"") && !text.contains("page"), "{text}");
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(30), call).await })
        .expect("in time");
    assert_eq!(backend.connections(), 1);
}
