//! States to look at and to test, made by the same events and actions as in the program.

#![allow(dead_code, reason = "each user of this file takes other scenes")]

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use chrono::{Local, NaiveDate};
use common::{
    crypto::{MessageId, PublicKey, TextNumber, sha256, test_keys},
    limits::PROTOCOL_VERSION,
    media::{Library, VideoInfo},
    message::{Person, ServerInfo},
    name::Name,
};
use triptych_client::{
    dictionary::Dictionary,
    event::{DraftId, NetEvent, Offline, Online, Progress, ReceivedMessage, SealedAs, TlsFacts, WireOutcome},
    pins::{PinChange, Pins},
    state::{
        State,
        action::{Action, Moment, Peer},
        effect::Effect,
    },
};
use triptych_server::{hub::directory::EnterError, session::notices::Refusal};

/// Those of conversations.
#[path = "scenes_chat.rs"]
mod chat;
/// Those about what became of messages.
#[path = "scenes_delivery.rs"]
mod delivery;
/// Those of the search for servers.
#[path = "scenes_discovery.rs"]
mod discovery;
/// Those of the player.
#[path = "scenes_player.rs"]
mod player;
/// Those about what is remembered, lost connections and messages that wait.
#[path = "scenes_session.rs"]
mod session;
/// Those about what people write.
#[path = "scenes_text.rs"]
mod text;
/// Those of watching together.
#[path = "scenes_together.rs"]
mod together;
/// Those about keys, certificates and servers that are not to be trusted.
#[path = "scenes_trust.rs"]
mod trust;
/// Videos and streams.
#[path = "scenes_video.rs"]
mod video;
/// Those about envelopes and the dictionary.
#[path = "scenes_wire.rs"]
mod wire;

#[allow(unused_imports, reason = "each user of this file takes other scenes")]
pub use discovery::{found, searched};
#[allow(unused_imports, reason = "each user of this file takes other scenes")]
pub use player::{figures, on_a_link, previewed, starved};
#[allow(unused_imports, reason = "each user of this file takes other scenes")]
pub use text::LOOK_ALIKE;
#[allow(unused_imports, reason = "each user of this file takes other scenes")]
pub use together::{PARTY, SERVER_NANOS, after, echo, in_party, invited, later, leaves_party, members, party, play_at};
#[allow(unused_imports, reason = "each user of this file takes other scenes")]
pub use trust::{certificate_change, key_changed};
#[allow(unused_imports, reason = "each user of this file takes other scenes")]
pub use video::{head, playing, report, segments, start, stream_start, video, watch};
#[allow(unused_imports, reason = "each user of this file takes other scenes")]
pub use wire::{entry, envelope, handed};

/// Noon on a Thursday by the clock of this computer, so that scenes show the same times in every time zone.
pub fn noon_millis() -> u64 {
    static NOON: LazyLock<i64> = LazyLock::new(|| {
        let noon =
            NaiveDate::from_ymd_opt(2026, 5, 21).and_then(|day| day.and_hms_opt(12, 0, 0)).expect("it is a time");
        noon.and_local_timezone(Local).earliest().expect("clocks are changed at night").timestamp_millis()
    });
    NOON.cast_unsigned()
}

/// A protocol version that the server does not speak.
pub const OTHER_VERSION: u16 = PROTOCOL_VERSION + 1;

/// Names of all scenes.
pub const SCENES: &[&str] = &[
    "connect",
    "connecting",
    "searching",
    "servers",
    "server-new",
    "servers-none",
    "servers-later",
    "address-bad",
    "not-triptych",
    "keys",
    "unreachable",
    "name-taken",
    "name-lost",
    "still-online",
    "other-window",
    "certificate",
    "certificate-later",
    "identity",
    "identity-failed",
    "identity-renew",
    "key-changed",
    "key-changed-before",
    "key-changed-everyone",
    "handing-over",
    "key-new",
    "safety-number",
    "verified",
    "first-visit",
    "version",
    "alone",
    "chat",
    "everyone",
    "left",
    "long",
    "languages",
    "links",
    "link-question",
    "long-draft",
    "nearly-full",
    "too-long",
    "wire",
    "wire-letter",
    "wire-foreign",
    "wire-everyone",
    "wire-paused",
    "flood",
    "dictionary",
    "dictionary-crowd",
    "plaintext-form",
    "plaintext",
    "broken-protocol",
    "opening",
    "playing",
    "party",
    "party-act",
    "party-alone",
    "party-invitation",
    "party-video",
    "previews",
    "paused",
    "portrait",
    "opening-slowly",
    "decoding",
    "buffering",
    "statistics",
    "every-second",
    "substitute",
    "lowest",
    "splice",
    "resumed",
    "theatre",
    "full-screen",
    "all-keys",
    "no-device",
    "interrupted",
    "ended",
    "failed",
    "lost",
    "empty-library",
    "incomplete",
    "crowd",
    "unread",
    "missing",
    "delivery",
    "new",
    "went-offline",
    "room",
    "long-talk",
    "settings-damaged",
    "waiting",
    "waiting-lost",
    "lost-reasons",
    "renamed",
    "key-damaged",
];

