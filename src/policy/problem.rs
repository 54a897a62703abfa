//! What is wrong in a file that a person wrote, said so that they can fix it without reading code.
//!
//! Every problem points at one place (file, line, column, and the line itself) and says what happened, what was
//! expected and, where it can be guessed, what was probably meant. Problems never carry a secret or a control
//! character: lines pass through [`Source::shown`], and whatever is quoted from a file through [`quote`].

use serde::Serialize;
use std::fmt::{self, Write};

/// Problems that one file may report. A file that is wrong in more places than this is wrong as a whole, and the
/// list travels in alerts and JSON.
pub const MAX_PROBLEMS_PER_FILE: usize = 100;

/// Characters of an offending line that are shown: enough for any line a person writes, and a bound for a file
/// that is one single line.
const MAX_SHOWN_CHARS: usize = 400;

/// Characters of a value that a message quotes.
const MAX_QUOTED_CHARS: usize = 60;

/// A place in a text: `line` and `column` start at 1 and `column` counts characters, as editors do; `length` is the
/// number of characters to underline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub line: u32,
    pub column: u32,
    pub length: u32,
}

impl Span {
    /// The file as a whole.
    pub const START: Span = Span {
        line: 1,
        column: 1,
        length: 1,
    };
}

/// One thing that is wrong in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file as it was named to us.
    pub file: String,
    /// From 1. A problem with the file as a whole is at 1:1 with an empty `text_line`.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Characters to underline, at least 1.
    pub length: u32,
    /// The offending line, without secrets and control characters.
    pub text_line: String,
    /// What happened.
    pub message: String,
    /// What would be right.
    pub expected: Option<String>,
    /// What was probably meant, or what to do.
    pub suggestion: Option<String>,
}

impl Problem {
    /// A problem with a file as a whole, such as one that cannot be read.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: Span::START.line,
            column: Span::START.column,
            length: Span::START.length,
            text_line: String::new(),
            message: message.into(),
            expected: None,
            suggestion: None,
        }
    }

    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    #[must_use]
    pub fn maybe_suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion.or(self.suggestion);
        self
    }

    /// `file:line:column: message`, for a log line or an alert.
    pub fn one_line(&self) -> String {
        format!("{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// As a compiler would print it, without colour.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render(self, Colour::Never))
    }
}

/// Whether [`render_text`] writes ANSI colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Always,
    Never,
}

/// All problems as text, in order of file and place, with a blank line after each.
pub fn render_text(problems: &[Problem], colour: Colour) -> String {
    problems
        .iter()
        .map(|problem| render(problem, colour) + "\n")
        .collect()
}

/// All problems as JSON: an array of objects with the fields of [`Problem`], in the same order.
pub fn render_json(problems: &[Problem]) -> serde_json::Value {
    serde_json::json!(problems)
}

fn render(problem: &Problem, colour: Colour) -> String {
    let (red, blue, bold, off) = match colour {
        Colour::Always => ("\u{1b}[1;31m", "\u{1b}[1;34m", "\u{1b}[1m", "\u{1b}[0m"),
        Colour::Never => ("", "", "", ""),
    };
    let number = problem.line.to_string();
    let gutter = " ".repeat(number.len());
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{red}error{off}{bold}: {}{off}", problem.message);
    if problem.text_line.is_empty() && problem.line == 1 && problem.column == 1 {
        let _ = writeln!(out, "{gutter}{blue}-->{off} {}", problem.file);
    } else {
        let (file, line, column) = (&problem.file, problem.line, problem.column);
        let _ = writeln!(out, "{gutter}{blue}-->{off} {file}:{line}:{column}");
        let _ = writeln!(out, "{gutter} {blue}|{off}");
        let _ = writeln!(out, "{blue}{number} |{off} {}", problem.text_line);
        let shown = problem.text_line.chars().count();
        let before = (problem.column as usize).saturating_sub(1);
        if before <= shown {
            let carets = (problem.length as usize).clamp(1, (shown - before).max(1));
            let _ = writeln!(
                out,
                "{gutter} {blue}|{off} {}{red}{}{off}",
                " ".repeat(before),
                "^".repeat(carets)
            );
        }
    }
    if let Some(expected) = &problem.expected {
        let _ = writeln!(out, "{gutter} {blue}={off} expected: {expected}");
    }
    if let Some(suggestion) = &problem.suggestion {
        let _ = writeln!(out, "{gutter} {blue}={off} help: {suggestion}");
    }
    out
}

