//! Tests of names: which texts are names, and which names clash.

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text).expect(text)
}

#[test]
fn names_of_many_languages_are_accepted() {
    for text in
        ["a", "7", "Ada Lovelace", "J. R.-R_2", "Žofie", "Ольга", "李小龙", "さくら", "विष्णु", "محمد", &"x".repeat(32)]
    {
        assert_eq!(name(text).as_str(), text);
    }
}

#[test]
fn tricks_are_refused_with_the_reason() {
    for (text, error) in [
        ("", NameError::Empty),
        (&"x".repeat(33), NameError::TooLong(33)),
        (" a", NameError::BadStart(' ')),
        ("-a", NameError::BadStart('-')),
        ("a\u{202e}b", NameError::BadCharacter('\u{202e}')),
        ("a\nb", NameError::BadCharacter('\n')),
        ("a\u{200d}b", NameError::BadCharacter('\u{200d}')),
        ("a/b", NameError::BadCharacter('/')),
        ("a  b", NameError::BadSpace),
        ("a ", NameError::BadSpace),
        ("p\u{430}ul", NameError::MixedScripts),
    ] {
        assert_eq!(Name::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn refused_characters_are_named_so_that_people_recognise_them() {
    for (c, shown) in [
        ('/', "\u{201c}/\u{201d}"),
        ('\'', "\u{201c}'\u{201d}"),
        ('✅', "\u{201c}✅\u{201d}"),
        (' ', "a space"),
        ('\n', "a line break"),
        ('\u{202e}', "an invisible character that reverses the direction of text"),
        ('\u{2066}', "an invisible character that changes the direction of text"),
        ('\u{200d}', "an invisible joiner"),
        ('\u{200b}', "an invisible space"),
        ('\u{a0}', "an unusual space"),
        ('\u{7}', "a control character"),
        ('\u{301}', "an accent without a letter"),
        ('\u{e000}', "a character that cannot be shown"),
    ] {
        let text = NameError::BadCharacter(c).to_string();
        assert_eq!(text, format!("Remove {shown}. Names can contain letters, digits, spaces and _ - ."));
        let text = NameError::BadStart(c).to_string();
        assert_eq!(text, format!("Start the name with a letter or a digit, not with {shown}."));
    }
}

#[test]
fn names_are_compared_in_composed_form() {
    assert_eq!(name("e\u{301}va"), name("éva"));
    assert!(Name::try_from("e\u{301}va".to_owned()).is_err(), "the wire carries one form only");
}

#[test]
fn look_alikes_clash() {
    for (one, other) in [
        ("Ada", "aDA"),
        ("Paul", "PauI"),
        ("Alice", "AIice"),
        ("TOM", "\u{422}\u{41e}\u{41c}"),
        ("KOBE", "\u{41a}\u{41e}\u{412}\u{415}"),
        ("ANNA", "\u{391}\u{39d}\u{39d}\u{391}"),
        ("coco", "\u{441}\u{43e}\u{441}\u{43e}"),
        ("paypal", "\u{440}\u{430}\u{443}\u{440}\u{430}\u{4cf}"),
        ("Oleg", "0leg"),
        ("modern", "modem"),
        ("Iris", "lris"),
    ] {
        assert!(name(one).is_confusable_with(&name(other)), "{one} and {other}");
        assert!(name(other).is_confusable_with(&name(one)), "{other} and {one}");
    }
}

#[test]
fn names_that_people_tell_apart_do_not_clash() {
    for (one, other) in [
        ("Ada", "Bob"),
        ("Ann", "Anna"),
        ("Karl", "Carl"),
        ("Jan", "Ian"),
        ("Ina", "Lina"),
        ("ail", "all"),
        ("Tom", "Tim"),
        ("Olga", "Ольга"),
        ("Žofie", "Zofie"),
        ("José", "Jose"),
        ("ada-2", "ada-3"),
        ("李", "季"),
    ] {
        assert!(!name(one).is_confusable_with(&name(other)), "{one} and {other}");
    }
}

#[test]
fn nobody_is_called_like_what_triptych_calls_something_else() {
    for word in ["everyone", "you", "me", "server", "system", "admin", "triptych"] {
        let capitals = word.to_uppercase();
        for text in [word, &capitals] {
            let error = Name::parse(text).unwrap_err();
            assert_eq!(error, NameError::Reserved(text.to_owned()));
            assert!(error.to_string().contains(text), "{error}");
        }
    }
    for look_alike in ["Y0u", "Systern", "\u{41c}\u{415}"] {
        assert!(matches!(Name::parse(look_alike), Err(NameError::Reserved(_))), "{look_alike}");
    }
    for close in ["Younes", "Mei", "Servera", "admin-2", "Ty"] {
        assert_eq!(name(close).as_str(), close);
    }
}

#[test]
fn marks_neither_begin_a_name_nor_heap_up() {
    for mark in ['\u{e34}', '\u{64b}', '\u{301}'] {
        assert_eq!(Name::parse(&mark.to_string()), Err(NameError::BadStart(mark)));
        assert_eq!(Name::parse(&format!("{mark}a")), Err(NameError::BadStart(mark)));
    }
    for text in ["e\u{301}\u{301}", "\u{e01}\u{e34}\u{e34}", "a\u{323}\u{302}\u{301}\u{307}\u{308}"] {
        assert_eq!(Name::parse(text), Err(NameError::HeapedMarks), "{text:?}");
    }
    for text in ["Nguyễn", "Αναξίμανδρος", "श्री कृष्ण गोविन्द", "ที่รัก", "مُحَمَّد"]
    {
        let composed: String = text.nfc().collect();
        assert_eq!(name(text).as_str(), composed);
    }
}

#[test]
fn digits_are_of_one_system() {
    for text in ["1\u{662}", "\u{661}\u{6f2}", "a1\u{967}"] {
        assert!(matches!(Name::parse(text), Err(NameError::MixedDigits | NameError::MixedScripts)), "{text:?}");
    }
    assert_eq!(Name::parse("1\u{662}"), Err(NameError::MixedDigits));
    for text in ["1990", "\u{661}\u{662}\u{663}", "\u{967}\u{968}"] {
        assert_eq!(name(text).as_str(), text);
    }
}

#[test]
fn similar_names_count_up_and_keep_the_rules() {
    let ada: Vec<_> = name("ada").numbered().collect();
    assert_eq!(ada.len(), 16);
    assert_eq!((ada[0].as_str(), ada[15].as_str()), ("ada-2", "ada-17"));
    for long in ["x".repeat(32), "x ".repeat(16).trim_end().to_owned(), "\u{661}".repeat(32)] {
        let numbered: Vec<_> = name(&long).numbered().collect();
        assert_eq!(numbered.len(), 16, "{long}");
        for similar in numbered {
            assert_eq!(Name::parse(similar.as_str()), Ok(similar));
        }
    }
    assert_eq!(name("\u{661}").numbered().next(), Some(name("\u{661}-\u{662}")));
}
