//! Pointers and how people read them.

use super::{Path, dotted, steps};

#[test]
fn pointers() {
    let services = Path::ROOT.key("services");
    let shop = services.key("a/b~c");
    let limits = shop.key("limits");
    let pointer = limits.index(3).pointer();
    assert_eq!(pointer, "/services/a~1b~0c/limits/3");
    assert_eq!(steps(&pointer).collect::<Vec<_>>(), ["services", "a/b~c", "limits", "3"]);
    assert_eq!(dotted(&pointer), "services.a/b~c.limits[3]");
    assert_eq!(dotted("/operations/GET ~1a"), "operations.\"GET /a\"");
    assert_eq!(dotted(""), "the document");
}
