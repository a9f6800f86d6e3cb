//! A beep each second through the sound device, to see and hear what it does: `cargo run --example tone -- [SECONDS]`.

use std::{
    thread,
    time::{Duration, Instant},
};

use triptych_client::playback::{playout::Device, sound::Sound};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse::<u64>())?;
    let sound = Sound::start(|| {})?;
    let begun = Instant::now();
    sound.want(true, begun);
    while sound.device(Instant::now()) == Device::Opening {
        thread::sleep(Duration::from_millis(1));
    }
    println!("{:?} after {} ms", sound.device(Instant::now()), begun.elapsed().as_millis());
    for chunk in 0..seconds * 20 {
        let pcm: Vec<u8> = (0..2_400u64)
            .flat_map(|n| {
                let at = chunk * 2_400 + n;
                let is_on = at % 48_000 < 4_800;
                let sample = if is_on { (at as f64 * 0.13).sin() * 12_000.0 } else { 0.0 };
                [(sample as i16).to_le_bytes(), (sample as i16).to_le_bytes()].concat()
            })
            .collect();
        sound.queue().push(chunk * 50_000_000, &pcm);
    }
    sound.queue().open(Duration::ZERO);
    let opened = Instant::now();
    let mut last = None;
    while opened.elapsed() < Duration::from_secs(seconds) {
        thread::sleep(Duration::from_millis(15));
        let heard = sound.queue().heard();
        if heard != last
            && let Some(heard) = heard
        {
            last = Some(heard);
            let now = Instant::now();
            println!(
                "{:>6.1} ms: heard {:>6.1} ms behind the opening, {:>6.1} ms on their way",
                opened.elapsed().as_secs_f64() * 1e3,
                (opened.elapsed().as_secs_f64() - heard.position(now).as_secs_f64()) * 1e3,
                (heard.until.as_secs_f64() - heard.position(now).as_secs_f64()) * 1e3,
            );
        }
    }
    println!("{} under-runs", sound.take_under_runs());
    Ok(())
}
