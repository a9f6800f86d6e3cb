//! Sound as it arrives at the ear: a private PulseAudio whose sink goes nowhere but into a recording, and a clip that
//! flashes and beeps at the same moments.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt, ImageFormat},
};

use crate::{
    TURN,
    programs::{start_client_with, start_server},
    screen::{Area, Screen, run, wait_for},
};

const RATE_HZ: u32 = 48_000;
const FRAMES_PER_SECOND: u32 = 25;
const SECONDS: u32 = 12;

/// Louder than this is a beep.
const LOUD: i16 = 1_000;

/// Brighter than this is a flash.
const BRIGHT: u8 = 128;

/// Beep and flash belong together when they are no farther apart.
const SAME: Duration = Duration::from_millis(300);

/// A place inside the picture, in a window of the first size.
const PICTURE: (i16, i16) = (550, 330);

/// PulseAudio for one test, and everything that reaches its sink.
struct Ears {
    daemon: Child,
    recorder: Child,
    reader: Option<JoinHandle<()>>,
    recorded: Arc<Mutex<Recorded>>,
    home: PathBuf,
}

#[derive(Default)]
struct Recorded {
    /// Left channel.
    samples: Vec<i16>,
    /// When the first sample was heard: the sink gives out each block when its first sample is due, so the earliest
    /// estimate is the one that was not held up.
    begun: Option<Instant>,
}

impl Ears {
    fn start(folder: &Path) -> Self {
        let home = folder.join("sound");
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("asound.conf"), "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\n").unwrap();
        let socket = home.join("native");
        let daemon = pulse("pulseaudio", &home)
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1"])
            .arg("--load=module-null-sink sink_name=triptych rate=48000 norewinds=1")
            .arg(format!("--load=module-native-protocol-unix socket={} auth-anonymous=1", socket.display()))
            .stderr(fs::File::create(home.join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("pulseaudio: {error}; 'make test' installs it"));
        wait_for("the sound server", || {
            let answer = pulse("pactl", &home).arg("info").output();
            answer.is_ok_and(|output| output.status.success()).then_some(())
        });
        let mut recorder = pulse("parec", &home)
            .args(["--device=triptych.monitor", "--format=s16le", "--rate=48000", "--channels=2", "--latency-msec=5"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("parec: {error}; 'make test' installs it"));
        let recorded = Arc::new(Mutex::new(Recorded::default()));
        let (mut stdout, target) = (recorder.stdout.take().unwrap(), Arc::clone(&recorded));
        let reader = thread::spawn(move || {
            let (mut bytes, mut kept) = ([0; 16_384], Vec::new());
            while let Ok(count @ 1..) = stdout.read(&mut bytes) {
                let arrived = Instant::now();
                kept.extend_from_slice(&bytes[..count]);
                let mut recorded = target.lock().unwrap();
                let begun = arrived - length(recorded.samples.len());
                recorded.begun = Some(recorded.begun.map_or(begun, |known| known.min(begun)));
                let whole = kept.len() / 4 * 4;
                let left = kept[..whole].chunks_exact(4).map(|frame| i16::from_le_bytes([frame[0], frame[1]]));
                recorded.samples.extend(left);
                kept.drain(..whole);
            }
        });
        Self { daemon, recorder, reader: Some(reader), recorded, home }
    }

    /// When beeps began.
    fn beeps(&self) -> Vec<Instant> {
        let recorded = self.recorded.lock().unwrap();
        let Some(begun) = recorded.begun else { return Vec::new() };
        let mut beeps = Vec::new();
        let mut quiet_for = RATE_HZ;
        for (number, sample) in recorded.samples.iter().enumerate() {
            if sample.unsigned_abs() < LOUD.unsigned_abs() {
                quiet_for += 1;
                continue;
            }
            if quiet_for > RATE_HZ / 5 {
                beeps.push(begun + length(number));
            }
            quiet_for = 0;
        }
        beeps
    }

    /// The loudest of the next second and a quarter, after what is on its way has been heard.
    fn loudest_from_now(&self) -> u16 {
        let start = self.recorded.lock().unwrap().samples.len() + RATE_HZ as usize / 4;
        let end = start + RATE_HZ as usize * 5 / 4;
        wait_for("a stretch of the recording", || {
            let recorded = self.recorded.lock().unwrap();
            recorded.samples.get(start..end).map(|part| part.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0))
        })
    }

