//! Rules of a listener: conditions, in order of priority, before the default rule.

use std::collections::BTreeMap;

use super::super::World;
use super::super::api::{ApiError, Caller, Listing, Page};
use super::super::instance::Scope;
use super::super::page::paginate;
use super::super::shelf::Tags;
use super::{Action, BalancerKind, Condition, Listener, condition, invalid, tags};

/// A rule's place; the default rule comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    At(u32),
    Default,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    pub arn: String,
    pub scope: Scope,
    /// Its load balancer's ARN.
    pub balancer: String,
    /// Its listener's ARN.
    pub listener: String,
    pub priority: Priority,
    pub conditions: Vec<Condition>,
    pub actions: Vec<Action>,
    pub tags: Tags,
}

/// CreateRule's parameters.
#[derive(Debug, Clone)]
pub struct NewRule {
    pub listener: String,
    pub priority: u32,
    pub conditions: Vec<Condition>,
    pub actions: Vec<Action>,
    pub tags: Vec<(String, String)>,
}

impl Listener {
    fn as_default_rule(&self) -> Rule {
        Rule {
            arn: self.default_rule(),
            scope: self.scope.clone(),
            balancer: self.balancer.clone(),
            listener: self.arn.clone(),
            priority: Priority::Default,
            conditions: Vec::new(),
            actions: self.actions.clone(),
            tags: Tags::new(),
        }
    }
}

