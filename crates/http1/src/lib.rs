//! HTTP/1.1 as a sans-I/O core: bytes in, bytes out, for both sides of a gateway.

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

pub use body::{BodyDecoder, BodyLimits, Decoded};
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
