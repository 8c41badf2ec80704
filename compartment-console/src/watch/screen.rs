//! A live matrix on a terminal, which is given back as it was.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};
use compartment_core::{HostId, Timestamp};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{execute, queue};

use super::Seen;
use crate::show::{self, second};
use crate::{Shown, table};

const LOUD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Of a terminal that does not say how large it is.
const USUAL: (usize, usize) = (80, 24);

/// A terminal that a live matrix may take over.
pub struct Screen {
    /// Where it is written to, controls and all.
    pub output: Box<dyn Write>,
    /// Whether colours are wanted.
    pub colours: bool,
    /// How many columns and lines it has; asked again and again.
    pub size: Box<dyn Fn() -> Option<(usize, usize)>>,
    /// Whether it is taken over.
    pub entered: Entered,
    /// Stops this process until somebody continues it.
    pub stop: Box<dyn Fn()>,
}

/// Whether a terminal is taken over, for whoever has to give it back when there is no time for more: a panic, a
/// second Ctrl-C. And for a Ctrl-Z, which has the time.
#[derive(Clone, Debug, Default)]
pub struct Entered {
    taken: Arc<AtomicBool>,
    suspend: Arc<AtomicBool>,
}

impl Entered {
    /// Asks whoever draws to give the terminal back and to stop the process. False where nobody draws: then there is
    /// nothing to give back.
    #[must_use]
    pub fn suspend(&self) -> bool {
        let drawn_on = self.taken.load(Ordering::Acquire);
        if drawn_on {
            self.suspend.store(true, Ordering::Release);
        }
        drawn_on
    }

    /// Gives the terminal back, if it is taken over.
    pub fn restore(&self) {
        // Not over standard output: whoever is interrupted may hold it.
        if self.taken.swap(false, Ordering::AcqRel)
            && let Ok(mut terminal) = OpenOptions::new().write(true).open("/dev/tty")
        {
            drop(leave(&mut terminal));
        }
    }
}

fn enter(terminal: &mut impl Write) -> io::Result<()> {
    execute!(terminal, EnterAlternateScreen, DisableLineWrap, Hide)
}

fn leave(terminal: &mut impl Write) -> io::Result<()> {
    execute!(terminal, EndSynchronizedUpdate, EnableLineWrap, Show, LeaveAlternateScreen)
}

/// A matrix that is drawn again and again. Dropping it gives the terminal back.
pub(super) struct Drawing {
    screen: Screen,
    /// Of what the matrix is.
    of: String,
    drawn: (usize, usize),
}

impl Drawing {
    pub(super) fn begin(screen: Screen, of: String) -> io::Result<Self> {
        screen.entered.taken.store(true, Ordering::Release);
        // From here on it is given back whatever happens.
        let mut drawing = Self { screen, of, drawn: (0, 0) };
        enter(&mut drawing.screen.output)?;
        Ok(drawing)
    }

    /// Where somebody asked for it: gives the terminal back while this process is stopped.
    fn suspend(&mut self) -> io::Result<()> {
        let Screen { output, entered, stop, .. } = &mut self.screen;
        if !entered.suspend.load(Ordering::Acquire) {
            return Ok(());
        }
        entered.taken.store(false, Ordering::Release);
        leave(output)?;
        stop();
        entered.suspend.store(false, Ordering::Release);
        entered.taken.store(true, Ordering::Release);
        enter(output)
    }

    fn size(&self) -> (usize, usize) {
        (self.screen.size)().filter(|(columns, lines)| *columns > 0 && *lines > 0).unwrap_or(USUAL)
    }

    /// Whether there is something to do at once.
    pub(super) fn is_due(&self) -> bool {
        self.size() != self.drawn || self.screen.entered.suspend.load(Ordering::Acquire)
    }

    /// Draws what is known.
    pub(super) fn show(&mut self, seen: &Seen, shown: &Shown, now: Timestamp) -> io::Result<()> {
        self.suspend()?;
        self.drawn = self.size();
        let lines = frame(seen, shown, &Head { of: &self.of, now, size: self.drawn });
        self.draw(&lines)
    }

    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate)?;
        for (row, line) in (0..).zip(lines) {
            queue!(frame, MoveTo(0, row), Clear(ClearType::CurrentLine))?;
            match self.screen.colours {
                true => frame.extend_from_slice(line.as_bytes()),
                false => frame.extend_from_slice(strip_str(line).to_string().as_bytes()),
            }
        }
        if lines.len() < self.drawn.1 {
            let below = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            queue!(frame, MoveTo(0, below), Clear(ClearType::FromCursorDown))?;
        }
        queue!(frame, EndSynchronizedUpdate)?;
        self.screen.output.write_all(&frame)?;
        self.screen.output.flush()
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        if self.screen.entered.taken.swap(false, Ordering::AcqRel) {
            drop(leave(&mut self.screen.output));
        }
    }
}

/// What stands around the matrix.
struct Head<'a> {
    of: &'a str,
    now: Timestamp,
    size: (usize, usize),
}

/// The lines of a screen, as many as it has at most.
fn frame(seen: &Seen, shown: &Shown, head: &Head<'_>) -> Vec<String> {
    let (columns, height) = head.size;
    let width = Some(columns);
    let body = seen.matrix.as_ref().map(|matrix| {
        let rows = shown.rows(matrix);
        let of = |why: &[(HostId, String)]| -> Vec<_> {
            let is_shown = |(host, _): &&(HostId, String)| rows.iter().any(|row| row.host == *host);
            why.iter().filter(is_shown).cloned().collect()
        };
        table::words(&rows, matrix, &of(&seen.away), &of(&seen.unread), width)
    });
    let body = body.unwrap_or_default();
    let mut lines: Vec<String> = match &seen.silence {
        None => {
            let words = format!("{}; Ctrl-C ends", head.of);
            let live = show::labelled("Live:", 6, &words, width);
            let notices = seen.notices.iter().map(|notice| show::labelled("Hub:", 6, notice.as_str(), width));
            let notices: String = notices.collect();
            let loud = notices.lines().map(|line| format!("{LOUD}{line}{LOUD:#}"));
            let quiet = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
            quiet(&live).into_iter().chain(loud).chain([String::new()]).chain(quiet(&body)).collect()
        }
        // Nothing is green that nobody knows to be.
        Some(silence) => {
            let (since, ago) = (second(silence.since), head.now.since(silence.since));
            let words = format!(
                "no word from the hub since {since} ({ago}): {}. What follows is from then.",
                silence.why
            );
            let words = show::labelled("LOST:", 6, &words, width);
            let loud = words.lines().map(|line| format!("{LOUD}{line}{LOUD:#}"));
            let body = strip_str(&body).to_string();
            let quiet = body.lines().map(|line| format!("{QUIET}{line}{QUIET:#}"));
            loud.chain([String::new()]).chain(quiet).collect()
        }
    };
    if lines.len() > height {
        let more = lines.len() + 1 - height;
        lines.truncate(height.saturating_sub(1));
        lines.push(format!("{LOUD}… {more} more lines{LOUD:#}"));
    }
    lines.truncate(height);
    lines
}
