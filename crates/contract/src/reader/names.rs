//! Names: every operation gets an id that is unique and stays the same, and a name that is safe.

use std::collections::HashSet;

use super::operation::{Draft, member_of};
use crate::findings::Findings;
use crate::template::Piece;

/// Longest safe name, in bytes.
const NAME_BYTES: usize = 100;

/// Gives all operations their ids and names. Written ids come first, so that made ones give way.
pub(super) fn give(drafts: &mut [Draft<'_>], findings: &mut Findings) {
    let mut ids = HashSet::new();
    for draft in drafts.iter_mut().filter(|draft| draft.operation.id_written) {
        let written = draft.operation.id.clone();
        if !ids.insert(written.clone()) {
            let id = free(&written, &ids);
            findings.warn(
                "operation-id-repeated",
                member_of(&draft.operation, "operationId"),
                format!("the operationId `{written}` is used before; this one was named `{id}`"),
                "give every operation an id of its own",
            );
            ids.insert(id.clone());
            draft.operation.id = id;
        }
    }
    let mut missing = 0;
    for draft in drafts.iter_mut().filter(|draft| !draft.operation.id_written) {
        let made = made(draft);
        let id = if ids.contains(&made) { free(&made, &ids) } else { made };
        if missing == 0 {
            findings.warn_once("operation-id-missing", "", || member_of(&draft.operation, ""), || {
                (
                    format!("the operation has no operationId; it was named `{id}` after its method and path"),
                    "give it an `operationId`, so that its name does not change with its path".to_owned(),
                )
            });
        } else {
            findings.warn_once(
                "operation-id-missing",
                "",
                || member_of(&draft.operation, ""),
                Default::default,
            );
        }
        missing += 1;
        ids.insert(id.clone());
        draft.operation.id = id;
    }
    let mut names = HashSet::new();
    for draft in drafts {
        let safe = safe(&draft.operation.id);
        let name = if names.contains(&safe) { free(&safe, &names) } else { safe };
        names.insert(name.clone());
        draft.operation.name = name;
    }
}

/// The first of `base_2`, `base_3`, … that is not taken.
fn free(base: &str, taken: &HashSet<String>) -> String {
    // Starting from the number of names taken keeps a thousand repetitions from being a million steps.
    let first = format!("{base}_2");
    if !taken.contains(&first) {
        return first;
    }
    let mut number = 3usize;
    let mut step = 1usize;
    loop {
        let candidate = format!("{base}_{number}");
        if !taken.contains(&candidate) {
            return candidate;
        }
        number += step;
        step = (step * 2).min(1 << 20);
    }
}

/// `GET /orders/{orderId}/lines` → `getOrdersByOrderIdLines`.
fn made(draft: &Draft<'_>) -> String {
    let operation = &draft.operation;
    let mut name = operation.method.to_ascii_lowercase();
    let before = name.len();
    if operation.template.segments.is_empty() {
        push_words(&mut name, &operation.path);
    }
    for piece in operation.template.segments.iter().flatten() {
        match piece {
            Piece::Literal(text) => push_words(&mut name, text),
            Piece::Parameter(text) => {
                name.push_str("By");
                push_words(&mut name, text);
            }
        }
    }
    for part in draft.key.query.iter().chain(&draft.key.fragment) {
        push_words(&mut name, part);
    }
    if name.len() == before {
        name.push_str("Root");
    }
    name
}

/// The words of a text, each with a capital.
fn push_words(name: &mut String, text: &str) {
    let mut starts = true;
    for character in text.chars() {
        if !character.is_alphanumeric() {
            starts = true;
        } else if starts {
            name.extend(character.to_uppercase());
            starts = false;
        } else {
            name.push(character);
        }
    }
}

/// The id with everything but ASCII letters and digits replaced, beginning with a letter.
fn safe(id: &str) -> String {
    let mut name = String::with_capacity(id.len().min(NAME_BYTES));
    for character in id.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
        if name.len() >= NAME_BYTES {
            break;
        }
    }
    let name = name.trim_end_matches('_');
    if name.is_empty() {
        "operation".to_owned()
    } else if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("op_{name}")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    //! Safe names and free ones.

    use super::*;

    #[test]
    fn names_are_safe() {
        let check = |id: &str, expected: &str| assert_eq!(safe(id), expected, "{id}");
        check("listPets", "listPets");
        check("Upload or delete product image", "Upload_or_delete_product_image");
        check("delete-/files/v3/{id}_archive", "delete_files_v3_id_archive");
        check("3ds", "op_3ds");
        check("≠", "operation");
        check("__x__", "x");
    }

    #[test]
    fn free_names_are_found_quickly() {
        let mut taken: HashSet<String> = HashSet::from(["a".to_owned()]);
        for _ in 0..5_000 {
            let name = free("a", &taken);
            assert!(taken.insert(name));
        }
    }
}
