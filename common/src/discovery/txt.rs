//! What a server says of itself as the TXT record of its DNS-SD service: keys with texts (RFC 6763 §6).

use super::{Announcement, DISCOVERY_VERSION, InstanceId, ServerName};

impl Announcement {
    /// The pairs of the TXT record. The port is not among them: DNS-SD has a record of its own for it.
    pub fn to_txt(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("txtvers", DISCOVERY_VERSION.to_string()),
            ("id", to_hex(&self.instance.0)),
            ("name", self.name.to_string()),
            ("protocol", self.protocol_version.to_string()),
            ("people", self.people_count.to_string()),
            ("videos", self.video_count.to_string()),
        ];
        pairs.extend(self.certificate_hash.map(|hash| ("certificate", to_hex(&hash))));
        pairs
    }

    /// Reads a TXT record with the values that `value` finds under its keys; `None` when one is missing or malformed.
    pub fn from_txt<'a>(port: u16, value: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let number = |key| value(key).and_then(|text| text.parse::<u16>().ok());
        if value("txtvers") != Some(&DISCOVERY_VERSION.to_string()) || port == 0 {
            return None;
        }
        let certificate_hash = match value("certificate") {
            None => None,
            Some(text) => Some(from_hex(text)?),
        };
        Some(Self {
            instance: InstanceId(from_hex(value("id")?)?),
            name: ServerName::parse(value("name")?).ok()?,
            protocol_version: number("protocol")?,
            port,
            people_count: number("people")?,
            video_count: number("videos")?,
            certificate_hash,
        })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect();
    if digits.len() != 2 * N {
        return None;
    }
    bytes.try_into().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Any announcement, also one with the longest name that there is.
    pub(in crate::discovery) fn announcements() -> impl Strategy<Value = Announcement> {
        let name = prop_oneof![
            "[a-zA-Z0-9][a-z0-9_.-]{0,31}".prop_filter_map("a name", |text| ServerName::parse(&text).ok()),
            // Letters of three bytes each.
            (1_usize..=32).prop_map(|count| ServerName::parse(&"\u{4e00}".repeat(count)).unwrap()),
        ];
        let hash = proptest::option::of(any::<[u8; 32]>());
        (any::<[u8; 8]>(), name, any::<u16>(), 1..=u16::MAX, any::<u16>(), any::<u16>(), hash).prop_map(
            |(instance, name, protocol_version, port, people_count, video_count, certificate_hash)| Announcement {
                instance: InstanceId(instance),
                name,
                protocol_version,
                port,
                people_count,
                video_count,
                certificate_hash,
            },
        )
    }

    fn read(port: u16, pairs: &BTreeMap<&str, String>) -> Option<Announcement> {
        Announcement::from_txt(port, |key| pairs.get(key).map(String::as_str))
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(announcement in announcements()) {
            let pairs: BTreeMap<_, _> = announcement.to_txt().into_iter().collect();
            // RFC 6763 §6.1: a pair takes at most 255 bytes, and §6.2: all of them should take less than 1300.
            prop_assert!(pairs.iter().all(|(key, value)| key.len() + 1 + value.len() <= 255));
            prop_assert_eq!(read(announcement.port, &pairs), Some(announcement));
        }

        #[test]
        fn a_record_without_one_of_its_keys_is_not_read(announcement in announcements(), missing in 0_usize..6) {
            let mut pairs = announcement.to_txt();
            pairs.remove(missing);
            let pairs = pairs.into_iter().collect();
            prop_assert_eq!(read(announcement.port, &pairs), None);
        }
    }

    #[test]
    fn a_malformed_value_is_not_read() {
        let hash = "ab".repeat(32);
        for (key, text) in [
            ("txtvers", "2"),
            ("id", "12"),
            ("id", "zz02030405060708"),
            ("name", ""),
            ("name", "lab\u{202e}"),
            ("people", "-1"),
            ("videos", "65536"),
            ("certificate", "ab"),
        ] {
            let mut pairs = BTreeMap::from([
                ("txtvers", "1".to_owned()),
                ("id", "0102030405060708".to_owned()),
                ("name", "Lab".to_owned()),
                ("protocol", "5".to_owned()),
                ("people", "0".to_owned()),
                ("videos", "0".to_owned()),
                ("certificate", hash.clone()),
            ]);
            assert!(read(7878, &pairs).is_some());
            pairs.insert(key, text.to_owned());
            assert_eq!(read(7878, &pairs), None, "{key} = {text:?}");
        }
    }
}
