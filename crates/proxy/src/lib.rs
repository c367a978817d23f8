//! Bytes in, bytes out: listeners, TLS, the engine over `http1` and `h2`, the exchange, targets, pools,
//! balancing, health, retries, and the record of each call.
//!
//! One single-threaded runtime per core carries calls; nothing on the way of a call crosses cores.
//! Health checks, name look-ups and everything else that is not a call run on the control runtime.
//! This room assumes a compiled `Snapshot`; it knows no SQL, no functions and no management API.

mod answer_check;
mod body;
mod buffer;
mod check;
mod connect;
mod connection;
mod deadline;
mod dispatch;
mod exchange;
pub mod failure;
mod forward;
pub mod forwarded;
mod guard;
mod hedge;
mod hidden;
mod hold;
mod http2;
mod incoming;
mod learn;
mod lines;
mod listener;
mod live;
mod mock;
mod outgoing;
mod overload;
mod peer;
mod pool;
mod proxy;
pub mod proxy_protocol;
mod recent;
mod record;
pub mod rehearsal;
mod relay;
mod request;
mod respond;
mod rewind;
mod rules;
mod scrape;
mod shared;
mod stream;
pub mod telemetry;
mod timer;
pub mod tls;
mod transfer;
pub mod upstream;
mod vigil;
mod websocket;
mod worker;

pub use live::connections_let_in;
pub use proxy::{BindFault, Bound, Listen, Running, Settings, Telling, bind};
pub use recent::RecentCall;