pub fn moment() -> Moment {
    Moment { instant: Instant::now(), unix_millis: noon_millis() }
}

pub fn name(text: &str) -> Name {
    Name::parse(text).expect("names in scenes are valid")
}

pub fn ada() -> PublicKey {
    static KEY: LazyLock<PublicKey> = LazyLock::new(|| test_keys::ada().public_key().clone());
    KEY.clone()
}

pub fn bob() -> PublicKey {
    static KEY: LazyLock<PublicKey> = LazyLock::new(|| test_keys::bob().public_key().clone());
    KEY.clone()
}

pub fn eve() -> PublicKey {
    static KEY: LazyLock<PublicKey> = LazyLock::new(|| test_keys::eve().public_key().clone());
    KEY.clone()
}

/// A public key without a private one: a byte in the middle of another key is changed.
pub fn stranger(number: u8) -> PublicKey {
    let mut der = bob().der().to_vec();
    der[120] ^= number + 1;
    PublicKey::from_der(&der).expect("any odd number of this length passes for a modulus")
}

pub fn person(text: &str, public_key: PublicKey) -> Person {
    let name = name(text);
    let session = test_keys::unsigned_record(&name, &public_key, noon_millis() - 4 * 60_000);
    Person { name, public_key, session, since_unix_secs: noon_millis() / 1000 - 27 * 60 }
}

pub fn library() -> Library {
    let long = video(3, "Ein sehr langer Titel, der nicht in eine Zeile passt", 3_725_000_000_000);
    Library {
        videos: vec![
            video(1, "A walk by the river", 22_120_000_000),
            video(2, "Numbers", 20_000_000_000),
            VideoInfo { is_ready: true, ..long },
        ],
        unplayable_count: 2,
    }
}

/// What the server says about itself.
pub fn server() -> ServerInfo {
    ServerInfo { name: "Lab".to_owned(), addresses: vec!["192.168.1.5".to_owned(), "lab-pc".to_owned()] }
}

/// Ada comes online among these people.
pub fn online(people: Vec<Person>, library: Library) -> NetEvent {
    online_as(person("ada", ada()), people, library)
}

/// `me` comes online among these people, and is added if they do not include it.
pub fn online_as(me: Person, mut people: Vec<Person>, library: Library) -> NetEvent {
    if !people.contains(&me) {
        people.push(me.clone());
    }
    let pins = pins(people.iter().filter(|person| **person != me));
    let people = Dictionary::new(&me, 7, people).expect("scenes have sound dictionaries");
    NetEvent::Online(Online {
        name: me.name,
        public_key: me.public_key,
        people: Arc::new(people),
        server: server(),
        library,
        tls: Some(tls()),
        is_first_visit: false,
        pins,
    })
}

/// These people have been met on the day before.
pub fn pins<'a>(people: impl IntoIterator<Item = &'a Person>) -> Pins {
    let met = people.into_iter().map(|person| (person.name.clone(), person.public_key.id())).collect();
    let mut pins = Pins::default();
    pins.apply(&PinChange::Met(met), noon_millis() / 1000 - 86_400);
    pins
}

/// What secures the connection in all scenes.
pub fn tls() -> TlsFacts {
    TlsFacts { certificate_hash: sha256(b"the server's certificate"), key_exchange: "X25519MLKEM768".into() }
}

