use super::super::load::load_texts;
use super::*;
use proptest::prelude::*;

fn policy(service: &str, name: &str) -> String {
    format!("service: {service}\nslots: {{ blue: {{ select: {{ tags: {{ Name: {name} }} }} }} }}\n")
}

const BAD: &str = "service: tis\nslotz: {}\n";

fn good(entries: &[(&str, &str, &str)]) -> BTreeMap<ServiceName, GoodText> {
    let entry = |(service, file, text): &(&str, &str, &str)| {
        (
            ServiceName::from(*service),
            GoodText {
                file: (*file).to_owned(),
                text: (*text).to_owned(),
            },
        )
    };
    entries.iter().map(entry).collect()
}

fn merge(files: &[(&str, &str)], last_good: &BTreeMap<ServiceName, GoodText>) -> Effective {
    let texts: Vec<(String, String)> = files
        .iter()
        .map(|(file, text)| (format!("/etc/policies/{file}"), (*text).to_owned()))
        .collect();
    merge_last_good(&load_texts(&texts, Channels::Unchecked), last_good)
}

/// `service=name of its instances` for each policy in force.
fn in_force(effective: &Effective) -> Vec<String> {
    let name = |policy: &Policy| match &policy.slots.values().next().unwrap().select {
        super::super::types::Selector::Tags(tags) => tags["Name"].clone(),
        _ => unreachable!(),
    };
    effective
        .policies
        .values()
        .map(|policy| format!("{}={}", policy.service, name(policy)))
        .collect()
}

fn keys(effective: &Effective) -> Vec<String> {
    effective.findings.iter().map(PolicyFinding::key).collect()
}

#[test]
fn good_files_are_in_force_and_journaled_once() {
    let tis = policy("tis", "a");
    let first = merge(&[("tis.yaml", &tis)], &good(&[]));
    assert_eq!(in_force(&first), ["tis=a"]);
    assert_eq!(first.store, good(&[("tis", "tis.yaml", &tis)]));
    let again = merge(&[("tis.yaml", &tis)], &first.store);
    assert_eq!(in_force(&again), ["tis=a"]);
    assert!(again.store.is_empty() && again.findings.is_empty() && again.forget.is_empty());
}

#[test]
fn a_file_that_turns_bad_keeps_its_last_good_text_in_force_and_stops_no_other() {
    let (tis, app) = (policy("tis", "a"), policy("app", "b"));
    let effective = merge(
        &[("tis.yaml", BAD), ("app.yaml", &app)],
        &good(&[("tis", "tis.yaml", &tis)]),
    );
    assert_eq!(in_force(&effective), ["app=b", "tis=a"]);
    assert_eq!(keys(&effective), ["policy-refused/tis.yaml"]);
    assert_eq!(
        effective
            .store
            .keys()
            .map(ServiceName::as_str)
            .collect::<Vec<_>>(),
        ["app"]
    );
    let sentence = effective.findings[0].sentence();
    assert!(
        sentence.contains("stays under its last good policy"),
        "{sentence}"
    );
}

#[test]
fn a_bad_file_is_recognised_by_its_service_when_it_was_renamed_as_well() {
    let tis = policy("tis", "a");
    let effective = merge(&[("renamed.yaml", BAD)], &good(&[("tis", "tis.yaml", &tis)]));
    assert_eq!(in_force(&effective), ["tis=a"]);
    assert!(effective.forget.is_empty());
}

#[test]
fn a_bad_file_without_a_last_good_text_is_not_looked_after() {
    let effective = merge(&[("tis.yaml", BAD)], &good(&[]));
    assert!(effective.policies.is_empty());
    let sentence = effective.findings[0].sentence();
    assert!(sentence.contains("service tis is not looked after"), "{sentence}");
}

#[test]
fn a_pause_in_a_bad_file_counts() {
    let tis = policy("tis", "a");
    let last_good = good(&[("tis", "tis.yaml", &tis)]);
    for text in [
        "pause: true\nservice: tis\nslotz: {}\n",
        "pause: ture\nservice: tis\nslots: {}\n",
        "pause: { reason: deploy }\nservice: tis\n",
        "service: tis\npause:\n",
        "service: tis\n\tpause: true\n",
        "service: [\npause: true\n",
        "{ service: tis, 'pause': yes, slots: }}",
    ] {
        let effective = merge(&[("tis.yaml", text)], &last_good);
        assert_eq!(in_force(&effective), ["tis=a"], "{text}");
        assert_eq!(
            effective.policies.values().next().unwrap().pause,
            PolicyPause::On,
            "{text}"
        );
    }
    for text in [
        "service: [\n# pause: true\n",
        "service: [\npause: false\n",
        "service: [\nreason: pause it\n",
    ] {
        let effective = merge(&[("tis.yaml", text)], &last_good);
        assert_eq!(
            effective.policies.values().next().unwrap().pause,
            PolicyPause::Off,
            "{text}"
        );
    }
    let until = "service: tis\npause: { until: 2026-12-01T00:00:00Z }\n";
    let effective = merge(&[("tis.yaml", until)], &last_good);
    assert!(matches!(
        effective.policies.values().next().unwrap().pause,
        PolicyPause::Until { .. }
    ));
}

