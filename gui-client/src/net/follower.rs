//! Keeps the dictionary up to date by its revisions: a change that is older than the dictionary changes nothing, one that
//! is not the next after it shows that something was missed, and then the whole dictionary is requested.

use std::sync::Arc;

use common::{
    crypto::SessionRecord,
    message::{Person, ServerMessage},
    name::Name,
    validate::Breach,
};

use super::pages::{Listed, Pages};
use crate::dictionary::Dictionary;

/// What a message did to the dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// Nothing: the message was old, or the whole dictionary is on its way.
    Unchanged,
    /// There is a new dictionary.
    Changed,
    /// A revision was missed: the whole dictionary has to be requested.
    Gap,
}

/// The dictionary of one connection.
#[derive(Debug)]
pub(super) struct Follower {
    own: Person,
    dictionary: Arc<Dictionary>,
    is_asked: bool,
    departures: u64,
    /// A whole dictionary, requested or not, until its last page.
    pages: Option<Pages>,
}

impl Follower {
    pub(super) fn new(own: Person, dictionary: Arc<Dictionary>) -> Self {
        Self { own, dictionary, is_asked: false, departures: 0, pages: None }
    }

    /// How often someone has left, or may have while this client missed changes.
    pub(super) fn departures(&self) -> u64 {
        self.departures
    }

    /// The dictionary as of now.
    pub(super) fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }

    pub(super) fn joined(&mut self, revision: u64, person: Person) -> Result<Followed, Breach> {
        self.follow(revision, |dictionary| dictionary.joined(revision, person))
    }

    pub(super) fn left(&mut self, revision: u64, name: &Name) -> Result<Followed, Breach> {
        let followed = self.follow(revision, |dictionary| dictionary.left(revision, name))?;
        self.departures += u64::from(followed == Followed::Changed);
        Ok(followed)
    }

    pub(super) fn renewed(&mut self, revision: u64, name: &Name, session: SessionRecord) -> Result<Followed, Breach> {
        self.follow(revision, |dictionary| dictionary.renewed(revision, name, session))
    }

    /// Checks that a message of this kind may come now: between the pages of a dictionary only a ping may.
    pub(super) fn expect(&self, message: &ServerMessage) -> Result<(), Breach> {
        match message {
            ServerMessage::People { .. } | ServerMessage::Ping { .. } => Ok(()),
            other if self.pages.is_some() => Err(Breach::InterruptedPages(other.kind())),
            _ => Ok(()),
        }
    }

    /// Takes in the announcement of a whole dictionary.
    pub(super) fn directory(&mut self, revision: u64, people_count: u32) -> Result<Followed, Breach> {
        self.complete(Pages::announced(revision, people_count))
    }

    /// Takes in a page of it.
    pub(super) fn page(&mut self, people: Vec<Person>) -> Result<Followed, Breach> {
        let mut pages = self.pages.take().ok_or(Breach::SurplusPeople)?;
        pages.add(people)?;
        self.complete(pages)
    }

    /// Takes in the answer to the request that a gap led to, once it is whole. One that was not requested changes nothing.
    fn complete(&mut self, pages: Pages) -> Result<Followed, Breach> {
        let Listed { revision, people } = match pages.finish() {
            Ok(listed) => listed,
            Err(pages) => {
                self.pages = Some(pages);
                return Ok(Followed::Unchanged);
            }
        };
        if !std::mem::take(&mut self.is_asked) {
            return Ok(Followed::Unchanged);
        }
        self.dictionary = Arc::new(Dictionary::new(&self.own, revision, people)?);
        self.departures += 1;
        Ok(Followed::Changed)
    }

    fn follow(
        &mut self,
        revision: u64,
        change: impl FnOnce(&mut Dictionary) -> Result<(), Breach>,
    ) -> Result<Followed, Breach> {
        // While the whole dictionary is on its way, it will contain this change: the server sends both in order.
        if revision <= self.dictionary.revision() || self.is_asked {
            return Ok(Followed::Unchanged);
        }
        if revision != self.dictionary.revision() + 1 {
            self.is_asked = true;
            return Ok(Followed::Gap);
        }
        change(Arc::make_mut(&mut self.dictionary))?;
        Ok(Followed::Changed)
    }
}

#[cfg(test)]
mod tests {
    use common::crypto::{Identity, test_keys};

    use super::*;

