//! What a night is like in the end, in a form in which two nights can be compared.

use crate::simulation::stage::end_state;
use keepgreen::model::{Replacement, ReplacementEnd};
use keepgreen::record::Journal;
use keepgreen::sim::Stage;
use std::collections::BTreeMap;

/// What the world and the journal are like in the end.
pub type End = BTreeMap<String, String>;

/// Launched instances have other ids each night: each by what it is, the one in whose place it was launched, the second such
/// one as such.
pub fn names(stage: &Stage) -> BTreeMap<String, String> {
    stage.cloud.world(|world| {
        let launched = world
            .instances()
            .filter_map(|i| Some((i.launch_time, i.id.clone(), i.tag("keepgreen:replaces")?)));
        let mut launched: Vec<_> = launched.collect();
        launched.sort();
        let mut names = BTreeMap::new();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, id, old) in launched {
            let count = counts.entry(old).or_default();
            *count += 1;
            names.insert(id, format!("no. {count} in place of {old}"));
        }
        names
    })
}

/// What is, in the world.
pub fn end_of_world(stage: &Stage) -> End {
    let names = names(stage);
    let canonical = |key: String| names.iter().fold(key, |key, (id, name)| key.replace(id, name));
    let mut end: End = end_state(stage)
        .into_iter()
        .map(|(key, what)| (canonical(key), what))
        .collect();
    stage.cloud.world(|world| {
        for retired in world.instances().filter(|i| i.tag("keepgreen:retired").is_some()) {
            end.insert(format!("{} is retired", retired.id), "true".to_owned());
        }
    });
    end
}

/// What is, in the world and in the journal; `None`: there is no journal yet.
pub async fn end_of(stage: &Stage) -> Option<End> {
    let mut end = end_of_world(stage);
    let env = stage.cloud.env(0);
    let journal = Journal::open_read_only(stage.state(), &env).await.unwrap()?;
    for (service, record) in journal.load_all().await.unwrap() {
        let record = record.unwrap();
        end.insert(
            format!("{service}: open intents"),
            record.unsettled.len().to_string(),
        );
        for (id, incident) in &record.memory.incidents {
            let quarantined = incident.quarantined.is_some();
            end.insert(format!("{service}: {id} quarantined"), quarantined.to_string());
        }
        for (old, one) in &record.memory.replacements {
            end.insert(format!("{service}: {old} replaced"), word(one).to_owned());
        }
    }
    Some(end)
}

fn word(one: &Replacement) -> &'static str {
    match &one.ended {
        Some(ReplacementEnd::Done { .. }) => "done",
        Some(ReplacementEnd::Abandoned { .. }) => "abandoned",
        None if one.quarantined.is_some() => "quarantined",
        None => "under way",
    }
}