impl World {
    /// The rules of a listener but the default one.
    fn rules_at<'a>(&'a self, listener: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.balancing
            .rules
            .values()
            .filter(move |rule| rule.listener == listener)
    }

    /// The caller's rule of this ARN: one of its own or a listener's default rule.
    fn rule_of(&self, caller: &Caller, arn: &str) -> Result<Rule, ApiError> {
        let scope = caller.scope();
        if let Some(rule) = self.balancing.rules.get(arn).filter(|rule| rule.scope == scope) {
            return Ok(rule.clone());
        }
        let mut listeners = self.balancing.listeners.values().filter(|l| l.scope == scope);
        let of_default = listeners.find(|listener| listener.default_rule() == arn);
        of_default
            .map(Listener::as_default_rule)
            .ok_or_else(|| not_found(arn))
    }

    pub(super) fn create_rule(&mut self, caller: &Caller, new: &NewRule) -> Result<Rule, ApiError> {
        let listener = self.listener_of(caller, &new.listener)?.clone();
        let balancer = self.balancer_of(caller, &listener.balancer)?.clone();
        if balancer.kind == BalancerKind::Network {
            let text = format!(
                "Rules are not supported for listeners with the protocol '{}'",
                listener.protocol
            );
            return Err(ApiError::new("UnsupportedProtocol", text));
        }
        check_priority(new.priority)?;
        let values = self.balancing_quota(&listener.scope, "condition-values-per-alb-rule");
        condition::check(&new.conditions, values)?;
        if self
            .rules_at(&listener.arn)
            .any(|rule| rule.priority == Priority::At(new.priority))
        {
            return Err(in_use(new.priority));
        }
        self.check_actions(caller, &balancer, &listener.protocol, &new.actions)?;
        let tags = tags::of_new(&new.tags)?;
        let of_balancer = self
            .balancing
            .rules
            .values()
            .filter(|rule| rule.balancer == balancer.arn);
        if of_balancer.count() >= self.balancing_quota(&listener.scope, "rules-per-application-load-balancer")
        {
            let text = "You've reached the limit on the number of rules per load balancer";
            return Err(ApiError::new("TooManyRules", text));
        }
        let rule = Rule {
            arn: format!("{}{}", listener.rule_prefix(), self.balancing_id()),
            scope: listener.scope.clone(),
            balancer: balancer.arn.clone(),
            listener: listener.arn,
            priority: Priority::At(new.priority),
            conditions: new.conditions.clone(),
            actions: new.actions.clone(),
            tags,
        };
        self.own_write(&rule.arn);
        self.note(&rule.arn, format!("rule with priority {} created", new.priority));
        self.balancing.rules.insert(rule.arn.clone(), rule.clone());
        self.refresh_usage(&self.groups_behind(&balancer.arn));
        Ok(rule)
    }

    pub(super) fn describe_rules(
        &self,
        caller: &Caller,
        listener: Option<&str>,
        arns: &[String],
        page: &Page,
    ) -> Result<Listing<Rule>, ApiError> {
        let mut items: Vec<Rule> = match (listener, arns) {
            (None, []) => {
                return Err(invalid(
                    "You must specify either listener rule ARNs or a listener ARN",
                ));
            }
            (Some(_), [_, ..]) => {
                let text = "Listener rule ARNs and a listener ARN cannot be specified at the same time";
                return Err(invalid(text));
            }
            (Some(listener), []) => {
                let of = self.listener_of(caller, listener)?;
                let own = self.rules_at(listener).cloned();
                own.chain([of.as_default_rule()]).collect()
            }
            (None, arns) => {
                let found = arns.iter().map(|arn| self.rule_of(caller, arn));
                found.collect::<Result<_, _>>()?
            }
        };
        items.sort_by_key(key_of);
        let (items, next) = paginate(items, key_of, page, 1..=400, Some(400))?;
        Ok(Listing { items, next })
    }

    pub(super) fn modify_rule(
        &mut self,
        caller: &Caller,
        arn: &str,
        conditions: Option<&[Condition]>,
        actions: Option<&[Action]>,
    ) -> Result<Rule, ApiError> {
        let mut rule = self.rule_of(caller, arn)?;
        if conditions.is_none() && actions.is_none() {
            return Err(invalid("Either conditions or actions must be specified"));
        }
        if rule.priority == Priority::Default {
            let text = format!("Default rule '{arn}' cannot be modified");
            return Err(ApiError::new("OperationNotPermitted", text));
        }
        let listener = self.listener_of(caller, &rule.listener)?.clone();
        let balancer = self.balancer_of(caller, &rule.balancer)?.clone();
        if let Some(conditions) = conditions {
            let values = self.balancing_quota(&rule.scope, "condition-values-per-alb-rule");
            condition::check(conditions, values)?;
            rule.conditions = conditions.to_vec();
        }
        if let Some(actions) = actions {
            self.check_actions(caller, &balancer, &listener.protocol, actions)?;
            rule.actions = actions.to_vec();
        }
        let mut touched = self.groups_behind(&balancer.arn);
        self.balancing.rules.insert(arn.to_owned(), rule.clone());
        self.note(arn, "rule modified");
        touched.extend(self.groups_behind(&balancer.arn));
        self.refresh_usage(&touched);
        Ok(rule)
    }

    pub(super) fn delete_rule(&mut self, caller: &Caller, arn: &str) -> Result<(), ApiError> {
        let rule = self.rule_of(caller, arn)?;
        if rule.priority == Priority::Default {
            let text = format!("Default rule '{arn}' cannot be deleted");
            return Err(ApiError::new("OperationNotPermitted", text));
        }
        let touched = self.groups_behind(&rule.balancer);
        self.balancing.rules.remove(arn);
        self.note(arn, "rule deleted");
        self.refresh_usage(&touched);
        Ok(())
    }

    /// All of them or none. A priority that another named rule gives up is free.
    pub(super) fn set_rule_priorities(
        &mut self,
        caller: &Caller,
        wanted: &[(String, u32)],
    ) -> Result<Vec<Rule>, ApiError> {
        let mut taken: BTreeMap<(String, u32), &str> = BTreeMap::new();
        for (arn, priority) in wanted {
            let rule = self.rule_of(caller, arn)?;
            if rule.priority == Priority::Default {
                let text = format!("The priority of the default rule '{arn}' cannot be changed");
                return Err(ApiError::new("OperationNotPermitted", text));
            }
            check_priority(*priority)?;
            if taken.insert((rule.listener.clone(), *priority), arn).is_some() {
                return Err(invalid(format!(
                    "Priority '{priority}' was provided multiple times"
                )));
            }
            let mut others = self
                .rules_at(&rule.listener)
                .filter(|r| !wanted.iter().any(|(named, _)| *named == r.arn));
            if others.any(|other| other.priority == Priority::At(*priority)) {
                return Err(in_use(*priority));
            }
        }
        let mut rules = Vec::new();
        for (arn, priority) in wanted {
            if let Some(rule) = self.balancing.rules.get_mut(arn) {
                rule.priority = Priority::At(*priority);
                rules.push(rule.clone());
                self.note(arn, format!("rule: priority {priority}"));
            }
        }
        Ok(rules)
    }
}

/// Sorts by listener and priority, the default rule last.
fn key_of(rule: &Rule) -> String {
    let place = match rule.priority {
        Priority::At(priority) => priority,
        Priority::Default => u32::MAX,
    };
    format!("{} {place:010} {}", rule.listener, rule.arn)
}

fn check_priority(priority: u32) -> Result<(), ApiError> {
    match priority {
        1..=50_000 => Ok(()),
        _ => Err(invalid(format!(
            "Rule priority '{priority}' must be between 1 and 50000 inclusive"
        ))),
    }
}

fn in_use(priority: u32) -> ApiError {
    ApiError::new(
        "PriorityInUse",
        format!("Priority '{priority}' is currently in use"),
    )
}

pub(super) fn not_found(arn: &str) -> ApiError {
    ApiError::new("RuleNotFound", format!("One or more rules not found: {arn}"))
}
