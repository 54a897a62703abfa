//! Each step's request, to the parameter.

use super::*;
use crate::aws::canned::{Answer, Asked, Canned, elb_error, error, group_arn, ok};
use crate::model::{
    CloneOf, ErrorClass, IdRecords, LaunchForm, MetadataOptions, RepairOf, RootVolume, UserData,
};
use std::collections::BTreeMap;
use std::time::Duration;

const OWN: ScopeKey = ScopeKey {
    role: None,
    region: None,
};
const MADE: &str = "<R><instancesSet><item><instanceId>i-new</instanceId></item></instancesSet></R>";

fn of() -> RepairOf {
    RepairOf {
        slot: "green".into(),
        repair: "repair-1".into(),
        about: "i-old".into(),
        attempt: 1,
    }
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn clone_of() -> CloneOf {
    CloneOf {
        instance: "i-old".into(),
        security_groups: ["sg-1".to_owned(), "sg-2".to_owned()].into(),
        profile: Some("arn:aws:iam::111122223333:instance-profile/tis".to_owned()),
        key_name: Some("ops".to_owned()),
        user_data: Some(UserData::new("aHVudGVyMg==")),
        id_records: IdRecords::default(),
        metadata: MetadataOptions {
            tokens: Some("required".to_owned()),
            hop_limit: Some(2),
            endpoint: Some("enabled".to_owned()),
            ipv6: Some("disabled".to_owned()),
            tags: Some("enabled".to_owned()),
        },
        monitoring: true,
        ebs_optimized: true,
        cpu_credits: Some("unlimited".to_owned()),
        public_ip: false,
        root: RootVolume {
            device: "/dev/sda1".to_owned(),
            size_gib: 40,
            kind: "gp3".to_owned(),
            iops: Some(4_000),
            throughput: Some(250),
            encrypted: true,
            kms_key: Some("arn:aws:kms:eu-west-2:111122223333:key/1".to_owned()),
            delete_on_termination: true,
            tags: BTreeMap::new(),
        },
    }
}

fn launch(form: LaunchForm) -> Launch {
    Launch {
        of: of(),
        token: "kg-repair-1-1-0".to_owned(),
        image: "ami-2".into(),
        instance_type: "t3.medium".to_owned(),
        subnet: "subnet-1".to_owned(),
        form,
        tags: tags(&[("Name", "tis-green"), ("keepgreen:slot", "green")]),
        volume_tags: tags(&[("keepgreen:slot", "green")]),
    }
}

fn cloning(change: impl FnOnce(&mut CloneOf)) -> Step {
    let mut of = clone_of();
    change(&mut of);
    Step::Launch(Box::new(launch(LaunchForm::Clone(Box::new(of)))))
}

fn target(port: Option<u16>) -> TargetStep {
    TargetStep {
        instance: "i-new".into(),
        group: "tis-upload".to_owned(),
        arn: group_arn("tis-upload").as_str().into(),
        port,
        of: of(),
    }
}

fn intent(canned: &Canned, step: Step) -> Intent {
    Intent {
        id: "intent-1".into(),
        service: "tis".into(),
        account: "111122223333".into(),
        region: "eu-west-2".into(),
        step,
        policy_version: "v1".into(),
        reason: "its image is gone".to_owned(),
        durable: canned.clock.now(),
    }
}

async fn send(canned: &Canned, step: Step) -> Result<Accepted, AwsError> {
    let writer = Writer::new(&canned.sdk(), &OWN).await.unwrap();
    writer.carry_out(&intent(canned, step), canned.clock.now()).await
}

/// The one request that the step sends, without what every request has.
async fn request(step: Step, answer: &'static str) -> (Asked, BTreeMap<String, String>) {
    let canned = Canned::new(move |_| ok(answer));
    send(&canned, step).await.unwrap();
    let [asked] = &canned.asked()[..] else {
        panic!("{:?}", canned.asked())
    };
    let mut params = asked.params.clone();
    params.retain(|key, _| !["Action", "Version"].contains(&key.as_str()));
    (asked.clone(), params)
}

#[tokio::test(start_paused = true)]
async fn a_clone_is_asked_for_with_everything_that_the_old_one_has_and_nothing_besides() {
    let (asked, params) = request(cloning(|_| {}), MADE).await;
    assert_eq!(asked.action, "RunInstances");
    let expected = tags(&[
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("ClientToken", "kg-repair-1-1-0"),
        ("ImageId", "ami-2"),
        ("InstanceType", "t3.medium"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SubnetId", "subnet-1"),
        ("NetworkInterface.1.SecurityGroupId.1", "sg-1"),
        ("NetworkInterface.1.SecurityGroupId.2", "sg-2"),
        ("NetworkInterface.1.AssociatePublicIpAddress", "false"),
        ("NetworkInterface.1.DeleteOnTermination", "true"),
        (
            "IamInstanceProfile.Arn",
            "arn:aws:iam::111122223333:instance-profile/tis",
        ),
        ("KeyName", "ops"),
        ("UserData", "aHVudGVyMg=="),
        ("MetadataOptions.HttpTokens", "required"),
        ("MetadataOptions.HttpPutResponseHopLimit", "2"),
        ("MetadataOptions.HttpEndpoint", "enabled"),
        ("MetadataOptions.HttpProtocolIpv6", "disabled"),
        ("MetadataOptions.InstanceMetadataTags", "enabled"),
        ("Monitoring.Enabled", "true"),
        ("EbsOptimized", "true"),
        ("CreditSpecification.CpuCredits", "unlimited"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/sda1"),
        ("BlockDeviceMapping.1.Ebs.VolumeSize", "40"),
        ("BlockDeviceMapping.1.Ebs.VolumeType", "gp3"),
        ("BlockDeviceMapping.1.Ebs.Iops", "4000"),
        ("BlockDeviceMapping.1.Ebs.Throughput", "250"),
        ("BlockDeviceMapping.1.Ebs.Encrypted", "true"),
        (
            "BlockDeviceMapping.1.Ebs.KmsKeyId",
            "arn:aws:kms:eu-west-2:111122223333:key/1",
        ),
        ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "tis-green"),
        ("TagSpecification.1.Tag.2.Key", "keepgreen:slot"),
        ("TagSpecification.1.Tag.2.Value", "green"),
        ("TagSpecification.2.ResourceType", "volume"),
        ("TagSpecification.2.Tag.1.Key", "keepgreen:slot"),
        ("TagSpecification.2.Tag.1.Value", "green"),
    ]);
    assert_eq!(params, expected);
}

#[tokio::test(start_paused = true)]
async fn what_the_old_one_does_not_have_is_not_asked_for() {
    let bare = cloning(|of| {
        of.profile = None;
        of.key_name = None;
        of.user_data = None;
        of.metadata = MetadataOptions::default();
        of.monitoring = false;
        of.ebs_optimized = false;
        of.cpu_credits = None;
        of.public_ip = true;
        of.root = RootVolume {
            kind: "gp2".to_owned(),
            iops: None,
            throughput: None,
            encrypted: false,
            kms_key: None,
            delete_on_termination: false,
            ..of.root.clone()
        };
    });
    let (asked, params) = request(bare, MADE).await;
    let absent = ["IamInstance", "KeyName", "UserData", "Metadata", "CreditSpec"];
    let found: Vec<&String> = params
        .keys()
        .filter(|key| absent.iter().any(|start| key.starts_with(start)))
        .collect();
    assert_eq!(found, Vec::<&String>::new());
    for (key, value) in [
        ("Monitoring.Enabled", "false"),
        ("EbsOptimized", "false"),
        ("NetworkInterface.1.AssociatePublicIpAddress", "true"),
        ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"),
        // AWS refuses to be told that the snapshot's encryption is to go.
        ("BlockDeviceMapping.1.Ebs.Encrypted", ""),
        ("BlockDeviceMapping.1.Ebs.SnapshotId", ""),
        ("BlockDeviceMapping.1.Ebs.Iops", ""),
        // Beside an interface AWS takes neither.
        ("SubnetId", ""),
        ("SecurityGroupId.1", ""),
    ] {
        assert_eq!(asked.param(key), value, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn beside_a_metadata_endpoint_that_is_off_no_other_option_is_sent() {
    let off = cloning(|of| of.metadata.endpoint = Some("disabled".to_owned()));
    let (_, params) = request(off, MADE).await;
    let options: Vec<(&str, &str)> = params
        .iter()
        .filter(|(key, _)| key.starts_with("MetadataOptions"))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(options, [("MetadataOptions.HttpEndpoint", "disabled")]);
}

#[tokio::test(start_paused = true)]
async fn from_a_template_only_what_is_chosen_is_laid_over_it() {
    let form = LaunchForm::Template {
        name: "tis".to_owned(),
        version: 7,
    };
    let mut launch = launch(form);
    launch.volume_tags = BTreeMap::new();
    let (_, params) = request(Step::Launch(Box::new(launch)), MADE).await;
    let expected = tags(&[
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("ClientToken", "kg-repair-1-1-0"),
        ("ImageId", "ami-2"),
        ("InstanceType", "t3.medium"),
        ("SubnetId", "subnet-1"),
        ("LaunchTemplate.LaunchTemplateName", "tis"),
        ("LaunchTemplate.Version", "7"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "tis-green"),
        ("TagSpecification.1.Tag.2.Key", "keepgreen:slot"),
        ("TagSpecification.1.Tag.2.Value", "green"),
    ]);
    assert_eq!(params, expected, "a specification without a tag is refused");
}

#[tokio::test(start_paused = true)]
async fn a_launch_tells_which_instance_it_made_and_an_answer_that_names_not_one_is_ambiguous() {
    let canned = Canned::new(|_| ok(MADE));
    let accepted = send(&canned, cloning(|_| {})).await.unwrap();
    assert_eq!(accepted.launched, Some("i-new".into()));
    let odd = [
        "<R><instancesSet/></R>",
        "<R/>",
        "<R><instancesSet><item><imageId>ami-2</imageId></item></instancesSet></R>",
        "<R><instancesSet><item><instanceId>i-1</instanceId></item><item><instanceId>i-2</instanceId></item>\
         </instancesSet></R>",
    ];
    for answer in odd {
        let canned = Canned::new(move |_| ok(answer));
        let error = send(&canned, cloning(|_| {})).await.unwrap_err();
        assert_eq!(
            (error.class, error.operation.as_str()),
            (ErrorClass::Ambiguous, "RunInstances"),
            "{answer}"
        );
        assert_eq!(canned.asked().len(), 1, "never sent twice");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_launch_is_the_same_request_to_the_byte() {
    let (first, _) = request(cloning(|_| {}), MADE).await;
    let (second, _) = request(cloning(|_| {}), MADE).await;
    assert_eq!(first.params, second.params);
}

#[tokio::test(start_paused = true)]
async fn the_user_data_is_in_no_error_and_in_no_word_about_the_launch() {
    for answer in [
        || error(400, "InvalidParameterValue"),
        || Answer::Hangs,
        || Answer::Of(200, "cut off".to_owned()),
    ] {
        let canned = Canned::new(move |_| answer());
        let error = send(&canned, cloning(|_| {})).await.unwrap_err();
        let told = format!("{error} {error:?} {}", serde_json::to_string(&error).unwrap());
        assert!(!told.contains("aHVudGVyMg"), "{told}");
        assert!(
            told.contains("a replacement of i-old from ami-2 as t3.medium in subnet-1"),
            "{told}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_and_its_end_name_one_target_by_id_and_port() {
    let steps: [(fn(TargetStep) -> Step, &str); 2] = [
        (Step::Register, "RegisterTargets"),
        (Step::Deregister, "DeregisterTargets"),
    ];
    for (step, action) in steps {
        let (asked, params) = request(step(target(Some(8443))), "<R/>").await;
        assert_eq!(asked.action, action);
        assert!(asked.url.contains("elasticloadbalancing"), "{}", asked.url);
        let arn = group_arn("tis-upload");
        let mut expected = tags(&[
            ("TargetGroupArn", &arn),
            ("Targets.member.1.Id", "i-new"),
            ("Targets.member.1.Port", "8443"),
        ]);
        assert_eq!(params, expected);
        let (_, params) = request(step(target(None)), "<R/>").await;
        expected.remove("Targets.member.1.Port");
        assert_eq!(params, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_registration_that_is_not_there_is_what_aws_says_that_it_is() {
    let canned = Canned::new(|_| ok("<R/>"));
    let step = || Step::Deregister(target(Some(80)));
    send(&canned, step()).await.unwrap();
    for (code, class) in [
        ("InvalidTarget", ErrorClass::NotFound),
        ("TargetGroupNotFound", ErrorClass::NotFound),
        ("Throttling", ErrorClass::Throttled),
    ] {
        let canned = Canned::new(move |_| elb_error(400, code));
        let error = send(&canned, step()).await.unwrap_err();
        assert_eq!((error.class, error.code.as_deref()), (class, Some(code)));
        assert_eq!(error.object.as_deref(), Some("i-new on port 80 of tis-upload"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_never_forced_and_a_termination_names_one_instance() {
    let stop = Step::Stop {
        instance: "i-old".into(),
        of: of(),
    };
    let terminate = Step::Terminate {
        instance: "i-new".into(),
        of: of(),
    };
    for (step, action, id) in [
        (stop, "StopInstances", "i-old"),
        (terminate, "TerminateInstances", "i-new"),
    ] {
        let (asked, params) = request(step, "<R><instancesSet/></R>").await;
        assert_eq!(asked.action, action);
        assert_eq!(params, tags(&[("InstanceId.1", id)]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retired_instance_gets_one_tag() {
    let step = Step::Retire {
        instance: "i-old".into(),
        of: of(),
        at: "2026-11-11T04:00:00Z".to_owned(),
    };
    let (asked, params) = request(step, "<R><return>true</return></R>").await;
    assert_eq!(asked.action, "CreateTags");
    let expected = tags(&[
        ("ResourceId.1", "i-old"),
        ("Tag.1.Key", "keepgreen:retired"),
        ("Tag.1.Value", "2026-11-11T04:00:00Z"),
    ]);
    assert_eq!(params, expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_the_volume_on_one_device_and_nothing_else_is_changed() {
    let (asked, params) = request(keep_volume(), "<R><return>true</return></R>").await;
    assert_eq!(asked.action, "ModifyInstanceAttribute");
    let expected = tags(&[
        ("InstanceId", "i-new"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false"),
    ]);
    assert_eq!(params, expected);
}

fn keep_volume() -> Step {
    Step::KeepVolume {
        instance: "i-new".into(),
        device: "/dev/xvda".to_owned(),
        of: of(),
    }
}

fn every_step() -> Vec<Step> {
    vec![
        cloning(|_| {}),
        Step::Register(target(Some(80))),
        Step::Deregister(target(Some(80))),
        Step::Stop {
            instance: "i-old".into(),
            of: of(),
        },
        Step::Terminate {
            instance: "i-old".into(),
            of: of(),
        },
        keep_volume(),
        Step::Retire {
            instance: "i-old".into(),
            of: of(),
            at: "now".to_owned(),
        },
    ]
}

#[tokio::test(start_paused = true)]
async fn every_step_is_held_back_once_its_pause_reading_is_old() {
    for step in every_step() {
        let canned = Canned::new(|_| ok(MADE));
        let writer = Writer::new(&canned.sdk(), &OWN).await.unwrap();
        let pause_read = canned.clock.now();
        canned.clock.suspend(Duration::from_secs(1));
        let operation = step.operation();
        let error = writer
            .carry_out(&intent(&canned, step), pause_read)
            .await
            .unwrap_err();
        assert_eq!(error.class, ErrorClass::NeverSent, "{operation}: {error}");
        assert_eq!(canned.asked().len(), 0, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_step_is_sent_twice_and_a_lost_answer_is_ambiguous() {
    for step in every_step() {
        let operation = step.operation();
        let canned = Canned::new(|_| error(503, "Unavailable"));
        let error = send(&canned, step).await.unwrap_err();
        assert_eq!(
            (error.class, error.operation.as_str()),
            (ErrorClass::Ambiguous, operation)
        );
        assert_eq!(canned.asked().len(), 1, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_aws_says_of_a_launch_is_told_apart() {
    let table = [
        ("InsufficientInstanceCapacity", ErrorClass::Capacity),
        ("InsufficientFreeAddressesInSubnet", ErrorClass::Capacity),
        ("VcpuLimitExceeded", ErrorClass::Quota),
        ("InvalidAMIID.NotFound", ErrorClass::Image),
        ("InvalidSubnetID.NotFound", ErrorClass::NotFound),
        ("InvalidParameterValue", ErrorClass::Permanent),
        ("OperationNotPermitted", ErrorClass::Permanent),
        ("UnauthorizedOperation", ErrorClass::NotAuthorised),
        ("IdempotentParameterMismatch", ErrorClass::Token),
        ("IdempotentInstanceTerminated", ErrorClass::Token),
    ];
    for (code, class) in table {
        let canned = Canned::new(move |_| error(400, code));
        let error = send(&canned, cloning(|_| {})).await.unwrap_err();
        assert_eq!((error.class, error.code.as_deref()), (class, Some(code)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_launch_waits_for_the_budget() {
    let canned = Canned::new(|_| ok(MADE));
    let writer = Writer::new(&canned.sdk(), &OWN).await.unwrap();
    let step = cloning(|_| {});
    for _ in 0..3 {
        writer.reserve(&step).await;
    }
    // A quarter of 5 at once, then a quarter of 2 a second.
    assert_eq!(canned.clock.now().boot, Duration::from_millis(3_500));
}
