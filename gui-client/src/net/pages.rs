//! Puts the dictionary together from its pages, which follow `Welcome` and `Directory`. Pure.

use common::{message::Person, validate::Breach};

/// A dictionary of which pages are still to come.
#[derive(Debug)]
pub(super) struct Pages {
    revision: u64,
    missing: usize,
    people: Vec<Person>,
}

/// A dictionary with everyone in it, not yet checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) revision: u64,
    pub(super) people: Vec<Person>,
}

impl Pages {
    /// An empty dictionary of this revision, which expects `people_count` people: at most [`common::limits::MAX_PEOPLE`],
    /// which `validate` has checked. Memory is reserved page by page.
    pub(super) fn announced(revision: u64, people_count: u32) -> Self {
        Self { revision, missing: people_count as usize, people: Vec::new() }
    }

    /// Takes in a page.
    ///
    /// # Errors
    /// [`Breach`] when the page has no one in it, or more people than are missing.
    pub(super) fn add(&mut self, page: Vec<Person>) -> Result<(), Breach> {
        if page.is_empty() {
            return Err(Breach::EmptyPage);
        }
        self.missing = self.missing.checked_sub(page.len()).ok_or(Breach::SurplusPeople)?;
        self.people.extend(page);
        Ok(())
    }

    /// The whole dictionary, or this, if pages are missing.
    pub(super) fn finish(self) -> Result<Listed, Self> {
        let Self { revision, missing, people } = self;
        if missing == 0 { Ok(Listed { revision, people }) } else { Err(Self { revision, missing, people }) }
    }
}

#[cfg(test)]
mod tests {
    use common::{crypto::test_keys, name::Name};

    use super::*;

    fn people(count: usize) -> Vec<Person> {
        let key = test_keys::ada().public_key().clone();
        let person = |n| {
            let name = Name::parse(&format!("guest-{n}")).unwrap();
            let session = test_keys::unsigned_record(&name, &key, 1);
            Person { name, public_key: key.clone(), session, since_unix_secs: 0 }
        };
        (0..count).map(person).collect()
    }

    #[test]
    fn a_dictionary_is_whole_with_its_last_person() {
        let mut pages = Pages::announced(7, 5);
        for page in people(5).chunks(2) {
            pages = pages.finish().unwrap_err();
            pages.add(page.to_vec()).unwrap();
        }
        assert_eq!(pages.finish().unwrap(), Listed { revision: 7, people: people(5) });
        assert_eq!(Pages::announced(7, 0).finish().unwrap().people, []);
    }

    #[test]
    fn no_page_is_empty_and_none_has_too_many() {
        let mut pages = Pages::announced(7, 3);
        assert_eq!(pages.add(Vec::new()), Err(Breach::EmptyPage));
        assert_eq!(pages.add(people(2)), Ok(()));
        assert_eq!(pages.add(people(2)), Err(Breach::SurplusPeople));
    }
}
