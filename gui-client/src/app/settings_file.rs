//! The file `settings.toml` in the data folder: read before the window opens, written by a thread of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{net::private_files, settings::Settings};

/// While a setting keeps changing, as the size of a window that is being drawn larger, it is written this often.
const WRITE_INTERVAL: Duration = Duration::from_millis(500);

/// What was read at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The settings; the default ones where there is no file, or none that can be read.
    pub settings: Settings,
    /// What the window has to tell about the file, as sentences.
    pub notice: Option<String>,
}

/// Path of the file.
fn path_in(data_folder: &Path) -> PathBuf {
    data_folder.join("settings.toml")
}

/// Reads the settings. A file that cannot be understood is set aside as `settings.toml.damaged`, so that nothing in it is
/// lost and the next start finds none.
pub fn load(data_folder: &Path) -> Loaded {
    let path = path_in(data_folder);
    let reason = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Loaded { settings: Settings::default(), notice: None };
        }
        Err(error) => error.to_string(),
        Ok(text) => match Settings::parse(&text) {
            Ok(settings) => return Loaded { settings, notice: None },
            Err(reason) => reason,
        },
    };
    let aside = path.with_extension("toml.damaged");
    let what = match fs::rename(&path, &aside) {
        Ok(()) => format!("It was set aside as {}.", aside.display()),
        Err(error) => format!("It could not be set aside ({error})."),
    };
    tracing::warn!("the settings in {} cannot be read: {reason}. {what}", path.display());
    let notice = format!("{} cannot be read ({reason}). {what}", path.display());
    Loaded { settings: Settings::default(), notice: Some(notice) }
}

/// Writes the settings. Dropping it writes the last ones and waits for that.
pub struct SettingsFile {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<Pending>,
    changed: Condvar,
}

/// What the thread has to do. Later settings replace earlier ones, so there is at most one to write.
#[derive(Default)]
struct Pending {
    settings: Option<Settings>,
    is_closing: bool,
}

impl SettingsFile {
    /// Starts the thread. Fails when the system has none left.
    pub fn start(data_folder: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (path, theirs) = (path_in(data_folder), Arc::clone(&shared));
        let work = move || theirs.write_until_closed(&path);
        let thread = thread::Builder::new().name("triptych-settings".to_owned()).spawn(work)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has these settings written. Never waits for the disk.
    pub fn write(&self, settings: Settings) {
        self.shared.lock().settings = Some(settings);
        self.shared.changed.notify_one();
    }
}

impl Drop for SettingsFile {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the settings panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_until_closed(&self, path: &Path) {
        let mut has_failed = false;
        while let Some(settings) = self.next() {
            match write(path, &settings) {
                Err(error) if !has_failed => {
                    // Once: a folder that cannot be written to stays so, and a window is resized often.
                    tracing::warn!(
                        "the settings cannot be written to {}, so they are forgotten: {error}",
                        path.display()
                    );
                    has_failed = true;
                }
                written => has_failed &= written.is_err(),
            }
            self.pause();
        }
    }

    /// Waits for settings to write; `None` once there are none and none will follow.
    fn next(&self) -> Option<Settings> {
        let idle = |pending: &mut Pending| pending.settings.is_none() && !pending.is_closing;
        let pending = self.changed.wait_while(self.lock(), idle);
        pending.unwrap_or_else(PoisonError::into_inner).settings.take()
    }

    /// Lets changes gather, except at the end.
    fn pause(&self) {
        let is_open = |pending: &mut Pending| !pending.is_closing;
        drop(self.changed.wait_timeout_while(self.lock(), WRITE_INTERVAL, is_open));
    }
}

fn write(path: &Path, settings: &Settings) -> io::Result<()> {
    private_files::create_folder(path.parent().unwrap_or(Path::new(".")))?;
    private_files::replace(path, &settings.to_text())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn settings(zoom_percent: u16) -> Settings {
        Settings { zoom_percent, ..Settings::default() }
    }

    #[test]
    fn the_last_settings_are_on_the_disk_when_the_program_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        // The folder need not be there yet.
        let folder = dir.path().join("triptych");
        let file = SettingsFile::start(&folder).unwrap();
        for zoom_percent in 100..200 {
            file.write(settings(zoom_percent));
        }
        drop(file);
        assert_eq!(load(&folder), Loaded { settings: settings(199), notice: None });
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no unfinished file is left");
    }

    #[test]
    fn settings_are_written_while_the_program_runs() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::start(dir.path()).unwrap();
        for zoom_percent in [150, 160] {
            file.write(settings(zoom_percent));
            let deadline = Instant::now() + Duration::from_secs(20);
            while load(dir.path()).settings.zoom_percent != zoom_percent {
                assert!(Instant::now() < deadline, "{zoom_percent} is not written");
                thread::yield_now();
            }
        }
    }

    #[test]
    fn without_a_file_the_defaults_count_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), Loaded { settings: Settings::default(), notice: None });
        drop(SettingsFile::start(dir.path()).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_told_of() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(path_in(dir.path()), "zoom_percent = [").unwrap();
        let loaded = load(dir.path());
        assert_eq!(loaded.settings, Settings::default());
        assert!(loaded.notice.unwrap().contains("settings.toml.damaged"));
        let aside = dir.path().join("settings.toml.damaged");
        assert_eq!(fs::read_to_string(aside).unwrap(), "zoom_percent = [", "nothing in it is lost");
        assert_eq!(load(dir.path()).notice, None, "the next start finds no damaged file");
    }

    #[test]
    fn a_place_that_cannot_be_written_to_hinders_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let not_a_folder = dir.path().join("file");
        fs::write(&not_a_folder, "").unwrap();
        let file = SettingsFile::start(&not_a_folder).unwrap();
        file.write(settings(150));
        drop(file);
        let loaded = load(&not_a_folder);
        assert_eq!(loaded.settings, Settings::default());
        assert!(loaded.notice.is_some());
    }
}
