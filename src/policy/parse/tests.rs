use super::*;
use crate::policy::problem::render_json;
use proptest::prelude::*;

const SMALLEST: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod] }
";

const EVERY_KEY: &str = include_str!("../../../policies/every-key.yaml");

fn parse(text: &str) -> Parsed {
    parse_policy("tis.yaml", text, Channels::Unchecked)
}

fn valid(text: &str) -> Policy {
    let parsed = parse(text);
    parsed
        .policy
        .unwrap_or_else(|| panic!("{text}\n{:?}", parsed.problems))
}

/// Messages and suggestions, one a line.
fn said(parsed: &Parsed) -> String {
    let line = |problem: &Problem| match &problem.suggestion {
        Some(suggestion) => format!(
            "{}:{} {} ({suggestion})",
            problem.line, problem.column, problem.message
        ),
        None => format!("{}:{} {}", problem.line, problem.column, problem.message),
    };
    parsed.problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The smallest policy with more keys.
fn with(more: &str) -> String {
    format!("{SMALLEST}{more}\n")
}

#[test]
fn the_smallest_file_has_the_defaults_of_the_contract() {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let slot = |name: &str| Slot {
        select: Selector::Tags([("Name".to_owned(), name.to_owned())].into()),
        count: 1,
        state: SlotState::Running,
        target_groups: vec![SlotTargetGroup {
            name: "tis-prod".to_owned(),
            port: None,
            min_healthy: None,
        }],
    };
    let expected = Policy {
        service: "tis".into(),
        description: None,
        owner: None,
        account: None,
        region: None,
        role: None,
        pause: PolicyPause::Off,
        slots: [
            ("blue".into(), slot("tis-prod-blue")),
            ("green".into(), slot("tis-prod-green")),
        ]
        .into(),
        heal: Heal {
            stopped: OnStopped::Start,
            stopped_by_operator: OnOperatorStop::Start,
            deregistered: OnDeregistered::Alert,
            impaired_system: OnImpaired::Relocate,
            impaired_instance: OnImpaired::Reboot,
            unhealthy: OnImpaired::Alert,
            scheduled_event: OnScheduledEvent::Relocate,
            image_gone: OnReplaceable::Replace,
            missing: OnReplaceable::Replace,
            force_stop: false,
        },
        grace: Grace {
            boot: minutes(10),
            operator_stop: minutes(15),
            deregistered: minutes(15),
            impaired_system: minutes(15),
            impaired_instance: minutes(5),
            unhealthy: minutes(5),
            image_gone: minutes(24 * 60),
            missing: minutes(5),
            lead: minutes(24 * 60),
        },
        replace: None,
        limits: Limits {
            min_healthy: 1,
            max_concurrent: 1,
            attempts: 3,
            attempts_per_day: 6,
            cooldown: minutes(2),
        },
        maintenance: Maintenance::Always,
        notify: Vec::new(),
        version: version_of(SMALLEST),
        file: "tis.yaml".to_owned(),
    };
    assert_eq!(valid(SMALLEST), expected);
}

#[test]
fn replacing_has_the_defaults_of_the_contract() {
    let replace = valid(&with("replace: { image: [rescue], rescue_image: {} }"))
        .replace
        .unwrap();
    let expected = Replace {
        image: vec![ImageSource::Rescue],
        launch: Launch::Clone,
        instance_types: Vec::new(),
        subnets: Vec::new(),
        keep: Keep {
            elastic_ip: true,
            data_volumes: true,
            network_interface: false,
        },
        old_instance: OldInstance::Stop,
        retain: None,
        rescue_image: Some(RescueImage {
            every: Duration::from_secs(7 * 86_400),
            keep: 2,
        }),
    };
    assert_eq!(replace, expected);
    let template = valid(&with(
        "replace: { image: [{ newest: { name: 'a-*' } }], launch: { template: tis } }",
    ));
    let replace = template.replace.unwrap();
    assert_eq!(
        replace.launch,
        Launch::Template {
            name: "tis".to_owned(),
            version: "$Default".to_owned()
        }
    );
    let newest = ImageSource::Newest {
        owners: vec!["self".to_owned()],
        name: "a-*".to_owned(),
    };
    assert_eq!(replace.image, [newest]);
}

/// A file with a mistake in nearly every line.
const WRONG: &str = r#"service: Tis_Prod
account: 111122223333
region: eu-west-2a
role: arn:aws:iam::444455556666:role/keepgreen
pause: yes
stopped: start
pause: { until: 2026-12-01 }
slots:
  blue:
    select: { tags: { Name: tis-*, "aws:autoscaling:groupName": x, Build: 42 } }
    count: 0
    sate: running
    target_groups: [tis-prod, tis-prod, { name: tis-upload, prt: 8443, min_healthy: 0 }, {name: tis-upload, port: 0, min_healthy: 1}]
  green:
    select: { instance_ids: [i-0123456789abcdef0, i-0123456789abcdef0, i-1] }
  Red: { select: {} }
  pink:
    select: { tags: {} }
  teal:
heal:
  stopped: restart
  unhealthy: reboo
  min_healthy: 1
grace: { boot: 10, missing: 1h30m, lead: 400d, unhealthy: }
replace:
  image: [ami-0123456789abcdef0, /tis/base, { newest: { owners: [], name: "*" } }, resque, {ssm: x, id: y}]
  launch: { version: 3 }
  keep: { elastic_ip: "true" }
  old_instance: terminate
  retain: 7d
  rescue_image: { every: 1m, keep: 0 }
limits: { attempts: 9, cooldown: 0s, max_concurrent: 1.5 }
maintenance: [ "Mon-Fri 02:00-05:00 Europe/Lndon", "Monday 1:00-2:00 UTC" ]
notify: [tis-alert, tis-alerts, tis-alerts]
external_id: x
<<: 3
"#;

#[test]
fn every_mistake_of_a_file_is_reported_at_once_and_in_order() {
    let known = ["tis-alerts"].into_iter().map(ChannelName::from).collect();
    let parsed = parse_policy("tis.yaml", WRONG, Channels::Known(&known));
    assert_eq!(parsed.policy, None);
    insta::assert_snapshot!(said(&parsed), @r#"
    1:10 `Tis_Prod` is not a service's name (did you mean `tis-prod`?)
    2:10 the account id is written as a number, which loses its leading zeros (quote it: "111122223333")
    3:9 `eu-west-2a` is not a region (that is an availability zone; its region is eu-west-2)
    5:8 `yes` is neither true nor false (write `true`, without quotes)
    6:1 unknown key `stopped` (this key belongs under `heal`)
    7:1 the key `pause` is given twice; the first one is on line 5
    10:29 `tis-*` has a wildcard, and a tag's value is matched exactly
    10:36 the tag `aws:autoscaling:groupName` cannot select: select an Auto Scaling group's members with auto_scaling_group
    10:75 `slots.blue.select.tags.Build` is written as a number, and a text belongs here (quote it: "42")
    11:12 `slots.blue.count` cannot be 0: a slot has at least one instance; write `state: stopped` for an idle slot
    12:5 unknown key `sate` in `slots.blue` (did you mean `state`?)
    13:31 the target group `tis-prod` is listed twice with its own port
    13:61 unknown key `prt` in `slots.blue.target_groups[2]` (did you mean `port`?)
    13:115 `slots.blue.target_groups[3].port` cannot be 0: ports are 1 to 65535
    13:131 `min_healthy` of target group `tis-upload` is 1 here and 0 above
    15:29 `instance_ids` cannot be combined with `replace`: a replacement has a new id
    15:51 `i-0123456789abcdef0` is listed twice
    15:72 `i-1` is not an instance id
    16:3 `Red` is not a slot's name
    16:18 `slots.Red.select` is empty: it says nothing about which instances are meant
    18:21 `slots.pink.select.tags` is empty: it would match every instance of the account
    19:7 `slots.teal` has no value (give it a value, or leave the key out)
    21:12 `heal.stopped` cannot be `restart`
    22:14 `heal.unhealthy` cannot be `reboo` (did you mean `reboot`?)
    23:3 unknown key `min_healthy` in `heal` (this key belongs under `limits`)
    24:16 `10` is not a duration: the duration has no unit (`10s` for seconds, `10m` for minutes)
    24:29 `1h30m` is not a duration: the duration is not one whole number with one unit (`90m`)
    24:42 `400d` is not a duration: the duration is longer than 366 days
    24:57 `grace.unhealthy` has no value (give it a value, or leave the key out)
    26:11 `ami-0123456789abcdef0` is not an image source (did you mean `{ id: ami-0123456789abcdef0 }`?)
    26:34 `/tis/base` is not an image source (did you mean `{ ssm: /tis/base }`?)
    26:65 `replace.image[2].newest.owners` is empty: anybody's image would be taken
    26:75 `*` is not an image name
    26:84 `resque` is not an image source (did you mean `rescue`?)
    26:92 `replace.image[4]` names not exactly one source
    27:11 the key `template` is missing in `replace.launch`
    28:23 `true` is neither true nor false (write `true`, without quotes)
    30:11 `retain` contradicts `old_instance: terminate`, which leaves nothing to retain
    31:26 `replace.rescue_image.every` cannot be 1m
    31:36 `replace.rescue_image.keep` cannot be 0: with 0 every image would be deleted at once
    32:34 `limits.cooldown` cannot be 0s
    32:54 `1.5` is not a whole number
    33:16 `Europe/Lndon` is not a time zone of the IANA database (did you mean `Europe/London`?)
    33:52 `Monday` is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun or daily (did you mean `Mon`?)
    34:10 the config file defines no channel `tis-alert` (did you mean `tis-alerts`?)
    34:33 the channel `tis-alerts` is named twice
    35:14 `x` is not an external id
    36:5 only a map can be merged with `<<`
    "#);
}

#[test]
fn each_way_to_write_a_value_is_accepted() {
    for text in [
        "pause: true",
        "pause: { until: 2026-12-01T00:00:00+01:00, reason: 'move', by: ann }",
        "account: '012345678901'",
        "account: !!str 012345678901",
        "role: arn:aws:iam::111122223333:role/keepgreen\nexternal_id: keepgreen-tis",
        "maintenance: [Mon-Fri 02:00-05:00 Europe/London, 'Sat,Sun 22:00-02:00 UTC']",
        "grace: { boot: 0s, lead: 366d }",
        "limits: { min_healthy: 0, attempts: 1, attempts_per_day: 1, cooldown: 1h }",
        "notify: []",
        "replace: { image: [rescue], launch: { template: tis, version: 7 } }",
        "replace: { image: [rescue], launch: { template: tis, version: $Latest }, retain: 7d }",
        "replace: { image: [rescue], old_instance: terminate }",
        "description: |\n  Two\n  lines",
        "heal: { force_stop: true, unhealthy: replace }",
    ] {
        valid(&with(text));
    }
    valid("\u{feff}---\r\nservice: a\r\nslots: { a: { select: { auto_scaling_group: web } } }\r\n...\r\n");
    valid("{service: a, slots: {a: {select: {instance_ids: [i-01234567, i-0123456789abcdef0]}, count: 2}}}");
}

/// A text and what is said of it.
const MISTAKES: &[(&str, &str)] = &[
    ("", "the file is empty"),
    ("# nothing\n\n", "the file is empty"),
    ("---\n", "the file has no content"),
    ("null", "the file has no content"),
    ("tis", "the file is a single value"),
    ("[tis]", "the file is a list"),
    ("service: tis\n", "the key `slots` is missing"),
    ("service: tis\nslots:\n", "`slots` has no value"),
    ("service: tis\nslots: {}\n", "`slots` has 0 slots"),
    ("service: tis\n\tslots: {}\n", "not valid YAML"),
    ("service: 'tis\n", "not valid YAML"),
    (
        "service: tis\n---\nservice: tis\n",
        "a second document starts here",
    ),
    ("service: 123\nslots: {}", "`service` is written as a number"),
    (
        "service: true\nslots: {}",
        "`service` is written as a truth value",
    ),
    (
        "service: !secret x\nslots: {}",
        "the tag `secret` has no meaning here",
    ),
    ("service: *x\nslots: {}", "not valid YAML"),
    ("? [a]\n: b\n", "a list or a map cannot be a key"),
    ("a: &a [*a]", "this alias stands inside the value that it names"),
];

/// One more key for the smallest policy, and the only thing that is said of it.
const MISTAKES_IN_A_KEY: &[(&str, &str)] = &[
    ("external_id: x12", "`external_id` is given without a `role`"),
    (
        "account: '111122223333'\nrole: arn:aws:iam::444455556666:role/x",
        "the role belongs to account 444455556666, but `account` is 111122223333",
    ),
    (
        "region: eu-west-2a",
        "that is an availability zone; its region is eu-west-2",
    ),
    (
        "pause: { reason: deploy }",
        "the key `until` is missing in `pause`",
    ),
    ("pause: { until: tomorrow }", "`tomorrow` is not a moment in time"),
    (
        "limits: { attempts_per_day: 2 }",
        "`attempts` is 3 by default and can never be reached",
    ),
    ("limits: { attempts: 7 }", "with `attempts_per_day` 6 by default"),
    ("limits: { cooldown: 2h }", "`limits.cooldown` cannot be 2h"),
    ("limits: { attempts: -1 }", "`-1` is not a whole number"),
    ("limits: { attempts: 010 }", "`010` is not a whole number"),
    (
        "limits: { attempts: 99999999999 }",
        "`limits.attempts` cannot be 99999999999",
    ),
    ("maintenance: []", "`maintenance` has no window"),
    ("maintenance: Mon 02:00-03:00 UTC", "make it a list"),
    ("maintenance: alway", "did you mean `always`?"),
    ("replace: {}", "the key `image` is missing in `replace`"),
    ("replace: { image: [] }", "`replace.image` is empty"),
    (
        "replace: { image: [rescue], launch: { template: lt-0123456789abcdef0 } }",
        "is not a launch template's name",
    ),
    (
        "replace: { image: [rescue], retain: forever }",
        "`replace.retain` cannot be `forever`",
    ),
    (
        "replace: { image: [rescue], instance_types: [m7i] }",
        "`m7i` is not an instance type",
    ),
    (
        "owner: ''",
        "`owner` is empty, too long or has control characters",
    ),
    (
        "owner: \"a\\eb\"",
        "`owner` is empty, too long or has control characters",
    ),
    ("notify: [a, a]", "the channel `a` is named twice"),
];

#[test]
fn each_mistake_is_named() {
    for (text, message) in MISTAKES {
        let parsed = parse(text);
        assert!(
            parsed.policy.is_none() && said(&parsed).contains(message),
            "{text:?}\n{}",
            said(&parsed)
        );
    }
    for (more, message) in MISTAKES_IN_A_KEY {
        let parsed = parse(&with(more));
        assert!(
            parsed.policy.is_none() && said(&parsed).contains(message),
            "{more:?}\n{}",
            said(&parsed)
        );
        assert_eq!(parsed.problems.len(), 1, "{more:?}\n{}", said(&parsed));
    }
}

const ELSEWHERE: &str = "blue: { select: { tags: { a: b } }, target_groups: ['arn:aws:elasticloadbalancing:eu-west-1:444455556666:targetgroup/web/0123456789abcdef'] }";

const TWICE: &str = "blue: { select: { tags: { a: b } }, target_groups: [web, 'arn:aws:elasticloadbalancing:eu-west-2:111122223333:targetgroup/web/0123456789abcdef'] }";

/// The slots of a policy in account 111122223333 and region eu-west-2, and what is said of them.
const MISTAKES_IN_A_SLOT: &[(&str, &str)] = &[
    ("blue: {}", "the key `select` is missing in `slots.blue`"),
    (
        "blue: { select: { tags: { a: b }, auto_scaling_group: c } }",
        "selects in more than one way",
    ),
    (
        "blue: { select: { tags: { 'keepgreen:slot': blue } } }",
        "can prove nothing about ownership",
    ),
    (
        "blue: { select: { tags: { 'AWS:x': y } } }",
        "nobody can copy it to a replacement",
    ),
    ("blue: { select: { tags: { a: 'x?' } } }", "matched exactly"),
    (
        "blue: { select: { instance_ids: [] } }",
        "is empty: it selects nothing",
    ),
    (
        "blue: { select: { instance_ids: [i-01234567, i-01234568] } }",
        "names 2 instances, but `count` is 1 by default (write `count: 2`)",
    ),
    (
        "blue: { select: { instance_ids: [i-01234567] }, count: 2 }",
        "names 1 instances, but `count` is 2",
    ),
    (
        "blue: { select: { auto_scaling_group: 'a:b' } }",
        "is not an Auto Scaling group's name",
    ),
    (
        "blue: { select: { tags: { a: b } }, count: 1001 }",
        "`slots.blue.count` cannot be 1001",
    ),
    (
        "blue: { select: { tags: { a: b } }, target_groups: [{ port: 80 }] }",
        "the key `name` is missing",
    ),
    (
        ELSEWHERE,
        "the target group is in region eu-west-1, but the policy's region is eu-west-2",
    ),
    (
        ELSEWHERE,
        "the target group is in account 444455556666, but the policy's account is 111122223333",
    ),
    (TWICE, "is listed twice with its own port"),
    (
        "blue: { select: { tags: { a: b } }, target_groups: [{ name: web, min_healthy: 0 }] }, \
             green: { select: { tags: { a: c } }, target_groups: [{ name: web, min_healthy: 1 }] }",
        "`min_healthy` of target group `web` is 1 here and 0 above",
    ),
    (
        "blue: { select: { tags: { a: b } } }, green: { select: { tags: { a: b, c: d } } }",
        "the slots `blue` and `green` select the same instances: the tags of one are among those of the other",
    ),
    (
        "blue: { select: { tags: { a: b } } }, green: { select: { tags: { c: d } } }",
        "an instance may match both `blue` and `green`, and would be touched by neither",
    ),
    (
        "blue: { select: { instance_ids: [i-01234567] } }, green: { select: { instance_ids: [i-01234567] } }",
        "the slots `blue` and `green` select the same instances: both name i-01234567",
    ),
];

#[test]
fn each_mistake_in_a_slot_is_named() {
    for (slots, message) in MISTAKES_IN_A_SLOT {
        let text =
            format!("service: tis\naccount: '111122223333'\nregion: eu-west-2\nslots: {{ {slots} }}\n");
        let parsed = parse(&text);
        assert!(
            parsed.policy.is_none() && said(&parsed).contains(message),
            "{slots}\n{}",
            said(&parsed)
        );
    }
    let nine: String = (0..9)
        .map(|n| format!("s{n}: {{ select: {{ tags: {{ n: x{n} }} }} }}, "))
        .collect();
    assert!(said(&parse(&format!("service: tis\nslots: {{ {nine} }}"))).contains("`slots` has 9 slots"));
}

#[test]
fn an_unknown_channel_is_refused_when_the_channels_are_known() {
    let known = BTreeSet::new();
    let parsed = parse_policy("tis.yaml", &with("notify: [ops]"), Channels::Known(&known));
    assert!(
        said(&parsed).contains("the config file defines no channel `ops`"),
        "{}",
        said(&parsed)
    );
    valid(&with("notify: [ops]"));
}

#[test]
fn anchors_and_merge_keys_are_honoured() {
    let policy = valid(
        "service: tis\n\
         slots:\n  \
           blue: &slot { select: { tags: { Name: blue } }, count: 2, target_groups: [web] }\n  \
           green: { <<: *slot, select: { tags: { Name: green } } }\n",
    );
    let green = &policy.slots[&SlotName::from("green")];
    assert_eq!((green.count, green.target_groups.len()), (2, 1));
    assert_eq!(
        green.select,
        Selector::Tags([("Name".to_owned(), "green".to_owned())].into())
    );
}

#[test]
fn an_alias_bomb_and_deep_nesting_are_refused_quickly() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(
        said(&parse(&bomb)).contains("more than 50000 values"),
        "{}",
        said(&parse(&bomb))
    );
    for open in ["[", "{a: ", "- ", "a:\n "] {
        let parsed = parse(&open.repeat(5_000));
        assert!(parsed.policy.is_none() && !parsed.problems.is_empty());
    }
}

/// Shapes of which the work could grow with the square of the size: each takes minutes if it does.
#[test]
fn a_file_of_the_largest_size_is_read_in_no_time() {
    let size = crate::policy::MAX_FILE_BYTES as usize;
    let fill = |line: &dyn Fn(usize) -> String| {
        let mut text = String::from("a: &a { x: 1 }\n");
        for number in 0.. {
            let line = line(number);
            if text.len() + line.len() > size {
                break;
            }
            text.push_str(&line);
        }
        text
    };
    for text in [
        fill(&|number| format!("x{number}: 1\n")),
        fill(&|_| "service: x\n".to_owned()),
        fill(&|_| "<<: *a\n".to_owned()),
        fill(&|number| {
            if number % 2 == 0 {
                format!("x{number}: 1\n")
            } else {
                "<<: *a\n".to_owned()
            }
        }),
        fill(&|_| "<<: 1\n".to_owned()),
        fill(&|_| "&a a: *a\n".to_owned()),
        format!("notify: [{}]", fill(&|_| "a, ".to_owned())),
        format!("service: {}", "x".repeat(size)),
        format!("service: '{}", "\n\n".repeat(size / 2)),
        "[".repeat(size),
        "- ".repeat(size / 2),
    ] {
        assert!(parse(&text).policy.is_none());
        assert!(crate::policy::parse_config(std::path::Path::new("c.yaml"), &text).is_err());
    }
}

#[test]
fn the_number_of_problems_is_bounded() {
    let many: String = (0..5_000).map(|n| format!("x{n}: 1\n")).collect();
    let parsed = parse(&with(&many));
    assert_eq!(parsed.problems.len(), crate::policy::MAX_PROBLEMS_PER_FILE + 1);
    assert!(
        parsed
            .problems
            .last()
            .unwrap()
            .message
            .contains("4900 more problems")
    );
}

#[test]
fn the_version_is_that_of_the_text() {
    assert_eq!(valid(SMALLEST).version, valid(SMALLEST).version);
    assert_ne!(valid(SMALLEST).version, valid(&with("")).version);
    assert_eq!(valid(SMALLEST).version.as_str().len(), 16);
}

/// Every place lies within the text, and everything can be rendered.
fn check_places(text: &str, parsed: &Parsed) {
    assert_eq!(parsed.policy.is_none(), !parsed.problems.is_empty());
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    for problem in &parsed.problems {
        assert!(
            problem.line >= 1 && problem.line as usize <= lines.len(),
            "{problem}"
        );
        assert!(problem.column >= 1 && problem.length >= 1, "{problem}");
        let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(problem.column as usize <= longest + 1, "{problem}");
        assert!(!problem.to_string().chars().any(|c| c.is_control() && c != '\n'));
    }
    render_json(&parsed.problems);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        check_places(&text, &parse(&text));
        let _ = crate::policy::parse_config(std::path::Path::new("c.yaml"), &text);
    }

    #[test]
    fn text_of_yaml_characters_never_panics(
        picks in proptest::collection::vec(0..24usize, 0..120),
    ) {
        const PIECES: [&str; 24] = [
            ":", ": ", "- ", "\n", "  ", "\t", "{", "}", "[", "]", ",", "&a ", "*a", "<<: ", "!x ", "'", "\"", "|\n",
            "# ", "service", "slots", "---\n", "é", "\r",
        ];
        let text: String = picks.iter().map(|pick| PIECES[*pick]).collect();
        check_places(&text, &parse(&text));
    }

    /// An edit anywhere in a good file: its mistakes have a place, and nothing panics.
    #[test]
    fn any_edit_of_a_good_file_is_read_or_refused_with_a_place(
        at in 0..10_000usize,
        remove in 0..40usize,
        insert in "[ -~\\n\\té]{0,12}",
    ) {
        for original in [SMALLEST, EVERY_KEY] {
            let chars: Vec<char> = original.chars().collect();
            let at = at % (chars.len() + 1);
            let after = (at + remove).min(chars.len());
            let text: String =
                chars[..at].iter().copied().chain(insert.chars()).chain(chars[after..].iter().copied()).collect();
            check_places(&text, &parse(&text));
        }
    }
}
