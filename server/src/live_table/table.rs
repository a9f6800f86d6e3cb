//! The lines of the table, for a terminal of any size. Pure.

use std::time::Duration;

use console::{measure_text_width, truncate_str};

use super::snapshot::{Row, Snapshot};

/// What a column of videos has at least; on narrower terminals, other columns give way.
const MIN_TITLE_WIDTH: usize = 12;
/// What a column of names has at most.
const MAX_NAME_WIDTH: usize = 20;
/// Between two columns.
const GAP: &str = "  ";

/// The lines of the table. None is wider than `width` columns, and there are at most `height`; the first is a summary.
pub fn table(snapshot: &Snapshot, width: usize, height: usize) -> Vec<String> {
    if width == 0 {
        return Vec::new();
    }
    let mut lines = vec![summary(snapshot, width)];
    // The summary, the line of those who do not watch, and the frame store.
    let room = height.saturating_sub(3);
    if !snapshot.watching.is_empty() && room > 1 {
        let has_all = snapshot.watching.len() < room;
        let shown = if has_all { snapshot.watching.len() } else { room - 2 };
        lines.extend(rows(&snapshot.watching[..shown], width));
        if !has_all {
            lines.push(format!("and {} more who watch", snapshot.watching.len() - shown));
        }
    }
    if !snapshot.others.is_empty() {
        lines.push(listed("Not watching: ", &snapshot.others, width));
    }
    lines.push(store(snapshot, width));
    lines.truncate(height);
    lines.into_iter().map(|line| truncate_str(line.trim_end(), width, "…").into_owned()).collect()
}

fn summary(snapshot: &Snapshot, width: usize) -> String {
    let people = match snapshot.people_count {
        1 => "1 person online".to_owned(),
        count => format!("{count} people online"),
    };
    let watching = format!("{} watching", snapshot.watching.len());
    let sent = format!("{} Mbit/s sent", megabits(snapshot.bits_per_second));
    fitting(&[people, watching, sent, format!("up {}", uptime(snapshot.uptime))], width)
}

fn store(snapshot: &Snapshot, width: usize) -> String {
    let store = &snapshot.store;
    let mebibytes = |bytes: u64| bytes / (1 << 20);
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let mut parts = vec![
        format!("Frames in memory: {} of {} MiB", mebibytes(store.held_bytes), mebibytes(store.cache_bytes)),
        match store.decoders {
            1 => "1 decoder".to_owned(),
            count => format!("{count} decoders"),
        },
    ];
    let requests = store.hits + store.misses + store.disk_hits;
    if let Some(percent) = (store.hits * 100).checked_div(requests) {
        parts.insert(1, format!("{percent} % hits"));
    }
    if store.disk_limit_bytes > 0 {
        let (held, limit) = (gibibytes(store.disk_bytes), gibibytes(store.disk_limit_bytes));
        parts.push(format!("on disk: {held:.1} of {limit:.1} GiB"));
    }
    fitting(&parts, width)
}

/// The heads of the columns and a line for each person; columns that do not fit are left out.
fn rows(rows: &[Row], width: usize) -> Vec<String> {
    let heads = ["Person", "Video", "Position", "Frames/s", "Mbit/s"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let title = if row.height > 0 { format!("{}, {}p", row.title, row.height) } else { row.title.clone() };
        let position = format!("{} of {}", clock(row.position), clock(row.duration));
        let frames = format!("{:.1}", row.pictures_per_second);
        [row.person.clone(), title, position, frames, megabits(row.bits_per_second)]
    });
    let table: Vec<_> = std::iter::once(heads).chain(cells).collect();
    let widest = |column: usize| table.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let mut widths: [usize; 5] = std::array::from_fn(widest);
    widths[0] = widths[0].min(MAX_NAME_WIDTH);
    let title_room = |columns: usize| {
        let others: usize = (0..columns).filter(|column| *column != 1).map(|column| widths[column] + GAP.len()).sum();
        width.saturating_sub(others)
    };
    let columns = (2..=widths.len()).rev().find(|&columns| title_room(columns) >= MIN_TITLE_WIDTH).unwrap_or(2);
    widths[1] = widths[1].min(title_room(columns));
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).take(columns).enumerate().map(|(column, (cell, width))| {
            let cell = truncate_str(cell, width, "…");
            let padding = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
            // Figures end where their column does.
            if column > 2 { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
        });
        cells.collect::<Vec<_>>().join(GAP)
    };
    table.iter().map(line).collect()
}

