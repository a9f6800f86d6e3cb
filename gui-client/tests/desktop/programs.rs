//! The built programs as people start them, each with its own folders.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    network::Network,
    screen::{Screen, run, wait_for},
    session_bus::SessionBus,
};

/// A running program. Killed when dropped.
pub struct Program {
    pub child: Child,
    log: PathBuf,
}

impl Program {
    /// The log so far, also of earlier runs.
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

fn append(log: &Path) -> fs::File {
    fs::OpenOptions::new().create(true).append(true).open(log).unwrap()
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

/// How a server is started.
pub struct Server<'a> {
    /// Where it listens; port 0 is a free one.
    pub listen: &'a str,
    /// Its name on the network.
    pub name: &'a str,
    /// Its videos.
    pub videos: &'a Path,
    /// Its certificate, the names of its people, its frames and its log.
    pub folder: &'a Path,
    /// Its network, if it is not the one of this computer.
    pub network: Option<&'a Network>,
}

impl Server<'_> {
    /// Starts it; returns where it listens.
    pub fn start(&self) -> (Program, String) {
        fs::create_dir_all(self.folder).unwrap();
        let log = self.folder.join("server.log");
        let mut command =
            self.network.map_or_else(|| Command::new(server_program()), |network| network.command(server_program()));
        let mut child = command
            .args(["--listen", self.listen, "--name", self.name, "--videos"])
            .arg(self.videos)
            .arg("--data-dir")
            .arg(self.folder.join("data"))
            .arg("--disk-cache-dir")
            .arg(self.folder.join("frames"))
            .stdout(Stdio::piped())
            .stderr(append(&log))
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let host = self.listen.rsplit_once(':').unwrap().0;
        let address = line.split_whitespace().find(|word| word.starts_with(host)).map(str::to_owned);
        (Program { child, log }, address.unwrap_or_else(|| panic!("no address in {line:?}")))
    }
}

/// How a client is started.
#[derive(Default)]
pub struct Client<'a> {
    /// Arguments of the command line.
    pub arguments: &'a [&'a str],
    /// Variables of its environment besides those of [`Client::start`].
    pub environment: &'a [(&'a str, String)],
    /// Where every file that it opens is listed, if it is.
    pub trace: Option<&'a Path>,
    /// Its network, if it is not the one of this computer.
    pub network: Option<&'a Network>,
}

impl Client<'_> {
    /// Starts the client on `screen`, with `home` as its person's folder. Its log is beside that folder.
    pub fn start(&self, screen: &Screen, bus: &SessionBus, home: &Path) -> Program {
        let log = home.with_extension("log");
        let program = env!("CARGO_BIN_EXE_triptych");
        let mut command = match (self.trace, self.network) {
            (Some(trace), _) => traced(program, trace),
            (None, Some(network)) => network.command(program),
            (None, None) => Command::new(program),
        };
        let child = command
            .args(self.arguments)
            .env("DISPLAY", &screen.display)
            .env("HOME", home)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("AT_SPI_BUS_ADDRESS")
            .envs(["XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"].map(|name| (name, home)))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stderr(append(&log))
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}; 'make test' installs it", command.get_program()));
        Program { child, log }
    }
}

/// `program`, with every file that it opens listed in `trace`. The tracer is the grandchild, so the process that is started is
/// the program.
fn traced(program: &str, trace: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-q", "--seccomp-bpf", "-e", "trace=open,openat,openat2,creat", "-o"]).arg(trace);
    strace.arg(program);
    strace
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
