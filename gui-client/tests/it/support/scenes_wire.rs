//! States about envelopes, and the dictionary.

use common::{
    crypto::{Envelope, KeyId, SESSION_PUBLIC_KEY_BYTES, SessionId, sha256},
    limits::MAX_TEXT_BYTES,
};
use triptych_client::{
    event::{NetEvent, ReceivedMessage, WireEntry, WireOutcome},
    state::{
        State,
        action::{Action, Moment, SidePanel},
        wire::{Scope, WireAction},
    },
};

use super::{ada, bob, eve, id, joined, joins, library, message, moment, noon_millis, person, stranger, talked};
use super::{joined_with, leaves};

/// Where sequence numbers begin: they are shown, and must not differ from one time zone to the next.
const SEQUENCES_FROM_MILLIS: u64 = 1_779_364_800_000;

/// Bytes that look random, and are the same each time.
fn noise(number: u8, length: usize) -> Vec<u8> {
    (0u32..).flat_map(|block| sha256(&[&[number][..], &block.to_be_bytes()].concat())).take(length).collect()
}

/// A letter to one of these, or a message to everyone if they are several or none. Its secrets are noise, its layout is sound.
pub fn entry(number: u8, sender: KeyId, recipients: &[KeyId], outcome: WireOutcome) -> WireEntry {
    let sequence = (SEQUENCES_FROM_MILLIS + u64::from(number) * 1_000) * 1_000;
    let suite = if recipients.len() == 1 { 2 } else { 3 };
    let mut bytes = [&[1, suite][..], &id(number).0, &sequence.to_be_bytes(), &sender.0].concat();
    // Longer texts take more steps of padding.
    let steps = 2 + usize::from(number % 5);
    if let [recipient] = recipients {
        bytes.extend_from_slice(&recipient.0);
        bytes.extend_from_slice(&SessionId::of(&[0x44; SESSION_PUBLIC_KEY_BYTES]).0);
        bytes.extend_from_slice(&384u16.to_be_bytes());
        bytes.extend_from_slice(&noise(number, 384 + 1120 + steps * 256 + 16));
    } else {
        let ciphertext = noise(number, steps * 128 + 16);
        bytes.extend_from_slice(&sha256(&sender.0));
        bytes.extend_from_slice(&[3, 0x08, number % 100, 0x12]);
        bytes.extend_from_slice(&[ciphertext.len() as u8 | 0x80, (ciphertext.len() >> 7) as u8]);
        bytes.extend_from_slice(&ciphertext);
        bytes.extend_from_slice(&noise(number + 1, 8 + 64));
    }
    WireEntry { envelope: Envelope::parse(bytes).expect("the layout is sound"), is_handed: false, outcome }
}

/// The same as an event.
pub fn envelope(number: u8, sender: KeyId, recipients: Vec<KeyId>, outcome: WireOutcome) -> NetEvent {
    NetEvent::Envelope(entry(number, sender, &recipients, outcome))
}

/// A letter to ada that the server handed to her only.
pub fn handed(number: u8, sender: KeyId, outcome: WireOutcome) -> NetEvent {
    NetEvent::Envelope(WireEntry { is_handed: true, ..entry(number, sender, &[ada().id()], outcome) })
}

/// A message as the inside of the envelope with this number.
fn inside(number: u8, message: NetEvent) -> NetEvent {
    let NetEvent::Received(message) = message else { panic!("not a message") };
    NetEvent::Received(ReceivedMessage { message_id: id(number), ..message })
}

