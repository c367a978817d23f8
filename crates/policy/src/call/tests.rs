//! Path parameters.

use super::*;
use crate::test_call::{Fields, call};

#[test]
fn parameters_are_found_by_name() {
    let mut params = ParamSpans::default();
    assert!(params.is_empty());
    assert!(params.push(1, 7));
    assert!(params.push(8, 9));
    let names: [Box<str>; 2] = ["kind".into(), "id".into()];
    let fields = Fields::default();
    let call = Call { param_names: &names, params: &params, ..call(&fields, "") };
    assert_eq!(
        (call.param("kind"), call.param("id"), call.param("no")),
        (Some("orders"), Some("7"), None)
    );
    let short = Call { path: "/or", ..call };
    assert_eq!(short.param("kind"), None, "a place outside the path is no parameter");
}

#[test]
fn places_are_bounded() {
    let mut params = ParamSpans::default();
    for index in 0..MAX_PARAMS {
        assert!(params.push(index, index + 1));
    }
    assert!(!params.push(0, 1));
    assert_eq!(params.len(), MAX_PARAMS);
    assert_eq!(params.span(MAX_PARAMS), None);
    params.truncate(3);
    assert_eq!((params.len(), params.span(2), params.span(3)), (3, Some((2, 3)), None));
    params.truncate(1_000);
    assert_eq!(params.len(), 3);
    assert!(!params.push(0, usize::MAX));
}
