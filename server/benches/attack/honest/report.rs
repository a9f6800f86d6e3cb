//! What honest people noticed, as a row of the table and as a line between two processes.

use std::{fmt, time::Duration};

/// What honest people noticed.
#[derive(Debug, Default)]
pub struct Report {
    /// How many of them were disconnected.
    pub disconnected: usize,
    /// Newcomers that tried to join.
    pub newcomers: usize,
    /// Newcomers that were welcomed in time.
    pub newcomers_served: usize,
    /// Median time until the chatter's message was back.
    pub chat_p50: Duration,
    /// 99th percentile of that.
    pub chat_p99: Duration,
    /// Messages that did not come back.
    pub chat_lost: usize,
    /// The part of the pictures that the viewer could show, at most 1.
    pub pictures: f64,
    /// The longest time for which the picture was late.
    pub longest_stall: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "{} | {} of {} ", self.disconnected, self.newcomers_served, self.newcomers)?;
        write!(f, "| {:.1}, {:.1} ms, {} ", millis(self.chat_p50), millis(self.chat_p99), self.chat_lost)?;
        write!(f, "| {:.0} %, {:.0} ms", self.pictures * 100.0, millis(self.longest_stall))
    }
}

impl Report {
    /// The line that [`Report::from_line`] reads.
    pub fn to_line(&self) -> String {
        let Self { disconnected, newcomers, newcomers_served, chat_lost, pictures, .. } = self;
        let times = [self.chat_p50, self.chat_p99, self.longest_stall].map(|time| time.as_secs_f64());
        format!(
            "{disconnected} {newcomers} {newcomers_served} {chat_lost} {pictures} {} {} {}",
            times[0], times[1], times[2]
        )
    }

    /// `None` if it is not one.
    pub fn from_line(line: &str) -> Option<Self> {
        let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let &[disconnected, newcomers, newcomers_served, chat_lost, pictures, p50, p99, stall] = numbers.as_slice()
        else {
            return None;
        };
        Some(Self {
            disconnected: disconnected as usize,
            newcomers: newcomers as usize,
            newcomers_served: newcomers_served as usize,
            chat_lost: chat_lost as usize,
            pictures,
            chat_p50: Duration::from_secs_f64(p50),
            chat_p99: Duration::from_secs_f64(p99),
            longest_stall: Duration::from_secs_f64(stall),
        })
    }
}