/// A wire with an envelope of each kind and result; each comes a second after the one before.
fn of_all_kinds() -> State {
    let mut state = talked();
    let everyone = vec![ada().id(), bob().id(), eve().id()];
    let handed_unix_millis = noon_millis() + 20_000;
    let events = [
        handed(20, eve().id(), WireOutcome::SenderKey),
        envelope(21, eve().id(), everyone.clone(), WireOutcome::OpenedWithSenderKey { handed_unix_millis }),
        inside(21, message("eve", &eve(), &[&ada(), &bob(), &eve()], "Lunch at one?", 21)),
        envelope(22, bob().id(), everyone, WireOutcome::NoSenderKey),
        envelope(23, eve().id(), vec![bob().id()], WireOutcome::Foreign),
        envelope(24, eve().id(), vec![bob().id()], WireOutcome::NotTried),
        envelope(25, KeyId([9; 32]), vec![ada().id()], WireOutcome::UnknownSender),
        envelope(26, bob().id(), vec![ada().id()], WireOutcome::Replay),
        envelope(27, bob().id(), vec![ada().id()], WireOutcome::Rejected),
        envelope(28, bob().id(), vec![ada().id()], WireOutcome::SessionKeyGone),
        envelope(29, bob().id(), vec![ada().id()], WireOutcome::Opened),
        inside(29, message("bob", &bob(), &[&ada()], "And this is what it said.", 29)),
    ];
    for (second, event) in (20..).zip(events) {
        state.apply(event, Moment { unix_millis: noon_millis() + second * 1_000, ..moment() });
    }
    state.handle(Action::ShowSide(SidePanel::Wire), moment());
    state
}

fn open(state: &mut State, is_it: impl Fn(WireOutcome) -> bool) {
    let number = state.wire.newest_first().find(|passed| is_it(passed.outcome)).expect("there is one").number;
    state.handle(Action::Wire(WireAction::Open(number)), moment());
}

/// The scene with this name, if it is one of these.
pub fn scene(which: &str) -> Option<State> {
    let mut state;
    match which {
        "wire" => state = of_all_kinds(),
        "wire-letter" => {
            state = of_all_kinds();
            open(&mut state, |outcome| outcome == WireOutcome::Opened);
        }
        "wire-foreign" => {
            state = of_all_kinds();
            state.handle(Action::WidenSide(true), moment());
            open(&mut state, |outcome| outcome == WireOutcome::Foreign);
        }
        "wire-everyone" => {
            state = of_all_kinds();
            open(&mut state, |outcome| matches!(outcome, WireOutcome::OpenedWithSenderKey { .. }));
        }
        "wire-paused" => {
            state = of_all_kinds();
            state.handle(Action::Wire(WireAction::Pause(true)), moment());
            state.handle(Action::Wire(WireAction::Show(Scope::ForMe)), moment());
            for number in 30..37 {
                state.apply(envelope(number, eve().id(), vec![bob().id()], WireOutcome::Foreign), moment());
            }
        }
        "flood" => {
            state = talked();
            for number in 8..12 {
                state.apply(envelope(number, eve().id(), vec![ada().id()], WireOutcome::Rejected), moment());
            }
            state.apply(NetEvent::EnvelopesDropped(1_204), moment());
            state.apply(envelope(12, eve().id(), vec![ada().id()], WireOutcome::TooManyFailures), moment());
            state.apply(envelope(13, eve().id(), vec![ada().id()], WireOutcome::TooManyFailures), moment());
            state.handle(Action::ShowSide(SidePanel::Wire), moment());
        }
        "dictionary" => {
            state = joined();
            state.handle(Action::SetVerified(eve().id(), true), moment());
            state.apply(joins(&state, person("carol", stranger(2))), moment());
            state.apply(leaves(&state, "bob"), moment());
            state.apply(joins(&state, person("bob", stranger(1))), moment());
            state.handle(Action::ShowSide(SidePanel::Keys), moment());
        }
        "dictionary-crowd" => {
            let crowd = (0..200).map(|n| person(&format!("guest-{n}"), stranger(n)));
            state = joined_with(crowd.chain([person("ada", ada())]).collect(), library());
            state.handle(Action::ShowSide(SidePanel::Keys), moment());
        }
        _ => return None,
    }
    assert!(state.wire.kept_bytes() < 100 * MAX_TEXT_BYTES, "scenes are small");
    Some(state)
}
