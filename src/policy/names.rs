//! What a name must look like, each rule once: the decoder checks it, its message states it, the schema carries it
//! as a pattern.
//!
//! The rules refuse what AWS could not have issued, so that a slip shows up when the file is read and not in the night
//! when the id is needed. They are no stricter than that.

/// The rule for one kind of name.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// What it is, with its article.
    pub what: &'static str,
    /// The rule, for people.
    pub expected: &'static str,
    /// The rule as a pattern for the schema; `accepts` is what counts here.
    pub pattern: &'static str,
    pub example: &'static str,
    pub accepts: fn(&str) -> bool,
}

pub(super) const SERVICE: Rule = Rule {
    what: "a service's name",
    expected: "1 to 63 characters out of a-z, 0-9 and -",
    pattern: "^[a-z0-9-]{1,63}$",
    example: "tis",
    accepts: is_label,
};

pub(super) const SLOT: Rule = Rule {
    what: "a slot's name",
    example: "blue",
    ..SERVICE
};

pub(super) const CHANNEL: Rule = Rule {
    what: "a channel's name",
    example: "tis-alerts",
    ..SERVICE
};

pub(super) const ACCOUNT: Rule = Rule {
    what: "an account id",
    expected: "twelve digits in quotes, such as \"111122223333\"",
    pattern: "^[0-9]{12}$",
    example: "111122223333",
    accepts: is_account,
};

pub(super) const REGION: Rule = Rule {
    what: "a region",
    expected: "a region's code, such as eu-west-2",
    pattern: "^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$",
    example: "eu-west-2",
    accepts: is_region,
};

pub(super) const ROLE: Rule = Rule {
    what: "a role's ARN",
    expected: "arn:aws:iam::ACCOUNT:role/NAME",
    pattern: "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$",
    example: "arn:aws:iam::111122223333:role/keepgreen",
    accepts: |text| role_account(text).is_some(),
};

pub(super) const EXTERNAL_ID: Rule = Rule {
    what: "an external id",
    expected: "2 to 1224 characters out of letters, digits and _+=,.@:/-",
    pattern: "^[A-Za-z0-9_+=,.@:/-]{2,1224}$",
    example: "keepgreen-tis",
    accepts: |text| {
        (2..=1224).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c))
    },
};

pub(super) const INSTANCE: Rule = Rule {
    what: "an instance id",
    expected: "i- and 17 (or, for old ones, 8) digits out of 0-9 and a-f",
    pattern: "^i-([0-9a-f]{8}|[0-9a-f]{17})$",
    example: "i-0123456789abcdef0",
    accepts: |text| is_id(text, "i-"),
};

pub(super) const IMAGE: Rule = Rule {
    what: "an image id",
    expected: "ami- and 17 (or, for old ones, 8) digits out of 0-9 and a-f",
    pattern: "^ami-([0-9a-f]{8}|[0-9a-f]{17})$",
    example: "ami-0123456789abcdef0",
    accepts: |text| is_id(text, "ami-"),
};

pub(super) const SUBNET: Rule = Rule {
    what: "a subnet id",
    expected: "subnet- and 17 (or, for old ones, 8) digits out of 0-9 and a-f",
    pattern: "^subnet-([0-9a-f]{8}|[0-9a-f]{17})$",
    example: "subnet-0123456789abcdef0",
    accepts: |text| is_id(text, "subnet-"),
};

pub(super) const INSTANCE_TYPE: Rule = Rule {
    what: "an instance type",
    expected: "family.size, such as m7i.large",
    pattern: "^[a-z0-9-]+\\.[a-z0-9-]+$",
    example: "m7i.large",
    accepts: |text| {
        text.split_once('.')
            .is_some_and(|(family, size)| is_label(family) && is_label(size))
    },
};

pub(super) const TARGET_GROUP: Rule = Rule {
    what: "a target group",
    expected: "its name (1 to 32 letters, digits and inner hyphens) or its ARN",
    pattern: "^([A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?|\
              arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]{16})$",
    example: "tis-prod",
    accepts: |text| is_target_group_name(text) || target_group_arn(text).is_some(),
};

pub(super) const ASG: Rule = Rule {
    what: "an Auto Scaling group's name",
    expected: "1 to 255 printable characters",
    pattern: "^[ -9;-~]{1,255}$",
    example: "tis-prod",
    // A colon cannot be part of the name.
    accepts: |text| printable(text, 255) && !text.contains(':'),
};

