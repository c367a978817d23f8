//! A name server that fails, lies, or is not the one that answers (fault row F8).
//!
//! The gateway asks the system's name server, so the test runs in a network and a view of the file system of its own,
//! where that one is ours: it has names that each behave in their own way, and every address on this machine.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::network::run_inside_after;
use crate::program::{Gateway, directory, portway, try_get};
use crate::watch::metric;
use crate::{is_full, say};

const GOOD: [u8; 4] = [10, 77, 0, 1];
const OTHER: [u8; 4] = [10, 77, 0, 2];
const PUBLIC: [u8; 4] = [93, 184, 216, 34];
/// Nobody may ever be led to these.
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const METADATA: [u8; 4] = [169, 254, 169, 254];
const FORGED: [u8; 4] = [10, 66, 6, 6];
/// The machine that asks believes that all of these are its own.
const NETWORKS: &str = "for net in 10.77.0.0/24 10.78.0.0/16 93.184.216.34/32 169.254.169.254/32 10.66.6.6/32; do ip route add local $net dev lo || exit 1; done";

/// What the server says to one question for addresses.
enum Says {
    Addresses(Vec<[u8; 4]>),
    NoSuchName,
    Failure,
    Nothing,
    /// Answers of others come first: with another number, to another question, and in one case of letters.
    Forged,
}

/// By name, and by how often it was asked for before.
fn zone(name: &str, turn: usize) -> Says {
    let after_a_good_one = |then: Says| {
        if turn == 0 { Says::Addresses(vec![GOOD]) } else { then }
    };
    match name {
        "flaps.test" => Says::Addresses(vec![if turn.is_multiple_of(2) { GOOD } else { OTHER }]),
        "gone.test" => after_a_good_one(Says::NoSuchName),
        "ill.test" => after_a_good_one(Says::Failure),
        "silent.test" => after_a_good_one(Says::Nothing),
        "empty.test" => after_a_good_one(Says::Addresses(Vec::new())),
        // So many that they do not fit into a datagram.
        "many.test" => {
            Says::Addresses((0..1_000_u16).map(|n| [10, 78, (n >> 8) as u8, n as u8]).collect())
        }
        "rebinds.test" if turn == 0 => Says::Addresses(vec![PUBLIC]),
        "rebinds.test" => {
            Says::Addresses(vec![if turn.is_multiple_of(2) { OTHER } else { LOOPBACK }])
        }
        "metadata.test" => Says::Addresses(vec![METADATA]),
        "loopback.test" => Says::Addresses(vec![LOOPBACK]),
        "forged.test" => Says::Forged,
        _ => Says::NoSuchName,
    }
}

/// The names that must be served all the time, with where they lead.
const SERVED: [&str; 8] = [
    "flaps.test",
    "gone.test",
    "ill.test",
    "silent.test",
    "empty.test",
    "many.test",
    "rebinds.test",
    "forged.test",
];
const REFUSED: [&str; 2] = ["metadata.test", "loopback.test"];

/// Name and type of a question, and where it ends (RFC 1035 §4.1.2).
fn question(bytes: &[u8]) -> Option<(String, u16, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    while *bytes.get(at)? != 0 {
        let length = usize::from(bytes[at]);
        labels.push(String::from_utf8(bytes.get(at + 1..at + 1 + length)?.to_vec()).ok()?);
        at += 1 + length;
    }
    let of = u16::from_be_bytes([*bytes.get(at + 1)?, *bytes.get(at + 2)?]);
    Some((labels.join("."), of, at + 5))
}

/// An answer with a code and addresses that hold for no second.
fn reply(asked: &[u8], end: usize, code: u8, addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut reply = asked[..end].to_vec();
    reply[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    reply[4..6].copy_from_slice(&[0, 1]);
    reply[6..8].copy_from_slice(&(addresses.len() as u16).to_be_bytes());
    reply[8..12].fill(0);
    for address in addresses {
        // The name is the one of the question; type A, class IN, TTL 0, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address);
    }
    reply
}

/// The answers to a question, in order.
fn replies(asked: &[u8], turns: &Mutex<HashMap<String, usize>>) -> Vec<Vec<u8>> {
    let Some((spelt, of, end)) = question(asked) else { return Vec::new() };
    let name = spelt.to_ascii_lowercase();
    let turn = {
        let mut turns = turns.lock().expect("not poisoned");
        let turn = turns.entry(format!("{name} {of}")).or_default();
        *turn += 1;
        *turn - 1
    };
    if of != 1 {
        // A name that does not answer does not at all.
        let silent = matches!(zone(&name, turn), Says::Nothing);
        return if silent { Vec::new() } else { vec![reply(asked, end, 0, &[])] };
    }
    match zone(&name, turn) {
        Says::Addresses(addresses) => vec![reply(asked, end, 0, &addresses)],
        Says::NoSuchName => vec![reply(asked, end, 3, &[])],
        Says::Failure => vec![reply(asked, end, 2, &[])],
        Says::Nothing => Vec::new(),
        Says::Forged => forged(asked, end),
    }
}

fn forged(asked: &[u8], end: usize) -> Vec<Vec<u8>> {
    let mut other_number = reply(asked, end, 0, &[FORGED]);
    other_number[1] ^= 1;
    let mut other_question = reply(asked, end, 0, &[FORGED]);
    other_question[13] = b'x';
    vec![other_number, other_question, reply(asked, end, 0, &[GOOD])]
}

/// Answers over UDP and TCP at the port of name servers.
fn serve_names() -> Arc<Mutex<HashMap<String, usize>>> {
    let turns = Arc::<Mutex<HashMap<String, usize>>>::default();
    let udp = UdpSocket::bind("127.0.0.1:53").expect("nobody else is in this network");
    let tcp = TcpListener::bind("127.0.0.1:53").expect("nobody else is in this network");
    let known = Arc::clone(&turns);
    std::thread::spawn(move || {
        let mut bytes = [0; 1_500];
        while let Ok((length, from)) = udp.recv_from(&mut bytes) {
            for mut reply in replies(&bytes[..length], &known) {
                if reply.len() > 1_200 {
                    // Truncated: to be asked again over TCP, which is a new turn that says the same.
                    let (_, _, end) = question(&reply).expect("it was one");
                    reply.truncate(end);
                    reply[2] |= 2;
                    reply[6..8].fill(0);
                }
                let _ = udp.send_to(&reply, from);
            }
        }
    });
    let known = Arc::clone(&turns);
    std::thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let known = Arc::clone(&known);
            std::thread::spawn(move || over_tcp(stream, &known));
        }
    });
    turns
}

