//! Colours, and the way to stdout.
//!
//! A style travels through the layout as a pair of zero-width characters, so that whatever measures or wraps a text sees
//! the text alone; only on the way out they become ANSI sequences. [`print`] leaves those out where they do not belong:
//! in a pipe, a file or a dumb terminal, and when `NO_COLOR` is set.
//!
//! Text that comes from AWS, from tags or from a flag's reason goes through [`clean`] first: it can neither rewrite the
//! terminal nor pretend to be a style.

use super::exit::Failure;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

/// What a piece of text is, rather than how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// An id or name that the eye looks for.
    Strong,
    Good,
    Bad,
    /// Not bad yet, or being worked on.
    Warn,
    /// Explanations beside the point.
    Faint,
}

/// Ends any style. U+206A to U+206F are deprecated, ignorable and zero columns wide.
const END: char = '\u{206f}';

const STYLES: [(Style, char, &str); 5] = [
    (Style::Strong, '\u{206a}', "\u{1b}[1m"),
    (Style::Good, '\u{206b}', "\u{1b}[32m"),
    (Style::Bad, '\u{206c}', "\u{1b}[1;31m"),
    (Style::Warn, '\u{206d}', "\u{1b}[33m"),
    (Style::Faint, '\u{206e}', "\u{1b}[2m"),
];

impl Style {
    /// `text` in this style.
    pub fn paint(self, text: &str) -> String {
        let mark = STYLES.iter().find(|(style, ..)| *style == self);
        match mark {
            Some((_, mark, _)) if !text.is_empty() => format!("{mark}{text}{END}"),
            _ => text.to_owned(),
        }
    }
}

/// One line of text without anything that a terminal obeys: control characters, marks of direction, style marks.
pub fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let spaced: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if harmful(c) => '\u{fffd}',
            c => c,
        })
        .collect();
    spaced.trim().to_owned()
}

/// The text with its styles as ANSI sequences.
fn to_ansi(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match STYLES.iter().find(|(_, mark, _)| *mark == c) {
            Some((.., ansi)) => out.push_str(ansi),
            None if c == END => out.push_str("\u{1b}[0m"),
            None => out.push(c),
        }
    }
    out
}

/// The text without its styles.
pub fn plain(text: &str) -> String {
    let is_mark = |c: &char| *c == END || STYLES.iter().any(|(_, mark, _)| mark == c);
    text.chars().filter(|c| !is_mark(c)).collect()
}

/// Writes a result to stdout. A reader that has gone away (`| head`) has read enough: that is no error.
///
/// # Errors
/// If it could not be written for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), Failure> {
    print_on(text).map(|_| ())
}

/// The same, for whoever has more to say: `false` if the reader has gone away.
///
/// # Errors
/// Those of [`print`].
pub fn print_on(text: &str) -> Result<bool, Failure> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(to_ansi(text).as_bytes()).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(format!(
            "the result could not be written to stdout: {error}"
        ))),
    }
}

/// Writes a message for people to stderr; nobody can be told if that fails.
pub fn print_error(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = err.write_all(to_ansi(text).as_bytes());
    let _ = err.flush();
}

/// Columns that results may fill; `None`: as many as they need, because it is not a terminal that they go to.
pub fn width() -> Option<u16> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_become_ansi_and_end() {
        let text = format!("{} and {}", Style::Good.paint("well"), Style::Bad.paint("ill"));
        assert_eq!(
            to_ansi(&text),
            "\u{1b}[32mwell\u{1b}[0m and \u{1b}[1;31mill\u{1b}[0m"
        );
        assert_eq!(plain(&text), "well and ill");
        assert_eq!(Style::Good.paint(""), "");
    }

    #[test]
    fn foreign_text_cannot_rewrite_the_terminal_or_bring_its_own_styles() {
        for hostile in [
            "\u{1b}[2Jgone",
            "a\u{202e}b",
            &Style::Good.paint("healthy"),
            "x\u{7}\u{9b}y",
        ] {
            let shown = clean(hostile);
            assert_eq!(to_ansi(&shown), shown, "{hostile:?}");
            assert!(!shown.chars().any(char::is_control), "{hostile:?}");
        }
        assert_eq!(clean(" two\nlines\t "), "two lines");
    }
}
