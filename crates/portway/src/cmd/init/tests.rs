//! Names that are made from files, and variables that are made from names.

use super::*;

#[test]
fn a_service_is_called_like_its_contract() {
    let cases = [
        ("shop.yaml", "shop", "SHOP_KEY"),
        ("contracts/Shop Orders.v2.json", "shop-orders", "SHOP_ORDERS_KEY"),
        ("2fa.yaml", "2fa", "KEY_2FA"),
        ("商店.yaml", "api", "API_KEY"),
        ("__.yaml", "api", "API_KEY"),
    ];
    for (file, name, key) in cases {
        let made = name_of(file);
        assert_eq!((made.as_str(), variable(&made).as_str()), (name, key), "{file}");
    }
}

#[test]
fn it_is_about_twelve_lines() {
    let text = document(&name_of("shop.yaml"), "shop.yaml", "http://localhost:9000");
    assert!((10..=13).contains(&text.lines().count()), "{text}");
}
