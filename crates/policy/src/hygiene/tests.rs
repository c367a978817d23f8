//! Names that could be taken for others.

use super::*;

#[test]
fn every_spelling_of_our_names_is_ours() {
    for name in [
        "x-portway-app",
        "X-Portway-App",
        "X-PORTWAY-PLAN",
        "x_portway_app",
        "X_Portway-App",
        "x.portway.app",
        "X.PortWay_app",
        "x-portway-",
        "x-portway-anything-else",
    ] {
        assert!(is_ours(name.as_bytes()), "{name}");
    }
    for name in [
        "",
        "x",
        "x-portway",
        "x-portwayapp",
        "xx-portway-app",
        "y-portway-app",
        "x-port-way-app",
        "X~Portway-App",
    ] {
        assert!(!is_ours(name.as_bytes()), "{name}");
    }
    assert!(is_ours(APP_HEADER.as_bytes()) && is_ours(PLAN_HEADER.as_bytes()));
}

#[test]
fn hop_by_hop_names_have_no_case() {
    for name in HOP_BY_HOP {
        assert!(is_hop_by_hop(name.to_ascii_uppercase().as_bytes()), "{name}");
    }
    for name in ["content-length", "x-api-key", "", "te2", "authorization"] {
        assert!(!is_hop_by_hop(name.as_bytes()), "{name}");
    }
}
