//! Times and sizes in the form in which people read them.

use chrono::{DateTime, Datelike, Days, Local, NaiveDate, NaiveTime, TimeDelta};

/// A duration as `m:ss`, or as `h:mm:ss` from an hour on.
pub(crate) fn length(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A duration in whole seconds, rounded, but at least one second, so that a short clip does not seem to be empty.
pub(crate) fn whole_length(nanos: u64) -> String {
    length(nanos.saturating_add(500_000_000).max(u64::from(nanos > 0) * 1_000_000_000))
}

/// A duration in words, for screen readers: `1 minute 12 seconds`.
pub(crate) fn spoken_length(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let parts = [(seconds / 3_600, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> =
        told.map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" })).collect();
    if words.is_empty() { "0 seconds".to_owned() } else { words.join(" ") }
}

/// The local time of day as `HH:MM`; empty for a time beyond the calendar.
pub(crate) fn clock(unix_millis: u64) -> String {
    local(unix_millis).map_or_else(String::new, |time| time.format("%H:%M").to_string())
}

/// The local date and time of day as `YYYY-MM-DD HH:MM`; empty for a time beyond the calendar.
pub(crate) fn date_and_clock(unix_millis: u64) -> String {
    local(unix_millis).map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M").to_string())
}

/// The local time of day as `HH:MM:SS`; empty for a time beyond the calendar.
pub(crate) fn clock_seconds(unix_millis: u64) -> String {
    local(unix_millis).map_or_else(String::new, |time| time.format("%H:%M:%S").to_string())
}

/// The local date, or `None` for a time beyond the calendar.
pub(crate) fn day(unix_millis: u64) -> Option<NaiveDate> {
    local(unix_millis).map(|time| time.date_naive())
}

/// When the local day of this time begins, in seconds since 1970-01-01 UTC; 0 for a time beyond the calendar.
pub(crate) fn day_start(unix_millis: u64) -> u64 {
    let midnight = local(unix_millis).and_then(|time| time.with_time(NaiveTime::MIN).earliest());
    midnight.and_then(|midnight| u64::try_from(midnight.timestamp()).ok()).unwrap_or(0)
}

/// A date in words, relative to `today`.
pub(crate) fn day_name(day: NaiveDate, today: NaiveDate) -> String {
    if day == today {
        "Today".into()
    } else if Some(day) == today.checked_sub_days(Days::new(1)) {
        "Yesterday".into()
    } else if day.year() == today.year() {
        day.format("%A, %-d %B").to_string()
    } else {
        day.format("%A, %-d %B %Y").to_string()
    }
}

/// A list of names that is cut after a number of them: `Ada, Bob and 3 others`.
pub(crate) fn list_names(names: &[&str], most: usize) -> String {
    let (written, others) = match names.len() > most {
        true => (&names[..most.saturating_sub(1)], format!("{} others", names.len() + 1 - most)),
        false => match names.split_last() {
            Some((last, first)) => (first, (*last).to_owned()),
            None => return String::new(),
        },
    };
    if written.is_empty() { others } else { format!("{} and {others}", written.join(", ")) }
}

/// A number of bytes, in KiB from 1024 on.
pub(crate) fn bytes(count: usize) -> String {
    if count < 1_024 { format!("{count} B") } else { format!("{:.1} KiB", count as f64 / 1_024.0) }
}

/// Bytes in hexadecimal, two digits each, separated by spaces.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn local(unix_millis: u64) -> Option<DateTime<Local>> {
    let time = DateTime::from_timestamp_millis(i64::try_from(unix_millis).ok()?)?;
    // chrono panics if a time zone east of Greenwich moves a time beyond the calendar's last day.
    time.checked_add_signed(TimeDelta::days(1))?;
    Some(time.with_timezone(&Local))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn lengths_are_read_like_clocks() {
        assert_eq!(length(0), "0:00");
        assert_eq!(length(9 * SECOND + 999), "0:09");
        assert_eq!(length(61 * SECOND), "1:01");
        assert_eq!(length(3_661 * SECOND), "1:01:01");
        assert_eq!(whole_length(SECOND / 25), "0:01");
        assert_eq!(whole_length(22_100_000_000), "0:22");
        assert_eq!(whole_length(0), "0:00");
    }

    #[test]
    fn lengths_are_spoken_in_words() {
        assert_eq!(spoken_length(72 * SECOND + 999), "1 minute 12 seconds");
        assert_eq!(spoken_length(180 * SECOND), "3 minutes");
        assert_eq!(spoken_length(3_661 * SECOND), "1 hour 1 minute 1 second");
        assert_eq!(spoken_length(SECOND / 2), "0 seconds");
    }

    #[test]
    fn days_are_named_from_today() {
        let date = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let today = date(2026, 3, 1);
        assert_eq!(day_name(today, today), "Today");
        assert_eq!(day_name(date(2026, 2, 28), today), "Yesterday");
        assert_eq!(day_name(date(2026, 2, 3), today), "Tuesday, 3 February");
        assert_eq!(day_name(date(2025, 12, 31), today), "Wednesday, 31 December 2025");
    }

    #[test]
    fn long_rows_of_names_are_shortened() {
        let names = ["Ada", "Bob", "Cleo", "Dan", "Eve"];
        let rows: Vec<_> = (0..=5).map(|count| list_names(&names[..count], 3)).collect();
        let whole = ["", "Ada", "Ada and Bob", "Ada, Bob and Cleo"];
        assert_eq!(rows, [&whole[..], &["Ada, Bob and 2 others", "Ada, Bob and 3 others"]].concat());
    }

    #[test]
    fn a_day_begins_at_its_midnight() {
        let now = 1_780_000_000_000;
        let start = day_start(now) * 1000;
        assert_eq!(day(start), day(now));
        assert_ne!(day(start - 1), day(now));
    }

    #[test]
    fn sizes_and_bytes_are_short() {
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(hex(&[0, 0xff]), "00 ff");
    }

    #[test]
    fn a_time_beyond_all_calendars_is_left_out() {
        assert_eq!(clock(u64::MAX), "");
        assert_eq!(day(u64::MAX), None);
        assert_eq!(day_start(u64::MAX), 0);
        assert_eq!(day(8_210_266_876_799_999), None, "the last millisecond there is");
    }
}
