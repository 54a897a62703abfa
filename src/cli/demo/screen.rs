//! The story as text: a line for each thing that happens, and in a terminal a last line with the time there and every slot,
//! which is written over as time passes.

use crate::cli::paint::{Style, clean, plain};
use crate::cli::table::Table;
use crate::policy::format_duration;
use crate::sim::demo::scenario::BY_HAND;
use crate::sim::demo::{Beat, Event, Scene, SlotLine, Summary, Voice};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Keeps what the last line was, so that it can be written over.
pub struct Screen {
    speed: u32,
    columns: Option<u16>,
    is_live: bool,
    /// Columns of the last line that are filled.
    footer: usize,
    day: Option<String>,
}

impl Screen {
    pub fn new(speed: u32, columns: Option<u16>, is_live: bool) -> Self {
        Self {
            speed,
            columns,
            is_live,
            footer: 0,
            day: None,
        }
    }

    pub fn opening(&self) -> String {
        format!(
            "{}\nkeepgreen's own controller against a simulated AWS on this machine: no network, no AWS account.\n\
             A second here is {} there. All times are UTC.\n",
            Style::Strong.paint("The incident, with keepgreen watching"),
            format_duration(Duration::from_secs(self.speed.into())),
        )
    }

    pub fn scene(&mut self, scene: &Scene) -> String {
        if scene.events.is_empty() {
            return self.footer(scene);
        }
        let mut text = self.wipe();
        for event in &scene.events {
            text.push_str(&self.new_day(event.at()));
            text.push_str(&self.event(event));
        }
        text + &self.footer(scene)
    }

    /// A line of its own for each new day.
    fn new_day(&mut self, at: Timestamp) -> String {
        let day = at.to_zoned(TimeZone::UTC).strftime("%A, %-d %B %Y").to_string();
        if self.day.as_ref() == Some(&day) {
            return String::new();
        }
        let line = format!("\n{}\n", Style::Strong.paint(&day));
        self.day = Some(day);
        line
    }

    fn event(&self, event: &Event) -> String {
        let mut table = Table::default();
        let at = Style::Faint.paint(&clock(event.at()));
        match event {
            Event::Beat(beat) => table.row([at, who(beat.voice), slot(beat), words(beat)]),
            Event::Slot(_, line) => {
                table.row([at, Style::Faint.paint(HEALTH), padded(&line.slot), health(line)])
            }
        }
        table.render(self.columns)
    }

    /// The time there and the health of every slot, in what fits into one line.
    fn footer(&mut self, scene: &Scene) -> String {
        if !self.is_live {
            return String::new();
        }
        let slots = scene
            .slots
            .iter()
            .map(|line| format!("{} {} {}", line.slot, mark(line), line.state));
        let slots: Vec<String> = slots.collect();
        let line = format!("{}  {}", Style::Strong.paint(&clock(scene.now)), slots.join("  "));
        let width = plain(&line).chars().count();
        if self.columns.is_some_and(|columns| width >= usize::from(columns)) {
            return self.wipe();
        }
        // Over the one before, which may have been longer: no blank in between that would flicker.
        let before = std::mem::replace(&mut self.footer, width);
        let rest = " ".repeat(before.saturating_sub(width));
        format!("\r{line}{rest}")
    }

    /// Back to the beginning of the last line, which is blank then.
    fn wipe(&mut self) -> String {
        let blank = " ".repeat(std::mem::take(&mut self.footer));
        if blank.is_empty() {
            blank
        } else {
            format!("\r{blank}\r")
        }
    }