    fn person(name: &str, identity: &Identity) -> Person {
        listed(name, identity.public_key().clone())
    }

    fn listed(name: &str, public_key: common::crypto::PublicKey) -> Person {
        let name = Name::parse(name).unwrap();
        let session = test_keys::unsigned_record(&name, &public_key, 5);
        Person { name, public_key, session, since_unix_secs: 0 }
    }

    fn ada() -> Person {
        person("ada", &test_keys::ada())
    }

    fn bob() -> Person {
        person("bob", &test_keys::bob())
    }

    fn eve() -> Person {
        person("eve", &test_keys::eve())
    }

    fn follower(others: Vec<Person>) -> Follower {
        let people = [vec![ada()], others].concat();
        Follower::new(ada(), Arc::new(Dictionary::new(&ada(), 7, people).unwrap()))
    }

    /// A dictionary with a page for each person.
    fn answer(follower: &mut Follower, revision: u64, people: Vec<Person>) -> Result<Followed, Breach> {
        let mut followed = follower.directory(revision, u32::try_from(people.len()).unwrap());
        for person in people {
            assert_eq!(followed, Ok(Followed::Unchanged), "it is not whole yet");
            followed = follower.page(vec![person]);
        }
        followed
    }

    fn names(follower: &Follower) -> Vec<String> {
        follower.dictionary().people().map(|person| person.name.to_string()).collect()
    }

    #[test]
    fn changes_are_followed_in_order_and_old_ones_change_nothing() {
        let mut follower = follower(vec![]);
        let before = Arc::clone(follower.dictionary());
        assert_eq!(follower.joined(8, bob()), Ok(Followed::Changed));
        assert_eq!(names(&follower), ["ada", "bob"]);
        assert_eq!(before.people().len(), 1, "a snapshot does not change");
        assert_eq!(follower.joined(8, eve()), Ok(Followed::Unchanged));
        assert_eq!(follower.left(8, &bob().name), Ok(Followed::Unchanged));
        assert_eq!(follower.departures(), 0);
        assert_eq!(follower.left(9, &bob().name), Ok(Followed::Changed));
        assert_eq!(follower.departures(), 1);
        assert_eq!(names(&follower), ["ada"]);
        assert_eq!(follower.dictionary().key_of(&bob().name), None);
        assert_eq!(follower.dictionary().person(&bob().public_key.id()), None);
    }

    #[test]
    fn a_gap_asks_for_all_once_and_the_count_goes_on_from_the_answer() {
        let mut follower = follower(vec![]);
        assert_eq!(follower.joined(10, eve()), Ok(Followed::Gap));
        assert_eq!(follower.joined(12, bob()), Ok(Followed::Unchanged), "asked once, not for each further gap");
        assert_eq!(names(&follower), ["ada"]);
        assert_eq!(answer(&mut follower, 13, vec![eve(), ada()]), Ok(Followed::Changed));
        assert_eq!(follower.departures(), 1, "someone may have left and come back");
        assert_eq!(names(&follower), ["ada", "eve"]);
        assert_eq!(follower.joined(14, bob()), Ok(Followed::Changed));
        assert_eq!(names(&follower), ["ada", "bob", "eve"]);
    }

    #[test]
    fn a_dictionary_that_was_not_requested_changes_nothing() {
        let mut follower = follower(vec![bob()]);
        assert_eq!(answer(&mut follower, 99, vec![ada(), eve()]), Ok(Followed::Unchanged));
        assert_eq!(names(&follower), ["ada", "bob"]);
    }

    #[test]
    fn a_session_key_is_replaced_by_a_later_one_of_the_same_person_only() {
        let mut follower = follower(vec![bob()]);
        let record = |key: &Identity, created| test_keys::unsigned_record(&bob().name, key.public_key(), created);
        let session = |follower: &Follower| {
            let people = follower.dictionary();
            let by_key = people.person(&bob().public_key.id()).unwrap().session.clone();
            assert!(people.people().any(|person| person.name == bob().name && person.session == by_key));
            by_key.created_unix_millis()
        };
        assert_eq!(session(&follower), 5);
        assert_eq!(follower.renewed(8, &bob().name, record(&test_keys::bob(), 6)), Ok(Followed::Changed));
        assert_eq!((session(&follower), follower.dictionary().revision()), (6, 8));
        for (name, record, breach) in [
            (bob().name, record(&test_keys::bob(), 6), Breach::OldSession(bob().name)),
            (bob().name, record(&test_keys::bob(), 5), Breach::OldSession(bob().name)),
            (bob().name, record(&test_keys::eve(), 7), Breach::ForeignSession(bob().name)),
            (eve().name, record(&test_keys::eve(), 7), Breach::UnknownRenewal(eve().name)),
        ] {
            assert_eq!(follower.renewed(9, &name, record), Err(breach));
        }
        let foreign = Person { session: record(&test_keys::bob(), 7), ..eve() };
        assert_eq!(follower.joined(9, foreign), Err(Breach::ForeignSession(eve().name)));
    }

