//! What a replacement is made of and from, read and sent by the program's own clients over the simulated AWS.

use futures_util::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::aws::{Accepted, Priority, Reader, ScopeKey, Sdk, Writer};
use crate::env::Clock;
use crate::model::{
    AwsError, Blueprint, CloneOf, ErrorClass, IdRecords, ImageListing, InstanceId, Intent, Launch,
    LaunchForm, Observation, RepairOf, Step, TargetState, TargetStep, UncarriedKind,
};
use crate::observe::{Asked, Lookout, TargetGroupDirectory, blueprints, look, supply};
use crate::policy::{Channels, Policy, parse_policy};
use crate::sim::world::builder::target_group_arn;
use crate::sim::world::launch::Settings;
use crate::sim::world::{ImageSpec, InstanceSpec, Scope, State, incident};
use crate::sim::{Fault, When};

const OWN: ScopeKey = ScopeKey {
    role: None,
    region: None,
};
const NEWER: &str = "ami-0a22d00d5eed0c0de";
const FOREIGN: &str = "ami-0f000000000000001";
const OTHERS: &str = "444455556666";
const TIS: &str = "
service: tis
slots:
  blue: { select: { tags: { Name: tis-prod-blue } }, target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, tis-upload] }
replace:
  image: [ { ssm: /tis/base }, { newest: { owners: [self], name: \"tis-base-*\" } }, { id: ami-0a11d00d5eed0c0de } ]
  instance_types: [m5.xlarge]
";

/// The program's clients, with the clock that they live by.
struct Hands {
    reader: Reader,
    writer: Writer,
    clock: Clock,
    directory: TargetGroupDirectory,
    policy: Policy,
}

impl Hands {
    async fn of(cloud: &Cloud) -> Self {
        let env = cloud.env(1);
        let clock = env.clock.clone();
        let sdk = Sdk::new(env, cloud.seams(&Incarnation::controller(1), ACCOUNT, REGION, 1));
        let parsed = parse_policy("tis.yaml", TIS, Channels::Unchecked);
        Self {
            reader: Reader::new(&sdk, &OWN).await.unwrap(),
            writer: Writer::new(&sdk, &OWN).await.unwrap(),
            clock,
            directory: TargetGroupDirectory::new(),
            policy: parsed.policy.unwrap(),
        }
    }

    async fn blueprint(&self, id: &str) -> Blueprint {
        let wanted = [(id.into(), "blue".into())];
        let mut read = blueprints(&self.reader, &wanted, self.clock.wall(), Priority::Repair).await;
        read.remove(&InstanceId::new(id)).unwrap().unwrap()
    }

    async fn send(&self, step: Step) -> Result<Accepted, AwsError> {
        let now = self.clock.now();
        let intent = Intent {
            id: "intent-1".into(),
            service: "tis".into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            step,
            policy_version: "v1".into(),
            reason: "a test".to_owned(),
            durable: now,
        };
        self.writer.send_unadmitted(&intent, now).await
    }

    async fn look(&self, also: &[&str]) -> Observation {
        let from = Lookout {
            reader: &self.reader,
            directory: &self.directory,
            clock: &self.clock,
            priority: Priority::Repair,
        };
        let asked = [Asked {
            policy: &self.policy,
            also: also.iter().map(|id| InstanceId::new(*id)).collect(),
        }];
        let looks: Vec<_> = look(from, &asked).collect().await;
        looks.into_iter().next().unwrap()
    }

    fn target(&self, id: &str, group: &str) -> TargetStep {
        TargetStep {
            instance: id.into(),
            group: group.to_owned(),
            arn: target_group_arn(&Scope::new(ACCOUNT, REGION), group)
                .as_str()
                .into(),
            port: None,
            of: of(),
        }
    }

    /// `None`: it is not registered.
    async fn health(&self, id: &str, group: &str) -> Option<TargetState> {
        let arn = target_group_arn(&Scope::new(ACCOUNT, REGION), group);
        let targets = self
            .reader
            .target_health(&arn.as_str().into(), Priority::Repair)
            .await;
        let mut targets = targets.unwrap().into_iter();
        targets
            .find(|target| target.instance.as_str() == id)
            .map(|target| target.health.state)
    }
}

fn of() -> RepairOf {
    RepairOf {
        slot: "blue".into(),
        repair: "repair-1".into(),
        about: incident::BLUE.into(),
        attempt: 1,
    }
}

/// The launch of another one like it, from the newer image.
fn clone_of(blueprint: &Blueprint) -> Launch {
    let marks = |tags: &BTreeMap<String, String>| {
        let mut tags = tags.clone();
        tags.insert("keepgreen:slot".to_owned(), "blue".to_owned());
        tags
    };
    let root = blueprint.root.clone().unwrap();
    Launch {
        of: of(),
        token: "kg-1".to_owned(),
        image: NEWER.into(),
        instance_type: blueprint.instance_type.clone(),
        subnet: blueprint.subnet.clone(),
        tags: marks(&blueprint.tags),
        volume_tags: marks(&root.tags),
        form: LaunchForm::Clone(Box::new(CloneOf {
            instance: blueprint.instance.clone(),
            security_groups: blueprint.security_groups.clone(),
            profile: blueprint.profile.clone(),
            key_name: blueprint.key_name.clone(),
            user_data: blueprint.user_data.clone(),
            id_records: IdRecords::default(),
            metadata: blueprint.metadata.clone(),
            monitoring: blueprint.monitoring,
            ebs_optimized: blueprint.ebs_optimized,
            cpu_credits: blueprint.cpu_credits.clone(),
            public_ip: blueprint.public_ip,
            root,
        })),
    }
}

fn settled() -> Settings {
    Settings {
        profile: Some(format!("arn:aws:iam::{ACCOUNT}:instance-profile/tis")),
        user_data: Some("IyEvYmluL3NoCg==".to_owned()),
        monitoring: true,
        cpu_credits: Some("unlimited".to_owned()),
        metadata: crate::sim::world::launch::Metadata {
            tokens: "required".to_owned(),
            hop_limit: 2,
            ..crate::sim::world::launch::Metadata::default()
        },
        ..Settings::default()
    }
}

#[test]
fn a_clone_of_a_server_has_the_same_blueprint_but_for_what_is_its_own() {
    let server = |public: bool| {
        let spec = InstanceSpec::new(&id(1))
            .name("tis-prod-blue")
            .instance_type("t3.medium");
        let spec = spec.settings(settled());
        if public { spec.public_ip() } else { spec }
    };
    for public in [false, true] {
        let world = incident::world(1)
            .image(ImageSpec::new(NEWER))
            .instance(server(public));
        simulate(world, |cloud| async move {
            let hands = Hands::of(&cloud).await;
            let old = hands.blueprint(&id(1)).await;
            assert_eq!(old.uncarried, []);
            assert_eq!(old.public_ip, public);
            let made = hands.send(Step::Launch(Box::new(clone_of(&old)))).await.unwrap();
            let new = made.launched.unwrap();
            tokio::time::sleep(seconds(120)).await;
            let new = hands.blueprint(new.as_str()).await;
            assert_eq!(new.image.as_str(), NEWER);
            let mut expected = Blueprint {
                instance: new.instance.clone(),
                image: NEWER.into(),
                taken: new.taken,
                launched_at: new.launched_at,
                digest: new.digest.clone(),
                ..old.clone()
            };
            // Whose device name counts is the image's; here both have the same.
            expected.tags.clone_from(&new.tags);
            assert_eq!(new, expected);
            assert_ne!(new.digest, old.digest, "its volumes and interfaces are its own");
        });
    }
}

#[test]
fn the_digest_of_a_server_outlives_a_stop_and_a_start() {
    let server = InstanceSpec::new(&id(1)).name("x").public_ip();
    simulate(incident::world(1).instance(server), |cloud| async move {
        let hands = Hands::of(&cloud).await;
        let digest = async || {
            let look = hands.look(&[&id(1)]).await;
            look.instances
                .get(&InstanceId::new(id(1)))
                .unwrap()
                .digest
                .clone()
        };
        let before = digest().await;
        assert_eq!(before.len(), 16);
        cloud.world(|w| w.stop_by_person(&id(1)));
        tokio::time::sleep(seconds(300)).await;
        assert_eq!(cloud.world(|w| w.instance(&id(1)).unwrap().state), State::Stopped);
        assert_eq!(digest().await, before);
        cloud.world(|w| w.start_by_person(&id(1)));
        tokio::time::sleep(seconds(300)).await;
        assert_eq!(digest().await, before);
        cloud.world(|w| w.retag(&id(1), "env", Some("prod")));
        tokio::time::sleep(seconds(30)).await;
        assert_ne!(digest().await, before);
    });
}

#[test]
fn a_repeat_of_a_launch_is_the_same_instance_and_another_request_with_its_token_is_refused() {
    simulate(
        incident::world(1).image(ImageSpec::new(NEWER)),
        |cloud| async move {
            let hands = Hands::of(&cloud).await;
            let launch = clone_of(&hands.blueprint(incident::BLUE).await);
            cloud.inject(When::action("RunInstances").times(1), Fault::AppliedNoAnswer);
            let lost = hands.send(Step::Launch(Box::new(launch.clone()))).await;
            assert_eq!(lost.unwrap_err().class, ErrorClass::Ambiguous);
            let first = hands.send(Step::Launch(Box::new(launch.clone()))).await.unwrap();
            let again = hands.send(Step::Launch(Box::new(launch.clone()))).await.unwrap();
            assert_eq!(first.launched, again.launched);
            assert_eq!(cloud.world(|w| w.instances().count()), 3, "one was made");
            let other = Launch {
                instance_type: "m5.xlarge".to_owned(),
                ..launch.clone()
            };
            let mismatch = hands.send(Step::Launch(Box::new(other))).await.unwrap_err();
            assert_eq!(
                (mismatch.class, mismatch.code.as_deref()),
                (ErrorClass::Token, Some("IdempotentParameterMismatch"))
            );
            let gone = first.launched.unwrap();
            let terminate = Step::Terminate {
                instance: gone,
                of: of(),
            };
            hands.send(terminate).await.unwrap();
            let dead = hands.send(Step::Launch(Box::new(launch))).await.unwrap_err();
            assert_eq!(
                (dead.class, dead.code.as_deref()),
                (ErrorClass::Token, Some("IdempotentInstanceTerminated"))
            );
        },
    );
}

#[test]
fn a_target_is_registered_drained_and_gone_and_its_server_put_down_and_marked() {
    simulate(
        incident::world(1).image(ImageSpec::new(NEWER)),
        |cloud| async move {
            let hands = Hands::of(&cloud).await;
            let launch = clone_of(&hands.blueprint(incident::BLUE).await);
            let made = hands.send(Step::Launch(Box::new(launch))).await.unwrap();
            let new = made.launched.unwrap();
            tokio::time::sleep(seconds(300)).await;
            let register = Step::Register(hands.target(new.as_str(), incident::TIS_PROD));
            hands.send(register).await.unwrap();
            tokio::time::sleep(seconds(300)).await;
            assert_eq!(
                hands.health(new.as_str(), incident::TIS_PROD).await,
                Some(TargetState::Healthy)
            );
            let deregister = || Step::Deregister(hands.target(incident::BLUE, incident::TIS_PROD));
            hands.send(deregister()).await.unwrap();
            tokio::time::sleep(seconds(600)).await;
            assert_eq!(hands.health(incident::BLUE, incident::TIS_PROD).await, None);
            hands.send(deregister()).await.unwrap();
            let (instance, of) = (InstanceId::new(incident::BLUE), of());
            let stop = Step::Stop {
                instance: instance.clone(),
                of: of.clone(),
            };
            hands.send(stop).await.unwrap();
            let retire = Step::Retire {
                instance,
                of,
                at: "2026-11-22T04:00:00Z".to_owned(),
            };
            hands.send(retire).await.unwrap();
            tokio::time::sleep(seconds(300)).await;
            let old = cloud.world(|w| w.instance(incident::BLUE).unwrap().clone());
            assert_eq!(old.state, State::Stopped);
            assert_eq!(
                old.tags.get("keepgreen:retired").unwrap().value,
                "2026-11-22T04:00:00Z"
            );
        },
    );
}

#[test]
fn a_look_has_instances_that_are_asked_for_by_id_with_all_that_is_known_of_them() {
    let stranger = InstanceSpec::new(&id(1)).name("nobody");
    let world = incident::world(1).instance(stranger);
    simulate(world, |cloud| async move {
        let hands = Hands::of(&cloud).await;
        assert_eq!(hands.look(&[]).await.instances.len(), 2);
        let look = hands.look(&[&id(1), &id(9)]).await;
        let stranger = InstanceId::new(id(1));
        assert_eq!(look.instances.len(), 3);
        assert!(look.coverage.is_complete(), "{:?}", look.coverage);
        assert!(look.statuses.contains_key(&stranger));
        assert!(look.image_metadata.contains_key(&stranger));
    });
}

#[test]
fn what_a_launch_cannot_carry_is_listed() {
    let odd = Settings {
        disable_api_termination: true,
        shutdown_terminates: true,
        auto_recovery: "disabled".to_owned(),
        hostname_kind: "resource-name".to_owned(),
        cpu: Some((1, 1)),
        ..Settings::default()
    };
    let world = incident::world(1).instance(InstanceSpec::new(&id(1)).name("x").settings(odd));
    simulate(world, |cloud| async move {
        let hands = Hands::of(&cloud).await;
        let left = hands.blueprint(&id(1)).await.uncarried;
        let rank = |kind: UncarriedKind| left.iter().filter(|one| one.kind == kind).count();
        assert_eq!(
            (
                rank(UncarriedKind::TerminationProtection),
                rank(UncarriedKind::Other)
            ),
            (1, left.len() - 1)
        );
        let told: Vec<&str> = left.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "termination protection",
                "CPU options: 1 cores of 1 threads, where its type has 1 of 2",
                "a host name made of its id",
                "automatic recovery that is off",
                "termination at its own shutdown",
            ]
        );
    });
}

#[test]
fn the_supply_of_a_service_is_read_whole() {
    let world = incident::world(1).image(ImageSpec::new(NEWER).name("tis-base-2026-11"));
    simulate(world, |cloud| async move {
        let scope = Scope::new(ACCOUNT, REGION);
        cloud.world(|w| w.set_parameter(&scope, "/tis/base", NEWER));
        let hands = Hands::of(&cloud).await;
        let blue = hands.blueprint(incident::BLUE).await;
        let supply = supply(
            &hands.reader,
            &hands.policy,
            &[&blue],
            &hands.clock,
            Priority::Repair,
            &hands.directory,
        )
        .await;
        assert_eq!(supply.failed, Vec::<String>::new());
        let images: Vec<&str> = supply
            .images
            .iter()
            .map(|offer| offer.image.as_ref().unwrap().id.as_str())
            .collect();
        assert_eq!(images, [NEWER, NEWER, incident::IMAGE]);
        let image = supply.images.first().unwrap().image.clone().unwrap();
        assert!(image.root_is_ebs && image.root_device.is_some() && image.root_size_gib.is_some());
        let types: BTreeSet<&str> = supply.types.keys().map(String::as_str).collect();
        assert_eq!(types, BTreeSet::from([blue.instance_type.as_str(), "m5.xlarge"]));
        let kind = supply.types.get("m5.xlarge").unwrap();
        assert!(kind.zones.contains(&blue.zone) && !kind.burstable && kind.ebs_optimizable);
        assert_eq!(supply.subnets.get(&blue.subnet).unwrap().zone, blue.zone);
        for (name, facts) in &supply.groups {
            assert!(facts.cross_zone && !facts.zones.is_empty(), "{name}: {facts:?}");
        }
        assert_eq!(supply.groups.len(), 2);
    });
}

#[test]
fn a_launch_from_a_template_is_of_the_version_that_was_read_with_what_is_chosen_laid_over_it() {
    let world = incident::world(1).image(ImageSpec::new(NEWER));
    simulate(world, |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder()
            .image_id(incident::IMAGE)
            .instance_type(aws_sdk_ec2::types::InstanceType::T3Micro)
            .disable_api_stop(true);
        let template = ec2.create_launch_template().launch_template_name("tis");
        template.launch_template_data(data.build()).send().await.unwrap();
        tokio::time::sleep(seconds(30)).await;
        let hands = Hands::of(&cloud).await;
        let facts = hands.reader.template("tis", "$Default", Priority::Repair).await;
        let facts = facts.unwrap();
        assert_eq!(
            (
                facts.version,
                facts.instance_type.as_deref(),
                facts.has_interfaces
            ),
            (1, Some("t3.micro"), false)
        );
        for version in ["$Latest", "1"] {
            let read = hands.reader.template("tis", version, Priority::Repair).await;
            assert_eq!(read.unwrap(), facts);
        }
        let gone = hands.reader.template("tis", "9", Priority::Repair).await;
        assert!(gone.unwrap_err().to_string().contains("tis at version 9"));
        let blue = hands.blueprint(incident::BLUE).await;
        let launch = Launch {
            form: LaunchForm::Template {
                name: "tis".to_owned(),
                version: facts.version,
            },
            instance_type: "m5.xlarge".to_owned(),
            ..clone_of(&blue)
        };
        let made = hands.send(Step::Launch(Box::new(launch))).await.unwrap();
        let made = made.launched.unwrap();
        let made = cloud.world(|w| w.instance(made.as_str()).unwrap().clone());
        assert_eq!(
            (
                made.image.as_str(),
                made.instance_type.as_str(),
                made.subnet.as_str()
            ),
            (NEWER, "m5.xlarge", blue.subnet.as_str())
        );
        assert!(made.settings.disable_api_stop, "the rest is the template's");
        assert!(made.tags.contains_key("keepgreen:slot"));
    });
}

