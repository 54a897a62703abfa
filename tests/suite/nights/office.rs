//! The people who write the policies and set the pause flags: what is in the files, and what therefore is in force.

use super::fleet::{Fleet, Operator, Place, Service, service_name};
use super::night::{Breakage, Edit, PauseBy};
use super::papers::{CHANNEL, declared, file_name, policy};
use jiff::Timestamp;
use keepgreen::policy::{Channels, PolicyFinding, load_folder, merge_last_good};
use keepgreen::sim::oracle::{Declared, Pause};
use keepgreen::sim::{Cloud, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub const PARAMETER: &str = "/keepgreen/pause";

/// Everything that people have written.
pub struct Office {
    fleet: Fleet,
    policies: PathBuf,
    state: PathBuf,
    papers: Vec<Paper>,
    /// Flags that the world cannot see, with whose they are.
    flags: Vec<(PauseBy, Pause)>,
    declared: Declared,
}

/// One policy file.
struct Paper {
    /// What its author wants.
    wanted: Service,
    file: File,
    paused: bool,
    /// What the controller goes by; `None`: the service is given up.
    in_force: Option<Service>,
}

#[derive(Clone, Copy, PartialEq)]
enum File {
    Good,
    Broken(Breakage),
    Gone,
}

impl Office {
    /// Writes every file.
    pub fn open(fleet: &Fleet, stage: &Stage, mutations_per_hour: usize) -> Self {
        let papers = fleet.services.iter().map(|service| Paper {
            wanted: service.clone(),
            file: File::Good,
            paused: false,
            in_force: Some(service.clone()),
        });
        let parameter = stage.config.pause_parameter.clone();
        let office = Self {
            fleet: fleet.clone(),
            policies: stage.config.policies.clone(),
            state: stage.config.state.clone(),
            papers: papers.collect(),
            flags: Vec::new(),
            declared: Declared {
                mutations_per_hour: Some(mutations_per_hour),
                pause_parameter: parameter.map(|name| (Place::Home.scope(), name)),
                interval: stage.config.interval,
                ..Declared::default()
            },
        };
        (0..office.papers.len()).for_each(|number| office.write(number));
        office
    }

    /// What is wrong with the drawn policies themselves: a fault of the drawing.
    pub fn refused(&self) -> String {
        let channels = BTreeSet::from([CHANNEL.into()]);
        let loaded = load_folder(&self.policies, Channels::Known(&channels));
        let effective = merge_last_good(&loaded, &BTreeMap::new());
        let sentences = effective.findings.iter().map(PolicyFinding::sentence);
        sentences
            .map(|sentence| format!("drawn badly: {sentence}\n"))
            .collect()
    }

    /// What is in force now.
    pub fn declared(&self) -> Declared {
        let papers = self.papers.iter().enumerate();
        let services =
            papers.filter_map(|(n, paper)| Some(declared(&self.fleet, n, paper.in_force.as_ref()?)));
        Declared {
            services: services.collect(),
            pauses: self.flags.iter().map(|(_, pause)| pause.clone()).collect(),
            refused: self.refused_files(),
            ..self.declared.clone()
        }
    }

    /// The files that cannot be read as a policy.
    fn refused_files(&self) -> Vec<String> {
        let papers = self.papers.iter().enumerate();
        let broken = papers.filter(|(_, paper)| matches!(paper.file, File::Broken(_)));
        broken.map(|(number, _)| file_name(number)).collect()
    }

    /// The policies in force, with their numbers.
    pub fn in_force(&self) -> impl Iterator<Item = (usize, &Service)> {
        let papers = self.papers.iter().enumerate();
        papers.filter_map(|(n, paper)| Some((n, paper.in_force.as_ref()?)))
    }

    /// Somebody edits a file. Returns whether a file has changed.
    pub fn edit(&mut self, number: usize, edit: Edit, now: Timestamp) -> bool {
        let others_there = self
            .papers
            .iter()
            .enumerate()
            .any(|(n, p)| n != number && p.file != File::Gone);
        let paper = &mut self.papers[number];
        // Whoever edits a file that is broken or gone first mends it.
        if paper.file != File::Good {
            return false;
        }
        match edit {
            Edit::Broken { how, .. } => {
                paper.file = File::Broken(how);
                if how == Breakage::Paused {
                    self.raise(PauseBy::Policy(number), now);
                }
            }
            Edit::Deleted { .. } => {
                paper.file = File::Gone;
                // All files gone at once is a lost folder, not a wish.
                if others_there {
                    paper.in_force = None;
                }
            }
            _ => {
                if !change(&mut paper.wanted, edit) {
                    return false;
                }
                paper.in_force = Some(paper.wanted.clone());
            }
        }
        self.write(number);
        true
    }

    /// A file that was broken or deleted is as its author wants it.
    pub fn mend(&mut self, number: usize, now: Timestamp) {
        let paper = &mut self.papers[number];
        if paper.file == File::Broken(Breakage::Paused) && !paper.paused {
            self.lower(PauseBy::Policy(number), now);
        }
        let paper = &mut self.papers[number];
        paper.file = File::Good;
        paper.in_force = Some(paper.wanted.clone());
        self.write(number);
    }

    /// Sets a flag. Returns whether a policy file has changed.
    pub fn pause(&mut self, by: PauseBy, cloud: &Cloud, now: Timestamp) -> bool {
        match by {
            PauseBy::File => self.flag_file(by, true, now),
            PauseBy::ServiceFile(_) => self.flag_file(by, true, now),
            PauseBy::Parameter | PauseBy::ServiceParameter(_) => {
                let name = self.parameter(by);
                let value = "{\"by\":\"ann\",\"reason\":\"release\"}";
                cloud.world(|world| world.set_parameter(&Place::Home.scope(), &name, value));
            }
            PauseBy::Policy(number) => {
                if self.papers[number].file != File::Good {
                    return false;
                }
                self.papers[number].paused = true;
                self.raise(by, now);
                self.write(number);
                return true;
            }
        }
        false
    }

    /// Takes a flag away again. Returns whether a policy file has changed.
    pub fn resume(&mut self, by: PauseBy, cloud: &Cloud, now: Timestamp) -> bool {
        match by {
            PauseBy::File | PauseBy::ServiceFile(_) => self.flag_file(by, false, now),
            PauseBy::Parameter | PauseBy::ServiceParameter(_) => {
                let name = self.parameter(by);
                cloud.world(|world| world.delete_parameter_by_person(&Place::Home.scope(), &name));
            }
            PauseBy::Policy(number) => {
                self.papers[number].paused = false;
                if self.papers[number].file != File::Broken(Breakage::Paused) {
                    self.lower(by, now);
                }
                self.write(number);
                return true;
            }
        }
        false
    }

    fn parameter(&self, by: PauseBy) -> String {
        match by {
            PauseBy::ServiceParameter(service) => format!("{PARAMETER}/{}", service_name(service)),
            _ => PARAMETER.to_owned(),
        }
    }

    fn flag_file(&mut self, by: PauseBy, set: bool, now: Timestamp) {
        let file = match by {
            PauseBy::ServiceFile(service) => self.state.join("pause.d").join(service_name(service)),
            _ => self.state.join("pause"),
        };
        let folder = file.parent().expect("a file in a folder");
        std::fs::create_dir_all(folder).expect("the state folder");
        if set {
            std::fs::write(&file, "").expect("a pause flag");
            self.raise(by, now);
        } else {
            // Two pauses by one flag end with the first.
            let _ = std::fs::remove_file(&file);
            self.lower(by, now);
        }
    }

    fn raise(&mut self, by: PauseBy, now: Timestamp) {
        let service = match by {
            PauseBy::File | PauseBy::Parameter => None,
            PauseBy::ServiceFile(n) | PauseBy::ServiceParameter(n) | PauseBy::Policy(n) => {
                Some(service_name(n))
            }
        };
        let stands = |(of, pause): &(PauseBy, Pause)| *of == by && pause.until.is_none();
        if !self.flags.iter().any(stands) {
            let pause = Pause {
                service,
                from: now,
                until: None,
            };
            self.flags.push((by, pause));
        }
    }

    fn lower(&mut self, by: PauseBy, now: Timestamp) {
        let mine = self.flags.iter_mut().filter(|(of, _)| *of == by);
        mine.for_each(|(_, pause)| pause.until = pause.until.or(Some(now)));
    }

    fn write(&self, number: usize) {
        let paper = &self.papers[number];
        let file = self.policies.join(file_name(number));
        let good = policy(&self.fleet, number, &paper.wanted, paper.paused.then_some("true"));
        let text = match paper.file {
            File::Good => good,
            File::Gone => {
                let _ = std::fs::remove_file(&file);
                return;
            }
            File::Broken(Breakage::NotYaml) => format!("{good}slots: [[{{\n"),
            File::Broken(Breakage::UnknownKey) => format!("{good}mainenance: always\n"),
            File::Broken(Breakage::BadValue) => good.replace("attempts: ", "attempts: many"),
            File::Broken(Breakage::Empty) => String::new(),
            File::Broken(Breakage::Paused) => format!("pause: true\n{good}mainenance: always\n"),
        };
        std::fs::write(&file, text).expect("a policy file");
    }
}

/// `false`: it was so already.
fn change(service: &mut Service, edit: Edit) -> bool {
    let before = service.clone();
    match edit {
        Edit::Swap => {
            if let [one, other, ..] = service.slots.as_mut_slice() {
                std::mem::swap(&mut one.of, &mut other.of);
                std::mem::swap(&mut one.select, &mut other.select);
                std::mem::swap(&mut one.count, &mut other.count);
            }
        }
        Edit::Idle { slot } => service.slots[slot].idle = !service.slots[slot].idle,
        Edit::OperatorStart => service.operator = Operator::Start,
        Edit::OperatorRespect => service.operator = Operator::Respect,
        Edit::Stopped { start } => service.starts_stopped = start,
        Edit::Replaces { on } => {
            if let Some(replace) = &mut service.replace {
                let grace_s = on.then_some(60);
                (replace.image_gone_s, replace.missing_s) = (grace_s, grace_s);
            }
        }
        Edit::Registers { on } => service.registers_after_s = on.then_some(60),
        Edit::Attempts(attempts) => service.attempts = attempts.min(service.attempts_per_day),
        Edit::Broken { .. } | Edit::Deleted { .. } => {}
    }
    *service != before
}