    #[test]
    fn pages_come_when_they_were_announced_and_without_interruption() {
        let mut follower = follower(vec![bob()]);
        assert_eq!(follower.page(vec![eve()]), Err(Breach::SurplusPeople), "nothing announced it");
        assert_eq!(follower.directory(9, 2), Ok(Followed::Unchanged));
        let (ping, page) = (ServerMessage::Ping { number: 1 }, ServerMessage::People { people: vec![ada()] });
        let statistics = ServerMessage::Statistics(common::media::Statistics::default());
        assert_eq!((follower.expect(&ping), follower.expect(&page)), (Ok(()), Ok(())));
        assert_eq!(follower.expect(&statistics), Err(Breach::InterruptedPages("Statistics")));
        assert_eq!(follower.page(vec![ada(), eve()]), Ok(Followed::Unchanged));
        assert_eq!(follower.expect(&statistics), Ok(()), "it is whole");
    }

    #[test]
    fn a_name_has_one_key_a_key_one_name_and_this_client_stays_in() {
        let name = |text: &str| Name::parse(text).unwrap();
        for (joining, breach) in [
            (person("bob", &test_keys::eve()), Breach::RepeatedName(name("bob"), name("bob"))),
            (person("BOB", &test_keys::eve()), Breach::RepeatedName(name("bob"), name("BOB"))),
            (person("eve", &test_keys::bob()), Breach::RepeatedKey(name("bob"), name("eve"))),
            (person("ada", &test_keys::eve()), Breach::RepeatedName(name("ada"), name("ada"))),
            (person("eve", &test_keys::ada()), Breach::RepeatedKey(name("ada"), name("eve"))),
        ] {
            assert_eq!(follower(vec![bob()]).joined(8, joining), Err(breach));
        }
        assert_eq!(follower(vec![]).left(8, &ada().name), Err(Breach::OwnEntryMissing));
        assert_eq!(follower(vec![]).left(8, &eve().name), Err(Breach::UnknownDeparture(eve().name)));
        for people in [vec![bob()], vec![person("ada", &test_keys::eve())], vec![person("eve", &test_keys::ada())]] {
            let mut follower = follower(vec![]);
            assert_eq!(follower.joined(10, eve()), Ok(Followed::Gap));
            assert_eq!(answer(&mut follower, 11, people), Err(Breach::OwnEntryMissing));
        }
        for (people, breach) in [
            (vec![ada(), bob(), person("eve", &test_keys::bob())], Breach::RepeatedKey(name("bob"), name("eve"))),
            (vec![ada(), bob(), person("Bob", &test_keys::eve())], Breach::RepeatedName(name("bob"), name("Bob"))),
        ] {
            let mut follower = follower(vec![]);
            assert_eq!(follower.joined(10, eve()), Ok(Followed::Gap));
            assert_eq!(answer(&mut follower, 11, people), Err(breach));
        }
    }

    #[test]
    fn four_thousand_people_fit_and_no_one_else() {
        let guest = |number: u16| {
            let mut der = test_keys::bob().public_key().der().to_vec();
            for (byte, change) in der[120..].iter_mut().zip(number.to_be_bytes()) {
                *byte ^= change;
            }
            let public_key = common::crypto::PublicKey::from_der(&der).unwrap();
            listed(&format!("guest-{number}"), public_key)
        };
        let mut follower = follower(vec![]);
        for number in 1..4000 {
            assert_eq!(follower.joined(7 + u64::from(number), guest(number)), Ok(Followed::Changed));
        }
        assert_eq!(follower.dictionary().people().len(), 4000);
        assert_eq!(follower.joined(4007, guest(4000)), Err(Breach::TooManyPeople));
    }
}
