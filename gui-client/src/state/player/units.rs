//! How figures of a stream are written, wherever the window names them.

use std::fmt;

/// Bits per second in Mbit/s, without the unit: whole from 10 on, below that with one decimal.
#[derive(Debug, Clone, Copy)]
pub struct Megabits(pub f64);

impl fmt::Display for Megabits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabits = self.0 / 1e6;
        let decimals = usize::from(megabits < 9.95);
        write!(f, "{megabits:.decimals$}")
    }
}

/// A picture step: "every picture", "every 2nd picture", "every 3rd picture" …
#[derive(Debug, Clone, Copy)]
pub struct EveryNth(pub u8);

impl fmt::Display for EveryNth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 | 1 => write!(f, "every picture"),
            2 => write!(f, "every 2nd picture"),
            3 => write!(f, "every 3rd picture"),
            step => write!(f, "every {step}th picture"),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::limits::MAX_PICTURE_STEP;

    use super::*;

    #[test]
    fn megabits_have_as_many_digits_as_are_of_use() {
        let texts = [0.0, 400e3, 9.94e6, 9.96e6, 83.4e6, 1.2e9].map(|bits| Megabits(bits).to_string());
        assert_eq!(texts, ["0.0", "0.4", "9.9", "10", "83", "1200"]);
    }

    #[test]
    fn steps_are_written_as_they_are_spoken() {
        let texts: Vec<String> = (1..=MAX_PICTURE_STEP).map(|step| EveryNth(step).to_string()).collect();
        assert_eq!(texts[..4], ["every picture", "every 2nd picture", "every 3rd picture", "every 4th picture"]);
        assert_eq!(texts.last().map(String::as_str), Some("every 8th picture"));
    }
}
