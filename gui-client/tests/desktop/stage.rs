//! What each of these tests begins with: its turn, folders, videos and a server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;

use crate::{
    programs::{Client, Program, Server, server_program},
    user::User,
};

/// Held by the running test: these tests run one at a time, because each uses the whole machine.
static TURN: Mutex<()> = Mutex::new(());

/// A folder for the programs, and one for the screenshots, while it is the test's turn.
pub struct Stage {
    /// Holds the folders of servers and people.
    pub home: TempDir,
    /// Where the screenshots are kept.
    pictures: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// Waits for its turn. Screenshots are kept in `target/tmp/desktop-NAME`.
    pub fn new(name: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("desktop-{name}"));
        let _ = fs::remove_dir_all(&pictures);
        fs::create_dir_all(&pictures).unwrap();
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("videos")).unwrap();
        Self { home, pictures, _turn: turn }
    }

    /// The folder with the videos.
    pub fn videos(&self) -> PathBuf {
        self.home.path().join("videos")
    }

    /// Puts the sample video there.
    pub fn add_sample(&self) {
        for file in sample() {
            fs::copy(&file, self.videos().join(file.file_name().unwrap())).unwrap();
        }
    }

    /// A folder of this name.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A person who starts the program in this way.
    pub fn user(&self, name: &str, client: &Client<'_>) -> User {
        User::start(name, self.home.path(), &self.pictures, client)
    }
}

/// A stage with a server.
pub struct Room {
    pub stage: Stage,
    pub server: Program,
    /// Where the server listens.
    pub address: String,
}

impl Room {
    /// Waits for its turn, and starts a server with the sample video.
    pub fn open(name: &str) -> Self {
        let stage = Stage::new(name);
        stage.add_sample();
        Self::on(stage)
    }

    /// The same with the videos that are there.
    pub fn on(stage: Stage) -> Self {
        let (server, address) = start_server(&stage, "127.0.0.1:0", "server");
        Self { stage, server, address }
    }

    /// A person who joins in a window of these colours, and has compared the words of the certificate.
    pub fn user(&self, name: &str, theme: &str) -> User {
        let user = self.newcomer(name, name, theme);
        user.click_away("They are the same");
        user
    }

    /// A person with a folder called `home` who joins as `name`.
    pub fn newcomer(&self, home: &str, name: &str, theme: &str) -> User {
        let user = self.stage.user(home, &Client { arguments: &self.arguments(name, theme), ..Client::default() });
        user.join();
        user
    }

    /// The command line of a person.
    pub fn arguments<'a>(&'a self, name: &'a str, theme: &'a str) -> [&'a str; 8] {
        ["--server", &self.address, "--name", name, "--theme", theme, "--log", "info,triptych_client=debug"]
    }

    /// Starts the server again at the same address, with the certificate and names in the folder `data`.
    pub fn restart_server(&mut self, data: &str) {
        (self.server, _) = start_server(&self.stage, &self.address, data);
    }
}

fn start_server(stage: &Stage, listen: &str, folder: &str) -> (Program, String) {
    let (videos, folder) = (stage.videos(), stage.folder(folder));
    Server { listen, name: "Lab", videos: &videos, folder: &folder, network: None }.start()
}

/// The files of the sample video, made once.
fn sample() -> Vec<PathBuf> {
    static MADE: Mutex<Option<TempDir>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = made.get_or_insert_with(|| {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(server_program()).arg("sample").arg("--videos").arg(folder.path()).status().unwrap();
        assert!(status.success(), "the sample is made");
        folder
    });
    fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
}
