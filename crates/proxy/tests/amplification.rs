//! No caller can make the gateway hold more than ten times the bytes that it sent, above 64 KiB for each connection. A
//! process of its own, so that its memory is that of the attacked: callers and backends of these tests hold next to
//! nothing.

mod amplification {
    mod attacks;
    mod scale;
}