/// As many of the parts as fit into one line, the first one in any case.
fn fitting(parts: &[String], width: usize) -> String {
    let mut line = parts[0].clone();
    for part in &parts[1..] {
        let longer = format!("{line} · {part}");
        if measure_text_width(&longer) > width {
            break;
        }
        line = longer;
    }
    line
}

/// As many names as fit into one line, and how many there are beside them.
fn listed(head: &str, names: &[String], width: usize) -> String {
    let with = |count: usize| {
        let more = names.len() - count;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{head}{}{more}", names[..count].join(", "))
    };
    // No terminal is so wide that more names fit.
    let most = names.len().min(width);
    let fits = |count: &usize| measure_text_width(&with(*count)) <= width;
    (1..=most).take_while(fits).last().map_or_else(|| format!("{head}{}", names.len()), with)
}

fn megabits(bits_per_second: f64) -> String {
    format!("{:.1}", bits_per_second / 1e6)
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn uptime(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", time.as_secs()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use common::media::Statistics;
    use proptest::prelude::*;

    use super::*;

    fn row(person: &str, title: &str, height: u32) -> Row {
        Row {
            person: person.to_owned(),
            title: title.to_owned(),
            height,
            position: Duration::from_millis(5_400),
            duration: Duration::from_secs(12),
            pictures_per_second: 29.97,
            bits_per_second: 27.44e6,
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn snapshot() -> Snapshot {
        Snapshot {
            uptime: Duration::from_secs(4_350),
            people_count: 4,
            watching: vec![row("Ada", "Triptych sample", 720), row("Žofie", "北京の夏", 1440)],
            others: names(&["Bob", "Carl"]),
            bits_per_second: 55.12e6,
            store: Statistics {
                decoders: 2,
                hits: 960,
                misses: 40,
                held_bytes: 61 << 20,
                cache_bytes: 512 << 20,
                disk_bytes: 1 << 29,
                disk_limit_bytes: 20 << 30,
                ..Statistics::default()
            },
        }
    }

    #[test]
    fn the_table_says_who_watches_what_and_what_it_costs() {
        let expected = [
            "4 people online · 2 watching · 55.1 Mbit/s sent · up 1 h 12 min",
            "Person  Video                  Position      Frames/s  Mbit/s",
            "Ada     Triptych sample, 720p  0:05 of 0:12      30.0    27.4",
            "Žofie   北京の夏, 1440p        0:05 of 0:12      30.0    27.4",
            "Not watching: Bob, Carl",
            "Frames in memory: 61 of 512 MiB · 96 % hits · 2 decoders · on disk: 0.5 of 20.0 GiB",
        ];
        assert_eq!(table(&snapshot(), 100, 24), expected);
    }

    #[test]
    fn a_narrow_terminal_is_told_less_and_nothing_is_cut_in_the_middle_of_a_figure() {
        let expected = [
            "4 people online · 2 watching",
            "Person  Video",
            "Ada     Triptych sample, 720p",
            "Žofie   北京の夏, 1440p",
            "Not watching: Bob, Carl",
            "Frames in memory: 61 of 512 M…",
        ];
        assert_eq!(table(&snapshot(), 30, 24), expected);
    }

    #[test]
    fn an_idle_server_says_so_in_two_lines() {
        let idle = Snapshot { people_count: 0, watching: vec![], others: vec![], bits_per_second: 0.0, ..snapshot() };
        let lines = table(&idle, 80, 24);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("0 people online · 0 watching · 0.0 Mbit/s sent"), "{lines:?}");
    }

    #[test]
    fn who_does_not_fit_is_counted() {
        let mut crowd = snapshot();
        crowd.watching = (0..50).map(|number| row(&format!("Viewer {number}"), "Film", 240)).collect();
        crowd.others = (0..500).map(|number| format!("Member {number}")).collect();
        let lines = table(&crowd, 60, 10);
        assert_eq!(lines.len(), 10);
        assert!(lines[6].starts_with("Viewer 4 ") && lines[7] == "and 45 more who watch", "{lines:?}");
        assert_eq!(lines[8], "Not watching: Member 0, Member 1, Member 2 and 497 more");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal_and_none_too_many(
            width in 0usize..200,
            height in 0usize..30,
            people in proptest::collection::vec(("[a-zA-Z0-9 世Ж]{1,32}", "\\PC{0,60}"), 0..30),
            others in proptest::collection::vec("[a-z世]{1,32}", 0..40),
        ) {
            let watching = people.iter().map(|(person, title)| row(person, title, 720)).collect();
            let lines = table(&Snapshot { watching, others, ..snapshot() }, width, height);
            prop_assert!(lines.len() <= height);
            for line in lines {
                prop_assert!(measure_text_width(&line) <= width, "{line:?}");
            }
        }
    }
}
