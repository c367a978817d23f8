//! Backends that take a connection for the caller's who authenticated on it (class C23).

use portway_testkit::{Backend, Client, Gateway};

use crate::open;

/// Two calls one after the other, the first with these credentials: how many connections the backend saw.
fn connections_after(authorization: &str) -> usize {
    let backend = Backend::polite();
    // One thread carries calls, so that both find the same connections at rest.
    let text = open(backend.address(), "").replacen("workers: 2", "workers: 1", 1);
    let gateway = Gateway::start(&text);
    let mut first = Client::connect(gateway.address());
    first.send(format!("GET /a HTTP/1.1\r\nHost: a\r\n{authorization}\r\n"));
    assert_eq!(first.answer().status, 200);
    assert_eq!(Client::get(gateway.address(), "/b").status, 200);
    backend.connections()
}

#[test]
fn c23_a_connection_that_a_caller_authenticated_is_never_shared() {
    for authorization in [
        "Authorization: NTLM TlRMTVNTUAADAAAA\r\n",
        "authorization: ntlm TlRMTVNTUAADAAAA\r\n",
        "Authorization: Negotiate YIIJvwYGKwYBBQUC\r\n",
        "Authorization: NEGOTIATE\r\n",
        "Authorization: \t NTLM\tTlRMTVNTUAADAAAA\r\n",
    ] {
        assert_eq!(connections_after(authorization), 2, "{authorization}");
    }
    for authorization in ["", "Authorization: Bearer abc\r\n", "Authorization: Basic bnRsbTo=\r\n"]
    {
        assert_eq!(connections_after(authorization), 1, "{authorization}");
    }
}
