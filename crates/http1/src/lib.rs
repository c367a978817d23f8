//! HTTP/1.1 as a sans-I/O core, for both sides of a gateway: bytes in, bytes out. No sockets, no
//! clock, no async, and no allocation on the plain path.
//!
//! # Use
//!
//! * [`parse_request`] and [`parse_response`] read a head from the front of a buffer into a small
//!   value of spans and a list of [`Field`]s that the caller keeps and uses again. They answer
//!   `Ok(None)` until the head is whole; [`Progress`] makes a head that arrives in crumbs cost no
//!   more than twice one that arrives whole.
//! * [`BodyDecoder`] says where in the bytes that follow the payload lies. It copies nothing.
//! * The `write_*` functions append lines, chunks and trailers to a buffer.
//! * [`Known`] and [`list_items`] spare everybody else from comparing names and splitting lists.
//!
//! A [`Reject`] ends the connection: it is no longer known where the next message begins. What to
//! answer stands in [`Reject::status`] and [`Reject::sentence`].
//!
//! ```
//! use portway_http1::{Framing, HeadLimits, Known, Progress, parse_request};
//!
//! let bytes = b"POST /orders?x HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\n{}";
//! let mut fields = Vec::new();
//! let mut progress = Progress::default();
//! let head = parse_request(bytes, &mut fields, &HeadLimits::default(), &mut progress)
//!     .expect("a good request")
//!     .expect("a whole head");
//! assert_eq!(head.authority.of(bytes), b"shop.example");
//! assert_eq!(head.framing, Framing::Length(2));
//! assert_eq!(fields[1].known, Known::ContentLength);
//! assert_eq!(&bytes[head.len..], b"{}");
//! ```
//!
//! # What is refused
//!
//! Two readers that disagree about where a message ends, or about whom it is for, are what request
//! smuggling lives on. So whatever could be understood in two ways is refused, also where a
//! standard would let it pass (marked +), and nothing is repaired.
//!
//! | refused | source |
//! | --- | --- |
//! | bare LF + or bare CR in a head, a chunk line or a trailer section | RFC 9112 §2.2 |
//! | more than four empty lines before a request; any before a response | RFC 9112 §2.2 |
//! | a request line that is not `method SP target SP version`, each space single + | RFC 9112 §3 |
//! | versions other than HTTP/1.0 and HTTP/1.1 (505) | RFC 9110 §15.6.6 |
//! | target bytes outside visible ASCII, and `#` `"` `<` `>` `` ` `` | RFC 9112 §3.2, RFC 3986 |
//! | asterisk form but for `OPTIONS`, authority form but for `CONNECT` | RFC 9112 §3.2.3–4 |
//! | schemes other than `http` and `https` + | |
//! | no `Host` in HTTP/1.1, two `Host`s, an empty one + | RFC 9112 §3.2 |
//! | a host with user, escape, path, list, white space, or a port that is not a number | RFC 9110 §7.2 |
//! | a target's authority that is not the one of `Host` + | RFC 9112 §3.2.2 |
//! | folded lines, also in responses + | RFC 9112 §5.2 |
//! | a name that is empty or no token; white space before the colon, also in responses + | RFC 9112 §5.1 |
//! | control bytes in values but HTAB; 0x80–0xFF are let through | RFC 9110 §5.5 |
//! | `Content-Length` with `Transfer-Encoding` + | RFC 9112 §6.1 |
//! | two `Content-Length`s or a list of them, even if equal + | RFC 9112 §6.3 |
//! | a `Content-Length` that is not 1 to 19 digits | RFC 9110 §8.6 |
//! | a `Transfer-Encoding` that is not `chunked`, once (501) + | RFC 9112 §6.1, §7 |
//! | `Transfer-Encoding` in HTTP/1.0 | RFC 9112 §6.1 |
//! | `Connection` with a member that is no token | RFC 9110 §7.6.1 |
//! | an `Expect` other than `100-continue` (417) | RFC 9110 §10.1.1 |
//! | a status outside 100–599 | RFC 9110 §15 |
//! | a 101 that was not asked for, or that lacks `Upgrade` or `Connection: upgrade` | RFC 9110 §15.2.2 |
//! | a 1xx or 204 that announces a body (`Content-Length: 0` is let through) | RFC 9112 §6.1, RFC 9110 §8.6 |
//! | a chunk size with sign, prefix or white space, or of more than 16 digits | RFC 9112 §7.1 |
//! | chunk extensions with white space +, malformed, or too long; they are passed over otherwise | RFC 9112 §7.1.1 |
//! | chunk data that does not end where its size says, in CRLF | RFC 9112 §7.1 |
//!
//! Left out, and counted, but not refused: trailers that frame, route, authenticate or say who is
//! calling (RFC 9110 §6.5.1).
//!
//! Bounds are in [`HeadLimits`] and [`BodyLimits`]. The verdict on a message depends on its bytes
//! and these bounds only, never on how the bytes were cut into reads.
//!
//! # What it leaves to others
//!
//! Making paths canonical, taking hop-by-hop fields out ([`Known::is_hop_by_hop`] and
//! [`list_items`] help), answering `CONNECT` and `Upgrade`, time, and the HTTP/2 preface.
//!
//! # Why not a head parser from elsewhere
//!
//! `httparse` takes bare LF and more, so every line would have to be looked at twice, and it keeps
//! nothing between calls, so a slow head costs its square. Reading lines here is some hundred
//! lines; `benches/http1.rs` has both side by side.

mod body;
mod bytes;
mod head;
mod known;
mod list;
mod reject;
mod request;
mod response;
mod span;
mod target;
mod write;

pub use body::{BodyDecoder, BodyLimits, Decoded, may_trail};
pub use bytes::{is_field_value, is_target, is_token};
pub use head::{Field, Framing, HeadLimits, Progress, Version};
pub use known::Known;
pub use list::list_items;
pub use reject::Reject;
pub use request::{Method, RequestHead, parse_request};
pub use response::{RequestKind, ResponseHead, parse_response};
pub use span::Span;
pub use target::{Authority, Target};
pub use write::{
    CHUNK_END, HEAD_END, LAST_CHUNK, reason, write_chunk_head, write_content_length, write_field,
    write_request_line, write_status_line, write_status_line_with, write_trailers,
};