/// What the look says of an image of another account, which then no longer shares it.
fn seen_of_the_private_image(fault: impl FnOnce(&Cloud) + 'static) -> Option<ImageListing> {
    let world = incident::world(1)
        .account(OTHERS)
        .image(ImageSpec::new(FOREIGN).owner(OTHERS).shared_with(ACCOUNT))
        .instance(InstanceSpec::new(&id(1)).image(FOREIGN).name("tis-prod-blue"));
    simulate(world, |cloud| async move {
        let hands = Hands::of(&cloud).await;
        let shared = hands.look(&[]).await;
        assert_eq!(
            shared.image_listings.get(&FOREIGN.into()),
            Some(&ImageListing::Listed(crate::model::ImageState::Available))
        );
        cloud.world(|w| w.share_image(FOREIGN, ACCOUNT, false));
        tokio::time::sleep(seconds(60)).await;
        fault(&cloud);
        hands.look(&[]).await.image_listings.remove(&FOREIGN.into())
    })
}

#[test]
fn an_image_made_private_is_absent_beside_a_witness_and_an_outage_makes_none_so() {
    assert_eq!(
        seen_of_the_private_image(|_| {}),
        Some(ImageListing::AbsentBesideAWitness)
    );
    // AWS has a bad day and shows no image at all.
    let empty = |cloud: &Cloud| cloud.inject(When::action("DescribeImages"), Fault::EmptyAnswer);
    assert_eq!(seen_of_the_private_image(empty), Some(ImageListing::Absent));
    // The witness is there, but the image itself could not be asked for.
    let denied = |cloud: &Cloud| {
        let denied = Fault::not_authorized("DescribeImages");
        cloud.inject(When::action("DescribeImages").about(FOREIGN), denied);
    };
    assert_eq!(seen_of_the_private_image(denied), Some(ImageListing::Absent));
}

#[test]
fn an_image_of_the_account_itself_serves_as_a_witness_where_no_instance_has_one() {
    let world = crate::sim::world::WorldBuilder::new(1)
        .account(OTHERS)
        .image(ImageSpec::new(NEWER))
        .image(ImageSpec::new(FOREIGN).owner(OTHERS).shared_with(ACCOUNT))
        .instance(InstanceSpec::new(&id(1)).image(FOREIGN).name("tis-prod-blue"));
    simulate(world, |cloud| async move {
        let hands = Hands::of(&cloud).await;
        cloud.world(|w| w.share_image(FOREIGN, ACCOUNT, false));
        tokio::time::sleep(seconds(60)).await;
        let look = hands.look(&[]).await;
        assert_eq!(
            look.image_listings.get(&FOREIGN.into()),
            Some(&ImageListing::AbsentBesideAWitness)
        );
    });
}
