//! What the backend is to see in place of what the caller sent.
//!
//! The places where the service looks for a caller's credentials are dropped, and the backend's own credentials
//! are set. Whatever is set is dropped first, so that nothing of the caller's stands beside it. Names of headers
//! are compared folded (see [`crate::hygiene`]); names of query parameters decoded and without case, and `;`
//! parts parameters as `&` does, because some backends read them so.

use portway_model::{Backend, Credentials, SecretRef};

use crate::base64::base64;
use crate::hygiene::same_folded;
use crate::key::KeyPlace;
use crate::{Rules, query};

/// Edits of a request, compiled.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Header fields to add after dropping. Name as it is sent, value.
    pub set_headers: Vec<(Box<str>, Box<str>)>,
    /// Names of header fields to drop.
    pub drop_headers: Vec<Box<str>>,
    /// Parameters to add to the query after dropping. Name and value are percent-encoded.
    pub set_query: Vec<(Box<str>, Box<str>)>,
    /// Names of query parameters to drop, decoded.
    pub drop_query: Vec<Box<str>>,
}

impl Shape {
    /// From a backend's credentials and the places where its caller's credentials stand.
    ///
    /// # Errors
    /// One sentence for each credential that cannot be used: its secret cannot be had, or does not fit into a
    /// header. The sentence never contains the secret.
    pub fn compile(
        backend: &Backend,
        rules: &Rules,
        resolve: &dyn Fn(&SecretRef) -> Result<String, String>,
    ) -> Result<Self, Vec<String>> {
        let mut shape = Self::default();
        let mut faults = Vec::new();
        for place in rules.identify.places() {
            match place {
                KeyPlace::Header(name) => push_once(&mut shape.drop_headers, name),
                KeyPlace::Bearer => push_once(&mut shape.drop_headers, "Authorization"),
                KeyPlace::Query(name) => push_once(&mut shape.drop_query, name),
            }
        }
        for header in rules.identify.signature_headers() {
            push_once(&mut shape.drop_headers, header);
        }
        for credentials in &backend.credentials {
            if let Err(fault) = shape.add(credentials, resolve) {
                faults.push(fault);
            }
        }
        if faults.is_empty() { Ok(shape) } else { Err(faults) }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.drop_headers.is_empty() && self.set_headers.is_empty() && !self.edits_query()
    }

    /// Whether a caller's header field is to be dropped.
    #[inline]
    pub fn drops_header(&self, name: &[u8]) -> bool {
        self.drop_headers.iter().any(|dropped| same_folded(dropped.as_bytes(), name))
    }

    /// Whether [`Shape::write_query`] could change a query.
    pub fn edits_query(&self) -> bool {
        !(self.set_query.is_empty() && self.drop_query.is_empty())
    }

    /// Writes the query that the backend is to see, without `?`. Whatever is not dropped stays byte for byte.
    pub fn write_query(&self, raw: &str, out: &mut Vec<u8>) {
        let start = out.len();
        let mut rest = raw;
        let mut separator = b'&';
        while !rest.is_empty() {
            let end = rest.find(['&', ';']).unwrap_or(rest.len());
            let parameter = &rest[..end];
            if !self.drops_parameter(parameter) {
                if out.len() > start {
                    out.push(separator);
                }
                out.extend_from_slice(parameter.as_bytes());
            }
            separator = rest.as_bytes().get(end).copied().unwrap_or(b'&');
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        for (name, value) in &self.set_query {
            if out.len() > start {
                out.push(b'&');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            out.extend_from_slice(value.as_bytes());
        }
    }

    fn drops_parameter(&self, parameter: &str) -> bool {
        let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
        self.drop_query.iter().any(|dropped| {
            let wanted = dropped.bytes().map(|byte| byte.to_ascii_lowercase());
            query::decoded(name.as_bytes()).map(|byte| byte.to_ascii_lowercase()).eq(wanted)
        })
    }

    fn add(
        &mut self,
        credentials: &Credentials,
        resolve: &dyn Fn(&SecretRef) -> Result<String, String>,
    ) -> Result<(), String> {
        match credentials {
            Credentials::Header { name, value } => self.set_header(name, &resolve(value)?),
            Credentials::Bearer(token) => {
                self.set_header("Authorization", &format!("Bearer {}", resolve(token)?))
            }
            Credentials::Basic { user, password } => {
                if user.contains(':') {
                    return Err(
                        "the user name of basic credentials may not contain \":\" (RFC 7617)"
                            .to_owned(),
                    );
                }
                let pair = format!("{user}:{}", resolve(password)?);
                self.set_header("Authorization", &format!("Basic {}", base64(pair.as_bytes())))
            }
            Credentials::Query { name, value } => {
                let value = query::encode(&resolve(value)?);
                push_once(&mut self.drop_query, name);
                self.set_query.push((query::encode(name).into(), value.into()));
                Ok(())
            }
        }
    }

    fn set_header(&mut self, name: &str, value: &str) -> Result<(), String> {
        if !is_token(name) {
            return Err(format!("\"{}\" is not a name of a header field", name.escape_debug()));
        }
        if self.set_headers.iter().any(|(known, _)| same_folded(known.as_bytes(), name.as_bytes()))
        {
            return Err(format!("two credentials set the header field {name}"));
        }
        let value = value.trim_ascii();
        if value.is_empty() {
            return Err(format!("the secret for the header field {name} is empty"));
        }
        if !value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)) {
            return Err(format!(
                "the secret for the header field {name} contains a line break or another control character"
            ));
        }
        push_once(&mut self.drop_headers, name);
        self.set_headers.push((name.into(), value.into()));
        Ok(())
    }
}

impl std::fmt::Debug for Shape {
    /// Shows names, never values: they are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        fn names(set: &[(Box<str>, Box<str>)]) -> Vec<&str> {
            set.iter().map(|(name, _)| &**name).collect()
        }
        f.debug_struct("Shape")
            .field("set_headers", &names(&self.set_headers))
            .field("drop_headers", &self.drop_headers)
            .field("set_query", &names(&self.set_query))
            .field("drop_query", &self.drop_query)
            .finish()
    }
}

fn push_once(names: &mut Vec<Box<str>>, name: &str) {
    if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        names.push(name.into());
    }
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests;