#[test]
fn a_bad_file_cannot_end_a_pause() {
    let paused = format!("pause: true\n{}", policy("tis", "a"));
    let effective = merge(&[("tis.yaml", BAD)], &good(&[("tis", "tis.yaml", &paused)]));
    assert_eq!(effective.policies.values().next().unwrap().pause, PolicyPause::On);
}

#[test]
fn a_deleted_file_gives_its_service_up_once() {
    let (tis, app) = (policy("tis", "a"), policy("app", "b"));
    let last_good = good(&[("tis", "tis.yaml", &tis), ("app", "app.yaml", &app)]);
    let effective = merge(&[("app.yaml", &app)], &last_good);
    assert_eq!(in_force(&effective), ["app=b"]);
    assert_eq!(keys(&effective), ["policy-given-up/tis"]);
    assert_eq!(
        effective
            .forget
            .iter()
            .map(ServiceName::as_str)
            .collect::<Vec<_>>(),
        ["tis"]
    );
}

#[test]
fn a_service_that_is_renamed_in_its_file_is_given_up_under_its_old_name() {
    let (old, new) = (policy("tis", "a"), policy("tis-prod", "a"));
    let effective = merge(&[("tis.yaml", &new)], &good(&[("tis", "tis.yaml", &old)]));
    assert_eq!(in_force(&effective), ["tis-prod=a"]);
    assert_eq!(keys(&effective), ["policy-given-up/tis"]);
}

#[test]
fn a_service_that_moves_to_another_file_stays_in_force() {
    let tis = policy("tis", "a");
    let effective = merge(&[("new.yaml", &tis)], &good(&[("tis", "tis.yaml", &tis)]));
    assert_eq!(in_force(&effective), ["tis=a"]);
    assert!(effective.findings.is_empty() && effective.forget.is_empty());
    assert_eq!(effective.store, good(&[("tis", "new.yaml", &tis)]));
}

#[test]
fn all_files_gone_at_once_keeps_everything() {
    let (tis, app) = (policy("tis", "a"), policy("app", "b"));
    let last_good = good(&[("tis", "tis.yaml", &tis), ("app", "app.yaml", &app)]);
    let gone = merge(&[], &last_good);
    assert_eq!(in_force(&gone), ["app=b", "tis=a"]);
    assert_eq!(keys(&gone), ["policy-all-gone"]);
    assert!(gone.forget.is_empty() && gone.store.is_empty());
    let unreadable = Loaded::unreadable(Problem::of_file("policies", "cannot be read"));
    let kept = merge_last_good(&unreadable, &last_good);
    assert_eq!(in_force(&kept), ["app=b", "tis=a"]);
    assert!(
        kept.findings[0]
            .sentence()
            .contains("2 services stay under the last good policies")
    );
}

#[test]
fn of_two_that_clash_the_one_that_was_in_force_stays() {
    let (tis, rival) = (policy("tis", "a"), policy("app", "a"));
    let effective = merge(
        &[("app.yaml", &rival), ("tis.yaml", &tis)],
        &good(&[("tis", "tis.yaml", &tis)]),
    );
    assert_eq!(in_force(&effective), ["tis=a"]);
    assert_eq!(keys(&effective), ["policy-refused/app.yaml"]);
    // The newcomer had a good text before: it keeps that.
    let before = policy("app", "b");
    let last_good = good(&[("tis", "tis.yaml", &tis), ("app", "app.yaml", &before)]);
    let effective = merge(&[("app.yaml", &rival), ("tis.yaml", &tis)], &last_good);
    assert_eq!(in_force(&effective), ["app=b", "tis=a"]);
}

#[test]
fn of_two_newcomers_that_clash_neither_is_in_force() {
    let effective = merge(
        &[
            ("app.yaml", &policy("app", "a")),
            ("tis.yaml", &policy("tis", "a")),
        ],
        &good(&[]),
    );
    assert!(effective.policies.is_empty());
    assert_eq!(
        keys(&effective),
        ["policy-refused/app.yaml", "policy-refused/tis.yaml"]
    );
}

#[test]
fn two_services_may_swap_their_instances_in_one_change() {
    let last_good = good(&[
        ("a", "a.yaml", &policy("a", "x")),
        ("b", "b.yaml", &policy("b", "y")),
    ]);
    let effective = merge(
        &[("a.yaml", &policy("a", "y")), ("b.yaml", &policy("b", "x"))],
        &last_good,
    );
    assert_eq!(in_force(&effective), ["a=y", "b=x"]);
    assert!(effective.findings.is_empty());
}