    pub fn closing(&mut self, summary: &Summary) -> String {
        let mut text = self.wipe();
        text.push_str(&format!("\n{}\n", verdict(summary)));
        let mut table = Table::indented(2);
        for down in &summary.downs {
            let until = down.until.map_or_else(|| "now".to_owned(), clock);
            let lasted = Style::Strong.paint(&long(down.lasted(summary.until)));
            table.row([
                format!("{} down", down.slot),
                format!("{} to {until}: {lasted}", clock(down.from)),
            ]);
        }
        if !summary.downs.is_empty() {
            let was = format!(
                "{}, until a person started it",
                Style::Strong.paint(&long(BY_HAND))
            );
            table.row(["the incident".to_owned(), was]);
        }
        for group in &summary.groups {
            let below = format!(
                "{} with fewer than {} healthy, {} with none",
                long(group.below),
                targets(group.desired),
                long(group.none)
            );
            table.row([group.group.clone(), below]);
        }
        table.row(["sent to AWS".to_owned(), sent(summary)]);
        table.row(["sent to people".to_owned(), count(summary.messages, "message")]);
        for (image, instances) in &summary.images_gone {
            let what = format!("{image}; launched from it: {}", instances.join(", "));
            table.row(["image gone".to_owned(), what]);
        }
        let mut told = BTreeSet::new();
        for (key, words) in &summary.findings {
            let words = words.as_deref().map_or_else(|| key.clone(), clean);
            if told.insert(words.clone()) {
                table.row([Style::Warn.paint("still stands"), words]);
            }
        }
        text + &table.render(self.columns)
    }
}

/// How to get at what lives on, on stderr as it is no result.
pub fn invitation(address: SocketAddr, slots: &[SlotLine]) -> String {
    let id = slots.first().map_or("ID", |line| line.instance.as_str());
    let slot = slots.first().map_or("it", |line| line.slot.as_str());
    format!(
        "\nlistening on {address}\nIt lives on until Ctrl-C. Break something and watch, for example stop {slot} as AWS \
         would, and see what happened to it:\n\n  \
         curl -d '{{\"id\":\"{id}\",\"action\":\"stop\"}}' http://{address}/_sim/instance\n  \
         curl 'http://{address}/_sim/log?about={id}'\n\n\
         http://{address}/_sim lists everything else.\n\n"
    )
}

fn verdict(summary: &Summary) -> String {
    if summary.healed {
        Style::Good.paint("Healed.")
    } else if summary.interrupted {
        Style::Warn.paint("Ended before its end. Until then:")
    } else {
        Style::Bad.paint("Not healed.")
    }
}

fn sent(summary: &Summary) -> String {
    let mut words = vec![
        format!("{} that change nothing", count(summary.reads, "request")),
        count(summary.mutations.len(), "mutation"),
    ];
    let mut repeats: BTreeMap<String, usize> = BTreeMap::new();
    for one in &summary.mutations {
        let what = format!("{} {}: {}", one.operation, one.subjects.join(" "), one.outcome);
        *repeats.entry(what).or_default() += 1;
    }
    words.extend(repeats.into_iter().map(|(what, times)| match times {
        1 => what,
        _ => format!("{times} × {what}"),
    }));
    words.join("; ")
}

const HEALTH: &str = "health ";

/// Columns of the same width in every line, as each is written on its own.
fn who(voice: Voice) -> String {
    match voice {
        Voice::Aws => Style::Strong.paint("AWS    "),
        Voice::Saw => "saw    ".to_owned(),
        Voice::Decided => "decided".to_owned(),
        Voice::Did => "did    ".to_owned(),
        Voice::Told => "told   ".to_owned(),
    }
}

fn padded(slot: &str) -> String {
    format!("{slot:<5}")
}

fn slot(beat: &Beat) -> String {
    padded(beat.slot.as_deref().unwrap_or("-"))
}

fn words(beat: &Beat) -> String {
    let text = clean(&beat.text);
    let text = if beat.is_bad {
        Style::Warn.paint(&text)
    } else {
        text
    };
    match (&beat.subject, beat.voice) {
        (Some(subject), Voice::Told) => format!("{subject}: {text}"),
        (Some(subject), _) => format!("{subject} {text}"),
        (None, _) => text,
    }
}

fn mark(line: &SlotLine) -> String {
    if line.is_well() {
        Style::Good.paint("●")
    } else if line.is_coming() {
        Style::Warn.paint("◐")
    } else {
        Style::Bad.paint("○")
    }
}

fn health(line: &SlotLine) -> String {
    let targets = line
        .targets
        .iter()
        .map(|(group, health)| format!("{health} in {group}"));
    let targets: Vec<String> = targets.collect();
    format!("{} {}: {}", mark(line), line.state, targets.join(", "))
}

fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string()
}

/// `4 h 50 min`, `3 min 12 s`
fn long(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

fn count(n: usize, what: &str) -> String {
    crate::cli::check::count(n, what)
}

fn targets(n: usize) -> String {
    count(n, "target")
}
