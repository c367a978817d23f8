//! What is an id and what is a call.

use super::*;

#[test]
fn ids_are_told_from_calls() {
    for text in ["01a20e43417139ea9c90df0008a4b694", "given-by-a-proxy_1.2"] {
        assert!(is_request_id(text), "{text}");
    }
    for text in ["GET /a", "/a", "http://host", "", "a?b"] {
        assert!(!is_request_id(text), "{text}");
    }
    assert!(past("127.0.0.1:1", "a%2fb").is_ok_and(|found| found.is_none()), "nobody is asked");
}