/// How much of a file's text may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Masking {
    /// Web addresses are masked: what follows the scheme may be a secret that was pasted into the wrong place.
    Addresses,
    /// Long words with digits as well: a config file is where tokens are pasted by mistake.
    Tokens,
}

/// A file's text, and the only way to show a line of it.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub file: &'t str,
    pub text: &'t str,
    pub masking: Masking,
}

impl Source<'_> {
    /// A problem at `span`, which is moved into the text if it lies outside.
    pub fn problem(&self, span: Span, message: impl Into<String>) -> Problem {
        let (line, text_line) = self.line(span.line);
        let columns = u32::try_from(text_line.chars().count())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        Problem {
            file: self.file.to_owned(),
            line,
            column: span.column.clamp(1, columns),
            length: span.length.max(1),
            text_line: self.shown(text_line),
            message: message.into(),
            expected: None,
            suggestion: None,
        }
    }

    /// The line with this number, or the last one.
    fn line(&self, number: u32) -> (u32, &str) {
        let mut last = (1, "");
        for (index, line) in lines(self.text).enumerate() {
            last = (u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1), line);
            if last.0 >= number {
                break;
            }
        }
        last
    }

    /// A line as it may be shown: every character keeps its column.
    pub fn shown(&self, line: &str) -> String {
        let line: String = line.chars().take(MAX_SHOWN_CHARS).map(harmless).collect();
        mask(&line, self.masking)
    }

    /// A value from the file for use in a message.
    pub fn quote(&self, value: &str) -> String {
        let masked = mask(&value.chars().map(harmless).collect::<String>(), self.masking);
        let mut quoted: String = masked.chars().take(MAX_QUOTED_CHARS).collect();
        if masked.chars().count() > MAX_QUOTED_CHARS {
            quoted.push('…');
        }
        format!("`{quoted}`")
    }
}

/// The lines of a YAML text: it may break them with CR, LF or CR LF.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = text.find(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let (line, tail) = text.split_at(at);
        rest = Some(
            tail.strip_prefix("\r\n")
                .unwrap_or_else(|| tail.get(1..).unwrap_or("")),
        );
        Some(line)
    })
}

/// A terminal interprets control characters, and reads text backwards after some others.
fn harmless(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            '\u{fffd}'
        }
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Replaces what may be a secret, character by character.
fn mask(text: &str, masking: Masking) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    // The key that the next word is the value of, if that is a secret's.
    let mut after_key = false;
    for c in text.chars().chain(std::iter::once('\n')) {
        let opens = matches!(c, '{' | '}' | '[' | ']' | ',');
        if !(c.is_whitespace() || opens || matches!(c, '"' | '\'' | '`')) {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            mask_word(&word, masking, after_key, &mut out);
            after_key = SECRET_KEYS.contains(&word.trim_end_matches(':')) || (after_key && word == ":");
            word.clear();
        }
        after_key &= !opens;
        out.push(c);
    }
    out.pop();
    out
}

/// Keys of the config file whose values are secrets: for a text that could not be parsed.
const SECRET_KEYS: [&str; 3] = ["webhook", "url", "routing_key"];

fn mask_word(word: &str, masking: Masking, after_key: bool, out: &mut String) {
    let reference = word.starts_with("env:") || word.starts_with("file:") || word.starts_with("arn:");
    let long = word.chars().count() >= 20 && word.chars().any(|c| c.is_ascii_digit());
    if let Some((scheme, rest)) = word.split_once("://") {
        out.push_str(scheme);
        out.push_str("://");
        out.extend(rest.chars().map(|_| '*'));
    } else if masking == Masking::Tokens && (long || after_key) && !reference && word != ":" {
        out.extend(word.chars().map(|_| '*'));
    } else {
        out.push_str(word);
    }
}

/// A line with the characters of a place made unreadable; with all that follow, if the place goes on below.
fn hide_place(line: &str, span: Span) -> String {
    let from = (span.column as usize).saturating_sub(1);
    let until = if span.length <= 1 {
        usize::MAX
    } else {
        from.saturating_add(span.length as usize)
    };
    let hidden = |(index, c): (usize, char)| if (from..until).contains(&index) { '*' } else { c };
    line.chars().enumerate().map(hidden).collect()
}

/// Problems of one file, bounded.
pub(super) struct Problems<'t> {
    pub source: Source<'t>,
    list: Vec<Problem>,
    dropped: usize,
    secrets: Vec<(Span, String)>,
}

impl<'t> Problems<'t> {
    pub fn new(source: Source<'t>) -> Self {
        Self {
            source,
            list: Vec::new(),
            dropped: 0,
            secrets: Vec::new(),
        }
    }