/// This person joins those who are online now.
pub fn joins(state: &State, person: Person) -> NetEvent {
    changed(state, |people, revision| people.joined(revision, person).expect("scenes have sound dictionaries"))
}

/// The person with this name leaves those who are online now.
pub fn leaves(state: &State, who: &str) -> NetEvent {
    changed(state, |people, revision| people.left(revision, &name(who)).expect("this person is online"))
}

fn changed(state: &State, change: impl FnOnce(&mut Dictionary, u64)) -> NetEvent {
    let mut people = Dictionary::clone(state.people.dictionary().expect("the client is online"));
    let revision = people.revision() + 1;
    change(&mut people, revision);
    NetEvent::Dictionary(Arc::new(people))
}

pub fn form() -> State {
    State::new("127.0.0.1:7878".into(), "ada".into(), false)
}

/// Ada is in; Bob and Eve are there too.
pub fn joined() -> State {
    let people = vec![person("ada", ada()), person("bob", bob()), person("eve", eve())];
    joined_with(people, library())
}

pub fn joined_with(people: Vec<Person>, library: Library) -> State {
    let mut state = form();
    state.handle(Action::Connect, moment());
    state.apply(online(people, library), moment());
    state
}

pub fn message(from: &str, sender: &PublicKey, recipients: &[&PublicKey], text: &str, minute: u64) -> NetEvent {
    NetEvent::Received(ReceivedMessage {
        from: name(from),
        sender: sender.id(),
        is_to_everyone: recipients.len() > 1,
        message_id: id_of(text, minute),
        sent_unix_millis: noon_millis() + minute * 60_000,
        number: TextNumber { count: minute, number: 1 },
        missing_count: 0,
        text: text.into(),
    })
}

/// This message was sealed.
pub fn was_sealed(draft: DraftId, number: u8) -> NetEvent {
    let number_to_peer = TextNumber { count: 1, number: u32::from(number) };
    NetEvent::Sent { draft, sealed: SealedAs { message_id: id(number), number: number_to_peer, session: None } }
}

/// The id of a [`message`].
pub fn id_of(text: &str, minute: u64) -> MessageId {
    let hash = common::crypto::sha256(format!("{minute} {text}").as_bytes());
    MessageId(*hash.first_chunk().expect("it has 32 bytes"))
}

pub fn id(number: u8) -> MessageId {
    MessageId([number; 16])
}

/// Says `text` to `peer` as ada, and has it relayed.
pub fn say(state: &mut State, peer: Peer, text: &str, number: u8, minute: u64) {
    let now = Moment { unix_millis: noon_millis() + minute * 60_000, ..moment() };
    state.handle(Action::Select(peer), now);
    state.handle(Action::EditDraft(text.into()), now);
    for effect in state.handle(Action::Send, now) {
        if let Effect::Net(triptych_client::event::NetCommand::Send { draft, recipients, .. }) = effect {
            state.apply(was_sealed(draft, number), now);
            let recipients = recipients.iter().map(PublicKey::id).collect();
            state.apply(envelope(number, ada().id(), recipients, WireOutcome::Own), now);
        }
    }
}

fn talked() -> State {
    let mut state = joined();
    let bob_peer = Peer::Person(bob().id());
    state.apply(message("bob", &bob(), &[&ada()], "Are you there?", 1), moment());
    say(&mut state, bob_peer, "Yes. Shall we watch the numbers together?", 100, 2);
    state.apply(
        message("bob", &bob(), &[&ada()], "Gladly. It is odd to see the same picture become sharp in the middle.", 3),
        moment(),
    );
    state.apply(message("bob", &bob(), &[&ada()], "I start it now.", 3), moment());
    say(&mut state, bob_peer, "Me too.\nThree, two, one …", 101, 4);
    state.apply(envelope(3, bob().id(), vec![ada().id()], WireOutcome::Opened), moment());
    state.apply(envelope(4, eve().id(), vec![bob().id()], WireOutcome::Foreign), moment());
    state.apply(message("eve", &eve(), &[&ada(), &bob(), &eve()], "Hello, all of you", 5), moment());
    let with_key = WireOutcome::OpenedWithSenderKey { handed_unix_millis: noon_millis() };
    state.apply(envelope(5, eve().id(), vec![ada().id(), bob().id(), eve().id()], with_key), moment());
    state
}

