//! From host and prefix to service.
//!
//! Assumes canonical hosts, paths and prefixes. The order: a host that is named exactly, then the longest
//! wildcard, then services that name no host; among services of one of these, the longest prefix by whole
//! segments. A host that has no service for a path leaves it to the next. Every look-up is by hash, so it
//! costs the same whether there is one service or a thousand.

mod index;

use std::collections::BTreeMap;

use index::Index;

/// The most segments of a prefix.
pub(crate) const MAX_PREFIX_SEGMENTS: usize = 16;

/// All hosts with their services.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    tables: Vec<Prefixes>,
    exact: Index,
    /// By what follows the `*`, with its dot: `.example.com`.
    wildcards: Index,
    any: Option<u32>,
}

/// The prefixes of one host.
#[derive(Debug, Default)]
struct Prefixes {
    services: Index,
    /// Bit `n` is set if there is a prefix of `n` segments.
    depths: u32,
}

impl Hosts {
    /// From each service's hosts (none: every host) and prefix (empty: all paths), in order of its number.
    /// Of services with one host and prefix, which compiling refuses, the last one counts.
    pub(crate) fn build<'a>(services: impl Iterator<Item = (&'a [Box<str>], &'a str)>) -> Hosts {
        let mut by_host: BTreeMap<&str, Vec<(&str, u32)>> = BTreeMap::new();
        for (number, (hosts, prefix)) in services.enumerate() {
            if hosts.is_empty() {
                by_host.entry("").or_default().push((prefix, number as u32));
            }
            for host in hosts {
                by_host.entry(host).or_default().push((prefix, number as u32));
            }
        }
        let mut hosts = Hosts::default();
        let (mut exact, mut wildcards) = (Vec::new(), Vec::new());
        for (host, prefixes) in by_host {
            let table = hosts.tables.len() as u32;
            match host.strip_prefix('*') {
                _ if host.is_empty() => hosts.any = Some(table),
                Some(suffix) => wildcards.push((suffix, table)),
                None => exact.push((host, table)),
            }
            hosts.tables.push(Prefixes::build(&prefixes));
        }
        hosts.exact = Index::build(&exact);
        hosts.wildcards = Index::build(&wildcards);
        hosts
    }

    /// The number of the service for a host and path.
    #[inline]
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<usize> {
        self.named(host, path).or_else(|| self.table(self.any?, path)).map(|number| number as usize)
    }

    fn named(&self, host: &str, path: &str) -> Option<u32> {
        if let Some(number) = self.exact.get(host).and_then(|table| self.table(table, path)) {
            return Some(number);
        }
        if self.wildcards.is_empty() {
            return None;
        }
        // Each dot from the left begins a shorter suffix. A host has at most 255 bytes.
        memchr::memchr_iter(b'.', host.as_bytes())
            .filter(|&at| at > 0)
            .filter_map(|at| self.wildcards.get(&host[at..]))
            .find_map(|table| self.table(table, path))
    }

    fn table(&self, table: u32, path: &str) -> Option<u32> {
        self.tables[table as usize].longest(path)
    }
}

impl Prefixes {
    fn build(prefixes: &[(&str, u32)]) -> Prefixes {
        let depths = prefixes
            .iter()
            .fold(0, |depths, (prefix, _)| depths | 1 << prefix.matches('/').count());
        Prefixes { services: Index::build(prefixes), depths }
    }

    /// The service with the longest prefix that is the path or followed by a slash in it.
    fn longest(&self, path: &str) -> Option<u32> {
        let mut ends = [0; MAX_PREFIX_SEGMENTS + 1];
        let deepest = (u32::BITS - self.depths.leading_zeros()).saturating_sub(1) as usize;
        let mut depth = 0;
        // The end of the n-th segment is where the slash after it stands.
        for at in memchr::memchr_iter(b'/', path.as_bytes()).skip(1).chain([path.len()]) {
            if depth == deepest {
                break;
            }
            depth += 1;
            ends[depth] = at;
        }
        loop {
            if self.depths & 1 << depth != 0
                && let Some(number) = self.services.get(&path[..ends[depth]])
            {
                return Some(number);
            }
            depth = depth.checked_sub(1)?;
        }
    }
}

#[cfg(test)]
mod tests;
