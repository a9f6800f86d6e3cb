//! What is searched for in the lists of people and videos, and what is said of videos of which a resolution is missing.

use std::collections::{HashMap, HashSet};

use common::media::{Library, VideoId, VideoInfo};

use super::{State, contacts::Contact};

/// From this number of entries on, a list has a field to search it.
const SEARCH_FROM: usize = 8;

/// The searches.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// What the names of people are searched for.
    pub people_search: String,
    /// What the titles of videos are searched for.
    pub videos_search: String,
    /// Whether the person has asked for the search of people, however few there are.
    is_people_search_open: bool,
    /// What is said of videos that lack something.
    gaps: HashMap<VideoId, String>,
}

/// What a person does with the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListsAction {
    /// The field above the people holds this text now.
    SearchPeople(String),
    /// Show the field above the people.
    FindPeople,
    /// Show all people again.
    EndPeopleSearch,
    /// The field above the videos holds this text now.
    SearchVideos(String),
}

impl Lists {
    pub(super) fn handle(&mut self, action: ListsAction) {
        match action {
            ListsAction::SearchPeople(text) => self.people_search = text,
            ListsAction::FindPeople => self.is_people_search_open = true,
            ListsAction::EndPeopleSearch => (self.people_search, self.is_people_search_open) = (String::new(), false),
            ListsAction::SearchVideos(text) => self.videos_search = text,
        }
    }

    /// Whether there is a field to search this number of people.
    pub fn has_people_search(&self, people_count: usize) -> bool {
        people_count >= SEARCH_FROM || self.is_people_search_open || !self.people_search.is_empty()
    }

    /// Whether there is a field to search this number of videos.
    pub fn has_videos_search(&self, video_count: usize) -> bool {
        video_count >= SEARCH_FROM || !self.videos_search.is_empty()
    }

    /// What a video lacks, in words; `None` if nothing.
    pub fn gap(&self, video: VideoId) -> Option<&str> {
        self.gaps.get(&video).map(String::as_str)
    }

    /// Takes in the library.
    pub(super) fn note_library(&mut self, library: &Library) {
        let usual = usual_heights(&library.videos);
        self.gaps = library.videos.iter().filter_map(|video| Some((video.id, gap_of(video, &usual)?))).collect();
    }
}

impl State {
    pub(super) fn handle_lists(&mut self, action: ListsAction) {
        if action == ListsAction::FindPeople {
            // Wherever the list is hidden.
            (self.settings.columns.has_lists, self.layout.has_people_in_front) = (true, true);
            self.layout.is_video_in_front = false;
        }
        self.lists.handle(action);
    }

    /// What the server is called: its name, or its address if it says none.
    pub fn server_title(&self) -> &str {
        if self.server.name.is_empty() { self.connection.address.trim() } else { &self.server.name }
    }

    /// The address that others can type to come to this server; `None` if none is known.
    pub fn address_for_others(&self) -> Option<&str> {
        let told = self.server.addresses.first().map(String::as_str);
        let typed = self.connection.address.trim();
        let is_here = ["127.", "localhost", "[::1]", "::1"].iter().any(|here| typed.starts_with(here));
        told.or((!is_here && !typed.is_empty()).then_some(typed))
    }

    /// The people whose names hold what is searched for.
    pub fn found_contacts(&self) -> Vec<Contact> {
        let mut contacts = self.contacts();
        let words = words(&self.lists.people_search);
        contacts.retain(|contact| has_words(contact.name.as_str(), &words));
        contacts
    }

    /// The videos whose titles hold what is searched for, as places in the library.
    pub fn found_videos(&self) -> Vec<usize> {
        let words = words(&self.lists.videos_search);
        let videos = self.library.videos.iter().enumerate();
        videos.filter(|(_, video)| has_words(&video.title, &words)).map(|(place, _)| place).collect()
    }

    /// The title of a video in the library.
    pub fn title_of(&self, id: VideoId) -> Option<&str> {
        let video = self.library.videos.iter().find(|video| video.id == id)?;
        Some(&video.title)
    }
}