    /// What a program needs to be heard here.
    fn surroundings(&self) -> [(&'static str, String); 2] {
        [
            ("PULSE_SERVER", format!("unix:{}", self.home.join("native").display())),
            ("ALSA_CONFIG_PATH", self.home.join("asound.conf").display().to_string()),
        ]
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        for child in [&mut self.recorder, &mut self.daemon] {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn pulse(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("PULSE_SERVER", format!("unix:{}", home.join("native").display()))
        .env_remove("DISPLAY")
        .stderr(Stdio::null());
    command
}

fn length(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(RATE_HZ))
}

/// Watches one pixel for moments at which it becomes bright.
struct Eye {
    flashes: Arc<Mutex<Vec<Instant>>>,
    is_closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Eye {
    fn open(display: &str) -> Self {
        let (connection, screen) = x11rb::connect(Some(display)).unwrap();
        let root = connection.setup().roots[screen].root;
        let (flashes, is_closing) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, closing) = (Arc::clone(&flashes), Arc::clone(&is_closing));
        let thread = thread::spawn(move || {
            let mut was_bright = true;
            while !closing.load(Ordering::Relaxed) {
                let (x, y) = PICTURE;
                let image = connection.get_image(ImageFormat::Z_PIXMAP, root, x, y, 1, 1, u32::MAX).unwrap();
                let is_bright = image.reply().unwrap().data[1] > BRIGHT;
                if is_bright && !was_bright {
                    seen.lock().unwrap().push(Instant::now());
                }
                was_bright = is_bright;
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self { flashes, is_closing, thread: Some(thread) }
    }

    fn flashes(&self) -> Vec<Instant> {
        self.flashes.lock().unwrap().clone()
    }

    fn wait_for_more(&self, count: usize) {
        let known = self.flashes().len();
        wait_for("flashes", || (self.flashes().len() >= known + count).then_some(()));
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes the clip in these resolutions: in the middle of each second two white frames, and a tone as long.
fn make_clip(folder: &Path, heights: &[u32]) {
    let (raw_picture, raw_sound) = (folder.join("picture.gray"), folder.join("sound.pcm"));
    let is_on = |frame: u32| matches!(frame % FRAMES_PER_SECOND, 12 | 13);
    let picture: Vec<u8> =
        (0..SECONDS * FRAMES_PER_SECOND).flat_map(|frame| [if is_on(frame) { 235 } else { 16 }; 16 * 9]).collect();
    fs::write(&raw_picture, picture).unwrap();
    let mut sound = fs::File::create(&raw_sound).unwrap();
    let samples_per_frame = RATE_HZ / FRAMES_PER_SECOND;
    let pcm: Vec<u8> = (0..SECONDS * RATE_HZ)
        .flat_map(|n| {
            let wave = (f64::from(n) * 1_000.0 * std::f64::consts::TAU / f64::from(RATE_HZ)).sin();
            let sample = if is_on(n / samples_per_frame) { (wave * 12_000.0) as i16 } else { 0 };
            sample.to_le_bytes().repeat(2)
        })
        .collect();
    sound.write_all(&pcm).unwrap();
    for height in heights {
        let pipeline = format!(
            "filesrc location={} ! rawvideoparse width=16 height=9 format=gray8 framerate={FRAMES_PER_SECOND}/1 ! \
             videoscale ! videoconvert ! video/x-raw,width={},height={height},pixel-aspect-ratio=1/1,format=I420 ! \
             x264enc speed-preset=ultrafast key-int-max=25 ! matroskamux name=mux ! filesink location={} \
             filesrc location={} ! rawaudioparse use-sink-caps=false format=pcm pcm-format=s16le sample-rate={RATE_HZ} \
             num-channels=2 ! audioconvert ! mux.",
            raw_picture.display(),
            height * 16 / 9 / 2 * 2,
            folder.join(format!("Flashes_{height}p.mkv")).display(),
            raw_sound.display(),
        );
        run(Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()));
    }
    for raw in [raw_picture, raw_sound] {
        fs::remove_file(raw).unwrap();
    }
}

/// How much later than its flash each beep was heard, in milliseconds; what was cut off by a seek has no partner.
fn offsets(beeps: &[Instant], flashes: &[Instant]) -> Vec<f64> {
    let signed = |beep: Instant, flash: Instant| {
        if beep >= flash { (beep - flash).as_secs_f64() * 1e3 } else { (flash - beep).as_secs_f64() * -1e3 }
    };
    let nearest = |&beep: &Instant| {
        let offset = flashes.iter().map(|&flash| signed(beep, flash)).min_by(|a, b| a.abs().total_cmp(&b.abs()))?;
        (offset.abs() < SAME.as_secs_f64() * 1e3).then_some(offset)
    };
    beeps.iter().filter_map(nearest).collect()
}

#[test]
fn flash_and_beep_come_together() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("desktop-sound");
    let _ = fs::remove_dir_all(&pictures);
    fs::create_dir_all(&pictures).unwrap();
    let home = tempfile::tempdir().unwrap();
    let videos = home.path().join("videos");
    fs::create_dir(&videos).unwrap();
    make_clip(&videos, &[240, 720, 1440]);

    let ears = Ears::start(home.path());
    let (_server, address) = start_server(&videos, home.path());
    let screen = Screen::start("cyd", &pictures);
    let mut client = start_client_with(&screen, &address, "Cyd", home.path(), &ears.surroundings());
    screen.focus_window("Triptych");
    screen.find("Connect", Area::Anywhere);
    screen.press("Return");
    let eye = Eye::open(&screen.display);
    screen.click(&screen.find("Flashes", Area::Left));

    // Some of it, then ahead, then all of it: over both splices to the end. A slow machine may be seconds late with each
    // key, and the clip has only twelve.
    eye.wait_for_more(2);
    screen.press("Right");
    eye.wait_for_more(2);
    screen.picture("1-playing");
    screen.press("Home");
    println!("{}", client.wait_for_log("ended:"));
    screen.picture("2-ended");
    let (beeps, flashes) = (ears.beeps(), eye.flashes());
    let mut offsets = offsets(&beeps, &flashes);
    assert!(offsets.len() >= 12, "{} beeps, {} flashes, {offsets:.1?}", beeps.len(), flashes.len());
    let all = format!("{offsets:.1?}");
    offsets.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    println!(
        "sound after picture: median |offset| {:.1} ms, largest {:.1} ms, of {} beeps and {} flashes; all in ms: {all}",
        offsets[offsets.len() / 2].abs(),
        offsets[offsets.len() - 1].abs(),
        beeps.len(),
        flashes.len(),
    );

    // Muted, nothing is heard while the picture goes on; paused, neither goes on.
    screen.press("space");
    let heard = ears.beeps().len();
    wait_for("a beep", || (ears.beeps().len() > heard).then_some(()));
    screen.press("m");
    let seen = eye.flashes().len();
    assert!(ears.loudest_from_now() < 50, "mute is silent");
    assert!(eye.flashes().len() > seen, "the picture goes on");
    screen.press("m");
    let heard = ears.beeps().len();
    wait_for("a beep", || (ears.beeps().len() > heard).then_some(()));
    screen.press("space");
    assert!(ears.loudest_from_now() < 50, "a pause is silent");
    let seen = eye.flashes().len();
    assert!(ears.loudest_from_now() < 50);
    assert_eq!(eye.flashes().len(), seen, "the picture stands still");
    screen.picture("3-paused");
    screen.press("space");
    eye.wait_for_more(1);
    client.kill();
}

/// A device that goes away takes the sound with it and nothing else.
#[test]
fn a_video_plays_on_when_the_sound_device_goes_away() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("desktop-unplugged");
    fs::create_dir_all(&pictures).unwrap();
    let home = tempfile::tempdir().unwrap();
    let videos = home.path().join("videos");
    fs::create_dir(&videos).unwrap();
    make_clip(&videos, &[240]);
    let mut ears = Ears::start(home.path());
    let (_server, address) = start_server(&videos, home.path());
    let screen = Screen::start("dan", &pictures);
    let mut client = start_client_with(&screen, &address, "Dan", home.path(), &ears.surroundings());
    screen.focus_window("Triptych");
    screen.find("Connect", Area::Anywhere);
    screen.press("Return");
    let eye = Eye::open(&screen.display);
    screen.click(&screen.find("Flashes", Area::Left));
    wait_for("a beep", || (!ears.beeps().is_empty()).then_some(()));
    ears.daemon.kill().unwrap();
    client.wait_for_log("the sound device went away");
    eye.wait_for_more(2);
    client.kill();
}
