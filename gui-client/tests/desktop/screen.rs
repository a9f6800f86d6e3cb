//! An X display of its own for one person: Xvfb shows it, openbox manages its windows, xdotool is its mouse and keyboard.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use image::RgbImage;
use x11rb::{
    connection::Connection,
    protocol::xproto::{
        AtomEnum, ConnectionExt, CreateWindowAux, EventMask, ImageFormat, MapState, PropMode, WindowClass,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// Nothing takes longer than this unless it is broken.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The screen's size in pixels.
const SCREEN_SIZE: &str = "1280x800x24";

/// A screenshot is taken when two looks show the same, or after the last.
const LOOK_INTERVAL: Duration = Duration::from_millis(60);
const MOST_LOOKS: u32 = 10;

/// Windows without frames at the corner of the screen, so that places in a window are those on the screen; no key and no button
/// of the mouse belongs to the window manager.
const WINDOW_MANAGER: &str = r#"<openbox_config xmlns="http://openbox.org/3.4/rc"><theme><keepBorder>no</keepBorder></theme>
  <applications><application class="*"><decor>no</decor><position force="yes"><x>0</x><y>0</y></position></application></applications>
</openbox_config>"#;

/// An X display. Ends when dropped.
pub struct Screen {
    xvfb: Child,
    window_manager: Child,
    pub display: String,
    connection: RustConnection,
    root: u32,
    pictures: PathBuf,
    label: String,
}

/// A window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(u32);

/// Runs a helper program; a missing one is an error that says what to do.
pub fn run(command: &mut Command) -> std::process::Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}; 'make test' installs it"));
    assert!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Polls until `condition` returns something; `None` after [`DEADLINE`].
pub fn poll<T>(mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        if let Some(found) = condition() {
            return Some(found);
        }
        // Leaves the programs under test room to work between two polls.
        sleep(Duration::from_millis(50));
    }
    None
}

/// The same, and a failed test instead of `None`.
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    poll(condition).unwrap_or_else(|| panic!("{what} did not happen within {} s", DEADLINE.as_secs()))
}

impl Screen {
    /// Screenshots are kept in `pictures`, with `label` in their names; what the window manager needs lies in `folder`.
    pub fn start(label: &str, pictures: &Path, folder: &Path) -> Self {
        // Without -noreset the X server resets whenever its last client disconnects, and a program that connects at that
        // moment is turned away.
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
        fs::create_dir_all(folder).unwrap();
        let config = folder.join("openbox.xml");
        fs::write(&config, WINDOW_MANAGER).unwrap();
        let window_manager = Command::new("openbox")
            .arg("--config-file")
            .arg(config)
            .env("DISPLAY", &display)
            .envs(["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, folder)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("openbox: {error}; 'make test' installs it"));
        let (pictures, label) = (pictures.to_owned(), label.to_owned());
        let screen = Self { xvfb, window_manager, display, connection, root, pictures, label };
        // A window that is opened earlier would not be managed as the configuration says.
        wait_for("the window manager", || {
            let manager = screen.property(screen.root, "_NET_SUPPORTING_WM_CHECK", AtomEnum::WINDOW.into());
            (!manager.is_empty()).then_some(())
        });
        screen
    }

    /// The window with this in its title, if it is on the screen.
    pub fn window(&self, title: &str) -> Option<Window> {
        let list = self.property(self.root, "_NET_CLIENT_LIST", AtomEnum::WINDOW.into());
        let windows =
            list.chunks_exact(4).map(|bytes| Window(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])));
        let is_shown = |window: &Window| {
            let attributes = self.connection.get_window_attributes(window.0).unwrap().reply();
            attributes.is_ok_and(|attributes| attributes.map_state == MapState::VIEWABLE)
        };
        windows.into_iter().find(|window| is_shown(window) && self.title(*window).contains(title))
    }

    /// The title of a window, as the desktop shows it.
    pub fn title(&self, window: Window) -> String {
        let utf8 = self.atom("UTF8_STRING");
        String::from_utf8_lossy(&self.property(window.0, "_NET_WM_NAME", utf8)).into_owned()
    }

    /// Whether the window asks for the person's attention.
    pub fn wants_attention(&self, window: Window) -> bool {
        let states = self.property(window.0, "_NET_WM_STATE", AtomEnum::ATOM.into());
        let attention = self.atom("_NET_WM_STATE_DEMANDS_ATTENTION").to_ne_bytes();
        states.chunks_exact(4).any(|state| state == attention)
    }

