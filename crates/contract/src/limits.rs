//! The bounds that keep reading safe whatever is read.
//!
//! Every bound has a default that no real document met so far comes near, and a diagnostic that names
//! it when it is reached. Settings may change them; nothing here reads settings.

/// Bounds on one reading: a document and all files it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of one file, in bytes.
    pub file_bytes: usize,
    /// Size of all files together, in bytes.
    pub total_bytes: usize,
    /// Number of files, the first included.
    pub files: usize,
    /// Nesting of objects and arrays. Kept low enough that walking a tree recursively is safe.
    pub depth: usize,
    /// Estimated memory of the parsed trees, in bytes; aliases of YAML count each time they are used.
    pub memory_bytes: usize,
    /// Nodes that YAML aliases and merge keys may add to a file by repetition.
    pub alias_nodes: usize,
    /// Operations in a contract; those beyond are left out.
    pub operations: usize,
    /// Findings kept per reading, and a tenth of that of one code; those beyond are counted only. Those
    /// that explain why an operation is not routable are always kept.
    pub diagnostics: usize,
    /// References followed one after the other from one node.
    pub reference_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            file_bytes: 64 << 20,
            total_bytes: 128 << 20,
            files: 2_000,
            depth: 256,
            memory_bytes: 1 << 30,
            alias_nodes: 1_000_000,
            operations: 100_000,
            diagnostics: 1_000,
            reference_steps: 64,
        }
    }
}
