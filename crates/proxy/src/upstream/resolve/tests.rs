//! Tests of the system's resolver against a name server of a few lines.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use tokio::net::UdpSocket;

use super::*;

const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// The code and the answers to a question; an answer is a type, a TTL and the data.
type Zone = fn(name: &str, of: u16) -> (u8, Vec<(u16, u32, Vec<u8>)>);

/// A name server that answers from a zone, and counts what it is asked.
async fn server(zone: Zone) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut bytes = [0; 1_500];
        loop {
            let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let (name, of, end) = question(&bytes[..length]);
            let (code, answers) = zone(&name, of);
            let mut reply = bytes[..end].to_vec();
            reply[2..4].copy_from_slice(&[0x81, 0x80 | code]);
            reply[6..12].copy_from_slice(&[0, answers.len() as u8, 0, 0, 0, 0]);
            for (of, ttl_s, data) in answers {
                // The name is the one of the question, at byte 12.
                reply.extend([0xc0, 12]);
                reply.extend(of.to_be_bytes());
                reply.extend([0, 1]);
                reply.extend(ttl_s.to_be_bytes());
                reply.extend((data.len() as u16).to_be_bytes());
                reply.extend(data);
            }
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    (address, asked)
}

/// Name and type of a question, and where it ends (RFC 1035 §4.1.2).
fn question(bytes: &[u8]) -> (String, u16, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while bytes[at] != 0 {
        let length = usize::from(bytes[at]);
        labels.push(String::from_utf8(bytes[at + 1..at + 1 + length].to_vec()).unwrap());
        at += 1 + length;
    }
    (
        labels.join(".").to_ascii_lowercase(),
        u16::from_be_bytes([bytes[at + 1], bytes[at + 2]]),
        at + 5,
    )
}

fn resolver(at: SocketAddr) -> SystemResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = at.port();
    let server = NameServerConfig::new(at.ip(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    SystemResolver::from_builder(builder).unwrap()
}

fn zone(name: &str, of: u16) -> (u8, Vec<(u16, u32, Vec<u8>)>) {
    match (name, of) {
        ("shop.test", 1) => {
            (NO_ERROR, vec![(1, 60, vec![10, 0, 0, 1]), (1, 30, vec![10, 0, 0, 2])])
        }
        ("short.test", 1) => (NO_ERROR, vec![(1, 0, vec![10, 0, 0, 3])]),
        ("shop.test", 28) => (NO_ERROR, Vec::new()),
        ("_http._tcp.shop.test", 33) => {
            let mut data = vec![0, 10, 0, 5, 0x1f, 0x90];
            data.extend(b"\x03one\x04test\x00");
            (NO_ERROR, vec![(33, 20, data)])
        }
        ("_none._tcp.shop.test", 33) => (NO_ERROR, vec![(33, 20, vec![0, 0, 0, 0, 0, 0, 0])]),
        ("ill.test", _) => (SERVER_FAILURE, Vec::new()),
        _ => (NO_SUCH_NAME, Vec::new()),
    }
}

#[tokio::test]
async fn answers_come_with_their_ttl_and_are_not_remembered() {
    let (at, asked) = server(zone).await;
    let resolver = resolver(at);
    for round in 1..=2 {
        let found = resolver.addresses("shop.test", Family::V4).await.unwrap();
        let expected: Vec<IpAddr> =
            vec![Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into()];
        assert_eq!(found, Found { records: expected, ttl_s: 30, is_local: false });
        assert_eq!(asked.load(Ordering::Relaxed), round);
    }
    assert_eq!(resolver.addresses("short.test", Family::V4).await.unwrap().ttl_s, 0);
}

#[tokio::test]
async fn absent_and_failed_are_told_apart() {
    let (at, _) = server(zone).await;
    let resolver = resolver(at);
    assert_eq!(resolver.addresses("shop.test", Family::V6).await, Err(NotFound::Absent));
    assert_eq!(resolver.addresses("gone.test", Family::V4).await, Err(NotFound::Absent));
    assert!(matches!(resolver.addresses("ill.test", Family::V4).await, Err(NotFound::Failed(_))));
    assert!(matches!(
        resolver.addresses("not a name!..", Family::V4).await,
        Err(NotFound::Failed(_))
    ));
}

#[tokio::test]
async fn services_are_read() {
    let (at, _) = server(zone).await;
    let resolver = resolver(at);
    let found = resolver.services("_http._tcp.shop.test").await.unwrap();
    let service = Service { priority: 10, weight: 5, port: 8_080, host: "one.test.".into() };
    assert_eq!(found, Found { records: vec![service], ttl_s: 20, is_local: false });
    assert_eq!(resolver.services("_none._tcp.shop.test").await, Err(NotFound::Absent));
}

#[tokio::test]
async fn localhost_needs_no_server() {
    let nobody = ResolverConfig::from_name_servers(Vec::new());
    let builder = TokioResolver::builder_with_config(nobody, TokioRuntimeProvider::default());
    let resolver = SystemResolver::from_builder(builder).unwrap();
    let found = resolver.addresses("localhost", Family::V4).await.unwrap();
    assert_eq!(found.records, [IpAddr::from([127, 0, 0, 1])]);
    assert!(found.is_local, "this machine says so");
    assert!(resolver.addresses("shop.test", Family::V4).await.is_err());
}
