//! The order of titles and names as people expect it: case does not matter, and numbers count by value, so that "Part 9" comes
//! before "Part 10".

/// A part of a text that consists of digits only, or of no digits. Numbers come before text, as digits do in Unicode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Run {
    /// Digits without leading zeros. The number of digits comes first in the order, so that any length can be compared.
    Number(usize, String),
    /// Everything else, in lower case.
    Text(String),
}

/// The sort key of a title or name.
pub(super) fn key(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_number).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        runs.push(if is_number {
            let digits = run.trim_start_matches('0');
            Run::Number(digits.len(), digits.to_owned())
        } else {
            Run::Text(run.to_lowercase())
        });
        rest = behind;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_sorted_as_people_expect() {
        let expected =
            ["10 Lies", "a", "it's a clip", "Lecture 9", "lecture 010", "Lecture 10b", "Triptych sample", "Žofie"];
        let mut titles = expected;
        titles.reverse();
        titles.sort_by_cached_key(|title| key(title));
        assert_eq!(titles, expected);
        let huge = "9".repeat(50);
        assert!(key(&huge) > key("10"), "numbers of any length are compared");
    }
}
