//! Actions and conditions of listeners and rules, read and written.

use super::super::query::Params;
use super::super::xml::Xml;
use super::{need, number};
use crate::sim::world::api::ApiError;
use crate::sim::world::balancing::{
    Action, Condition, FixedResponse, Forward, Kind, Redirect, WeightedGroup,
};

/// `name.member.N`.
pub(super) fn actions(p: &mut Params, name: &str) -> Result<Vec<Action>, ApiError> {
    let mut all = Vec::new();
    for mut entry in p.structures(&format!("{name}.member")) {
        let kind = match need(&mut entry, "Type")?.as_str() {
            "forward" => Kind::Forward(forward(&mut entry)?),
            "redirect" => Kind::Redirect(redirect(&mut entry)?),
            "fixed-response" => Kind::FixedResponse(FixedResponse {
                status: need(&mut entry, "FixedResponseConfig.StatusCode")?,
                body: entry.text("FixedResponseConfig.MessageBody"),
                content_type: entry.text("FixedResponseConfig.ContentType"),
            }),
            other @ ("authenticate-oidc" | "authenticate-cognito" | "jwt-validation") => {
                return Err(ApiError::not_modelled(format!("actions of type {other}")));
            }
            other => {
                let text = format!(
                    "1 validation error detected: Value '{other}' at 'actions.{}.member.type' failed to satisfy constraint: \
                     Member must satisfy enum value set: [forward, redirect, fixed-response]",
                    all.len() + 1
                );
                return Err(ApiError::new("ValidationError", text));
            }
        };
        let order = number(&mut entry, "Order")?;
        entry.finish(name)?;
        all.push(Action { order, kind });
    }
    Ok(all)
}

/// One group by its ARN, or several with weights; both only if they mean the same.
fn forward(entry: &mut Params) -> Result<Forward, ApiError> {
    let mut groups = Vec::new();
    for mut group in entry.structures("ForwardConfig.TargetGroups.member") {
        groups.push(WeightedGroup {
            arn: need(&mut group, "TargetGroupArn")?,
            weight: number(&mut group, "Weight")?.unwrap_or(1),
        });
        group.finish("TargetGroups")?;
    }
    let stickiness = "ForwardConfig.TargetGroupStickinessConfig";
    let sticky = entry.flag(&format!("{stickiness}.Enabled"))?;
    let sticky_s = number(entry, &format!("{stickiness}.DurationSeconds"))?;
    let single = entry.text("TargetGroupArn");
    match (single, groups.as_slice()) {
        (Some(arn), []) => Ok(Forward {
            sticky,
            sticky_s,
            ..Forward::to(&arn)
        }),
        (Some(arn), [one]) if one.arn == arn => Ok(Forward {
            groups,
            sticky,
            sticky_s,
        }),
        (Some(_), _) => Err(ApiError::new(
            "ValidationError",
            "You can specify only one target group, and the same one, with both TargetGroupArn and ForwardConfig",
        )),
        (None, _) => Ok(Forward {
            groups,
            sticky,
            sticky_s,
        }),
    }
}

/// What a redirect does not say stays as it was requested: AWS shows that in full.
fn redirect(entry: &mut Params) -> Result<Redirect, ApiError> {
    let mut text = |name: &str, default: &str| {
        let given = entry.text(&format!("RedirectConfig.{name}"));
        given.unwrap_or_else(|| default.to_owned())
    };
    Ok(Redirect {
        protocol: text("Protocol", "#{protocol}"),
        port: text("Port", "#{port}"),
        host: text("Host", "#{host}"),
        path: text("Path", "/#{path}"),
        query: text("Query", "#{query}"),
        status: need(entry, "RedirectConfig.StatusCode")?,
    })
}

