//! What became of an envelope, in words, with a mark whose shape says the same as its colour.

use egui::Color32;

use crate::{
    event::WireOutcome,
    state::{
        State,
        wire::{Kind, Passed},
    },
};

use crate::ui::{
    chat::names::name,
    kit::{format, icons::Icon, theme::Theme},
};

/// What the wire says about the result of an envelope.
pub(super) struct Verdict {
    /// A few words, for the list.
    pub result: String,
    /// Why, in full sentences.
    pub reason: String,
    /// The mark before both.
    pub mark: Icon,
    /// Its colour.
    pub color: Color32,
}

/// The result of an envelope, and the reason.
pub(super) fn verdict(theme: &Theme, state: &State, passed: &Passed) -> Verdict {
    let sender = name(state, &passed.sender);
    let recipient = passed.recipient.map_or_else(|| "everyone".to_owned(), |key| name(state, &key).to_string());
    let (mark, color, result, reason) = match passed.outcome {
        WireOutcome::Own => (Icon::Sent, theme.accent, "Sent by you".into(), own(&recipient, passed)),
        WireOutcome::NotYours => (
            Icon::Refused,
            theme.bad,
            "Refused: not sent by you".into(),
            "It names you as its sender, but this client did not send it, or it came back before. A server that keeps to the \
             protocol relays no such envelope. Nothing was decrypted."
                .into(),
        ),
        WireOutcome::Opened => (
            Icon::Opened,
            theme.good,
            "Opened with your keys".into(),
            format!(
                "It is addressed to you. Your RSA key unwrapped the secret, your session key opened the body, and the \
                 signature inside is {}. It takes all three.",
                sender.possessive()
            ),
        ),
        WireOutcome::OpenedWithSenderKey { handed_unix_millis } => {
            let (key, time) = (format!("{} sender key", sender.possessive()), format::clock(handed_unix_millis));
            let reason = format!(
                "Everyone who has {key} can open it. This client has it since {time}, from a letter that was sealed for \
                 you alone."
            );
            (Icon::Opened, theme.good, format!("Opened with {key} of {time}"), reason)
        }
        WireOutcome::SenderKey => {
            let time = format::clock(passed.unix_millis);
            let way = if passed.is_handed {
                "The server handed this letter to you only."
            } else {
                "The server relayed this letter, which only you can open."
            };
            let reason = format!(
                "{way} Inside is the key under which {sender} seals what is said to \
                 everyone. From now on this client can open that; what was said before stays closed."
            );
            (Icon::Key, theme.good, format!("{} sender key, sealed for you at {time}", sender.possessive()), reason)
        }
        WireOutcome::Receipt => (
            Icon::Opened,
            theme.good,
            "Opened: a receipt".into(),
            format!(
                "The client of {sender} has opened messages of yours, and says so in a letter that only you can open. It names them by \
                 their ids; the server sees that a letter went back, and not what is in it."
            ),
        ),
        WireOutcome::SentAgain => (
            Icon::Opened,
            theme.good,
            "Opened; it was sent before".into(),
            format!("{sender} has sent this message once more. The conversation shows it once."),
        ),
        WireOutcome::NoSenderKey => (
            Icon::Locked,
            theme.weak,
            "Not opened: no sender key".into(),
            format!(
                "It is sealed under a sender key that {sender} has not handed to you. Either it was said before you came, or \
                 the letter with the key has not arrived. There was nothing to try."
            ),
        ),
        WireOutcome::Rejected => (
            Icon::Refused,
            theme.bad,
            "Not opened: damaged or forged".into(),
            format!(
                "It is addressed to you, but {}. The program does not learn which, because the difference could help an \
                 attacker. Nothing of it is shown.",
                if passed.kind() == Kind::ToEveryone {
                    "Megolm's code or signature did not verify, or what was inside was not valid"
                } else {
                    "RSA, HPKE or the signature did not verify, or what was inside was not valid"
                }
            ),
        ),
        WireOutcome::Replay => (
            Icon::Refused,
            theme.bad,
            "Refused: a repetition".into(),
            format!(
                "A message {} with this sequence number was opened before, or 64 later ones were, or a single later one \
                 before this client was started. This may be a recording that was sent again. Nothing was decrypted.",
                sender.of()
            ),
        ),
        WireOutcome::UnknownSender => (
            Icon::Refused,
            theme.bad,
            "Refused: unknown sender".into(),
            "The key that it names as its sender is not in the dictionary, so there is nothing to check the signature with. \
             Nothing was decrypted."
                .into(),
        ),
        WireOutcome::UnsignedName => (
            Icon::Refused,
            theme.bad,
            "Refused: name not signed".into(),
            format!(
                "The dictionary lists the sender's key as {sender}, but the owner of the key has not signed that name. The \
                 server may have given the key a wrong name. Nothing was decrypted."
            ),
        ),
        WireOutcome::SessionKeyGone => (
            Icon::Locked,
            theme.weak,
            "Not opened: session key gone".into(),
            format!(
                "It is sealed to a session key that this client does not have, or has wiped. No one can open it any more, not \
                 even you. {sender} can send it again."
            ),
        ),
        WireOutcome::Foreign => (
            Icon::Locked,
            theme.weak,
            "Your key does not open it".into(),
            format!(
                "It is addressed to {recipient}. Your RSA key was tried on the wrapped secret, and the decryption failed, as \
                 it must."
            ),
        ),
        WireOutcome::NotTried => (
            Icon::Skipped,
            theme.weak,
            "Not for you, and not tried".into(),
            format!(
                "It is addressed to {recipient}. Too many envelopes arrived at once to try your key on all of them. It would \
                 not have opened this one."
            ),
        ),
        WireOutcome::TooManyFailures => (
            Icon::Skipped,
            theme.weak,
            "Not tried: too many were damaged".into(),
            format!(
                "Too many envelopes {} could not be opened. For a while this client spends no time on further ones, so that \
                 a flood does not hold up what others write.",
                sender.of()
            ),
        ),
    };
    Verdict { result, reason, mark, color }
}

fn own(recipient: &str, passed: &Passed) -> String {
    if passed.kind() == Kind::ToEveryone {
        "You sealed it under your sender key. It came back from the server. Everyone to whom you have handed that key can \
         open it."
            .to_owned()
    } else {
        format!("You sealed it. It came back from the server. Only {recipient} can open it. Your own keys cannot.")
    }
}

/// What an envelope is, in one or two words.
pub(super) fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Letter => "Letter",
        Kind::ToEveryone => "To everyone",
        Kind::SenderKey => "Sender key",
        Kind::Receipt => "Receipt",
        Kind::Handed => "Handed letter",
    }
}
