//! An X display of its own for one program: Xvfb shows it, xdotool is its mouse and keyboard.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use image::RgbImage;
use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt, ImageFormat},
    rust_connection::RustConnection,
};

use crate::ocr::{Word, readings};

/// Nothing takes longer than this unless it is broken.
pub const DEADLINE: Duration = Duration::from_secs(60);

const SCREEN_SIZE: &str = "1280x800x24";
/// Initial size of the window. The rest of the screen is left out of screenshots.
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 760;
/// Width of the column with people and videos.
const COLUMN_WIDTH: u32 = 255;

/// An X display. Ends when dropped.
pub struct Screen {
    xvfb: Child,
    pub display: String,
    connection: RustConnection,
    root: u32,
    pictures: PathBuf,
    label: String,
}

/// Runs a helper program; a missing one is an error that says what to do.
pub fn run(command: &mut Command) -> std::process::Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}; 'make test' installs it"));
    assert!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Polls until `condition` returns something, and panics after [`DEADLINE`].
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} did not happen within {} s", DEADLINE.as_secs());
        // Leaves the programs under test room to work between two polls.
        sleep(Duration::from_millis(50));
    }
}

impl Screen {
    /// Screenshots are kept in `pictures`, with `label` in their names.
    pub fn start(label: &str, pictures: &Path) -> Self {
        // Without -noreset the X server resets whenever its last client disconnects, as xdotool does after each search
        // for the window, and a program that connects at that moment is turned away.
        let mut xvfb = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", SCREEN_SIZE, "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Xvfb: {error}; 'make test' installs it"));
        let mut number = String::new();
        BufReader::new(xvfb.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        let (connection, screen) = x11rb::connect(Some(&display)).unwrap();
        let root = connection.setup().roots[screen].root;
        Self { xvfb, display, connection, root, pictures: pictures.to_owned(), label: label.to_owned() }
    }

    /// Waits for the window and gives it the keyboard.
    pub fn focus_window(&self, title: &str) {
        let window = wait_for("the window", || {
            let output = Command::new("xdotool")
                .env("DISPLAY", &self.display)
                .args(["search", "--onlyvisible", "--name", title])
                .output()
                .unwrap_or_else(|error| panic!("xdotool: {error}; 'make test' installs it"));
            String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
        });
        self.xdotool(&["windowmove", &window, "0", "0"]);
        self.xdotool(&["windowfocus", &window]);
    }

    fn xdotool(&self, arguments: &[&str]) {
        run(Command::new("xdotool").env("DISPLAY", &self.display).args(arguments));
    }

    pub fn press(&self, key: &str) {
        self.xdotool(&["key", key]);
    }

    pub fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "20", text]);
    }

    pub fn click(&self, word: &Word) {
        let (x, y) = word.centre();
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    }

    /// The pixels of `area` now.
    pub fn capture(&self, area: Area) -> RgbImage {
        let (left, width) = area.columns();
        let (x, width_16, height_16) = (left as i16, width as u16, HEIGHT as u16);
        let request =
            self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, x, 0, width_16, height_16, u32::MAX).unwrap();
        // 24-bit pixels arrive as blue, green, red, and a filler byte.
        let bytes = request.reply().unwrap().data;
        let rgb: Vec<u8> = bytes.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        RgbImage::from_raw(width, HEIGHT, rgb).unwrap()
    }

    /// The whole window now; also kept as a file named after `name`.
    pub fn screenshot(&self, name: &str) -> RgbImage {
        let picture = self.capture(Area::Anywhere);
        picture.save(self.pictures.join(format!("{name}-{}.png", self.label))).unwrap();
        picture
    }

    /// Waits until a word in `area` begins with `text`, and returns it.
    pub fn find(&self, text: &str, area: Area) -> Word {
        let mut seen = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            let picture = self.capture(area);
            seen.clear();
            for words in readings(&picture) {
                if let Some(word) = words.iter().find(|word| word.text.starts_with(text)) {
                    return Word { left: word.left + area.columns().0, ..word.clone() };
                }
                seen.extend(words.into_iter().map(|word| word.text));
            }
        }
        self.screenshot("missing");
        panic!("{text:?} is not on {}'s screen; it shows: {seen:?}", self.label);
    }
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub enum Area {
    /// The column with people and videos.
    Left,
    /// Beside it: picture and conversation.
    Right,
    /// The whole window.
    Anywhere,
}

impl Area {
    /// First column of pixels and number of columns.
    fn columns(self) -> (u32, u32) {
        match self {
            Area::Left => (0, COLUMN_WIDTH),
            Area::Right => (COLUMN_WIDTH, WIDTH - COLUMN_WIDTH),
            Area::Anywhere => (0, WIDTH),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.xvfb.kill();
        let _ = self.xvfb.wait();
    }
}
