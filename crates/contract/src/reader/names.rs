//! Names: every operation gets an id that is unique and stays the same, and a name that is safe.

use std::collections::{HashMap, HashSet};

use super::operation::{Draft, member_of};
use crate::contract::Node;
use crate::findings::Findings;
use crate::template::Piece;

/// Longest safe name, in bytes.
const NAME_BYTES: usize = 100;

/// Gives all operations their ids and names. Written ids come first, so that made ones give way.
pub(super) fn give(drafts: &mut [Draft<'_>], findings: &mut Findings) {
    let mut ids = Names::default();
    for draft in drafts.iter_mut().filter(|draft| draft.operation.id_written) {
        let id = ids.take(&draft.operation.id);
        if id != draft.operation.id {
            findings.warn(
                "operation-id-repeated",
                member_of(&draft.operation, "operationId"),
                format!(
                    "the operationId `{}` is used before; this one was named `{id}`",
                    draft.operation.id
                ),
                "give every operation an id of its own",
            );
            draft.operation.id = id;
        }
    }
    for draft in drafts.iter_mut().filter(|draft| !draft.operation.id_written) {
        let id = ids.take(&made(draft));
        let operation = &draft.operation;
        let node = || Node { document: operation.document, pointer: operation.pointer.clone() };
        findings.warn_once("operation-id-missing", "", node, || {
            (
                format!("the operation has no operationId; it was named `{id}` after its method and path"),
                "give it an `operationId`, so that its name does not change with its path".to_owned(),
            )
        });
        draft.operation.id = id;
    }
    let mut names = Names::default();
    for draft in drafts {
        draft.operation.name = names.take(&safe(&draft.operation.id));
    }
}

/// Names that are taken, and for those that were asked for again the number to try next.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    next: HashMap<String, usize>,
}

impl Names {
    /// Takes the name, or the first of `name_2`, `name_3`, … that is free.
    fn take(&mut self, name: &str) -> String {
        if self.taken.insert(name.to_owned()) {
            return name.to_owned();
        }
        let next = self.next.entry(name.to_owned()).or_insert(2);
        loop {
            let candidate = format!("{name}_{next}");
            *next += 1;
            if self.taken.insert(candidate.clone()) {
                return candidate;
            }
        }
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
    fn names_that_are_taken_get_numbers() {
        let mut names = Names::default();
        let mut check = |name: &str, expected: &str| assert_eq!(names.take(name), expected);
        check("a_2", "a_2");
        check("a", "a");
        check("a", "a_3");
        check("a", "a_4");
        check("a_2", "a_2_2");
    }
}
