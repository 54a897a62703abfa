//! The story as text: a line for each thing that happens, and in a terminal a last line with the time there and every slot,
//! which is written over as time passes.

use super::pace::haste;
use crate::cli::paint::{Style, clean, plain};
use crate::cli::table::Table;
use crate::policy::format_duration;
use crate::sim::demo::scenario::BY_HAND;
use crate::sim::demo::{Act, Beat, Event, Lapse, Rebuild, Scene, SlotLine, Summary, Voice};
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
             A second here is {} there, {} in the second night; the day between them passes in time-lapse.\n\
             All times are UTC.\n",
            Style::Strong.paint("The incident, with keepgreen watching"),
            self.pace(Act::Incident),
            self.pace(Act::Rebuild),
        )
    }

    /// How much time there passes in a second here.
    fn pace(&self, act: Act) -> String {
        format_duration(Duration::from_secs(u64::from(self.speed) * u64::from(haste(act))))
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
            Event::Lapse(_, lapse) => table.row([
                at,
                Style::Faint.paint(TIME),
                padded("-"),
                Style::Faint.paint(&time(event.at(), lapse)),
            ]),
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
        for one in &summary.rebuilds {
            table.row([format!("{} rebuilt", one.slot), rebuild(one, summary.until)]);
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
        if told.is_empty() {
            table.row(["still stands".to_owned(), Style::Good.paint("nothing")]);
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
    match (summary.interrupted, summary.healed, summary.rebuilt) {
        (true, ..) => Style::Warn.paint("Ended before its end. Until then:"),
        (_, true, true) => Style::Good.paint("Healed, and rebuilt."),
        (_, true, false) => Style::Bad.paint("Healed, not rebuilt."),
        (_, false, _) => Style::Bad.paint("Not healed."),
    }
}

/// `i-… → i-… from ami-…, 03:57:37 to 04:02:37: 5 min; never fewer healthy in tis-prod than 2; …`
fn rebuild(one: &Rebuild, now: Timestamp) -> String {
    let until = one.until.unwrap_or(now);
    let lasted = Duration::try_from(until.duration_since(one.from)).unwrap_or_default();
    let from = one
        .image
        .as_ref()
        .map(|image| format!(" from {image}"))
        .unwrap_or_default();
    let until = one.until.map_or_else(|| "now".to_owned(), clock);
    let how = if one.is_done { "" } else { ", not done" };
    let fewest: Vec<String> = one
        .fewest
        .iter()
        .map(|(group, fewest)| format!("{fewest} in {group}"))
        .collect();
    format!(
        "{} → {}{from}, {} to {until}: {}{how}; fewest healthy meanwhile: {}; the old one is {}",
        one.old,
        one.new.as_deref().unwrap_or("nothing"),
        clock(one.from),
        Style::Strong.paint(&long(lasted)),
        fewest.join(", "),
        one.old_is
    )
}

fn sent(summary: &Summary) -> String {
    let mut words = vec![
        format!("{} that change nothing", count(summary.reads, "request")),
        count(summary.mutations.len(), "mutation"),
    ];
    let mut repeats: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in &summary.mutations {
        *repeats.entry((&one.operation, &one.outcome)).or_default() += 1;
    }
    words.extend(
        repeats
            .into_iter()
            .map(|((operation, outcome), times)| format!("{times} × {operation}: {outcome}")),
    );
    words.join("; ")
}

const HEALTH: &str = "health ";
const TIME: &str = "time   ";

fn time(now: Timestamp, lapse: &Lapse) -> String {
    match lapse {
        Lapse::Begins { until, why } => {
            let until = until.to_zoned(TimeZone::UTC).strftime("%A %H:%M");
            format!("time-lapse until {until}: {why}")
        }
        Lapse::Over {
            from,
            reads,
            mutations,
        } => {
            let lasted = Duration::try_from(now.duration_since(*from)).unwrap_or_default();
            format!(
                "{} passed; keepgreen sent {} that change nothing and {}",
                long(lasted),
                count(*reads, "request"),
                count(*mutations, "mutation")
            )
        }
    }
}

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

/// With its id: while one is replaced, a slot has two.
fn health(line: &SlotLine) -> String {
    let targets = line
        .targets
        .iter()
        .map(|(group, health)| format!("{health} in {group}"));
    let targets: Vec<String> = targets.collect();
    let targets = match targets.is_empty() {
        true => "in no target group".to_owned(),
        false => targets.join(", "),
    };
    format!("{} {} {}: {targets}", line.instance, mark(line), line.state)
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
