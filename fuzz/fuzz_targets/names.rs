//! A name from a peer: parsing it never panics, a name is its own normal form, and so are those to offer in its place.
#![no_main]

use common::name::Name;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    let Ok(name) = Name::parse(first) else { return };
    assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
    assert!(name.is_confusable_with(&name));
    if let Ok(other) = Name::parse(second) {
        assert_eq!(name.is_confusable_with(&other), other.is_confusable_with(&name));
    }
    for numbered in name.numbered() {
        assert_eq!(Name::parse(numbered.as_str()), Ok(numbered));
    }
});
