//! The built programs as a user starts them, each with its own home folder.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::screen::{Screen, run, wait_for};

/// A running program. Killed when dropped.
pub struct Program {
    pub child: Child,
    log: PathBuf,
}

impl Program {
    /// The log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line with `text` in the log.
    pub fn wait_for_log(&self, text: &str) -> String {
        wait_for(&format!("{text:?} in {}", self.log.display()), || {
            self.log().lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }

    /// Asks the program to end, and waits for that.
    pub fn end(&mut self) {
        run(Command::new("kill").arg(self.child.id().to_string()));
        self.child.wait().unwrap();
    }

    /// Kills the program, without a chance to clean up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.log.display(), fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program, beside the client's. `cargo test --workspace` builds it for the server's own tests before any
/// test runs; `cargo test -p gui-client` does not, so an outdated one is refused.
pub fn server_program() -> PathBuf {
    const REMEDY: &str = "build it with: cargo build --workspace --all-features --bins";
    let path = Path::new(env!("CARGO_BIN_EXE_triptych")).with_file_name("triptych-server");
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let built = modified(&path).unwrap_or_else(|error| panic!("{}: {error}; {REMEDY}", path.display()));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for sources in [workspace.join("server/src"), workspace.join("common/src")] {
        for source in files_below(&sources) {
            let is_current = modified(&sources.join(&source)).unwrap() <= built;
            assert!(is_current, "{} is older than {source} in {}; {REMEDY}", path.display(), sources.display());
        }
    }
    path
}

/// An empty folder `label` for screenshots, a home for the programs, and a folder in it with the sample video.
pub fn with_sample(label: &str) -> (PathBuf, TempDir, PathBuf) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join(label);
    let _ = fs::remove_dir_all(&pictures);
    fs::create_dir_all(&pictures).unwrap();
    let home = tempfile::tempdir().unwrap();
    let videos = home.path().join("videos");
    fs::create_dir(&videos).unwrap();
    let made = Command::new(server_program()).arg("sample").arg("--videos").arg(&videos).status().unwrap();
    assert!(made.success(), "the sample is made");
    (pictures, home, videos)
}

/// Starts a server on a free port; returns where it listens.
pub fn start_server(videos: &Path, home: &Path) -> (Program, String) {
    let log = home.join("server.log");
    let mut child = Command::new(server_program())
        .args(["--listen", "127.0.0.1:0", "--videos"])
        .arg(videos)
        .arg("--data-dir")
        .arg(home.join("server"))
        .arg("--disk-cache-dir")
        .arg(home.join("frames"))
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).map(str::to_owned);
    (Program { child, log }, address.unwrap_or_else(|| panic!("no address in {line:?}")))
}

/// Starts a client on `screen`, with `home` as its user's folder.
pub fn start_client(screen: &Screen, address: &str, name: &str, home: &Path) -> Program {
    start_client_with(screen, address, name, home, &[])
}

/// Like [`start_client`], with additional environment variables.
pub fn start_client_with(
    screen: &Screen,
    address: &str,
    name: &str,
    home: &Path,
    environment: &[(&str, String)],
) -> Program {
    let mut program = Command::new(env!("CARGO_BIN_EXE_triptych"));
    program.envs(environment.iter().map(|(name, value)| (name, value)));
    start(program, screen, address, name, home)
}

/// Like [`start_client`]; every file that it opens is listed in `trace`.
pub fn start_client_traced(screen: &Screen, address: &str, name: &str, home: &Path, trace: &Path) -> Program {
    let mut strace = Command::new("strace");
    // The tracer is the grandchild, so the process that is started is the client.
    strace.args(["-D", "-f", "-q", "--seccomp-bpf", "-e", "trace=open,openat,openat2,creat", "-o"]).arg(trace);
    strace.arg(env!("CARGO_BIN_EXE_triptych"));
    start(strace, screen, address, name, home)
}

fn start(mut program: Command, screen: &Screen, address: &str, name: &str, home: &Path) -> Program {
    let home = home.join(name);
    fs::create_dir_all(&home).unwrap();
    let log = home.with_extension("log");
    let child = program
        .args(["--server", address, "--name", name, "--theme", "light", "--log", "info,triptych_client=debug"])
        .env("DISPLAY", &screen.display)
        .env("HOME", &home)
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .envs(["XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"].map(|name| (name, &home)))
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("{:?}: {error}; 'make test' installs it", program.get_program()));
    Program { child, log }
}

/// All files below `folder`, relative to it.
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    files
}
