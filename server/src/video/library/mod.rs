//! Which videos the files of the video folder make up.
//!
//! ```text
//! folder (names) ─► scan (probes unknown files) ─► ProbeRecords ─► Catalog::build ─► Library::replace
//!     ▲                                                                                    │ revision + 1
//!     └── folder_watcher: the same again after each change                                 ▼
//!                                                                          streams, clients, thumbnails
//! ```
//!
//! * `folder`: what the names in the folder say. `video`: a title with its files.
//! * `catalog`: an immutable snapshot of everything that is offered, and the records that it is built from.
//! * `scan`: reads a whole folder. `shared_library`: the handle through which the server sees the current catalog.
//! * `folder_watcher`: keeps the library up to date. `thumbnails`: one small picture for each video.
//! * `previews`: small pictures of the places of a video, made while they are asked for; `preview_plan` decides which, and
//!   `preview_lists` which are kept and whose turn it is.

pub(crate) mod catalog;
pub(crate) mod folder;
mod folder_watcher;
mod preview_lists;
mod preview_plan;
mod previews;
mod scan;
mod shared_library;
mod small_size;
mod thumbnails;
mod video;

pub(crate) use self::{
    catalog::FileChange,
    scan::scan_titles,
    video::{ProbedFile, file_name},
};
pub use self::{
    catalog::ProbeRecords, folder::SkippedFile, folder_watcher::FolderWatcher, scan::LibraryError,
    shared_library::Library, video::Video,
};
