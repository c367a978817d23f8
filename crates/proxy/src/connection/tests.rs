//! What a connection costs while it is at rest.

use super::serve;

/// What the future of an `async fn` takes.
fn bytes<A, B, C, D, E, F>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
    size_of::<F>()
}

/// Together with the runtime's share this is the largest that keeps an idle connection within 4 KiB. What is rare is
/// boxed where it is awaited, and what is large is made where it stays.
#[test]
fn a_connection_at_rest_is_small() {
    // A build with debug assertions keeps a little more.
    let most = if cfg!(debug_assertions) { 2_480 } else { 2_472 };
    let bytes = bytes(serve);
    assert!(bytes <= most, "the task of a connection grew to {bytes} bytes");
}
