//! The catalogue.

use std::collections::HashSet;

use super::*;

#[test]
fn every_reason_stands_in_the_catalogue_once() {
    let words: HashSet<_> = Reason::ALL.iter().map(|reason| reason.word()).collect();
    assert_eq!(words.len(), Reason::ALL.len());
    for (index, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(*reason as usize, index, "{reason:?} is out of order");
        assert!(
            reason.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
            "{reason:?}"
        );
        assert!((400..600).contains(&reason.status()), "{reason:?}");
        assert!(reason.title().ends_with('.') && reason.title().len() < 80, "{reason:?}");
        assert!(
            reason.explanation().len() > 60 && !reason.explanation().contains("  "),
            "{reason:?}"
        );
    }
    assert_eq!(Reason::Draining as usize + 1, Reason::ALL.len());
}

#[test]
fn missing_and_wrong_credentials_look_alike() {
    let (missing, invalid) = (Reason::CredentialsMissing, Reason::CredentialsInvalid);
    assert_eq!((missing.status(), missing.title()), (invalid.status(), invalid.title()));
}
