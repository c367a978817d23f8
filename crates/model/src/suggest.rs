//! "Did you mean …": the known word that is nearest to an unknown one.

/// The word of `known` that was probably meant by `word`, if one is near enough. Case does not count.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are not misspellings of anything we know, and the measure is quadratic in length.
    const WORD_CHARS_MAX: usize = 64;
    // Of two numbers neither is a misspelling of the other.
    let is_number = word.chars().all(|c| c.is_ascii_digit() || c == '.');
    if word.is_empty() || is_number || word.chars().count() > WORD_CHARS_MAX {
        return None;
    }
    let lower = normal(word);
    let allowed = (lower.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= WORD_CHARS_MAX)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &normal(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `bodyBytes`, `body-bytes` and `body_bytes` are one word to a reader.
fn normal(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
