//! The field names the gateway itself looks for, recognised once while a head is parsed.
//!
//! Everybody after that compares a byte. The table is a hash computed when the crate is compiled;
//! a clash fails the build, so adding a name is one line here.

macro_rules! known {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// A field name that the gateway looks for. `Other` is every other name.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        #[repr(u8)]
        pub enum Known {
            /// A name without a meaning of its own here.
            #[default]
            Other,
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        /// Lower-case names and what they stand for; the row is the enum's number less one.
        const NAMES: &[(&str, Known)] = &[$(($name, Known::$variant)),+];
    };
}

known! {
    Host = "host",
    ContentLength = "content-length",
    TransferEncoding = "transfer-encoding",
    Connection = "connection",
    KeepAlive = "keep-alive",
    ProxyConnection = "proxy-connection",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyAuthenticationInfo = "proxy-authentication-info",
    Te = "te",
    Trailer = "trailer",
    Upgrade = "upgrade",
    Expect = "expect",
    Http2Settings = "http2-settings",
    MaxForwards = "max-forwards",
    Authorization = "authorization",
    WwwAuthenticate = "www-authenticate",
    Cookie = "cookie",
    SetCookie = "set-cookie",
    ContentType = "content-type",
    ContentEncoding = "content-encoding",
    ContentRange = "content-range",
    ContentLanguage = "content-language",
    ContentLocation = "content-location",
    ContentDisposition = "content-disposition",
    ContentDigest = "content-digest",
    Date = "date",
    Age = "age",
    Expires = "expires",
    ETag = "etag",
    Vary = "vary",
    LastModified = "last-modified",
    Server = "server",
    Via = "via",
    Forwarded = "forwarded",
    XForwardedFor = "x-forwarded-for",
    XForwardedProto = "x-forwarded-proto",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedPrefix = "x-forwarded-prefix",
    XForwardedServer = "x-forwarded-server",
    XRealIp = "x-real-ip",
    XRequestId = "x-request-id",
    Traceparent = "traceparent",
    Tracestate = "tracestate",
    Baggage = "baggage",
    XApiKey = "x-api-key",
    Origin = "origin",
    Referer = "referer",
    AccessControlRequestMethod = "access-control-request-method",
    AccessControlRequestHeaders = "access-control-request-headers",
    Accept = "accept",
    AcceptEncoding = "accept-encoding",
    AcceptLanguage = "accept-language",
    UserAgent = "user-agent",
    RetryAfter = "retry-after",
    Location = "location",
    CacheControl = "cache-control",
    Pragma = "pragma",
    Range = "range",
    IfRange = "if-range",
    IfMatch = "if-match",
    IfNoneMatch = "if-none-match",
    IfModifiedSince = "if-modified-since",
    IfUnmodifiedSince = "if-unmodified-since",
    StrictTransportSecurity = "strict-transport-security",
    IdempotencyKey = "idempotency-key",
    SecWebSocketKey = "sec-websocket-key",
    SecWebSocketProtocol = "sec-websocket-protocol",
}

const LONGEST: usize = longest();
const SLOTS: usize = 512;
const TABLE: [u8; SLOTS] = table();

const fn longest() -> usize {
    let mut longest = 0;
    let mut i = 0;
    while i < NAMES.len() {
        if NAMES[i].0.len() > longest {
            longest = NAMES[i].0.len();
        }
        i += 1;
    }
    longest
}

/// Length and three letters without their case tell all names of the table apart.
#[inline]
const fn slot(name: &[u8]) -> usize {
    let len = name.len();
    let first = (name[0] | 0x20) as usize;
    let last = (name[len - 1] | 0x20) as usize;
    let late = (name[len - len.div_ceil(4)] | 0x20) as usize;
    (len * 109 + first * 157 + last * 241 + late * 139) % SLOTS
}

const fn table() -> [u8; SLOTS] {
    let mut table = [0; SLOTS];
    let mut i = 0;
    while i < NAMES.len() {
        let slot = slot(NAMES[i].0.as_bytes());
        assert!(table[slot] == 0, "two known names share a slot: change the factors of `slot`");
        table[slot] = i as u8 + 1;
        i += 1;
    }
    table
}

impl Known {
    /// Recognises a field name, whatever its case.
    #[inline]
    pub fn from_name(name: &[u8]) -> Known {
        if name.is_empty() || name.len() > LONGEST {
            return Known::Other;
        }
        let row = TABLE[slot(name)] as usize;
        if row == 0 {
            return Known::Other;
        }
        let (text, known) = NAMES[row - 1];
        if same_name(name, text.as_bytes()) { known } else { Known::Other }
    }

