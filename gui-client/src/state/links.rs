//! Web addresses in messages: where they are, and how one is shown before it is opened.

use std::ops::Range;

use linkify::{LinkFinder, LinkKind};
use url::Url;

/// A web address that a person may open, taken apart such that the computer it leads to can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    url: Url,
}

impl WebAddress {
    /// Reads an address that begins with `http://` or `https://`; `None` if it is none or names no computer.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Self { url })
    }

    /// The whole address as it will be opened.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// What is before the name of the computer, the name, and what is after it. The name is written in ASCII: letters of
    /// other alphabets, with which one name can imitate another, are spelled out (`xn--…`).
    pub fn parts(&self) -> [&str; 3] {
        let whole = self.url.as_str();
        let host = self.url.host_str().unwrap_or_default();
        let after_scheme = self.url.scheme().len() + "://".len();
        // A user name or password before the host may contain its text, too.
        let after_user = whole.find('@').filter(|_| self.has_user()).map_or(after_scheme, |at| at + 1);
        let start = whole.get(after_user..).and_then(|rest| rest.find(host)).map_or(0, |at| after_user + at);
        let (before, rest) = whole.split_at_checked(start).unwrap_or((whole, ""));
        let (host, after) = rest.split_at_checked(host.len()).unwrap_or((rest, ""));
        [before, host, after]
    }

    /// What a person should know about the address before opening it.
    pub fn caution(&self) -> Option<&'static str> {
        let host = self.url.host_str().unwrap_or_default();
        if self.has_user() {
            Some("What is written before the @ is a user name. Only the name after it is the site.")
        } else if host.split('.').any(|label| label.starts_with("xn--")) {
            Some(
                "The name of this site has letters of another alphabet, and may imitate a name that you know. It is spelled out here.",
            )
        } else {
            None
        }
    }

    fn has_user(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }
}

/// The places of the web addresses in a text. Each begins with `http://` or `https://`, because a program that guesses makes
/// links of file names.
pub fn find(text: &str) -> Vec<Range<usize>> {
    if !text.contains("://") {
        return Vec::new();
    }
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let links = finder.links(text).filter(|link| WebAddress::parse(link.as_str()).is_some());
    links.map(|link| link.start()..link.end()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<&str> {
        find(text).into_iter().filter_map(|range| text.get(range)).collect()
    }

    #[test]
    fn addresses_are_found_without_the_punctuation_around_them() {
        assert_eq!(found("See https://example.org/a_(b)?c=d#e, please."), ["https://example.org/a_(b)?c=d#e"]);
        assert_eq!(found("(http://10.0.0.7:8080)"), ["http://10.0.0.7:8080"]);
        assert_eq!(found("https://a.example and HTTPS://B.example!"), ["https://a.example", "HTTPS://B.example"]);
        assert_eq!(found("https://münchen.example/straße"), ["https://münchen.example/straße"]);
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for text in [
            "notes.txt",
            "www.example.org",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ssh://host",
            "https://",
            "://",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert_eq!(WebAddress::parse("javascript:alert(1)"), None);
    }

    #[test]
    fn the_computer_that_an_address_leads_to_is_set_apart() {
        let parts = |text: &str| WebAddress::parse(text).unwrap().parts().map(ToOwned::to_owned);
        assert_eq!(parts("https://example.org/path?q"), ["https://", "example.org", "/path?q"]);
        assert_eq!(parts("https://bank.example@evil.example/"), ["https://bank.example@", "evil.example", "/"]);
        assert_eq!(parts("https://evil.example@evil.example/"), ["https://evil.example@", "evil.example", "/"]);
        assert_eq!(parts("http://[::1]:80/x"), ["http://", "[::1]", "/x"]);
        assert_eq!(parts("http://t/t"), ["http://", "t", "/t"]);
    }

    #[test]
    fn names_that_may_imitate_others_are_spelled_out_and_explained() {
        // The first letter is Cyrillic.
        let address = WebAddress::parse("https://аpple.com/").unwrap();
        assert_eq!(address.parts()[1], "xn--pple-43d.com");
        assert!(address.caution().unwrap().contains("another alphabet"));
        assert!(WebAddress::parse("https://a@b.example/").unwrap().caution().unwrap().contains("user name"));
        assert_eq!(WebAddress::parse("https://apple.com/").unwrap().caution(), None);
    }

    proptest! {
        #[test]
        fn the_parts_of_an_address_are_the_address(text in "https?://([a-z]{1,3}(:[a-z]{1,2})?@)?[a-z]{1,3}(\\.[a-zа-я]{2,3})?(:80)?/[a-z@:/]{0,6}") {
            if let Some(address) = WebAddress::parse(&text) {
                prop_assert_eq!(address.parts().concat(), address.as_str());
                prop_assert_eq!(Some(address.parts()[1]), address.url.host_str());
            }
        }

        #[test]
        fn links_are_pieces_of_their_text(text in "\\PC{0,8}(https?://)?\\PC{0,12} ?\\PC{0,4}") {
            for range in find(&text) {
                prop_assert!(text.get(range).is_some_and(|link| WebAddress::parse(link).is_some()));
            }
        }
    }
}
