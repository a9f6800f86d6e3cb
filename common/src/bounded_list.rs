//! Lists whose length is limited while they are decoded: a list that announces too many elements is refused before the
//! first of them is read, so neither memory nor time is spent in proportion to what a peer claims.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use crate::limits::{MAX_ADDRESSES, MAX_LIBRARY_ENTRIES, MAX_PEOPLE, MAX_VARIANTS, MAX_VIEWINGS};

const TOO_MANY_PEOPLE: &str = "it lists more than 4000 people";
const TOO_MANY_VIDEOS: &str = "it lists more than 2000 videos";
const TOO_MANY_VARIANTS: &str = "it lists more than 64 resolutions of a video";
const TOO_MANY_SEGMENTS: &str = "it lists more than 64 segments of a stream";
const TOO_MANY_VIEWINGS: &str = "it says of more than 1000 people what they watch";
const TOO_MANY_ADDRESSES: &str = "it lists more than 16 addresses of the server";

/// Every reason for which a list is refused. Decoders pass errors on as text; this is how the codec recognises one.
pub(crate) const REASONS: [&str; 6] =
    [TOO_MANY_PEOPLE, TOO_MANY_VIDEOS, TOO_MANY_VARIANTS, TOO_MANY_SEGMENTS, TOO_MANY_VIEWINGS, TOO_MANY_ADDRESSES];

/// For lists of people.
pub(crate) fn people<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    list(deserializer, MAX_PEOPLE, TOO_MANY_PEOPLE)
}

/// For the videos of a library.
pub(crate) fn videos<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    list(deserializer, MAX_LIBRARY_ENTRIES, TOO_MANY_VIDEOS)
}

/// For the variants of a video, and for those of its resolutions that cannot be read.
pub(crate) fn variants<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    list(deserializer, MAX_VARIANTS, TOO_MANY_VARIANTS)
}

/// For the segments of a stream.
pub(crate) fn segments<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    list(deserializer, MAX_VARIANTS, TOO_MANY_SEGMENTS)
}

/// For what people watch.
pub(crate) fn viewings<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    list(deserializer, MAX_VIEWINGS, TOO_MANY_VIEWINGS)
}

/// For the addresses of a server.
pub(crate) fn addresses<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    list(deserializer, MAX_ADDRESSES, TOO_MANY_ADDRESSES)
}

fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    limit: usize,
    reason: &'static str,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Bounded { limit, reason, element: PhantomData })
}

struct Bounded<T> {
    limit: usize,
    reason: &'static str,
    element: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of up to {} elements", self.limit)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        // Encodings that announce the length are refused at once; the others when one element too many has come.
        if elements.size_hint().is_some_and(|announced| announced > self.limit) {
            return Err(A::Error::custom(self.reason));
        }
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == self.limit {
                return Err(A::Error::custom(self.reason));
            }
            list.push(element);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_name_the_limits() {
        let limits = [MAX_PEOPLE, MAX_LIBRARY_ENTRIES, MAX_VARIANTS, MAX_VARIANTS, MAX_VIEWINGS, MAX_ADDRESSES];
        for (reason, limit) in REASONS.iter().zip(limits) {
            assert!(reason.contains(&format!(" {limit} ")), "{reason}");
        }
    }
}
