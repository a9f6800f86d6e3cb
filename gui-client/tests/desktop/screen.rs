//! A screen of its own for one program: Xvfb shows it, xdotool is its mouse and keyboard, tesseract reads it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use image::{DynamicImage, RgbImage, imageops::FilterType};

/// Nothing takes longer than this unless it is broken.
pub const DEADLINE: Duration = Duration::from_secs(60);

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 800;
/// Tesseract was made for print: letters of a screen are too small for it.
const MAGNIFICATION: u32 = 3;
/// How tesseract takes the page apart: automatically, as one block, and as scattered text. Each overlooks what another
/// finds.
const SEGMENTATIONS: [&str; 3] = ["3", "6", "11"];

/// An X display. Ends when dropped.
pub struct Screen {
    xvfb: Child,
    pub display: String,
    pictures: PathBuf,
    label: String,
}

/// A word on the screen.
#[derive(Debug, Clone)]
pub struct Word {
    pub text: String,
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

impl Word {
    fn centre(&self) -> (u32, u32) {
        (self.left + self.width / 2, self.top + self.height / 2)
    }
}

/// Runs a helper program; a missing one is an error that says what to do.
pub fn run(command: &mut Command) -> std::process::Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}; 'make test' installs it"));
    assert!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Waits until `condition` gives something.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} did not come about within {} s", DEADLINE.as_secs());
        // A breath between two looks leaves the programs room to work.
        sleep(Duration::from_millis(50));
    }
}

impl Screen {
    /// Pictures taken of it are kept in `pictures`, with `label` in their names.
    pub fn start(label: &str, pictures: &Path) -> Self {
        let size = format!("{WIDTH}x{HEIGHT}x24");
        // Without -noreset the server begins anew whenever its last client leaves, as xdotool does after each look for the
        // window, and a program that connects just then is turned away.
        let mut xvfb = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &size, "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Xvfb: {error}; 'make test' installs it"));
        let mut number = String::new();
        BufReader::new(xvfb.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        Self { xvfb, display, pictures: pictures.to_owned(), label: label.to_owned() }
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

    /// What is on the screen now; also kept as a file named after `name`.
    pub fn picture(&self, name: &str) -> RgbImage {
        let path = self.pictures.join(format!("{name}-{}.png", self.label));
        run(Command::new("import").env("DISPLAY", &self.display).args(["-window", "root"]).arg(&path));
        image::open(&path).unwrap().to_rgb8()
    }

    /// The words on the screen.
    pub fn words(&self) -> Vec<Word> {
        self.read(&self.picture("latest"))
    }

    /// The words in a picture, line by line.
    pub fn read(&self, picture: &RgbImage) -> Vec<Word> {
        let (width, height) = picture.dimensions();
        let large = DynamicImage::ImageRgb8(picture.clone()).grayscale().resize_exact(
            width * MAGNIFICATION,
            height * MAGNIFICATION,
            FilterType::CatmullRom,
        );
        let path = self.pictures.join(format!("reading-{}.png", self.label));
        large.save(&path).unwrap();
        let mut words = Vec::new();
        for segmentation in SEGMENTATIONS {
            let output = run(Command::new("tesseract").arg(&path).args(["stdout", "--psm", segmentation, "tsv"]));
            words.extend(String::from_utf8_lossy(&output.stdout).lines().skip(1).filter_map(word));
        }
        fs::remove_file(&path).unwrap();
        words
    }

    /// Waits until a word in `area` begins with `text`, and gives it.
    pub fn find(&self, text: &str, area: Area) -> Word {
        let mut seen = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE {
            let words = self.words();
            if let Some(word) = words.iter().find(|word| word.text.starts_with(text) && area.holds(word)) {
                return word.clone();
            }
            seen = words.into_iter().map(|word| word.text).collect();
        }
        panic!("{text:?} is not on {}'s screen; there is: {seen:?}", self.label);
    }
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub enum Area {
    /// The column with people and videos.
    Left,
    /// Beside it: picture and conversation.
    Right,
    /// All of it.
    Anywhere,
}

impl Area {
    fn holds(self, word: &Word) -> bool {
        const COLUMN_WIDTH: u32 = 235;
        match self {
            Area::Left => word.left < COLUMN_WIDTH,
            Area::Right => word.left >= COLUMN_WIDTH,
            Area::Anywhere => true,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.xvfb.kill();
        let _ = self.xvfb.wait();
    }
}

/// A line of tesseract's TSV: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
fn word(line: &str) -> Option<Word> {
    let fields: Vec<_> = line.split('\t').collect();
    let [.., left, top, width, height, _, text] = fields.as_slice() else { return None };
    let place = |number: &str| number.parse::<u32>().ok().map(|pixels| pixels / MAGNIFICATION);
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(())?;
    Some(Word { text, left: place(left)?, top: place(top)?, width: place(width)?, height: place(height)? })
}
