//! The latest envelopes that the server sent, bounded in number and in bytes, with what the person looks at: a filter, a
//! pause, and the one envelope that is taken apart.

use std::{collections::VecDeque, sync::Arc};

use common::crypto::{Envelope, KeyId, MessageId};

use crate::event::{ReceivedMessage, WireEntry, WireOutcome};

use super::State;

/// Envelopes that are kept; beyond that the oldest is dropped.
pub const MAX_ENTRIES: usize = 500;

/// Bytes of envelopes, and of the texts in them, that are kept for the hexadecimal view. Beyond that the oldest envelopes
/// keep their row only.
pub const MAX_KEPT_BYTES: usize = 4 << 20;

/// What the person does on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireAction {
    /// Take the envelope with this number apart.
    Open(u64),
    /// Back to the list.
    Close,
    /// Show these envelopes only.
    Show(Scope),
    /// Show only envelopes from or to people whose names hold this text.
    EditNames(String),
    /// Hold the list as it is (`true`), or show what has come meanwhile.
    Pause(bool),
}

/// Which envelopes are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// All.
    #[default]
    All,
    /// Letters to this client.
    ForMe,
    /// Messages to everyone.
    Everyone,
}

/// What an envelope is, as far as this client can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To one person, relayed to all.
    Letter,
    /// To everyone who has the sender key.
    ToEveryone,
    /// A sender key in a letter, handed to this client only.
    SenderKey,
    /// A receipt in a letter, handed to this client only.
    Receipt,
    /// Handed to this client only, and not opened.
    Handed,
}

/// What was inside an envelope that this client sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When it was sealed, by the sender's clock, in milliseconds since 1970-01-01 UTC.
    pub sent_unix_millis: u64,
    /// The text.
    pub text: String,
}

/// An envelope in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Counts the envelopes of this run, from 1.
    pub number: u64,
    /// The time of arrival, in milliseconds since 1970-01-01 UTC.
    pub unix_millis: u64,
    /// Its id.
    pub message_id: MessageId,
    /// The key of the claimed sender; the signature inside proves it to the recipient only.
    pub sender: KeyId,
    /// The RSA key that can open it; `None` when it is for everyone.
    pub recipient: Option<KeyId>,
    /// Size of the whole envelope.
    pub envelope_bytes: usize,
    /// Whether the server handed it to this client only.
    pub is_handed: bool,
    /// What this client made of it.
    pub outcome: WireOutcome,
    /// All of it; `None` when its bytes were dropped to make room.
    pub envelope: Option<Arc<Envelope>>,
    /// What was inside, if it was a text and this client knows it. Goes together with the bytes.
    pub said: Option<Said>,
}

impl Passed {
    fn new(entry: WireEntry, number: u64, unix_millis: u64, said: Option<Said>) -> Self {
        let WireEntry { envelope, is_handed, outcome } = entry;
        let recipient = envelope.recipient();
        Self {
            number,
            unix_millis,
            message_id: envelope.message_id,
            sender: envelope.sender,
            recipient,
            envelope_bytes: envelope.as_bytes().len(),
            is_handed,
            outcome,
            envelope: Some(Arc::new(envelope)),
            said,
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match (self.outcome, self.recipient) {
            (WireOutcome::SenderKey, _) => Kind::SenderKey,
            (WireOutcome::Receipt, _) => Kind::Receipt,
            (_, None) => Kind::ToEveryone,
            (_, Some(_)) if self.is_handed => Kind::Handed,
            (_, Some(_)) => Kind::Letter,
        }
    }

    fn kept_bytes(&self) -> usize {
        let envelope = self.envelope.as_ref().map_or(0, |envelope| envelope.as_bytes().len());
        envelope + self.said.as_ref().map_or(0, |said| said.text.len())
    }
}

/// A bounded list, oldest first: at most [`MAX_ENTRIES`] with at most [`MAX_KEPT_BYTES`].
#[derive(Debug, Clone, Default)]
struct Recent {
    entries: VecDeque<Passed>,
    kept_bytes: usize,
    /// Entries at the front whose bytes were dropped.
    bare_count: usize,
}

impl Recent {
    fn push(&mut self, passed: Passed) {
        if self.entries.len() == MAX_ENTRIES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.kept_bytes -= oldest.kept_bytes();
            self.bare_count = self.bare_count.saturating_sub(1);
        }
        self.kept_bytes += passed.kept_bytes();
        let is_bare = passed.envelope.is_none();
        self.entries.push_back(passed);
        // One whose bytes were dropped while the list was paused: those before it are older, and lose theirs too.
        let bare_count = if is_bare { self.entries.len() } else { 0 };
        while self.bare_count < bare_count || self.kept_bytes > MAX_KEPT_BYTES {
            self.drop_bytes();
        }
    }