    /// The name in lower case; empty for `Other`.
    pub fn name(self) -> &'static str {
        match self as usize {
            0 => "",
            row => NAMES[row - 1].0,
        }
    }

    /// Every name but `Other`.
    pub fn all() -> impl Iterator<Item = Known> {
        NAMES.iter().map(|(_, known)| *known)
    }

    /// Fields that belong to one connection and are never passed on (RFC 9110 §7.6.1 and what is
    /// in use beside it), whether `Connection` names them or not. `Transfer-Encoding` is one of
    /// them: the framing of the other side is made anew. `Trailer` is not: it may be passed on.
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Known::Connection
                | Known::KeepAlive
                | Known::ProxyConnection
                | Known::ProxyAuthenticate
                | Known::ProxyAuthorization
                | Known::ProxyAuthenticationInfo
                | Known::Te
                | Known::TransferEncoding
                | Known::Upgrade
                | Known::Http2Settings
        )
    }

    /// Fields that must not stand in a trailer section (RFC 9110 §6.5.1): framing, routing,
    /// request modifiers, authentication, and what says who the caller is.
    pub(crate) fn is_forbidden_in_trailers(self) -> bool {
        self.is_hop_by_hop()
            || matches!(
                self,
                Known::Host
                    | Known::ContentLength
                    | Known::Trailer
                    | Known::Expect
                    | Known::MaxForwards
                    | Known::Authorization
                    | Known::WwwAuthenticate
                    | Known::Cookie
                    | Known::SetCookie
                    | Known::Age
                    | Known::Date
                    | Known::Expires
                    | Known::Vary
                    | Known::Location
                    | Known::RetryAfter
                    | Known::CacheControl
                    | Known::Pragma
                    | Known::Range
                    | Known::IfRange
                    | Known::IfMatch
                    | Known::IfNoneMatch
                    | Known::IfModifiedSince
                    | Known::IfUnmodifiedSince
                    | Known::Via
                    | Known::Forwarded
                    | Known::XRealIp
                    | Known::XRequestId
                    | Known::XApiKey
                    | Known::Origin
            )
    }
}

/// Whether `name` is `lower` in some case, eight bytes at a time: on the way of a call every field
/// comes through here, and byte by byte this was a third of the cost of a head.
#[inline]
fn same_name(name: &[u8], lower: &[u8]) -> bool {
    if name.len() != lower.len() {
        return false;
    }
    let (Some(last), Some(lower_last)) = (name.last_chunk::<8>(), lower.last_chunk::<8>()) else {
        return same_short(name, lower);
    };
    let eights = name.chunks_exact(8).zip(lower.chunks_exact(8));
    same_eight(last, lower_last)
        && eights.into_iter().all(|(one, two)| match (one.first_chunk(), two.first_chunk()) {
            (Some(one), Some(two)) => same_eight(one, two),
            _ => false,
        })
}

/// The same for fewer than eight bytes: four and four that overlap, or one by one.
#[inline]
fn same_short(name: &[u8], lower: &[u8]) -> bool {
    let ends = (name.first_chunk::<4>(), name.last_chunk::<4>());
    let lower_ends = (lower.first_chunk::<4>(), lower.last_chunk::<4>());
    match (ends, lower_ends) {
        ((Some([a, b, c, d]), Some([e, f, g, h])), (Some([i, j, k, l]), Some([m, n, o, p]))) => {
            let one = [*a, *b, *c, *d, *e, *f, *g, *h];
            same_eight(&one, &[*i, *j, *k, *l, *m, *n, *o, *p])
        }
        _ => name.eq_ignore_ascii_case(lower),
    }
}

/// Setting bit 5 makes letters small. It would also make `-` and digits of control bytes, so every
/// byte must have had bit 5 or bit 6.
#[inline]
fn same_eight(one: &[u8; 8], lower: &[u8; 8]) -> bool {
    const BIT_5: u64 = 0x2020_2020_2020_2020;
    const BIT_6: u64 = BIT_5 << 1;
    let one = u64::from_le_bytes(*one);
    one | BIT_5 == u64::from_le_bytes(*lower) && (one | one << 1) & BIT_6 == BIT_6
}

#[cfg(test)]
mod tests;
