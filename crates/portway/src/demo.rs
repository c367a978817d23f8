//! What `portway demo` consists of: three sample modules, the documents of `examples/demo/`, and calls to try.
//!
//! The modules are tiny servers in this process, each with habits of its own. They stand for whatever
//! a company has; nothing in the gateway knows them. Starting the gateway in front of them belongs to
//! `cmd::demo`.

pub mod calls;
pub mod client;
pub mod erp;
pub mod live;
pub mod shop;

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

/// The documents, as they stand in `examples/demo/`, with their paths.
pub const DOCUMENTS: [(&str, &str); 3] = [
    (DOCUMENT, include_str!("../../../examples/demo/portway.yaml")),
    ("contracts/shop.yaml", include_str!("../../../examples/demo/contracts/shop.yaml")),
    ("contracts/live.yaml", include_str!("../../../examples/demo/contracts/live.yaml")),
];
/// The one that is given to `portway run`.
pub const DOCUMENT: &str = "portway.yaml";

/// The addresses that stand in the document for the modules `shop`, `erp` and `live`.
pub const WRITTEN: [&str; 3] = ["127.0.0.1:9101", "127.0.0.1:9102", "127.0.0.1:9103"];

/// The environment variable from which the document takes the demo's key.
pub const KEY_VARIABLE: &str = "DEMO_KEY";
/// The environment variable from which the document takes the password of the `erp` module.
pub const PASSWORD_VARIABLE: &str = "DEMO_ERP_PASSWORD";

/// Starts the three modules on free ports of the loopback address; they serve as long as the run time lives.
///
/// # Errors
/// When the system has no port to give.
pub async fn start_modules(password: &str) -> std::io::Result<[SocketAddr; 3]> {
    Ok([
        start(shop::module()).await?,
        start(erp::module(password)).await?,
        start(live::module()).await?,
    ])
}

async fn start(module: Router) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, module).await {
            tracing::error!(%error, "a sample module stopped");
        }
    });
    Ok(address)
}

/// A random word of 32 hexadecimal digits, for keys and passwords that live as long as the demo.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_word() -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| "the system has no randomness to give".to_owned())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