pub(super) const SSM: Rule = Rule {
    what: "a parameter's name",
    expected: "a Parameter Store name such as /tis/base-image",
    pattern: "^[A-Za-z0-9_./:-]{1,1011}$",
    example: "/tis/base-image",
    accepts: |text| {
        (1..=1011).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_./:-".contains(c))
    },
};

pub(super) const OWNER: Rule = Rule {
    what: "an image owner",
    expected: "self, amazon, aws-marketplace or an account id in quotes",
    pattern: "^(self|amazon|aws-marketplace|[0-9]{12})$",
    example: "self",
    accepts: |text| matches!(text, "self" | "amazon" | "aws-marketplace") || is_account(text),
};

pub(super) const IMAGE_NAME: Rule = Rule {
    what: "an image name",
    expected: "1 to 128 characters, not of wildcards alone",
    pattern: "[^*?]",
    example: "tis-base-*",
    accepts: |text| printable(text, 128) && text.chars().any(|c| !matches!(c, '*' | '?')),
};

pub(super) const TEMPLATE: Rule = Rule {
    what: "a launch template's name",
    expected: "its name: 3 to 128 letters, digits and ()./_-",
    pattern: "^(?!lt-([0-9a-f]{8}|[0-9a-f]{17})$)[A-Za-z0-9()./_-]{3,128}$",
    example: "tis-prod",
    accepts: |text| {
        (3..=128).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "()./_-".contains(c))
            && !is_id(text, "lt-")
    },
};

pub(super) const TEMPLATE_VERSION: Rule = Rule {
    what: "a launch template's version",
    expected: "$Default, $Latest or a version number",
    pattern: "^(\\$Default|\\$Latest|[1-9][0-9]{0,9})$",
    example: "$Default",
    accepts: |text| {
        matches!(text, "$Default" | "$Latest")
            || (text.len() <= 10 && !text.starts_with('0') && !text.is_empty() && all_digits(text))
    },
};

pub(super) const PAUSE_PARAMETER: Rule = Rule {
    what: "a parameter's name",
    expected: "a full Parameter Store path such as /keepgreen/pause",
    pattern: "^(/[A-Za-z0-9_.-]+)+$",
    example: "/keepgreen/pause",
    accepts: |text| {
        text.len() <= 900
            && text.strip_prefix('/').is_some_and(|path| {
                path.split('/').all(|part| {
                    !part.is_empty()
                        && part
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
                })
            })
    },
};

pub(super) const TABLE: Rule = Rule {
    what: "a DynamoDB table's name",
    expected: "3 to 255 letters, digits and _.-",
    pattern: "^[A-Za-z0-9_.-]{3,255}$",
    example: "keepgreen",
    accepts: |text| {
        (3..=255).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    },
};

pub(super) const TOPIC: Rule = Rule {
    what: "an SNS topic's ARN",
    expected: "arn:aws:sns:REGION:ACCOUNT:NAME",
    pattern: "^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$",
    example: "arn:aws:sns:eu-west-2:111122223333:keepgreen",
    accepts: |text| {
        arn(text, "sns").is_some_and(|(region, account, name)| {
            is_region(region)
                && is_account(account)
                && (1..=256).contains(&name.len())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        })
    },
};

pub(super) const QUEUE: Rule = Rule {
    what: "a queue's URL",
    expected: "an SQS queue's URL, such as https://sqs.eu-west-2.amazonaws.com/111122223333/keepgreen",
    pattern: "^https?://[^/?#@ ]+/[^?# ]+$",
    example: "https://sqs.eu-west-2.amazonaws.com/111122223333/keepgreen",
    accepts: |text| {
        let address = text.strip_prefix("https://").or(text.strip_prefix("http://"));
        let parts = address.and_then(|rest| rest.split_once('/'));
        printable(text, 1_024)
            && !text.contains(['?', '#', ' '])
            && parts.is_some_and(|(host, path)| !host.is_empty() && !host.contains('@') && !path.is_empty())
    },
};

/// What the name of an environment variable looks like.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Region and account of a target group's ARN.
pub(super) struct TargetGroupParts<'t> {
    pub region: &'t str,
    pub account: &'t str,
    pub name: &'t str,
}

pub(super) fn target_group_arn(text: &str) -> Option<TargetGroupParts<'_>> {
    let (region, account, resource) = arn(text, "elasticloadbalancing")?;
    let (name, hash) = resource.strip_prefix("targetgroup/")?.split_once('/')?;
    let hash_fits = hash.len() == 16 && hash.chars().all(is_lower_hex);
    (is_region(region) && is_account(account) && is_target_group_name(name) && hash_fits).then_some(
        TargetGroupParts {
            region,
            account,
            name,
        },
    )
}

