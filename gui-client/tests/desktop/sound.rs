//! Sound and picture as a user hears and sees them: a private PulseAudio server whose sink is recorded, and a clip that
//! flashes and beeps at the same times.

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
    programs::Client,
    screen::{run, wait_for},
    stage::{Room, Stage},
    user::User,
};

const RATE_HZ: u32 = 48_000;
const FRAMES_PER_SECOND: u32 = 25;
const SECONDS: u32 = 12;

/// Samples above this amplitude belong to a beep.
const LOUD: i16 = 1_000;

/// Pixels above this brightness belong to a flash.
const BRIGHT: u8 = 128;

/// A beep and a flash at most this far apart belong together.
const MAX_PAIR_DISTANCE: Duration = Duration::from_millis(300);

/// Of the clip's beeps, at least this many are found together with a flash: the rest may be cut off by a seek.
const LEAST_PAIRS: usize = 10;

/// How often the clip is played until they are.
const MOST_PLAYS: usize = 5;

/// A PulseAudio server for one test, and a recording of everything that reaches its sink.
struct SoundRecorder {
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
    /// When the first sample was played. The sink hands out each block when its first sample is due, so the earliest
    /// estimate is the one that nothing delayed.
    begun: Option<Instant>,
}

impl SoundRecorder {
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
                let begun = arrived.checked_sub(length(recorded.samples.len())).unwrap();
                recorded.begun = Some(recorded.begun.map_or(begun, |known| known.min(begun)));
                let whole = kept.len() / 4 * 4;
                let left = kept[..whole].chunks_exact(4).map(|frame| i16::from_le_bytes([frame[0], frame[1]]));
                recorded.samples.extend(left);
                kept.drain(..whole);
            }
        });
        Self { daemon, recorder, reader: Some(reader), recorded, home }
    }

    /// Start times of the beeps so far.
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

    /// Peak amplitude of the next 1.25 s of recording, after 0.25 s for what is still in the buffers.
    fn loudest_from_now(&self) -> u16 {
        let start = self.recorded.lock().unwrap().samples.len() + RATE_HZ as usize / 4;
        let end = start + RATE_HZ as usize * 5 / 4;
        wait_for("the next part of the recording", || {
            let recorded = self.recorded.lock().unwrap();
            recorded.samples.get(start..end).map(|part| part.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0))
        })
    }

    /// Environment variables that make a program play to this server.
    fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("PULSE_SERVER", format!("unix:{}", self.home.join("native").display())),
            ("ALSA_CONFIG_PATH", self.home.join("asound.conf").display().to_string()),
        ]
    }
}