/// `Conditions.member.N`.
pub(super) fn conditions(p: &mut Params) -> Result<Vec<Condition>, ApiError> {
    let mut all = Vec::new();
    for mut entry in p.structures("Conditions.member") {
        let field = need(&mut entry, "Field")?;
        let mut values = entry.list("Values.member");
        let mut keys = Vec::new();
        if let Some(config) = config_of(&field) {
            if !values.is_empty() && !matches!(field.as_str(), "host-header" | "path-pattern") {
                let text = format!("The 'Values' field is not compatible with '{field}'");
                return Err(ApiError::new("ValidationError", text));
            }
            if field == "query-string" {
                for mut pair in entry.structures(&format!("{config}.Values.member")) {
                    keys.push(pair.text("Key"));
                    values.push(need(&mut pair, "Value")?);
                    pair.finish(config)?;
                }
            } else {
                let own = entry.list(&format!("{config}.Values.member"));
                if !values.is_empty() && !own.is_empty() && own != values {
                    let text = format!("You cannot specify both 'Values' and '{config}'");
                    return Err(ApiError::new("ValidationError", text));
                }
                values = if own.is_empty() { values } else { own };
            }
        }
        let header = entry.text("HttpHeaderConfig.HttpHeaderName");
        entry.finish("Conditions")?;
        all.push(Condition {
            field,
            values,
            keys,
            header,
        });
    }
    Ok(all)
}

/// The structure that belongs to a condition's field.
fn config_of(field: &str) -> Option<&'static str> {
    match field {
        "host-header" => Some("HostHeaderConfig"),
        "path-pattern" => Some("PathPatternConfig"),
        "http-header" => Some("HttpHeaderConfig"),
        "http-request-method" => Some("HttpRequestMethodConfig"),
        "query-string" => Some("QueryStringConfig"),
        "source-ip" => Some("SourceIpConfig"),
        _ => None,
    }
}

pub(super) fn write_actions(xml: &mut Xml, name: &str, actions: &[Action]) {
    xml.list(name, "member", actions, |xml, action| {
        match &action.kind {
            Kind::Forward(forward) => write_forward(xml, forward),
            Kind::Redirect(to) => {
                xml.text("Type", "redirect");
                xml.element("RedirectConfig", |xml| {
                    xml.text("Protocol", &to.protocol);
                    xml.text("Port", &to.port);
                    xml.text("Host", &to.host);
                    xml.text("Path", &to.path);
                    xml.text("Query", &to.query);
                    xml.text("StatusCode", &to.status);
                });
            }
            Kind::FixedResponse(response) => {
                xml.text("Type", "fixed-response");
                xml.element("FixedResponseConfig", |xml| {
                    xml.maybe("MessageBody", response.body.as_ref());
                    xml.text("StatusCode", &response.status);
                    xml.maybe("ContentType", response.content_type.as_ref());
                });
            }
        }
        xml.maybe("Order", action.order.map(|order| order.to_string()));
    });
}

/// AWS shows a forward to one group in both ways.
fn write_forward(xml: &mut Xml, forward: &Forward) {
    xml.text("Type", "forward");
    if let [one] = forward.groups.as_slice() {
        xml.text("TargetGroupArn", &one.arn);
    }
    xml.element("ForwardConfig", |xml| {
        xml.list("TargetGroups", "member", &forward.groups, |xml, group| {
            xml.text("TargetGroupArn", &group.arn);
            xml.text("Weight", group.weight.to_string());
        });
        xml.element("TargetGroupStickinessConfig", |xml| {
            xml.text("Enabled", forward.sticky.to_string());
            xml.maybe("DurationSeconds", forward.sticky_s.map(|s| s.to_string()));
        });
    });
}

pub(super) fn write_conditions(xml: &mut Xml, conditions: &[Condition]) {
    xml.list("Conditions", "member", conditions, |xml, condition| {
        xml.text("Field", &condition.field);
        if condition.has_plain_values() {
            write_values(xml, &condition.values);
        }
        let Some(config) = config_of(&condition.field) else {
            return;
        };
        xml.element(config, |xml| {
            xml.maybe("HttpHeaderName", condition.header.as_ref());
            if condition.field != "query-string" {
                return write_values(xml, &condition.values);
            }
            let pairs = condition.keys.iter().zip(&condition.values);
            xml.list("Values", "member", pairs, |xml, (key, value)| {
                xml.maybe("Key", key.as_ref());
                xml.text("Value", value);
            });
        });
    });
}

fn write_values(xml: &mut Xml, values: &[String]) {
    xml.element("Values", |xml| {
        values.iter().for_each(|value| xml.text("member", value))
    });
}
