//! The terminal that the table is drawn on: keeps the lines of the log above the table, whole.
//!
//! `indicatif`, which draws the progress bars of the commands, fills each of its lines with spaces up to the edge, so that a
//! terminal which is made narrower is left with parts of them; and it panics when the terminal is gone.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use console::{Term, measure_text_width};
use tracing_subscriber::fmt::MakeWriter;

/// Where the log goes, and the table under it if there is one. Cheap to clone; all clones are the same terminal.
#[derive(Clone)]
pub struct Terminal(Arc<Shared>);

struct Shared {
    table: Term,
    /// Whether the log is written to a terminal too, which the table must leave to it meanwhile.
    has_log: bool,
    lines: Mutex<Vec<String>>,
}

impl Terminal {
    /// Standard output for the table, standard error for the log.
    pub fn standard() -> Self {
        let shared = Shared { table: Term::stdout(), has_log: io::stderr().is_terminal(), lines: Mutex::default() };
        Self(Arc::new(shared))
    }

    /// Whether a table can be drawn: not into a file or a pipe, nor on a terminal that moves no cursor.
    pub fn can_draw(&self) -> bool {
        self.0.table.is_term() && std::env::var_os("TERM").is_some_and(|kind| kind != "dumb")
    }

    /// Whether the log may have colours, see <https://no-color.org>.
    pub fn has_colors(&self) -> bool {
        self.0.has_log && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Replaces the table by the lines that `table` makes for this width and height of the terminal.
    pub fn draw(&self, table: impl FnOnce(usize, usize) -> Vec<String>) {
        let mut lines = self.lines();
        let (height, width) = self.0.table.size();
        // A line as wide as the terminal would leave the cursor at different places on different terminals. One line is the
        // cursor's, and one is left empty.
        let new_lines = table(usize::from(width).saturating_sub(1), usize::from(height).saturating_sub(2));
        let text = erased(&lines, width.into()) + &shown(&new_lines);
        *lines = new_lines;
        self.write(&text);
    }

    /// Removes the table.
    pub fn clear(&self) {
        self.draw(|_, _| Vec::new());
    }

    /// Writes what belongs above the table.
    fn write_above(&self, text: &[u8]) -> io::Result<()> {
        let lines = self.lines();
        if lines.is_empty() || !self.0.has_log {
            return io::stderr().lock().write_all(text);
        }
        let (_, width) = self.0.table.size();
        self.write(&erased(&lines, width.into()));
        let written = io::stderr().lock().write_all(text);
        self.write(&shown(&lines));
        written
    }

    #[expect(clippy::let_underscore_must_use, reason = "the server serves its clients also when its terminal is gone")]
    fn write(&self, text: &str) {
        let _ = self.0.table.write_str(text).and_then(|()| self.0.table.flush());
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What removes these lines, and the empty one over them, from a terminal that has now this width, with the cursor under
/// them. Terminals break lines anew when they become narrower.
fn erased(lines: &[String], width: usize) -> String {
    let rows = |line: &String| measure_text_width(line).div_ceil(width.max(1)).max(1);
    match lines.iter().map(rows).sum::<usize>() {
        0 => String::new(),
        rows => format!("\r\x1b[{}A\x1b[J", rows + 1),
    }
}

/// The lines, under an empty one that sets them apart from the log.
fn shown(lines: &[String]) -> String {
    let margin = if lines.is_empty() { "" } else { "\r\n" };
    margin.to_owned() + &lines.iter().map(|line| format!("{line}\r\n")).collect::<String>()
}

impl<'a> MakeWriter<'a> for Terminal {
    type Writer = LogWriter;

    fn make_writer(&'a self) -> LogWriter {
        LogWriter(self.clone())
    }
}

/// Writes lines of the log. Each call must bring whole lines, as `tracing_subscriber` does.
pub struct LogWriter(Terminal);

impl Write for LogWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write_above(text).map(|()| text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_became_narrower_is_cleared_of_all_rows_that_the_lines_take_now() {
        let lines = ["0123456789", "", "01234"].map(str::to_owned);
        assert_eq!(erased(&[], 80), "");
        for (width, rows) in [(80, 4), (10, 4), (9, 5), (5, 5), (4, 7), (0, 17)] {
            assert_eq!(erased(&lines, width), format!("\r\x1b[{rows}A\x1b[J"), "{width} columns");
        }
    }
}
