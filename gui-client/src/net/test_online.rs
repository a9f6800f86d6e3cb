//! A client that is online by itself, for the tests of this folder.

use std::sync::Arc;

use common::{crypto::test_keys, media::Library, message::Person, name::Name};

use crate::{dictionary::Dictionary, event::Online, pins::Pins};

/// Ada, who is alone on a server without TLS and without videos.
pub(super) fn ada_alone() -> Online {
    let (name, public_key) = (Name::parse("ada").expect("a name"), test_keys::ada().public_key().clone());
    let session = test_keys::unsigned_record(&name, &public_key, 1);
    let ada = Person { name: name.clone(), public_key: public_key.clone(), session, since_unix_secs: 0 };
    Online {
        name,
        public_key,
        people: Arc::new(Dictionary::new(&ada, 1, vec![ada.clone()]).expect("a dictionary of its owner")),
        library: Library::default(),
        tls: None,
        is_first_visit: false,
        pins: Pins::default(),
    }
}
