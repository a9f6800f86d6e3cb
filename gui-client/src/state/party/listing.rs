//! The parties of the server, as they follow from what people watch.

use std::collections::BTreeMap;

use common::{crypto::KeyId, media::VideoId, party::PartyId};

/// A party that anyone may join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedParty {
    /// Its number.
    pub id: PartyId,
    /// Its video.
    pub video: VideoId,
    /// Its members.
    pub members: Vec<KeyId>,
}

/// The parties, the one that began first at the front, with their members in this order.
pub(in crate::state) fn list(watching: impl Iterator<Item = (KeyId, VideoId, PartyId)>) -> Vec<ListedParty> {
    let mut parties: BTreeMap<PartyId, ListedParty> = BTreeMap::new();
    for (person, video, id) in watching {
        parties.entry(id).or_insert_with(|| ListedParty { id, video, members: Vec::new() }).members.push(person);
    }
    parties.into_values().collect()
}
