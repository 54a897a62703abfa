use super::*;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    parse_config(Path::new("/etc/keepgreen/config.yaml"), text)
}

fn messages(text: &str) -> Vec<String> {
    let problems = parse(text).unwrap_err();
    problems
        .iter()
        .map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.message))
        .collect()
}

/// Every key of the contract.
const FULL: &str = "\
policies: policies
state: ./state
store: { dynamodb: { table: keepgreen } }
interval: 30s
events: [https://sqs.eu-west-2.amazonaws.com/111122223333/keepgreen]
listen: none
limits: { max_concurrent: 2, mutations_per_hour: 30, breaker: { percent: 10, at_least: 5 } }
pause: { ssm: /keepgreen/pause }
notify:
  tis-alerts: { slack: { webhook: \"env:SLACK_WEBHOOK\" } }
  hook: { webhook: { url: \"file:secrets/hook\" } }
  topic: { sns: { topic: \"arn:aws:sns:eu-west-2:111122223333:keepgreen\" } }
  pager: { pagerduty: { routing_key: \"env:PAGERDUTY_KEY\" } }
heartbeat: { url: \"env:HEARTBEAT_URL\", every: 2m }
";

#[test]
fn every_key_of_the_contract_is_read() {
    let config = parse(FULL).unwrap();
    let env = |name: &str| SecretRef::Env(name.to_owned());
    let channels = [
        (
            "hook",
            Channel::Webhook {
                url: SecretRef::File("/etc/keepgreen/secrets/hook".into()),
            },
        ),
        (
            "pager",
            Channel::PagerDuty {
                routing_key: env("PAGERDUTY_KEY"),
            },
        ),
        (
            "tis-alerts",
            Channel::Slack {
                webhook: env("SLACK_WEBHOOK"),
            },
        ),
        (
            "topic",
            Channel::Sns {
                topic: "arn:aws:sns:eu-west-2:111122223333:keepgreen".to_owned(),
            },
        ),
    ];
    let expected = Config {
        file: Some("/etc/keepgreen/config.yaml".into()),
        policies: "/etc/keepgreen/policies".into(),
        state: "/etc/keepgreen/state".into(),
        store: Store::DynamoDb {
            table: "keepgreen".to_owned(),
        },
        interval: Duration::from_secs(30),
        events: vec!["https://sqs.eu-west-2.amazonaws.com/111122223333/keepgreen".to_owned()],
        listen: None,
        limits: ConfigLimits {
            max_concurrent: 2,
            mutations_per_hour: 30,
            breaker: Breaker {
                percent: 10,
                at_least: 5,
            },
        },
        pause_parameter: Some("/keepgreen/pause".to_owned()),
        channels: channels
            .into_iter()
            .map(|(name, channel)| (ChannelName::from(name), channel))
            .collect(),
        heartbeat: Some(Heartbeat {
            url: env("HEARTBEAT_URL"),
            every: Duration::from_secs(120),
        }),
    };
    assert_eq!(config, expected);
}

#[test]
fn without_a_file_the_defaults_of_the_contract_hold() {
    let config = load_config(None).unwrap();
    assert_eq!(
        (config.policies, config.state),
        ("policies".into(), "state".into())
    );
    assert_eq!(config.interval, Duration::from_secs(60));
    assert_eq!(config.listen, Some("127.0.0.1:9180".parse().unwrap()));
    let breaker = Breaker {
        percent: 20,
        at_least: 3,
    };
    assert_eq!(
        config.limits,
        ConfigLimits {
            max_concurrent: 4,
            mutations_per_hour: 60,
            breaker
        }
    );
    assert_eq!(
        (config.store, config.pause_parameter, config.heartbeat),
        (Store::Sqlite, None, None)
    );
    assert!(config.events.is_empty() && config.channels.is_empty());
}

#[test]
fn the_option_wins_over_the_variable_and_an_empty_variable_is_none() {
    let path = |option: Option<&str>, variable: Option<&str>| {
        config_path(option.map(Path::new), variable.map(OsStr::new)).map(|path| path.display().to_string())
    };
    assert_eq!(path(Some("a"), Some("b")).as_deref(), Some("a"));
    assert_eq!(path(None, Some("b")).as_deref(), Some("b"));
    assert_eq!(path(None, Some("")), None);
    assert_eq!(path(None, None), None);
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let state = |file: &str, state: &str| {
        let config = parse_config(Path::new(file), &format!("state: {state}\n")).unwrap();
        config.state.display().to_string()
    };
    assert_eq!(
        state("/etc/keepgreen/config.yaml", "/var/lib/keepgreen"),
        "/var/lib/keepgreen"
    );
    assert_eq!(state("config.yaml", "./state"), "state");
    assert_eq!(state("deploy/config.yaml", "../state"), "deploy/../state");
    assert_eq!(state("config.yaml", "."), ".");
}

#[test]
fn a_secret_that_is_written_out_is_refused_and_never_shown() {
    for text in [
        "notify: { a: { slack: { webhook: https://hooks.slack.com/services/T00/B00/hunter2 } } }",
        "notify: { a: { webhook: { url: 'http://hunter2@x/' } } }",
        "notify: { a: { pagerduty: { routing_key: hunter2 } } }",
        "notify: { a: { pagerduty: { routing_key: \"env:hunter2-x\" } } }",
        "notify:\n  a:\n    pagerduty:\n      routing_key: >-\n        hunter2\n",
        "heartbeat: { url: \"hunter2\", evry: 60s }",
        "notify: { a: { slack: { webhook: ['hunter2'], x: 1 } } }",
        // Slips around a secret show its line too.
        "notify: { a: { pagerduty: { routing_ky: hunter2 } } }",
        "notify: { a: { pagerduty: hunter2 } }",
        "notify: { a: hunter2 }",
        "notify: { a: { webhook: { url: hunter2, url: hunter2 } } }",
        "notify: { a: { webhook: { url: hunter2 }",
        "notify: { a: { webhook: { 'url': \"hunter2\" }",
        "heartbeat: hunter2",
        "heartbeat: { url: \"hunter2\n   hunter2\", evry: 60s }",
        "notify: { a: { slack: { webhok: https://hooks.slack.com/services/hunter2 } } }",
        "notify: { a: { slack: https://hooks.slack.com/services/hunter2 } }",
        "notify: { a: { slack: { webhook: https://hooks.slack.com/services/hunter2 }",
        "notify: { a: { pagerduty: { routingkey: 0123456789hunter20123456789ab } } }",
        "\tnotify: https://hooks.slack.com/services/hunter2",
        "https://hooks.slack.com/services/hunter2: 1",
    ] {
        let problems = parse(text).unwrap_err();
        let shown = format!(
            "{}{}",
            super::super::render_text(&problems, super::super::Colour::Never),
            super::super::render_json(&problems)
        );
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
    let problems = parse("notify: { a: { pagerduty: { routing_key: 12345678 } } }").unwrap_err();
    assert!(!super::super::render_text(&problems, super::super::Colour::Never).contains("12345678"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "\
policys: x
state: ~/keepgreen
store: postgres
interval: 0s
events: [sqs]
listen: localhost:9180
limits: { max_concurrent: 0, breaker: { percent: 101, at_least: 0 }, cooldown: 2m }
pause: { ssm: keepgreen }
notify: { A: {}, b: { slack: {}, sns: { topic: x } }, c: { email: x } }
heartbeat: { every: 60s }
";
    insta::assert_snapshot!(messages(text).join("\n"), @r"
    1:1 unknown key `policys`
    2:8 `~/keepgreen` starts at a home folder
    3:8 `store` cannot be `postgres`
    4:11 `interval` cannot be 0s
    5:10 `sqs` is not a queue's URL
    6:9 `localhost:9180` is not an address
    7:27 `limits.max_concurrent` cannot be 0: with 0 nothing would ever be repaired; pause keepgreen if that is meant
    7:50 `limits.breaker.percent` cannot be 101: the breaker opens when more than this part ails
    7:65 `limits.breaker.at_least` cannot be 0: no instance at all must not count as many
    7:70 unknown key `cooldown` in `limits`
    8:15 `keepgreen` is not a parameter's name
    9:11 `A` is not a channel's name
    9:14 `notify.A` is not one kind of channel
    9:21 `notify.b` is not one kind of channel
    9:58 `notify.c` is not one kind of channel
    9:60 unknown key `email` in `notify.c`
    10:12 the key `url` is missing in `heartbeat`
    ");
}

#[test]
fn a_config_file_that_is_named_must_be_there() {
    let problems = load_config(Some(Path::new("/nonexistent/config.yaml"))).unwrap_err();
    assert_eq!(problems[0].message, "the file does not exist");
    assert!(
        problems[0]
            .expected
            .as_ref()
            .unwrap()
            .contains("KEEPGREEN_CONFIG")
    );
}