fn words(search: &str) -> Vec<String> {
    search.split_whitespace().map(str::to_lowercase).collect()
}

fn has_words(text: &str, words: &[String]) -> bool {
    // Without a search, nothing is copied.
    words.is_empty() || {
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    }
}

/// The heights that more than half of the videos with several resolutions have, ascending. With fewer than three such videos
/// nothing is usual.
fn usual_heights(videos: &[VideoInfo]) -> Vec<u32> {
    let mut counts = HashMap::<u32, usize>::new();
    let with_several: Vec<_> = videos.iter().filter(|video| video.variants.len() > 1).collect();
    for variant in with_several.iter().flat_map(|video| &video.variants) {
        *counts.entry(variant.height).or_default() += 1;
    }
    let is_usual = |(_, count): &(u32, usize)| with_several.len() >= 3 && 2 * count > with_several.len();
    let mut usual: Vec<u32> = counts.into_iter().filter(is_usual).map(|(height, _)| height).collect();
    usual.sort_unstable();
    usual
}

/// What a video lacks of what is usual, in words.
fn gap_of(video: &VideoInfo, usual: &[u32]) -> Option<String> {
    let heights: HashSet<u32> = video.variants.iter().map(|variant| variant.height).collect();
    if !video.unreadable_heights.is_empty() {
        return Some(format!("{} cannot be read", listed(&video.unreadable_heights)));
    }
    if let [only] = video.variants.as_slice() {
        return Some(format!("Only {}p", only.height));
    }
    let missing: Vec<u32> = usual.iter().copied().filter(|height| !heights.contains(height)).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    (!missing.is_empty()).then(|| format!("{} {verb} missing", listed(&missing)))
}

/// Heights in words: `240p, 720p and 1440p`.
fn listed(heights: &[u32]) -> String {
    match heights {
        [] => String::new(),
        [only] => format!("{only}p"),
        [before @ .., last] => {
            let before: Vec<_> = before.iter().map(|height| format!("{height}p")).collect();
            format!("{} and {last}p", before.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use common::media::VariantInfo;

    use super::*;

    fn video(id: u64, heights: &[u32], unreadable_heights: &[u32]) -> VideoInfo {
        let variant =
            |&height: &u32| VariantInfo { height, picture_width: 320, picture_height: height, frame_count: 9 };
        VideoInfo {
            id: VideoId(id),
            fingerprint: 1,
            title: format!("Film {id}"),
            duration_nanos: 1,
            has_sound: false,
            is_ready: false,
            variants: heights.iter().map(variant).collect(),
            unreadable_heights: unreadable_heights.to_vec(),
        }
    }

    fn gaps(videos: Vec<VideoInfo>) -> Vec<Option<String>> {
        let mut lists = Lists::default();
        lists.note_library(&Library { videos: videos.clone(), unplayable_count: 0 });
        videos.iter().map(|video| lists.gap(video.id).map(str::to_owned)).collect()
    }

    #[test]
    fn what_most_videos_have_is_missed_in_the_others() {
        let all = [240, 720, 1440];
        let found = gaps(vec![
            video(1, &all, &[]),
            video(2, &all, &[]),
            video(3, &[240, 720], &[]),
            video(4, &[360, 1440], &[]),
            video(5, &[360], &[]),
            video(6, &[240], &[720, 1440]),
        ]);
        let expected = [
            None,
            None,
            Some("1440p is missing"),
            Some("240p and 720p are missing"),
            Some("Only 360p"),
            Some("720p and 1440p cannot be read"),
        ];
        assert_eq!(found, expected.map(|text| text.map(str::to_owned)));
    }

    #[test]
    fn two_videos_make_nothing_usual() {
        assert_eq!(gaps(vec![video(1, &[240, 720], &[]), video(2, &[360, 1080], &[])]), [None, None]);
    }

    #[test]
    fn a_search_finds_all_words_in_any_order_and_case() {
        let finds = |search: &str| has_words("Lecture 01 - A rat", &words(search));
        assert!(finds("") && finds("  ") && finds("RAT lect") && finds("01"));
        assert!(!finds("rat 02"));
    }
}
