//! A journal that cannot be written stops every mutation, says so, and healing resumes by itself once it can be.

use crate::harness::{House, Running, count, mutations};
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

fn journal(house: &House) -> Connection {
    let path = house.state().join(keepgreen::record::FILE_NAME);
    Connection::open(path).unwrap()
}

fn wait_looks(house: &House, running: &Running, more: usize) {
    let looks = || count(&house.server.calls(), "DescribeInstanceStatus");
    let before = looks();
    house.wait(running, "further looks", || looks() >= before + more);
}

#[test]
fn while_the_journal_is_locked_nothing_is_sent_and_then_healing_resumes() {
    let (house, incident) = House::incident();
    let running = house.run();
    wait_looks(&house, &running, 2);
    let other = journal(&house);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    house.server.stop(&incident.green, "Server.ScheduledStop");
    wait_looks(&house, &running, 3);
    assert!(
        mutations(&house.server.calls()).is_empty(),
        "{}",
        house.server.story()
    );
    assert!(running.stderr().contains("journal"), "{}", running.output());
    other.execute_batch("ROLLBACK").unwrap();
    house.wait(&running, "green serves again", || house.server.is_whole());
}

#[test]
fn while_the_disk_is_full_nothing_is_sent_and_then_healing_resumes() {
    let (house, incident) = House::incident();
    // A process that may make no file larger than a byte meets what a full disk is like, without one; the signal that
    // would end it for that is switched off.
    let running = house.start_after("trap '' XFSZ", &["run"]);
    wait_looks(&house, &running, 2);
    let pid = Pid::from_raw(i32::try_from(running.pid()).unwrap());
    let at_most = |current| Rlimit {
        current,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, at_most(Some(1))).unwrap();
    house.server.stop(&incident.green, "Server.ScheduledStop");
    wait_looks(&house, &running, 3);
    assert!(
        mutations(&house.server.calls()).is_empty(),
        "{}",
        house.server.story()
    );
    prlimit(pid, Resource::Fsize, at_most(None)).unwrap();
    house.wait(&running, "green serves again", || house.server.is_whole());
    assert_eq!(count(&house.server.calls(), "StartInstances"), 1);
}

#[test]
fn a_journal_of_a_newer_version_is_left_alone() {
    let (house, _) = House::incident();
    house.once();
    let newer = keepgreen_version(&house) + 1;
    journal(&house)
        .pragma_update(None, "user_version", newer)
        .unwrap();
    house.server.forget_calls();
    let ran = house.keepgreen(&["run", "--once"]);
    ran.assert_code(1);
    assert!(ran.stderr.contains("newer"), "{ran}");
    assert!(mutations(&house.server.calls()).is_empty());
    assert_eq!(keepgreen_version(&house), newer);
}

fn keepgreen_version(house: &House) -> i64 {
    journal(house)
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[test]
fn the_journal_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (house, _) = House::incident();
    house.once();
    for entry in std::fs::read_dir(house.state()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(
            mode & 0o077,
            0,
            "{} is open to others: {mode:o}",
            entry.path().display()
        );
    }
}