impl Drop for SoundRecorder {
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

/// Watches one pixel and records when it becomes bright.
struct FlashWatcher {
    flashes: Arc<Mutex<Vec<Instant>>>,
    is_closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FlashWatcher {
    /// Watches the middle of the picture in the window.
    fn start(user: &User) -> Self {
        let (x, y) = user.find("Picture of").centre();
        let (x, y) = (x as i16, y as i16);
        let (connection, screen) = x11rb::connect(Some(&user.screen.display)).unwrap();
        let root = connection.setup().roots[screen].root;
        let (flashes, is_closing) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, closing) = (Arc::clone(&flashes), Arc::clone(&is_closing));
        let thread = thread::spawn(move || {
            let mut was_bright = true;
            while !closing.load(Ordering::Relaxed) {
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

impl Drop for FlashWatcher {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes the clip in these resolutions: in the middle of each second two white frames, and a tone of the same length.
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

/// Delay of each beep behind its flash, in milliseconds. Beeps without a flash nearby, cut off by a seek, are left out.
fn offsets_of(beeps: &[Instant], flashes: &[Instant]) -> Vec<f64> {
    let signed = |beep: Instant, flash: Instant| {
        if beep >= flash { (beep - flash).as_secs_f64() * 1e3 } else { (flash - beep).as_secs_f64() * -1e3 }
    };
    let nearest = |&beep: &Instant| {
        let offset = flashes.iter().map(|&flash| signed(beep, flash)).min_by(|a, b| a.abs().total_cmp(&b.abs()))?;
        (offset.abs() < MAX_PAIR_DISTANCE.as_secs_f64() * 1e3).then_some(offset)
    };
    beeps.iter().filter_map(nearest).collect()
}

/// A person who watches the clip in these resolutions, and hears it.
fn watch(stage: Stage, heights: &[u32], name: &str) -> (Room, User, SoundRecorder, FlashWatcher) {
    make_clip(&stage.videos(), heights);
    let room = Room::on(stage);
    let sound = SoundRecorder::start(room.stage.home.path());
    let (arguments, environment) = (room.arguments(name, "light"), sound.environment());
    let client = Client { arguments: &arguments, environment: &environment, ..Client::default() };
    let user = room.stage.user(name, &client);
    user.join();
    user.click_away("They are the same");
    user.click("Play Flashes");
    let flashes_seen = FlashWatcher::start(&user);
    (room, user, sound, flashes_seen)
}

#[test]
fn flash_and_beep_come_together() {
    let (_room, cyd, sound, flashes_seen) = watch(Stage::new("sound"), &[240, 720, 1440], "Cyd");

    // Play a little, skip ahead, then play all of it: over both splices to the end. Few flashes before each key, because
    // a slow machine may be seconds late with the key and the clip has only twelve seconds. Where other programs take the
    // processor, pictures come too late to be shown; then it is played again.
    flashes_seen.wait_for_more(2);
    cyd.screen.press("Right");
    flashes_seen.wait_for_more(2);
    cyd.screenshot("1-playing");
    cyd.screen.press("Home");
    let (mut beeps_before, mut flashes_before) = (0, 0);
    let mut offsets = Vec::new();
    for _ in 0..MOST_PLAYS {
        cyd.find("The end");
        let (beeps, flashes) = (sound.beeps(), flashes_seen.flashes());
        offsets = offsets_of(&beeps[beeps_before..], &flashes[flashes_before..]);
        println!("{} beeps, {} flashes", beeps.len() - beeps_before, flashes.len() - flashes_before);
        if offsets.len() >= LEAST_PAIRS {
            break;
        }
        (beeps_before, flashes_before) = (beeps.len(), flashes.len());
        cyd.click_away("Play again");
    }
    println!("{}", cyd.client.wait_for_log("ended:"));
    cyd.screenshot("2-ended");
    assert!(offsets.len() >= LEAST_PAIRS, "too few beeps come with flashes: {offsets:.1?}");
    let all = format!("{offsets:.1?}");
    offsets.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    println!(
        "sound after picture: median |offset| {:.1} ms, largest {:.1} ms; all in ms: {all}",
        offsets[offsets.len() / 2].abs(),
        offsets[offsets.len() - 1].abs(),
    );

    // Muted, nothing is heard while the picture goes on; paused, neither goes on.
    cyd.screen.press("space");
    let heard = sound.beeps().len();
    wait_for("a beep", || (sound.beeps().len() > heard).then_some(()));
    cyd.screen.press("m");
    let seen = flashes_seen.flashes().len();
    assert!(sound.loudest_from_now() < 50, "mute is silent");
    wait_for("a picture that goes on", || (flashes_seen.flashes().len() > seen).then_some(()));
    cyd.screen.press("m");
    let heard = sound.beeps().len();
    wait_for("a beep", || (sound.beeps().len() > heard).then_some(()));
    cyd.screen.press("space");
    assert!(sound.loudest_from_now() < 50, "a pause is silent");
    let seen = flashes_seen.flashes().len();
    assert!(sound.loudest_from_now() < 50);
    assert_eq!(flashes_seen.flashes().len(), seen, "the picture does not change");
    cyd.screenshot("3-paused");
    cyd.screen.press("space");
    flashes_seen.wait_for_more(1);
}

/// Losing the sound device ends the sound only.
#[test]
fn a_video_plays_on_when_the_sound_device_goes_away() {
    let (_room, dan, mut sound, flashes_seen) = watch(Stage::new("unplugged"), &[240], "Dan");
    wait_for("a beep", || (!sound.beeps().is_empty()).then_some(()));
    sound.daemon.kill().unwrap();
    dan.client.wait_for_log("the audio device was lost");
    flashes_seen.wait_for_more(2);
    dan.screenshot("1-without-sound");
}
