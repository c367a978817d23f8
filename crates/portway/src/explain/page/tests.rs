//! What is on the page, whatever is in the call.

use super::*;

#[test]
fn nothing_from_outside_is_html() {
    let evil = "</textarea><script>alert(\"1\")</script>'&\u{202e}\u{0}";
    let form = Form {
        method: evil.to_owned(),
        url: evil.to_owned(),
        headers: evil.to_owned(),
        body: evil.to_owned(),
        app: evil.to_owned(),
        at: evil.to_owned(),
        from: evil.to_owned(),
        signed: evil.to_owned(),
        id: evil.to_owned(),
    };
    let record = serde_json::json!({ evil: evil, "method": evil });
    let past = Past {
        record,
        phases: Vec::new(),
        changed: None,
        now: None,
        why_not: Some(evil.to_owned()),
    };
    for shown in [Shown::Nothing, Shown::Sorry(evil), Shown::Past(&past)] {
        let page = render(&form, &shown);
        assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{0}'));
        assert_eq!(page.matches("</textarea>").count(), 3, "only our own");
        assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)"));
    }
}

/// Every field has a label, every heading comes after the one above it, and colours are not all that tells.
#[test]
fn the_page_can_be_used_without_looking() {
    let page = render(&Form::default(), &Shown::Nothing);
    for name in ["method", "url", "headers", "body", "app", "at", "from", "signed", "id"] {
        assert!(page.contains(&format!("<label for=\"{name}\">")), "{name}");
        assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
    }
    assert!(
        page.contains("<html lang=\"en\">") && page.contains("<main>") && page.contains("<h1>")
    );
    for part in
        ["<script", "style=", "onclick", "onload", "onsubmit", "javascript:", "http://", "https://"]
    {
        assert!(!page.contains(part), "{part}");
    }
    assert!(CSS.contains("prefers-color-scheme: dark"));
}