    /// Drops the bytes of the oldest that has them.
    fn drop_bytes(&mut self) {
        let oldest = &mut self.entries[self.bare_count];
        self.kept_bytes -= oldest.kept_bytes();
        (oldest.envelope, oldest.said) = (None, None);
        self.bare_count += 1;
    }

    /// Adds what was inside the latest envelope with this id, if its bytes are still kept.
    fn note_said(&mut self, message_id: MessageId, said: Said) -> bool {
        let with_bytes = self.entries.iter_mut().skip(self.bare_count).rev();
        let Some(passed) = with_bytes.into_iter().find(|passed| passed.message_id == message_id) else { return false };
        if passed.said.is_none() {
            self.kept_bytes += said.text.len();
            passed.said = Some(said);
            while self.kept_bytes > MAX_KEPT_BYTES {
                self.drop_bytes();
            }
        }
        true
    }
}

/// The envelopes of this run.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    listed: Recent,
    /// While the list is paused: what has come meanwhile, as bounded as the list itself.
    waiting: Option<Recent>,
    waiting_count: u64,
    total: u64,
    dropped: u64,
    open: Option<Passed>,
    /// Which envelopes are listed.
    pub scope: Scope,
    /// Only envelopes from or to people whose names hold this text are listed.
    pub names: String,
}

impl Wire {
    /// The envelopes in the list, newest first, whatever the filter.
    pub fn newest_first(&self) -> impl ExactSizeIterator<Item = &Passed> {
        self.listed.entries.iter().rev()
    }

    /// Envelopes of this run so far, kept or not; those that were dropped do not count.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Envelopes that were dropped unopened because too many arrived at once.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes that are kept for the hexadecimal view.
    pub fn kept_bytes(&self) -> usize {
        self.listed.kept_bytes + self.waiting.as_ref().map_or(0, |waiting| waiting.kept_bytes)
    }

    /// Whether the list is held as it is.
    pub fn is_paused(&self) -> bool {
        self.waiting.is_some()
    }

    /// How many envelopes have come since the list was paused.
    pub fn waiting_count(&self) -> u64 {
        self.waiting_count
    }

    /// The envelope that is taken apart. It stays as it is when the list moves on.
    pub fn open(&self) -> Option<&Passed> {
        self.open.as_ref()
    }

    /// Whether an envelope is left out of the list.
    pub fn has_filter(&self) -> bool {
        self.scope != Scope::All || !self.names.trim().is_empty()
    }

    pub(super) fn handle(&mut self, action: WireAction) {
        match action {
            WireAction::Open(number) => {
                self.open = self.listed.entries.iter().find(|passed| passed.number == number).cloned();
            }
            WireAction::Close => self.open = None,
            WireAction::Show(scope) => self.scope = scope,
            WireAction::EditNames(names) => self.names = names,
            WireAction::Pause(true) => {
                self.waiting.get_or_insert_default();
            }
            WireAction::Pause(false) => {
                self.waiting_count = 0;
                let waiting = self.waiting.take().unwrap_or_default();
                waiting.entries.into_iter().for_each(|passed| self.listed.push(passed));
            }
        }
    }

    pub(super) fn note_dropped(&mut self, count: u64) {
        self.dropped = self.dropped.saturating_add(count);
    }

    pub(super) fn push(&mut self, entry: WireEntry, unix_millis: u64, said: Option<Said>) {
        self.total += 1;
        let passed = Passed::new(entry, self.total, unix_millis, said);
        match &mut self.waiting {
            Some(waiting) => {
                waiting.push(passed);
                self.waiting_count += 1;
            }
            None => self.listed.push(passed),
        }
    }

    /// Takes in the text of an envelope that has just been listed.
    pub(super) fn note_received(&mut self, message: &ReceivedMessage) {
        let said = Said { sent_unix_millis: message.sent_unix_millis, text: message.text.clone() };
        let waiting = self.waiting.as_mut().is_some_and(|waiting| waiting.note_said(message.message_id, said.clone()));
        if !waiting {
            self.listed.note_said(message.message_id, said);
        }
    }
}

impl State {
    /// The envelopes that the filter lets through, newest first.
    pub fn listed_envelopes(&self) -> Vec<&Passed> {
        let names = self.wire.names.trim().to_lowercase();
        let has_name =
            |key: &KeyId| self.people.name_of(key).is_some_and(|name| name.as_str().to_lowercase().contains(&names));
        let passes = |passed: &&Passed| {
            let is_in_scope = match self.wire.scope {
                Scope::All => true,
                Scope::ForMe => passed.recipient.is_some() && passed.recipient == self.people.me(),
                Scope::Everyone => passed.recipient.is_none(),
            };
            is_in_scope
                && (names.is_empty() || has_name(&passed.sender) || passed.recipient.as_ref().is_some_and(has_name))
        };
        self.wire.newest_first().filter(passes).collect()
    }
}

