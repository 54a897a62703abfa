use super::*;
use crate::env::Env;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

fn tis() -> ServiceName {
    ServiceName::new("tis")
}

fn in_files(folder: &Path) -> Sources {
    Sources {
        folder: folder.to_owned(),
        parameter: None,
    }
}

async fn read_files(folder: &Path) -> PauseReading {
    read(&tis(), None, &in_files(folder), &Env::system()).await
}

fn state() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn without_a_state_folder_nothing_is_paused() {
    let folder = state();
    let reading = read_files(&folder.path().join("none")).await;
    assert_eq!((reading.set.len(), reading.unreadable.len()), (0, 0));
    assert_eq!(reading.service, tis());
}

#[tokio::test]
async fn touching_a_file_pauses_and_its_text_is_the_reason() {
    let folder = state();
    fs::write(folder.path().join("pause"), "").unwrap();
    fs::create_dir(folder.path().join("pause.d")).unwrap();
    fs::write(folder.path().join("pause.d/tis"), "release\n").unwrap();
    fs::write(folder.path().join("pause.d/other"), "not ours").unwrap();
    let reading = read_files(folder.path()).await;
    assert!(reading.unreadable.is_empty());
    let [everything, service] = &reading.set[..] else {
        panic!("{reading:?}");
    };
    assert_eq!(
        (&everything.scope, &everything.reason),
        (&PauseScope::Everything, &None)
    );
    assert!(everything.since.is_some(), "the file's own time");
    assert_eq!(service.scope, PauseScope::Service(tis()));
    assert_eq!(service.reason.as_deref(), Some("release"));
    let path = folder.path().join("pause.d/tis").display().to_string();
    assert_eq!((&service.source, service.until), (&PauseSource::File(path), None));
}

