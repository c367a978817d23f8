//! Callers as they are shown.

use super::*;

fn privacy(client: ClientShown, app: AppShown, key: Option<&str>) -> Privacy {
    let document = model::Privacy { client, app, ..model::Privacy::default() };
    Privacy::new(&document, key).unwrap()
}

fn check_network(address: &str, expected: &str) {
    let shown =
        privacy(ClientShown::Network, AppShown::Full, None).client(address.parse().unwrap());
    assert_eq!(shown, Client::Address(expected.parse().unwrap()), "{address}");
}

#[test]
fn networks() {
    check_network("203.0.113.77", "203.0.113.0");
    check_network("::ffff:203.0.113.77", "203.0.113.0");
    check_network("2001:db8:1234:5678:9abc::1", "2001:db8:1234::");
    check_network("::1", "::");
}

#[test]
fn a_hash_is_stable_under_a_key_and_another_under_another() {
    let address: IpAddr = "203.0.113.77".parse().unwrap();
    let shown = |key| privacy(ClientShown::Hash, AppShown::Hash, key).client(address);
    assert_eq!(shown(Some("a")), shown(Some("a")));
    assert_ne!(shown(Some("a")), shown(Some("b")));
    assert_ne!(shown(None), shown(None), "without a key each start has its own");
    let one = privacy(ClientShown::Hash, AppShown::Hash, Some("a"));
    assert_eq!(one.client(address), one.client("::ffff:203.0.113.77".parse().unwrap()));
    assert_ne!(one.client(address), one.client("203.0.113.78".parse().unwrap()));
}

#[test]
fn apps() {
    let hashed = privacy(ClientShown::Full, AppShown::Hash, Some("a"));
    assert_eq!(hashed.app("phone").as_str().len(), 16);
    assert_ne!(hashed.app("phone"), hashed.app("tablet"));
    assert_eq!(hashed.app("").as_str(), "", "nobody is nobody");
    assert_eq!(privacy(ClientShown::Full, AppShown::Drop, None).app("phone").as_str(), "");
    assert_eq!(Privacy::default().app("phone").as_str(), "phone");
}

#[test]
fn paths_and_agents() {
    let document = model::Privacy {
        path: PathShown::Route,
        user_agent: TextShown::Drop,
        ..model::Privacy::default()
    };
    let hidden = Privacy::new(&document, None).unwrap();
    assert_eq!(hidden.path(b"/shop/orders/7", "/shop/orders/{id}"), b"/shop/orders/{id}");
    assert_eq!(hidden.path(b"/secret", ""), b"");
    assert_eq!(hidden.user_agent(b"curl"), b"");
    let full = Privacy::default();
    assert_eq!(full.path(b"/a", "/b"), b"/a");
    assert_eq!(full.user_agent(b"curl"), b"curl");
}
