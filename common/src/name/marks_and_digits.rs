//! Marks and digits in names, which make names that look empty, overflow their line or hide a number.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The longest sequence of marks on one letter (UTS #39 §5.4). Vietnamese needs two.
const MAX_MARKS_IN_A_ROW: usize = 4;

/// Whether a character only modifies the one before it: accents and vowel signs.
pub(super) fn is_mark(c: char) -> bool {
    !c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Mark
}

/// Whether a letter carries the same mark twice in a row, or more than four. Both look like one letter with fewer, or leave
/// the line. Composed letters are taken apart for this.
pub(super) fn has_heaped_marks(text: &str) -> bool {
    let (mut last, mut in_a_row) = (None, 0);
    text.nfd().any(|c| {
        if !is_mark(c) {
            (last, in_a_row) = (None, 0);
            return false;
        }
        let is_repeated = last == Some(c);
        (last, in_a_row) = (Some(c), in_a_row + 1);
        is_repeated || in_a_row > MAX_MARKS_IN_A_ROW
    })
}

/// The zeros of the systems of decimal digits that occur (UTS #39 §5.3): `0` for 0 to 9, `٠` for ٠ to ٩ and so on. Sorted by
/// first occurrence, without repetitions.
pub(super) fn digit_systems(text: &str) -> Vec<char> {
    let mut zeros = Vec::new();
    for zero in text.chars().filter(|&c| is_decimal_digit(c)).map(zero_of) {
        if !zeros.contains(&zero) {
            zeros.push(zero);
        }
    }
    zeros
}

fn is_decimal_digit(c: char) -> bool {
    c.is_ascii_digit() || !c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber
}

/// The zero of a digit's system. The digits of a system follow each other in Unicode, and those systems that names allow do
/// not touch.
fn zero_of(digit: char) -> char {
    let before = |&c: &char| char::from_u32(u32::from(c).wrapping_sub(1)).filter(|&c| is_decimal_digit(c));
    std::iter::successors(Some(digit), before).last().expect("the digit itself comes first")
}