fn over_tcp(mut stream: TcpStream, turns: &Mutex<HashMap<String, usize>>) -> Option<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length).ok()?;
        let mut asked = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut asked).ok()?;
        // Forgery is for datagrams: here the last, true answer is the only one.
        let reply = replies(&asked, turns).pop()?;
        stream.write_all(&(reply.len() as u16).to_be_bytes()).ok()?;
        stream.write_all(&reply).ok()?;
    }
}

/// A backend at all addresses of this machine, which counts connections to those where nobody may come.
fn serve_everywhere() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    let port = listener.local_addr().expect("it has one").port();
    let astray = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&astray);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let to = stream.local_addr().map(|address| address.ip());
            if [LOOPBACK, METADATA, FORGED]
                .iter()
                .any(|ip| matches!(to, Ok(to) if to == IpAddr::from(*ip)))
            {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::spawn(move || answer_all(stream));
        }
    });
    (port, astray)
}

fn answer_all(mut stream: TcpStream) -> Option<()> {
    let mut heard = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
            let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
            heard.extend_from_slice(&piece[..count]);
        }
        heard.clear();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").ok()?;
    }
}

#[test]
fn f8_no_call_fails_for_what_a_name_server_does_and_none_is_led_astray() {
    let probe =
        format!("touch /etc/resolv.conf && mount --bind /dev/null /etc/resolv.conf && {NETWORKS}");
    let folder = directory(&[("resolv.conf", "nameserver 127.0.0.1\n")]);
    let before = format!(
        "mount --bind '{}' /etc/resolv.conf && {{ {NETWORKS}; }}",
        folder.path().join("resolv.conf").display()
    );
    run_inside_after(&probe, &before, "dns::inside_with_a_name_server");
}

#[test]
#[ignore = "run by the test above, in a network of its own"]
fn inside_with_a_name_server() {
    let turns = serve_names();
    let (port, astray) = serve_everywhere();
    let mut text =
        "portway: 1\ngateway: { listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\" }\nservices:\n"
            .to_owned();
    for name in SERVED.iter().chain(&REFUSED) {
        let id = name.trim_end_matches(".test");
        // A connection for each call, so that each goes to an address that is known at that moment.
        text += &format!(
            "  {id}: {{ path: /{id}, routes: [\"GET /\"], auth: public, backend: {{ targets: \"http://{name}:{port}\", timeouts: {{ keep_alive: 10ms }} }} }}\n"
        );
    }
    let directory = directory(&[("portway.yaml", &text)]);
    let gateway = Gateway::start(portway(directory.path(), &["run"]));
    watch_names(&gateway, &turns);

    let count = |name: &str| turns.lock().expect("not poisoned").get(&format!("{name} 1")).copied();
    let flaps = count("flaps.test").unwrap_or_default();
    say(format_args!(
        "f8: {flaps} answers of the name that flaps, {} look-ups failed",
        metric(&gateway, "portway_lookups_total{result=\"failed\"")
    ));
    assert!(flaps >= 5, "it was asked for {flaps} times only");
    assert_eq!(astray.load(Ordering::Relaxed), 0, "somebody was led astray");
}

/// Calls every name for some seconds.
fn watch_names(gateway: &Gateway, turns: &Mutex<HashMap<String, usize>>) {
    let least = Duration::from_secs(if is_full() { 60 } else { 8 });
    let begun = Instant::now();
    let mut calls = 0;
    // Until each of them has failed at least once, however slow the machine is.
    let has_failed = || {
        let turns = turns.lock().expect("not poisoned");
        SERVED.iter().all(|name| turns.get(&format!("{name} 1")).is_some_and(|turn| *turn > 1))
    };
    while begun.elapsed() < least || !has_failed() {
        assert!(begun.elapsed() < 10 * least, "not every name was asked for again");
        for name in SERVED {
            let path = format!("/{}", name.trim_end_matches(".test"));
            let answer = try_get(gateway.address, &path, &[]);
            assert!(matches!(answer, Ok((200, _))), "{name}: {answer:?}");
            calls += 1;
        }
        for name in REFUSED {
            let path = format!("/{}", name.trim_end_matches(".test"));
            let (status, answer) = try_get(gateway.address, &path, &[]).expect("an answer");
            assert!(status >= 500 && answer.contains("dns-failed"), "{name}: {answer}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    say(format_args!("f8: {calls} calls over {:.1?}, none failed", begun.elapsed()));
}