/// A group's name, be it written as a name or as an ARN: within one account and region it is unique.
pub(super) fn target_group_name(text: &str) -> &str {
    target_group_arn(text).map_or(text, |parts| parts.name)
}

/// The account that a role's ARN names.
pub(super) fn role_account(text: &str) -> Option<&str> {
    let (region, account, resource) = arn(text, "iam")?;
    let name = resource.strip_prefix("role/")?;
    let fits = region.is_empty() && is_account(account) && printable(name, 576) && !name.contains(' ');
    fits.then_some(account)
}

/// Region, account and resource of an ARN of this service.
fn arn<'t>(text: &'t str, service: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    let (scheme, partition, named) = (next()?, next()?, next()?);
    let (region, account, resource) = (next()?, next()?, next()?);
    let known = partition
        .strip_prefix("aws")
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    (scheme == "arn" && known && named == service).then_some((region, account, resource))
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && all_digits(text)
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., number] = parts.as_slice() else {
        return false;
    };
    let lower = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    first.len() == 2
        && lower(first)
        && !middle.is_empty()
        && middle.iter().all(lower)
        && (1..=2).contains(&number.len())
        && all_digits(number)
}

fn is_target_group_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|hex| matches!(hex.len(), 8 | 17) && hex.chars().all(is_lower_hex))
}

fn is_lower_hex(c: char) -> bool {
    matches!(c, '0'..='9' | 'a'..='f')
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn printable(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_accepts_its_own_example_and_refuses_nothing_at_all() {
        for rule in [
            SERVICE,
            SLOT,
            CHANNEL,
            ACCOUNT,
            REGION,
            ROLE,
            EXTERNAL_ID,
            INSTANCE,
            IMAGE,
            SUBNET,
            INSTANCE_TYPE,
            TARGET_GROUP,
            ASG,
            SSM,
            OWNER,
            IMAGE_NAME,
            TEMPLATE,
            TEMPLATE_VERSION,
            PAUSE_PARAMETER,
            TABLE,
            TOPIC,
            QUEUE,
        ] {
            assert!((rule.accepts)(rule.example), "{}: {}", rule.what, rule.example);
            assert!(!(rule.accepts)(""), "{}", rule.what);
            assert!(!(rule.accepts)("ä\n"), "{}", rule.what);
        }
    }

    #[test]
    fn ids_that_aws_could_not_have_issued_are_refused() {
        for (rule, text, good) in [
            (INSTANCE, "i-0123456789abcdef0", true),
            (INSTANCE, "i-01234567", true),
            (INSTANCE, "i-0123456789abcdef", false),
            (INSTANCE, "i-0123456789ABCDEF0", false),
            (INSTANCE, "ami-0123456789abcdef0", false),
            (REGION, "us-gov-west-1", true),
            (REGION, "ap-southeast-7", true),
            (REGION, "eu-west-2a", false),
            (REGION, "eu-west", false),
            (REGION, "London", false),
            (ACCOUNT, "11112222333", false),
            (ROLE, "arn:aws-cn:iam::111122223333:role/path/keepgreen", true),
            (ROLE, "arn:aws:iam::111122223333:user/keepgreen", false),
            (ROLE, "arn:aws:iam:eu-west-2:111122223333:role/keepgreen", false),
            (
                TARGET_GROUP,
                "arn:aws:elasticloadbalancing:eu-west-2:111122223333:targetgroup/tis/0123456789abcdef",
                true,
            ),
            (
                TARGET_GROUP,
                "arn:aws:elasticloadbalancing:eu-west-2:111122223333:loadbalancer/tis/0123456789abcdef",
                false,
            ),
            (TARGET_GROUP, "-tis", false),
            (TARGET_GROUP, "a-name-of-thirty-three-characters", false),
            (IMAGE_NAME, "**", false),
            (TEMPLATE, "lt-0123456789abcdef0", false),
            (TEMPLATE_VERSION, "0", false),
            (TEMPLATE_VERSION, "17", true),
            (PAUSE_PARAMETER, "/keepgreen//pause", false),
            (PAUSE_PARAMETER, "keepgreen", false),
        ] {
            assert_eq!((rule.accepts)(text), good, "{}: {text}", rule.what);
        }
    }
}
