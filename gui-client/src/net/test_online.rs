//! A client that is online, for the tests of this folder.

use std::sync::Arc;

use common::{
    crypto::{Identity, test_keys},
    media::Library,
    message::{Person, ServerInfo},
    name::Name,
    test_messages,
};

use crate::{dictionary::Dictionary, event::Online, pins::Pins};

/// Ada, who is alone on a server without TLS and without videos.
pub(super) fn ada_alone() -> Online {
    ada_among(&[])
}

/// The same among others, who are called `p0`, `p1` and so on.
pub(super) fn ada_among(others: &[Identity]) -> Online {
    let ada = person("ada", &test_keys::ada());
    let others = others.iter().enumerate().map(|(number, identity)| person(&format!("p{number}"), identity));
    let people = [ada.clone()].into_iter().chain(others).collect();
    Online {
        name: ada.name.clone(),
        public_key: ada.public_key.clone(),
        people: Arc::new(Dictionary::new(&ada, 1, people).expect("a dictionary of its owner")),
        server: ServerInfo::default(),
        library: Library::default(),
        tls: None,
        is_first_visit: false,
        pins: Pins::default(),
    }
}

fn person(name: &str, identity: &Identity) -> Person {
    let session = test_messages::session(name, identity, 1);
    let name = Name::parse(name).expect("a name");
    Person { name, public_key: identity.public_key().clone(), session, since_unix_secs: 0 }
}
