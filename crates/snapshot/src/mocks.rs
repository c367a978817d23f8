//! Operations that are answered from their contract instead of by a backend.

/// What answers the calls of an operation.
#[derive(Debug)]
pub struct Mocked {
    /// The answers.
    pub mock: portway_contract::mock::Mock,
    /// Their status, where a caller does not prefer another one.
    pub status: Option<u16>,
    /// How long they take, in milliseconds, where a caller does not prefer another time.
    pub wait_ms: u64,
}
