//! The datagrams by which a client asks for servers and a server answers, over UDP on the server's port.
//!
//! An answer is never longer than the probe that it answers, so that a server cannot be made to send more to a stranger
//! than it was sent in that stranger's name. All numbers are in network byte order.

use super::{Announcement, DISCOVERY_VERSION, InstanceId, ServerName};
use crate::message::MAGIC;

/// The size of a probe, and the largest size of an answer.
pub const PROBE_BYTES: usize = 256;

/// Follows [`MAGIC`] in a probe.
const PROBE_KIND: u8 = b'?';
/// Follows [`MAGIC`] in an answer.
const ANSWER_KIND: u8 = b'!';

/// Asks all servers that receive it to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Fresh random bytes, which each answer repeats: without them anyone could answer unasked, from far away.
    pub token: [u8; 8],
}

/// Answers a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// From the probe.
    pub token: [u8; 8],
    /// What the server says of itself.
    pub announcement: Announcement,
}

impl Probe {
    /// The datagram, filled with zeros up to [`PROBE_BYTES`].
    pub fn to_bytes(self) -> [u8; PROBE_BYTES] {
        let mut bytes = [0; PROBE_BYTES];
        let head = [MAGIC.as_slice(), &[PROBE_KIND, DISCOVERY_VERSION], &self.token].concat();
        bytes[..head.len()].copy_from_slice(&head);
        bytes
    }

    /// Reads a datagram; `None` if it is no probe of this version, or shorter or longer than one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != PROBE_BYTES {
            return None;
        }
        let mut reader = Reader::after_head(bytes, PROBE_KIND)?;
        Some(Self { token: reader.take()? })
    }
}

impl Answer {
    /// The datagram, of at most [`PROBE_BYTES`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let Announcement { instance, name, protocol_version, port, people_count, video_count, certificate_hash } =
            &self.announcement;
        let name = name.as_str().as_bytes();
        let name_length = u8::try_from(name.len()).expect("32 characters take at most 128 bytes");
        let mut bytes = [MAGIC.as_slice(), &[ANSWER_KIND, DISCOVERY_VERSION], &self.token, &instance.0].concat();
        for number in [protocol_version, port, people_count, video_count] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.push(u8::from(certificate_hash.is_some()));
        bytes.extend(certificate_hash.unwrap_or_default());
        bytes.push(name_length);
        bytes.extend(name);
        bytes
    }

    /// Reads a datagram; `None` if it is no answer of this version, or not exactly as [`Answer::to_bytes`] writes it.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > PROBE_BYTES {
            return None;
        }
        let mut reader = Reader::after_head(bytes, ANSWER_KIND)?;
        let token = reader.take()?;
        let instance = InstanceId(reader.take()?);
        let [protocol_version, port, people_count, video_count] =
            [reader.number()?, reader.number()?, reader.number()?, reader.number()?];
        let [has_certificate] = reader.take()?;
        let hash = reader.take()?;
        let certificate_hash = match has_certificate {
            0 if hash == [0; 32] => None,
            1 => Some(hash),
            _ => return None,
        };
        let [name_length] = reader.take()?;
        if reader.0.len() != usize::from(name_length) || port == 0 {
            return None;
        }
        let text = str::from_utf8(reader.0).ok()?;
        let name = ServerName::parse(text).ok().filter(|name| name.as_str() == text)?;
        let announcement =
            Announcement { instance, name, protocol_version, port, people_count, video_count, certificate_hash };
        Some(Self { token, announcement })
    }
}

/// The bytes that were not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// What follows magic, kind and version; `None` when these are others.
    fn after_head(bytes: &'a [u8], kind: u8) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC.as_slice())?;
        rest.strip_prefix(&[kind, DISCOVERY_VERSION]).map(Self)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::discovery::txt::tests::announcements;

    fn announcement(name: &str) -> Announcement {
        Announcement {
            instance: InstanceId([1, 2, 3, 4, 5, 6, 7, 8]),
            name: ServerName::parse(name).unwrap(),
            protocol_version: 5,
            port: 7878,
            people_count: 14,
            video_count: 3,
            certificate_hash: Some(crate::crypto::sha256(b"triptych")),
        }
    }

    #[test]
    fn datagrams_are_those_of_the_protocol_page() {
        let probe = Probe { token: *b"anything" };
        let bytes = probe.to_bytes();
        assert_eq!(bytes[..18], *b"TRIPTYCH?\x01anything");
        assert_eq!(bytes[18..], [0; PROBE_BYTES - 18]);
        let answer = Answer { token: probe.token, announcement: announcement("Lab") };
        let hex: String = answer.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let page = include_str!("../../../docs/PROTOCOL.md");
        assert!(page.contains(&format!("`{hex}`")), "the example in section 17 is {hex}");
    }

    #[test]
    fn the_longest_answer_fits() {
        let bytes = Answer { token: [0; 8], announcement: announcement("L") }.to_bytes();
        let longest = bytes.len() - 1 + crate::limits::MAX_NAME_CHARS * char::MAX.len_utf8();
        assert!(longest <= PROBE_BYTES, "{longest}");
    }

    #[test]
    fn only_whole_probes_are_probes() {
        let bytes = Probe { token: [7; 8] }.to_bytes();
        assert!(Probe::from_bytes(&bytes[..PROBE_BYTES - 1]).is_none(), "an answer could be longer than that");
        assert!(Probe::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_none());
        let mut other_version = bytes;
        other_version[9] += 1;
        assert!(Probe::from_bytes(&other_version).is_none());
        assert!(Answer::from_bytes(&bytes).is_none(), "a probe is no answer");
    }

    proptest! {
        #[test]
        fn answers_arrive_as_they_were_sent_and_are_never_longer_than_probes(
            token: [u8; 8],
            announcement in announcements(),
        ) {
            let probe = Probe { token };
            prop_assert_eq!(Probe::from_bytes(&probe.to_bytes()), Some(probe));
            let answer = Answer { token, announcement };
            let bytes = answer.to_bytes();
            prop_assert!(bytes.len() <= PROBE_BYTES);
            prop_assert_eq!(Answer::from_bytes(&bytes), Some(answer));
        }

        #[test]
        fn an_answer_that_was_changed_is_read_to_the_last_byte_or_not_at_all(
            announcement in announcements(),
            at in 0..PROBE_BYTES,
            to: u8,
            length in 0..PROBE_BYTES + 8,
        ) {
            let mut bytes = Answer { token: [0; 8], announcement }.to_bytes();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            bytes.resize(length, 0);
            if let Some(answer) = Answer::from_bytes(&bytes) {
                prop_assert_eq!(answer.to_bytes(), bytes);
            }
        }
    }
}
