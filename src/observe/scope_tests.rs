use super::*;
use crate::aws::canned::{self, Answer, Canned, Fleet, FleetInstance, elb_error, error};
use crate::aws::{ScopeKey, Sdk};
use crate::env::Clock;
use crate::observe::tests::{named, policy, serving, slot};
use futures_util::StreamExt as _;
use std::sync::Mutex;
use std::time::Duration;

/// What looks are made from, kept between them.
struct Watch {
    canned: Canned,
    reader: Reader,
    _sdk: Sdk,
    clock: Clock,
    directory: TargetGroupDirectory,
}

impl Watch {
    async fn new(answers: impl FnMut(&canned::Asked) -> Answer + Send + 'static) -> Self {
        let canned = Canned::new(answers);
        let sdk = canned.sdk();
        let reader = Reader::new(
            &sdk,
            &ScopeKey {
                role: None,
                region: None,
            },
        )
        .await
        .unwrap();
        let clock = canned.env().clock;
        Self {
            canned,
            reader,
            _sdk: sdk,
            clock,
            directory: TargetGroupDirectory::new(),
        }
    }

    async fn over(fleet: Fleet) -> Self {
        Self::new(move |asked| fleet.answer(asked)).await
    }

    /// In the order in which they came.
    async fn look(&self, policies: &[Policy]) -> Vec<Observation> {
        let asked: Vec<Asked<'_>> = policies.iter().map(Asked::of).collect();
        self.look_asked(&asked).await
    }