pub fn lost() -> Offline {
    Offline::Unreachable {
        what: "The server at 127.0.0.1:7878 does not answer any more.".into(),
        remedy: "Either it was switched off or the network is down. Your conversations stay here.".into(),
    }
}

pub fn scene(which: &str) -> State {
    let mut state = form();
    match which {
        "connect" => {}
        "connecting" => {
            state.handle(Action::Connect, moment());
        }
        "keys" => {
            state.handle(Action::Connect, moment());
            state.apply(NetEvent::Reached(Some(tls())), moment());
            state.apply(NetEvent::Progress(Progress::MakingKeys), moment());
        }
        "unreachable" => {
            state.handle(Action::Connect, moment());
            let offline = Offline::Unreachable {
                what: "No server answers at 127.0.0.1:7878.".into(),
                remedy: "Check that it is running and that the address is the one on its console.".into(),
            };
            state.apply(NetEvent::Offline(offline), moment());
        }
        "name-taken" => {
            state.handle(Action::Connect, moment());
            state.apply(NetEvent::Offline(name_taken()), moment());
        }
        "name-lost" => {
            state = talked();
            state.apply(NetEvent::Offline(name_taken()), moment());
        }
        "still-online" => {
            state.handle(Action::Connect, moment());
            state.apply(NetEvent::Offline(still_online()), moment());
        }
        "version" => {
            state.handle(Action::Connect, moment());
            state.apply(NetEvent::Offline(refused(Refusal::version_mismatch(OTHER_VERSION))), moment());
        }
        "alone" => state = joined_with(vec![person("ada", ada())], library()),
        "chat" => state = talked(),
        "everyone" => {
            state = talked();
            say(&mut state, Peer::Everyone, "Good morning!", 102, 6);
        }
        "left" => {
            state = talked();
            state.handle(Action::EditDraft("One more thing:".into()), moment());
            state.apply(leaves(&state, "bob"), moment());
            state.handle(Action::Send, moment());
        }
        "long" => {
            state = talked();
            state.handle(Action::EditDraft("words and more words, ".repeat(380)), moment());
            state.handle(Action::Send, moment());
        }
        "lost" => {
            state = talked();
            let bob_peer = Peer::Person(bob().id());
            state.handle(Action::Select(bob_peer), moment());
            state.handle(Action::EditDraft("Did this arrive?".into()), moment());
            state.handle(Action::Send, moment());
            let later = Moment { instant: Instant::now() + Duration::from_secs(600), ..moment() };
            state.apply(NetEvent::Offline(lost()), later);
        }
        "empty-library" => {
            let people = vec![person("ada", ada()), person("bob", bob())];
            state = joined_with(people, Library::default());
        }
        "incomplete" => {
            let mut library = library();
            library.videos[0].unreadable_heights = vec![720];
            state = joined_with(vec![person("ada", ada()), person("bob", bob())], library);
        }
        "unread" => {
            state = scene("crowd");
            state.apply(message("guest-31", &stranger(31), &[&ada()], "Have you seen it yet?", 5), moment());
            state.apply(message("guest-31", &stranger(31), &[&ada()], "It is worth it.", 6), moment());
        }
        "crowd" => {
            let many =
                (0..40).map(|n| person(&format!("guest-{n}"), stranger(n))).chain([person("ada", ada())]).collect();
            state = joined_with(many, library());
        }
        other => {
            let scene = trust::scene(other)
                .or_else(|| wire::scene(other))
                .or_else(|| chat::scene(other))
                .or_else(|| delivery::scene(other))
                .or_else(|| discovery::scene(other))
                .or_else(|| session::scene(other))
                .or_else(|| text::scene(other))
                .or_else(|| together::scene(other))
                .or_else(|| player::scene(other));
            return scene.unwrap_or_else(|| panic!("no scene is called {other}"));
        }
    }
    state
}

pub fn name_taken() -> Offline {
    refused(EnterError::NameInUse { name: name("ada"), suggestion: Some(name("ada-2")) }.into())
}

pub fn still_online() -> Offline {
    refused(EnterError::StillOnline { name: name("ada"), suggestion: Some(name("ada-2")) }.into())
}

/// A refusal with the server's own words.
pub fn refused(Refusal { code, message, suggestion }: Refusal) -> Offline {
    Offline::Refused { code, message, suggestion }
}