    /// A problem of this file. To find its line costs a walk over the text, which those that are not shown spare.
    pub fn problem(&self, span: Span, message: impl Into<String>) -> Problem {
        match self.is_full() {
            true => Problem::of_file("", ""),
            false => self.source.problem(span, message),
        }
    }

    /// Whether further problems are only counted.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_PROBLEMS_PER_FILE
    }

    pub fn push(&mut self, problem: Problem) {
        if !self.is_full() {
            self.list.push(problem);
        } else {
            self.dropped += 1;
        }
    }

    /// Keeps a value out of every problem of this file: another slip on the same line shows that line too.
    pub fn hide(&mut self, span: Span, value: &str) {
        self.secrets.push((span, value.to_owned()));
    }

    pub fn len(&self) -> usize {
        self.list.len() + self.dropped
    }

    /// In order of place, with a last one that says how many are not shown.
    pub fn finish(self) -> Vec<Problem> {
        let mut list = self.list;
        for (span, value) in &self.secrets {
            for problem in &mut list {
                if problem.line == span.line {
                    problem.text_line = hide_place(&problem.text_line, *span);
                }
                // A value of several lines, or one that an alias repeats.
                for word in value.split_whitespace().filter(|word| word.len() >= 4) {
                    let stars = "*".repeat(word.chars().count());
                    problem.text_line = problem.text_line.replace(word, &stars);
                    problem.message = problem.message.replace(word, &stars);
                }
            }
        }
        list.sort();
        if self.dropped > 0 {
            list.push(Problem::of_file(
                self.source.file,
                format!("{} more problems in this file are not shown", self.dropped),
            ));
        }
        list
    }
}

/// The candidate that was probably meant by `word`: near enough to be a slip of the finger.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: String = word
        .chars()
        .take(MAX_QUOTED_CHARS)
        .collect::<String>()
        .to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                candidate,
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
            )
        })
        .filter(|(candidate, distance)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(_, distance)| *distance)
        .map(|(candidate, _)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str, masking: Masking) -> Source<'_> {
        Source {
            file: "policies/tis.yaml",
            text,
            masking,
        }
    }

    #[test]
    fn a_problem_is_rendered_with_its_line_a_caret_and_what_was_expected() {
        let text = "service: tis\nlimits:\n  min_heathy: 1\n";
        let problem = source(text, Masking::Addresses)
            .problem(
                Span {
                    line: 3,
                    column: 3,
                    length: 10,
                },
                "unknown key `min_heathy`",
            )
            .expected("one of min_healthy, attempts")
            .suggest("did you mean `min_healthy`?");
        insta::assert_snapshot!(problem, @r"
        error: unknown key `min_heathy`
         --> policies/tis.yaml:3:3
          |
        3 |   min_heathy: 1
          |   ^^^^^^^^^^
          = expected: one of min_healthy, attempts
          = help: did you mean `min_healthy`?
        ");
    }

    #[test]
    fn lines_are_counted_alike_for_every_kind_of_line_break() {
        assert_eq!(
            lines("a\r\nb\rc\n\nd").collect::<Vec<_>>(),
            ["a", "b", "c", "", "d"]
        );
        assert_eq!(lines("").collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn a_place_outside_the_text_is_moved_into_it() {
        let problem = source("a: 1\n", Masking::Addresses).problem(
            Span {
                line: 99,
                column: 99,
                length: 0,
            },
            "unexpected end",
        );
        assert_eq!((problem.line, problem.column, problem.length), (2, 1, 1));
    }

    #[test]
    fn secrets_and_control_characters_never_reach_a_problem() {
        let text =
            "a: { webhook: \"https://hooks.example/services/T0/B0/x\", key: 0123456789abcdef01234 }\u{1b}[2J";
        let shown = source(text, Masking::Tokens).shown(text);
        assert!(!shown.contains("hooks.example"), "{shown}");
        assert!(!shown.contains("0123456789"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert_eq!(shown.chars().count(), text.chars().count(), "columns still match");
        let quoted = source("", Masking::Addresses).quote("https://user:secret@host/x");
        assert!(!quoted.contains("secret"), "{quoted}");
    }

    #[test]
    fn nearest_finds_a_slip_and_leaves_a_stranger_alone() {
        assert_eq!(
            nearest("min_heathy", ["attempts", "min_healthy"]),
            Some("min_healthy")
        );
        assert_eq!(nearest("Blue", ["blue", "green"]), Some("blue"));
        assert_eq!(nearest("kubernetes", ["attempts", "min_healthy"]), None);
    }
}