    async fn look_asked(&self, asked: &[Asked<'_>]) -> Vec<Observation> {
        let Self {
            reader,
            directory,
            clock,
            ..
        } = self;
        look(
            Lookout {
                reader,
                directory,
                clock,
                priority: Priority::Repair,
            },
            asked,
        )
        .collect()
        .await
    }

    async fn look_at(&self, policy: Policy) -> Observation {
        let [look] = self.look(&[policy]).await.try_into().unwrap();
        look
    }

    /// The calls since the last time.
    fn calls(&self, since: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for asked in self.canned.asked().into_iter().skip(since) {
            *counts.entry(asked.action).or_default() += 1;
        }
        counts
    }
}

fn counts(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs
        .iter()
        .map(|(action, count)| ((*action).to_owned(), *count))
        .collect()
}

/// Blue and green of `tis`, both in the target group `web`.
fn tis() -> (Fleet, Policy) {
    let instances = vec![
        FleetInstance::running("i-blue", "tis-blue"),
        FleetInstance::running("i-green", "tis-green"),
    ];
    let groups = BTreeMap::from([("web".to_owned(), vec!["i-blue".to_owned(), "i-green".to_owned()])]);
    let fleet = Fleet {
        instances,
        groups,
        ..Fleet::default()
    };
    (
        fleet,
        policy(
            "tis",
            vec![serving("tis-blue", &["web"]), serving("tis-green", &["web"])],
        ),
    )
}

fn parts(look: &Observation) -> Vec<Part> {
    look.coverage.gaps().iter().map(|gap| gap.part.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_whole_look_sees_everything_and_says_when_it_was() {
    let (fleet, policy) = tis();
    let watch = Watch::over(fleet).await;
    watch.clock.sleep(Duration::from_secs(5)).await;
    let look = watch.look_at(policy).await;
    assert_eq!(look.coverage, Coverage::Complete);
    assert_eq!(look.caller, Some("111122223333".into()));
    assert_eq!(
        (
            look.instances.len(),
            look.statuses.len(),
            look.image_metadata.len()
        ),
        (2, 2, 2)
    );
    assert_eq!(look.groups.get("web").unwrap().targets.len(), 2);
    assert_eq!(look.begun.boot, Duration::from_secs(5));
    assert!(look.ended.boot > look.begun.boot);
}

/// `services` services of two instances each, every two services in one target group.
fn many(services: usize) -> (Fleet, Vec<Policy>) {
    let mut fleet = Fleet::default();
    let mut policies = Vec::new();
    for number in 0..services {
        let group = format!("group-{}", number / 2);
        let names = [format!("s{number}-blue"), format!("s{number}-green")];
        for name in &names {
            fleet
                .instances
                .push(FleetInstance::running(&format!("i-{name}"), name));
            fleet
                .groups
                .entry(group.clone())
                .or_default()
                .push(format!("i-{name}"));
        }
        let slots = names
            .iter()
            .map(|name| serving(name, &[group.as_str()]))
            .collect();
        policies.push(policy(&format!("s{number}"), slots));
    }
    (fleet, policies)
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_look_are_at_their_floor() {
    // Instances, and the calls: listings of instances and images (200 names a request), of statuses (one request for 100
    // ids, else pages of 1,000), target groups.
    for (services, listings, statuses, groups) in
        [(1, 1, 1, 1), (50, 1, 1, 25), (51, 1, 1, 26), (500, 5, 1, 250)]
    {
        let (fleet, policies) = many(services);
        let watch = Watch::over(fleet).await;
        let looks = watch.look(&policies).await;
        assert!(
            looks
                .iter()
                .all(|look| look.coverage.is_complete() && look.instances.len() == 2)
        );
        let expected = counts(&[
            ("GetCallerIdentity", 1),
            ("DescribeInstances", listings),
            ("DescribeInstanceImageMetadata", listings),
            ("DescribeInstanceStatus", statuses),
            ("DescribeTargetGroups", 1),
            ("DescribeTargetHealth", groups),
        ]);
        assert_eq!(watch.calls(0), expected, "{services} services");
        let before = watch.canned.asked().len();
        watch.look(&policies).await;
        let mut again = expected;
        again.remove("DescribeTargetGroups");
        assert_eq!(watch.calls(before), again, "{services} services, the second time");
    }
}

#[tokio::test(start_paused = true)]
async fn one_instance_without_target_groups_costs_four_calls() {
    let fleet = Fleet {
        instances: vec![FleetInstance::running("i-1", "web")],
        ..Fleet::default()
    };
    let watch = Watch::over(fleet).await;
    watch.look_at(policy("tis", vec![slot(named("web"))])).await;
    assert_eq!(watch.canned.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn statuses_are_asked_of_running_instances_only_and_not_at_all_without_any() {
    let (mut fleet, policy) = tis();
    fleet
        .instances
        .iter_mut()
        .for_each(|instance| instance.state = "stopped");
    let watch = Watch::over(fleet).await;
    let look = watch.look_at(policy).await;
    assert_eq!(
        (
            watch.canned.count("DescribeInstanceStatus"),
            look.coverage.is_complete()
        ),
        (0, true)
    );
}

#[tokio::test(start_paused = true)]
async fn images_are_asked_about_only_when_in_doubt_and_absence_is_told() {
    let (mut fleet, policy) = tis();
    fleet.images.insert("ami-1".to_owned(), "deregistered");
    let watch = Watch::over(fleet).await;
    let look = watch.look_at(policy).await;
    assert_eq!(watch.canned.count("DescribeImages"), 1);
    assert_eq!(
        look.image_listings,
        [("ami-1".into(), ImageListing::Absent)].into()
    );
}

#[tokio::test(start_paused = true)]
async fn each_part_that_fails_is_its_own_gap_and_only_that() {
    let group = || Part::TargetGroup("web".to_owned());
    let table = [
        ("GetCallerIdentity", vec![Part::Identity]),
        ("DescribeInstances", vec![Part::Instances]),
        ("DescribeInstanceStatus", vec![Part::Statuses]),
        ("DescribeInstanceImageMetadata", vec![Part::ImageMetadata]),
        ("DescribeImages", vec![Part::ImageListings]),
        ("DescribeTargetGroups", vec![group()]),
        ("DescribeTargetHealth", vec![group()]),
    ];
    for (action, expected) in table {
        let (mut fleet, policy) = tis();
        fleet.images.insert("ami-1".to_owned(), "deregistered");
        let watch = Watch::new(move |asked| match asked.action == action {
            true if asked.url.contains("elasticloadbalancing") => elb_error(403, "AccessDenied"),
            true if asked.url.contains("sts") => elb_error(403, "AccessDenied"),
            true => error(403, "UnauthorizedOperation"),
            false => fleet.answer(asked),
        })
        .await;
        let look = watch.look_at(policy).await;
        assert_eq!(parts(&look), expected, "{action}");
        let why = &look.coverage.gaps().first().unwrap().why;
        assert!(why.contains(action), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_whose_second_page_failed_is_a_gap_and_keeps_the_first() {
    let (mut fleet, policy) = tis();
    fleet.page = 1;
    let watch = Watch::new(
        move |asked| match (asked.action.as_str(), asked.param("NextToken")) {
            ("DescribeInstances", "1") => error(403, "UnauthorizedOperation"),
            _ => fleet.answer(asked),
        },
    )
    .await;
    let look = watch.look_at(policy).await;
    assert_eq!(parts(&look), [Part::Instances]);
    assert_eq!(
        look.instances.keys().map(InstanceId::as_str).collect::<Vec<_>>(),
        ["i-blue"]
    );
    assert_eq!((look.statuses.len(), look.image_metadata.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_a_gap_in_the_services_that_need_it_alone() {
    let (mut fleet, tis) = tis();
    fleet.instances.push(FleetInstance::running("i-other", "other"));
    fleet
        .groups
        .insert("broken".to_owned(), vec!["i-other".to_owned()]);
    let other = policy("other", vec![serving("other", &["broken"])]);
    let watch = Watch::new(
        move |asked| match asked.param("TargetGroupArn").contains("/broken/") {
            true => elb_error(403, "AccessDenied"),
            false => fleet.answer(asked),
        },
    )
    .await;
    let looks = watch.look(&[tis, other]).await;
    let of = |name: &str| looks.iter().find(|look| look.service.as_str() == name).unwrap();
    assert_eq!(parts(of("tis")), []);
    assert_eq!(parts(of("other")), [Part::TargetGroup("broken".to_owned())]);
    assert_eq!(of("other").instances.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hung_target_group_delays_no_service_that_does_not_serve_in_it() {
    let (mut fleet, tis) = tis();
    fleet.groups.insert("hung".to_owned(), Vec::new());
    let hung = policy("hung", vec![serving("tis-blue", &["hung"])]);
    let watch = Watch::new(
        move |asked| match asked.param("TargetGroupArn").contains("/hung/") {
            true => Answer::Hangs,
            false => fleet.answer(asked),
        },
    )
    .await;
    let looks = watch.look(&[hung, tis]).await;
    let [first, second] = &looks[..] else { panic!() };
    assert_eq!(
        (first.service.as_str(), first.coverage.is_complete()),
        ("tis", true)
    );
    assert!(first.ended.since(&first.begun) < Duration::from_millis(100));
    assert_eq!(parts(second), [Part::TargetGroup("hung".to_owned())]);
    assert!(second.ended.since(&second.begun) <= Duration::from_secs(21));
}

#[tokio::test(start_paused = true)]
async fn at_most_eight_target_groups_are_asked_about_at_once() {
    let (fleet, policies) = many(100);
    let hung: Arc<Mutex<usize>> = Arc::default();
    let counter = Arc::clone(&hung);
    let watch = Watch::new(move |asked| match asked.action == "DescribeTargetHealth" {
        true => {
            *counter.lock().unwrap() += 1;
            Answer::Hangs
        }
        false => fleet.answer(asked),
    })
    .await;
    let one_try = Duration::from_secs(5);
    let _ = tokio::time::timeout(one_try, watch.look(&policies)).await;
    assert_eq!(*hung.lock().unwrap(), MOST_GROUPS_AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_not_there_is_neither_a_gap_nor_an_entry_and_is_sought_again_after_a_minute() {
    let (fleet, mut policy) = tis();
    policy.slots.values_mut().for_each(|slot| {
        slot.target_groups
            .iter_mut()
            .for_each(|group| group.name = "typo".to_owned());
    });
    let watch = Watch::over(fleet).await;
    for (wait_s, lists) in [(0, 1), (30, 1), (31, 2)] {
        watch.clock.sleep(Duration::from_secs(wait_s)).await;
        let look = watch.look_at(policy.clone()).await;
        assert_eq!((parts(&look), look.groups.len()), (vec![], 0));
        assert_eq!(
            watch.canned.count("DescribeTargetGroups"),
            lists,
            "after {wait_s} s more"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_of_target_groups_is_read_again_after_ten_minutes_and_serves_on_if_that_fails() {
    let (fleet, policy) = tis();
    let lists: Arc<Mutex<usize>> = Arc::default();
    let counter = Arc::clone(&lists);
    let watch = Watch::new(move |asked| {
        if asked.action == "DescribeTargetGroups" {
            *counter.lock().unwrap() += 1;
            if *counter.lock().unwrap() > 1 {
                return elb_error(403, "AccessDenied");
            }
        }
        fleet.answer(asked)
    })
    .await;
    for (wait_s, expected) in [(0, 1), (590, 1), (10, 2), (0, 3)] {
        watch.clock.sleep(Duration::from_secs(wait_s)).await;
        assert!(watch.look_at(policy.clone()).await.coverage.is_complete());
        assert_eq!(*lists.lock().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_made_anew_is_found_at_the_next_look() {
    let (fleet, policy) = tis();
    let anew = Arc::new(Mutex::new(false));
    let switch = Arc::clone(&anew);
    let watch = Watch::new(
        move |asked| match (*switch.lock().unwrap(), fleet.answer(asked)) {
            (true, _) if asked.param("TargetGroupArn").ends_with("0123456789abcdef") => {
                elb_error(400, "TargetGroupNotFound")
            }
            (true, Answer::Of(status, text)) if asked.action == "DescribeTargetGroups" => {
                Answer::Of(status, text.replace("0123456789abcdef", "fedcba9876543210"))
            }
            (true, _) if asked.action == "DescribeTargetHealth" => {
                let mut old = asked.clone();
                old.params
                    .insert("TargetGroupArn".to_owned(), crate::aws::canned::group_arn("web"));
                fleet.answer(&old)
            }
            (_, answer) => answer,
        },
    )
    .await;
    assert!(watch.look_at(policy.clone()).await.coverage.is_complete());
    *anew.lock().unwrap() = true;
    let lost = watch.look_at(policy.clone()).await;
    assert!(
        lost.coverage
            .gaps()
            .first()
            .unwrap()
            .why
            .contains("TargetGroupNotFound")
    );
    let found = watch.look_at(policy).await;
    assert_eq!(
        (
            found.coverage.is_complete(),
            found.groups.get("web").unwrap().targets.len()
        ),
        (true, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_can_be_named_by_its_arn() {
    let (fleet, mut policy) = tis();
    let arn = crate::aws::canned::group_arn("web");
    let other = arn.replace("0123456789abcdef", "0000000000000000");
    policy.slots.values_mut().for_each(|slot| {
        slot.target_groups
            .iter_mut()
            .for_each(|group| group.name.clone_from(&arn));
    });
    let watch = Watch::over(fleet).await;
    let look = watch.look_at(policy.clone()).await;
    assert_eq!(look.groups.get(&arn).unwrap().name, "web");
    policy.slots.values_mut().for_each(|slot| {
        slot.target_groups
            .iter_mut()
            .for_each(|group| group.name.clone_from(&other));
    });
    assert_eq!(
        watch.look_at(policy).await.groups.len(),
        0,
        "an ARN is not its name"
    );
}

#[tokio::test(start_paused = true)]
async fn when_the_listing_of_all_statuses_fails_ours_are_asked_for_a_hundred_at_a_time() {
    let (fleet, policies) = many(60);
    let watch = Watch::new(move |asked| {
        let ids = asked.list("InstanceId");
        match asked.action.as_str() {
            "DescribeInstanceStatus" if ids.is_empty() => error(503, "Unavailable"),
            "DescribeInstanceStatus" if ids.contains(&"i-s9-green".to_owned()) => {
                error(403, "UnauthorizedOperation")
            }
            _ => fleet.answer(asked),
        }
    })
    .await;
    let looks = watch.look(&policies).await;
    let lacking: BTreeSet<&str> = looks
        .iter()
        .filter(|look| look.coverage.gap(&Part::Statuses).is_some())
        .map(|look| look.service.as_str())
        .collect();
    // Of the two requests, the one with the last twenty ids failed, and with it ten services.
    assert_eq!(
        (looks.len(), lacking.len(), lacking.contains("s9")),
        (60, 10, true)
    );
}

#[tokio::test(start_paused = true)]
async fn the_look_before_a_mutation_reads_identity_and_instances_and_claims_nothing_else() {
    let (fleet, policy) = tis();
    let watch = Watch::over(fleet).await;
    let look =
        crate::observe::look_again(&watch.reader, &Asked::of(&policy), &watch.clock, Priority::Start).await;
    assert_eq!(
        watch.calls(0),
        counts(&[("GetCallerIdentity", 1), ("DescribeInstances", 1)])
    );
    assert_eq!(
        (look.instances.len(), look.caller),
        (2, Some("111122223333".into()))
    );
    for part in [Part::Identity, Part::Instances] {
        assert_eq!(look.coverage.gap(&part), None);
    }
    for part in [
        Part::Statuses,
        Part::ImageMetadata,
        Part::TargetGroup("web".to_owned()),
    ] {
        assert!(look.coverage.gap(&part).is_some(), "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_asked_for_by_id_is_in_its_services_look_alone_and_with_everything() {
    let (mut fleet, tis) = tis();
    fleet
        .instances
        .push(FleetInstance::running("i-launched", "nobody"));
    fleet.images.insert("ami-1".to_owned(), "deregistered");
    let other = policy("other", vec![slot(named("tis-blue"))]);
    let watch = Watch::over(fleet).await;
    let also = ["i-launched".into(), "i-never-was".into()].into();
    let asked = [Asked { policy: &tis, also }, Asked::of(&other)];
    let looks = watch.look_asked(&asked).await;
    let of = |name: &str| looks.iter().find(|look| look.service.as_str() == name).unwrap();
    let tis = of("tis");
    assert_eq!(parts(tis), []);
    let ids: Vec<&str> = tis.instances.keys().map(InstanceId::as_str).collect();
    assert_eq!(ids, ["i-blue", "i-green", "i-launched"]);
    assert_eq!((tis.statuses.len(), tis.image_metadata.len()), (3, 3));
    assert_eq!(tis.image_listings.len(), 1);
    assert_eq!(of("other").instances.len(), 1);
    assert_eq!(watch.canned.count("DescribeInstances"), 2);
}

#[tokio::test(start_paused = true)]
async fn the_look_before_a_mutation_has_instances_that_are_asked_for_by_id() {
    let (mut fleet, policy) = tis();
    fleet
        .instances
        .push(FleetInstance::running("i-launched", "nobody"));
    let watch = Watch::over(fleet).await;
    let asked = Asked {
        policy: &policy,
        also: ["i-launched".into()].into(),
    };
    let look = crate::observe::look_again(&watch.reader, &asked, &watch.clock, Priority::Repair).await;
    assert_eq!(look.instances.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_retired_or_has_ended_hurries_nobody() {
    let (fleet, policy) = tis();
    let mut retired = FleetInstance::running("i-old", "tis-blue");
    retired.state = "stopped";
    let stopped = retired.clone();
    let mut ended = stopped.clone();
    ended.state = "terminated";
    retired.tags.insert("keepgreen:retired".to_owned(), String::new());
    for (instance, urgent) in [(retired, 0), (stopped, 1), (ended, 0)] {
        let mut fleet = fleet.clone();
        fleet.instances.push(instance);
        let watch = Watch::over(fleet).await;
        let asked = [Asked::of(&policy)];
        let managed = watch.look_asked(&asked).await.remove(0).instances;
        assert_eq!(urgent_groups(&asked, &managed).len(), urgent);
    }
}