#[test]
fn a_change_that_clashes_with_what_another_falls_back_to_is_refused() {
    // `a` takes x over from `b`, but b's new file is bad, so `b` still has x.
    let last_good = good(&[
        ("a", "a.yaml", &policy("a", "w")),
        ("b", "b.yaml", &policy("b", "x")),
    ]);
    let effective = merge(
        &[("a.yaml", &policy("a", "x")), ("b.yaml", "service: b\n")],
        &last_good,
    );
    assert_eq!(in_force(&effective), ["a=w", "b=x"]);
    assert_eq!(
        keys(&effective),
        ["policy-refused/a.yaml", "policy-refused/b.yaml"]
    );
}

#[test]
fn a_copy_of_a_file_does_not_disturb_the_original() {
    let tis = policy("tis", "a");
    let last_good = good(&[("tis", "tis.yaml", &tis)]);
    let edited = policy("tis", "b");
    for (original, copy, expected) in [
        (&tis, &tis, "tis=a"),
        (&edited, &tis, "tis=b"),
        (&tis, &edited, "tis=a"),
    ] {
        let effective = merge(&[("copy of tis.yaml", copy), ("tis.yaml", original)], &last_good);
        assert_eq!(in_force(&effective), [expected]);
        assert_eq!(keys(&effective), ["policy-refused/copy of tis.yaml"]);
    }
}

#[test]
fn two_new_files_of_a_service_whose_own_file_is_gone_leave_its_last_good_text() {
    let last_good = good(&[("tis", "tis.yaml", &policy("tis", "a"))]);
    let files = [("one.yaml", policy("tis", "b")), ("two.yaml", policy("tis", "c"))];
    let effective = merge(
        &[(files[0].0, &files[0].1), (files[1].0, &files[1].1)],
        &last_good,
    );
    assert_eq!(in_force(&effective), ["tis=a"]);
    assert!(effective.store.is_empty(), "{:?}", effective.store);
}

#[test]
fn a_channel_that_was_removed_from_the_config_takes_no_service_out_of_force() {
    let text = format!("{}notify: [gone]\n", policy("tis", "a"));
    let known = BTreeSet::new();
    let loaded = load_texts(&[("tis.yaml".to_owned(), text.clone())], Channels::Known(&known));
    assert_eq!(loaded.problems.len(), 1);
    let effective = merge_last_good(&loaded, &good(&[("tis", "tis.yaml", &text)]));
    assert_eq!(in_force(&effective), ["tis=a"]);
}

#[test]
fn a_last_good_text_that_this_version_refuses_is_said_and_kept() {
    let last_good = good(&[("tis", "tis.yaml", "service: tis\n")]);
    let effective = merge(&[("tis.yaml", BAD)], &last_good);
    assert!(effective.policies.is_empty() && effective.forget.is_empty());
    assert_eq!(
        keys(&effective),
        ["policy-last-good-refused/tis", "policy-refused/tis.yaml"]
    );
}

proptest! {
    /// Any mix of files and memories: what is in force never clashes, is never somebody else's invention, and a
    /// service whose own file is still there is never forgotten.
    #[test]
    fn whatever_the_files_say_the_policies_in_force_fit_together(
        files in proptest::collection::btree_map(0..4usize, (0..4usize, 0..5usize), 0..5),
        memory in proptest::collection::btree_map(0..4usize, (0..4usize, 0..4usize), 0..4),
    ) {
        let text = |service: usize, name: usize| match name {
            4 => format!("service: s{service}\nbad: true\n"),
            _ => policy(&format!("s{service}"), &format!("n{name}")),
        };
        let texts: Vec<(String, String)> = files.iter()
            .map(|(file, (service, name))| (format!("f{file}.yaml"), text(*service, *name)))
            .collect();
        let last_good: BTreeMap<ServiceName, GoodText> = memory.iter()
            .map(|(service, (file, name))| {
                let good = GoodText { file: format!("f{file}.yaml"), text: text(*service, *name) };
                (ServiceName::new(format!("s{service}")), good)
            })
            .collect();
        let effective = merge_last_good(&load_texts(&texts, Channels::Unchecked), &last_good);
        let policies: Vec<&Policy> = effective.policies.values().collect();
        if !files.is_empty() {
            prop_assert_eq!(overlap::clashes(&policies), Vec::new());
        }
        for policy in &policies {
            let from_file = texts.iter().any(|(_, text)| super::super::parse::version_of(text) == policy.version);
            let from_memory = last_good.get(&policy.service)
                .is_some_and(|good| super::super::parse::version_of(&good.text) == policy.version);
            prop_assert!(from_file || from_memory);
        }
        for service in &effective.forget {
            prop_assert!(!effective.policies.contains_key(service));
            let named = texts.iter().any(|(_, text)| text.starts_with(&format!("service: {service}\n")));
            let file = &last_good[service].file;
            let file_is_another_service = texts.iter().any(|(name, _)| name == file);
            prop_assert!(!named || file_is_another_service, "{} forgotten", service);
        }
        for service in effective.store.keys() {
            prop_assert!(effective.policies.contains_key(service));
        }
    }
}