#[tokio::test]
async fn an_end_that_has_passed_ends_it_and_one_to_come_does_not() {
    let folder = state();
    let path = folder.path().join("pause");
    fs::write(&path, r#"{"by": "ann", "until": "2020-01-01T00:00:00Z"}"#).unwrap();
    assert!(read_files(folder.path()).await.set.is_empty());
    fs::write(&path, r#"{"by": "ann", "until": "2200-01-01T00:00:00Z"}"#).unwrap();
    let reading = read_files(folder.path()).await;
    assert_eq!(reading.set[0].by.as_deref(), Some("ann"));
    assert_eq!(
        reading.set[0].until,
        Some("2200-01-01T00:00:00Z".parse().unwrap())
    );
}

#[tokio::test]
async fn whatever_else_has_the_name_of_a_flag_is_one() {
    let cases: [(&str, fn(&Path)); 3] = [
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("a link to nowhere", |path| {
            std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap();
        }),
        ("a pipe", |path| {
            let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(status.success());
        }),
    ];
    for (name, make) in cases {
        let folder = state();
        make(&folder.path().join("pause"));
        let reading = read_files(folder.path()).await;
        assert_eq!((reading.set.len(), reading.unreadable.len()), (0, 1), "{name}");
        let path = folder.path().join("pause").display().to_string();
        assert!(reading.unreadable[0].contains(&path), "{reading:?}");
    }
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_of_flags_is_one() {
    let folder = state();
    fs::write(folder.path().join("pause.d"), "oops").unwrap();
    assert_eq!(read_files(folder.path()).await.unreadable.len(), 1);
}

#[tokio::test]
async fn a_text_that_is_too_long_or_no_text_pauses_without_end() {
    let folder = state();
    let end = r#"{"until": "2020-01-01T00:00:00Z"}"#;
    let too_long = format!("{end}{}", " ".repeat(LONGEST));
    for bytes in [too_long.into_bytes(), [end.as_bytes(), &[0xff]].concat()] {
        fs::write(folder.path().join("pause"), bytes).unwrap();
        let reading = read_files(folder.path()).await;
        assert_eq!(reading.set[0].until, None);
        assert!(reading.set[0].reason.as_ref().unwrap().contains("not shown"));
    }
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_folder_is_never_opened() {
    let folder = state();
    for name in ["../pause", "", "a/b", "Tis", "tis.", &"x".repeat(64)] {
        let service = ServiceName::new(name);
        assert!(flag_path(folder.path(), Some(&service)).is_err(), "{name}");
        let reading = read(&service, None, &in_files(folder.path()), &Env::system()).await;
        assert_eq!(reading.unreadable.len(), 1, "counts as set: {name}");
        assert!(
            set(folder.path(), Some(&service), &Flag::default(), &Env::system())
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_flag_that_was_set_is_read_and_one_that_was_cleared_is_not() {
    let outer = state();
    let folder = outer.path().join("not/yet/there");
    let env = Env::system();
    let flag = Flag {
        by: Some("ann".to_owned()),
        reason: Some("release".to_owned()),
        since: Some("2026-11-11T04:00:00Z".parse().unwrap()),
        until: Some("2200-01-01T00:00:00Z".parse().unwrap()),
    };
    for service in [None, Some(tis())] {
        let written = set(&folder, service.as_ref(), &flag, &env).await.unwrap();
        assert_eq!(written.replaced, None);
        let reading = read_files(&folder).await;
        assert_eq!((reading.set.len(), reading.unreadable.len()), (1, 0));
        assert_eq!(reading.set[0].reason, flag.reason);
        assert_eq!(
            (reading.set[0].since, reading.set[0].until),
            (flag.since, flag.until)
        );
        let again = set(&folder, service.as_ref(), &Flag::default(), &env)
            .await
            .unwrap();
        assert_eq!(again.replaced.unwrap().by.as_deref(), Some("ann"));
        assert_eq!(
            clear(&folder, service.as_ref(), &env).await.unwrap(),
            Some(written.path)
        );
        assert_eq!(clear(&folder, service.as_ref(), &env).await.unwrap(), None);
        assert!(read_files(&folder).await.set.is_empty());
    }
    let mut left = vec![];
    for folder in [folder.clone(), folder.join("pause.d")] {
        left.extend(
            fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name()),
        );
    }
    assert_eq!(left, ["pause.d"], "no drafts are left over");
}

#[tokio::test]
async fn a_flag_that_cannot_be_set_or_cleared_says_what_that_means() {
    let folder = state();
    fs::create_dir_all(folder.path().join("pause/full")).unwrap();
    let env = Env::system();
    let error = set(folder.path(), None, &Flag::default(), &env)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nothing is paused by it"), "{error}");
    let error = clear(folder.path(), None, &env).await.unwrap_err();
    assert!(error.to_string().contains("it still pauses"), "{error}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no draft is left over"
    );
}

/// Answers from a map, fails, or never answers.
enum FakeParameters {
    Values(BTreeMap<String, String>),
    Fails,
    Hangs,
}

impl ParameterSource for FakeParameters {
    fn values(&self, names: Vec<String>) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        Box::pin(async move {
            match self {
                Self::Values(values) => {
                    let asked = values.iter().filter(|(name, _)| names.contains(name));
                    Ok(asked.map(|(name, value)| (name.clone(), value.clone())).collect())
                }
                Self::Fails => Err("GetParameters: AccessDeniedException (request r-1)".to_owned()),
                Self::Hangs => std::future::pending().await,
            }
        })
    }
}

async fn read_parameters(source: FakeParameters) -> PauseReading {
    let sources = Sources {
        folder: "/nowhere/at/all".into(),
        parameter: Some(Parameter {
            name: "/keepgreen/pause".to_owned(),
            source: Arc::new(source),
        }),
    };
    read(&tis(), None, &sources, &Env::system()).await
}

#[tokio::test]
async fn a_parameter_pauses_everything_or_its_service_and_no_other() {
    let none = read_parameters(FakeParameters::Values(BTreeMap::new())).await;
    assert_eq!((none.set.len(), none.unreadable.len()), (0, 0));
    let values = [
        (
            "/keepgreen/pause",
            r#"{"reason": "freeze", "until": "2200-01-01T00:00:00Z"}"#,
        ),
        ("/keepgreen/pause/tis", "x"),
        ("/keepgreen/pause/other", "x"),
    ];
    let values = values
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let reading = read_parameters(FakeParameters::Values(values)).await;
    let [everything, service] = &reading.set[..] else {
        panic!("{reading:?}");
    };
    assert_eq!(everything.reason.as_deref(), Some("freeze"));
    assert_eq!(
        everything.source,
        PauseSource::Parameter("/keepgreen/pause".to_owned())
    );
    assert_eq!(
        service.source,
        PauseSource::Parameter("/keepgreen/pause/tis".to_owned())
    );
    assert_eq!(
        (&service.scope, service.until),
        (&PauseScope::Service(tis()), None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_fails_or_never_answers_counts_as_set() {
    for (source, why) in [
        (FakeParameters::Fails, "AccessDeniedException (request r-1)"),
        (FakeParameters::Hangs, "no answer within 3 s"),
    ] {
        let reading = read_parameters(source).await;
        assert!(reading.set.is_empty());
        assert!(reading.unreadable[0].contains(why), "{reading:?}");
    }
}

/// Sets a flag file while it is being asked.
struct SetsFile(std::path::PathBuf, Mutex<bool>);

impl ParameterSource for SetsFile {
    fn values(&self, _: Vec<String>) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        Box::pin(async {
            *self.1.lock().unwrap() = true;
            tokio::time::sleep(Duration::from_millis(500)).await;
            fs::write(&self.0, "").unwrap();
            Ok(BTreeMap::new())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_reading_is_as_old_as_its_first_source() {
    let folder = state();
    let start = "2026-11-11T04:00:00Z".parse().unwrap();
    let clock = crate::env::VirtualClock::starting_at(start);
    let env = Env::simulated(clock, 1);
    let source = SetsFile(folder.path().join("pause"), Mutex::default());
    let sources = Sources {
        folder: folder.path().to_owned(),
        parameter: Some(Parameter {
            name: "/keepgreen/pause".to_owned(),
            source: Arc::new(source),
        }),
    };
    let reading = read(&tis(), None, &sources, &env).await;
    assert!(
        reading.set.is_empty(),
        "the files were read before the flag was there"
    );
    assert_eq!(reading.begun.wall, start);
}

#[tokio::test]
async fn the_policys_own_flag_is_one_of_the_sources() {
    let folder = state();
    let until = |until: &str| PolicyPause::Until {
        until: until.parse().unwrap(),
        reason: Some("a\u{1b}[2Jb".to_owned()),
        by: Some("ann".to_owned()),
    };
    let cases = [
        (PolicyPause::Off, 0),
        (PolicyPause::On, 1),
        (until("2020-01-01T00:00:00Z"), 0),
        (until("2200-01-01T00:00:00Z"), 1),
    ];
    for (pause, expected) in cases {
        let flag = of_policy(&tis(), "policies/tis.yaml", &pause);
        let reading = read(&tis(), flag, &in_files(folder.path()), &Env::system()).await;
        assert_eq!(reading.set.len(), expected, "{pause:?}");
        assert!(!format!("{:?}", reading.set).contains("\\u{1b}"));
    }
}