#[cfg(test)]
mod tests {
    use common::crypto::TextNumber;
    use proptest::prelude::*;

    use super::*;

    /// An envelope to everyone with a body of this many bytes.
    fn entry(body_bytes: usize) -> WireEntry {
        let bytes = [&[1, 3][..], &[7; 88], &vec![0; body_bytes.max(16)]].concat();
        WireEntry { envelope: Envelope::parse(bytes).unwrap(), is_handed: false, outcome: WireOutcome::Foreign }
    }

    fn text(bytes: usize) -> ReceivedMessage {
        ReceivedMessage {
            from: common::name::Name::parse("bob").unwrap(),
            sender: KeyId([7; 32]),
            is_to_everyone: false,
            message_id: MessageId([7; 16]),
            sent_unix_millis: 5,
            number: TextNumber { count: 1, number: 1 },
            missing_count: 0,
            text: "x".repeat(bytes),
        }
    }

    fn check(recent: &Recent) {
        assert!(recent.entries.len() <= MAX_ENTRIES);
        let kept: usize = recent.entries.iter().map(Passed::kept_bytes).sum();
        assert_eq!(kept, recent.kept_bytes, "the count is true");
        assert!(kept <= MAX_KEPT_BYTES, "{kept}");
        let bare = recent.entries.iter().take_while(|passed| passed.envelope.is_none()).count();
        assert_eq!(bare, recent.bare_count);
        assert!(
            recent.entries.iter().skip(bare).all(|passed| passed.envelope.is_some()),
            "the oldest lose theirs first"
        );
        assert!(recent.entries.iter().all(|passed| passed.envelope.is_some() || passed.said.is_none()));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Come { count: usize, body_bytes: usize, text_bytes: Option<usize> },
        Pause(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let come = (1..300usize, 16..10_000usize, prop::option::of(0..8_192usize));
        prop_oneof![
            4 => come.prop_map(|(count, body_bytes, text_bytes)| Step::Come { count, body_bytes, text_bytes }),
            1 => any::<bool>().prop_map(Step::Pause),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn neither_list_ever_exceeds_its_bounds_and_numbers_ascend(steps in prop::collection::vec(step(), 1..30)) {
            let mut wire = Wire::default();
            for step in steps {
                match step {
                    Step::Come { count, body_bytes, text_bytes } => for _ in 0..count {
                        wire.push(entry(body_bytes), 0, None);
                        if let Some(bytes) = text_bytes {
                            wire.note_received(&text(bytes));
                        }
                    },
                    Step::Pause(is_paused) => wire.handle(WireAction::Pause(is_paused)),
                }
                check(&wire.listed);
                wire.waiting.iter().for_each(check);
                let numbers: Vec<_> = wire.newest_first().map(|passed| passed.number).collect();
                prop_assert!(numbers.windows(2).all(|pair| pair[0] > pair[1]));
                prop_assert!(wire.is_paused() || numbers.first().is_none_or(|newest| *newest == wire.total()));
            }
        }
    }

    #[test]
    fn a_paused_list_stays_and_counts_what_comes() {
        let mut wire = Wire::default();
        (0..3).for_each(|_| wire.push(entry(16), 0, None));
        wire.handle(WireAction::Pause(true));
        (0..700).for_each(|_| wire.push(entry(16), 0, None));
        let numbers = |wire: &Wire| wire.newest_first().map(|passed| passed.number).collect::<Vec<_>>();
        assert_eq!(numbers(&wire), [3, 2, 1]);
        assert_eq!((wire.waiting_count(), wire.total()), (700, 703));
        wire.handle(WireAction::Pause(true));
        assert_eq!(wire.waiting_count(), 700, "it is paused already");
        wire.handle(WireAction::Pause(false));
        assert_eq!((numbers(&wire).len(), numbers(&wire)[0], wire.waiting_count()), (MAX_ENTRIES, 703, 0));
    }

    #[test]
    fn the_envelope_that_is_taken_apart_outlives_its_place_in_the_list() {
        let mut wire = Wire::default();
        wire.push(entry(100), 0, None);
        wire.handle(WireAction::Open(1));
        (0..2 * MAX_ENTRIES).for_each(|_| wire.push(entry(16), 0, None));
        let open = wire.open().unwrap();
        assert_eq!((open.number, open.envelope.as_ref().unwrap().body().len()), (1, 100));
        wire.handle(WireAction::Open(2));
        assert!(wire.open().is_none(), "it has left the list");
    }
}