    /// Brings the window to the front with the keyboard, and waits for that.
    pub fn bring_to_front(&self, window: Window) {
        self.xdotool(&["windowactivate", &window.0.to_string()]);
        wait_for("the keyboard of the window", || (self.active() == Some(window)).then_some(()));
    }

    /// The window with the keyboard.
    fn active(&self) -> Option<Window> {
        let bytes = self.property(self.root, "_NET_ACTIVE_WINDOW", AtomEnum::WINDOW.into());
        let bytes: [u8; 4] = bytes.try_into().ok()?;
        Some(Window(u32::from_ne_bytes(bytes)))
    }

    /// Opens a window of another program before all others, which takes the keyboard.
    pub fn open_other_window(&self) {
        let window = self.connection.generate_id().unwrap();
        let look = CreateWindowAux::new().background_pixel(0x0060_6870).event_mask(EventMask::FOCUS_CHANGE);
        let class = WindowClass::INPUT_OUTPUT;
        self.connection.create_window(24, window, self.root, 0, 0, 700, 500, 0, class, 0, &look).unwrap();
        let (name, text) = (self.atom("_NET_WM_NAME"), self.atom("UTF8_STRING"));
        self.connection.change_property8(PropMode::REPLACE, window, name, text, b"Another program").unwrap();
        self.connection.map_window(window).unwrap();
        self.connection.flush().unwrap();
        wait_for("the other window", || self.window("Another program"));
        self.bring_to_front(Window(window));
    }

    /// Gives the window another size, and waits for it.
    pub fn resize(&self, window: Window, width: u32, height: u32) {
        self.xdotool(&["windowsize", &window.0.to_string(), &width.to_string(), &height.to_string()]);
        wait_for("the other size of the window", || (self.size(window) == (width, height)).then_some(()));
    }

    /// Width and height of the window in pixels.
    pub fn size(&self, window: Window) -> (u32, u32) {
        let geometry = self.connection.get_geometry(window.0).unwrap().reply().unwrap();
        (geometry.width.into(), geometry.height.into())
    }

    fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn property(&self, window: u32, name: &str, kind: u32) -> Vec<u8> {
        let request = self.connection.get_property(false, window, self.atom(name), kind, 0, 4_096).unwrap();
        // A window may be gone by now.
        request.reply().map(|reply| reply.value).unwrap_or_default()
    }

    fn xdotool(&self, arguments: &[&str]) {
        run(Command::new("xdotool").env("DISPLAY", &self.display).args(arguments));
    }

    /// Presses a key, or several at once such as `ctrl+a`.
    pub fn press(&self, key: &str) {
        self.xdotool(&["key", key]);
    }

    /// Types a text.
    pub fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "20", text]);
    }

    /// Clicks at this pixel.
    pub fn click_at(&self, (x, y): (u32, u32)) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    }

    /// Clicks twice at this pixel, as fast as people do.
    pub fn double_click_at(&self, (x, y): (u32, u32)) {
        let place = ["mousemove", &x.to_string(), &y.to_string()];
        self.xdotool(&[&place[..], &["click", "--repeat", "2", "--delay", "60", "1"]].concat());
    }

    /// Moves the pointer there.
    pub fn point_at(&self, (x, y): (u32, u32)) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string()]);
    }

    /// What is on the screen in this rectangle: left, top, width and height in pixels.
    pub fn capture(&self, (left, top, width, height): (i32, i32, i32, i32)) -> RgbImage {
        let (x, y, columns, rows) = (left as i16, top as i16, width as u16, height as u16);
        let request =
            self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, columns, rows, u32::MAX).unwrap();
        // 24-bit pixels arrive as blue, green, red, and a filler byte.
        let bytes = request.reply().unwrap().data;
        let rgb: Vec<u8> = bytes.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        RgbImage::from_raw(columns.into(), rows.into(), rgb).unwrap()
    }

    /// Keeps what is on the screen, up to the edges of the client's window, as a file that is named after `name`. What moves
    /// for a moment comes to rest first; a video does not.
    pub fn screenshot(&self, name: &str) {
        let root = Window(self.root);
        let (width, height) = self.size(self.window("Triptych").unwrap_or(root));
        let window = (0, 0, width as i32, height as i32);
        let mut picture = self.capture(window);
        for _ in 0..MOST_LOOKS {
            sleep(LOOK_INTERVAL);
            let later = self.capture(window);
            if later == picture {
                break;
            }
            picture = later;
        }
        picture.save(self.pictures.join(format!("{name}-{}.png", self.label))).unwrap();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for process in [&mut self.window_manager, &mut self.xvfb] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
