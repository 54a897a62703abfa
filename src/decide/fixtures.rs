//! Builders for tests: a policy from its text, a look from a few words, a night from both.

use super::claims::Claims;
use super::fold::{Seen, fold};
use super::outcome::fold_outcome;
use super::replace::remember_launches;
use super::{Elsewhere, FleetLimits, Input, Plan, decide, remember_findings};
use crate::model::*;
use crate::policy::{Channels, Policy, parse_policy};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-2";
pub const GREEN: &str = "i-0000000000000000b";
pub const BLUE: &str = "i-0000000000000000a";

/// The incident's service, with `more` lines of policy.
pub fn tis(more: &str) -> Policy {
    let text = format!(
        "service: tis\naccount: \"{ACCOUNT}\"\nregion: {REGION}\nslots:\n  \
         blue: {{ select: {{ tags: {{ Name: tis-prod-blue }} }}, target_groups: [tis-prod] }}\n  \
         green: {{ select: {{ tags: {{ Name: tis-prod-green }} }}, target_groups: [tis-prod] }}\n{more}\n"
    );
    policy(&text)
}

pub fn policy(text: &str) -> Policy {
    let parsed = parse_policy("tis.yaml", text, Channels::Unchecked);
    assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    parsed.policy.unwrap()
}

pub fn running(id: &str, name: &str) -> Instance {
    Instance {
        id: id.into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        zone: Some("eu-west-2a".into()),
        state: InstanceState::Running,
        state_reason: None,
        transition_reason: None,
        image: Some("ami-00000000000000001".into()),
        instance_type: Some("t3.large".into()),
        client_token: None,
        root_stays: Some(false),
        launched_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        lifecycle: Lifecycle::OnDemand,
        root_device: RootDevice::Ebs,
        tags: BTreeMap::from([("Name".to_owned(), name.to_owned())]),
        private_ip: None,
        public_ip: None,
        digest: String::new(),
    }
}

pub fn stopped(mut instance: Instance, code: &str) -> Instance {
    instance.state = InstanceState::Stopped;
    instance.state_reason = Some(StateReason {
        code: code.to_owned(),
        message: String::new(),
    });
    instance
}

pub fn checks(state: CheckState) -> StatusChecks {
    StatusChecks {
        system: state.clone(),
        instance: state,
        attached_ebs: None,
        events: Vec::new(),
    }
}

pub fn target(id: &str, state: TargetState, reason: Option<&str>) -> Target {
    let health = TargetHealth {
        state,
        reason: reason.map(str::to_owned),
        description: None,
    };
    Target {
        instance: id.into(),
        port: Some(8080),
        health,
    }
}

/// One service over a night: looks, plans and outcomes follow each other as in a pass.
pub struct Night {
    pub policy: Policy,
    pub claims: Claims,
    pub memory: ServiceMemory,
    pub now: Timestamp,
    pub boot: Duration,
    pub incarnation: String,
    pub instances: Vec<Instance>,
    pub statuses: BTreeMap<InstanceId, StatusChecks>,
    pub targets: Vec<Target>,
    pub image: Option<ImageState>,
    pub gaps: Vec<Gap>,
    pub caller: Option<AccountId>,
    pub pauses: Vec<Pause>,
    pub unreadable: Vec<String>,
    pub unsettled: Vec<JournaledIntent>,
    pub unknown: Vec<crate::decide::UnknownIntent>,
    pub delivered: BTreeSet<String>,
    pub used: u32,
    pub resumed: Option<Timestamp>,
    pub blueprints: BTreeMap<InstanceId, Blueprint>,
    pub unread: BTreeMap<InstanceId, String>,
    pub supply: Option<Supply>,
    pub elsewhere: Elsewhere,
    intents: u32,
}

impl Night {
    /// Both slots run and serve; it is 04:00.
    pub fn of(policy: Policy) -> Self {
        let mut claims = Claims::default();
        claims.add(&policy, None, None);
        let mut night = Self {
            policy,
            claims,
            memory: ServiceMemory::default(),
            now: "2026-11-11T04:00:00Z".parse().unwrap(),
            boot: Duration::from_secs(1000),
            incarnation: "first".to_owned(),
            instances: vec![running(BLUE, "tis-prod-blue"), running(GREEN, "tis-prod-green")],
            statuses: BTreeMap::new(),
            targets: vec![
                target(BLUE, TargetState::Healthy, None),
                target(GREEN, TargetState::Healthy, None),
            ],
            image: Some(ImageState::Available),
            gaps: Vec::new(),
            caller: Some(ACCOUNT.into()),
            pauses: Vec::new(),
            unreadable: Vec::new(),
            unsettled: Vec::new(),
            unknown: Vec::new(),
            delivered: BTreeSet::new(),
            used: 0,
            resumed: None,
            blueprints: BTreeMap::new(),
            unread: BTreeMap::new(),
            supply: None,
            elsewhere: Elsewhere {
                max_concurrent: 4,
                all_seen: true,
                ..Elsewhere::default()
            },
            intents: 0,
        };
        night.all_checks(CheckState::Ok);
        night
    }

    pub fn all_checks(&mut self, state: CheckState) {
        self.statuses = self
            .instances
            .iter()
            .map(|i| (i.id.clone(), checks(state.clone())))
            .collect();
    }

    pub fn instance(&mut self, id: &str) -> &mut Instance {
        self.instances
            .iter_mut()
            .find(|instance| instance.id.as_str() == id)
            .unwrap()
    }

    /// The instance stops; its target is kept, unused.
    pub fn stop(&mut self, id: &str, code: &str) {
        let instance = self.instance(id);
        *instance = stopped(instance.clone(), code);
        self.set_target(id, TargetState::Unused, Some("Target.InvalidState"));
    }

    pub fn up(&mut self, id: &str) {
        self.instance(id).state = InstanceState::Running;
        self.instance(id).state_reason = None;
        self.set_target(id, TargetState::Initial, Some("Elb.InitialHealthChecking"));
    }

    pub fn serve(&mut self, id: &str) {
        self.up(id);
        self.set_target(id, TargetState::Healthy, None);
    }

    pub fn set_target(&mut self, id: &str, state: TargetState, reason: Option<&str>) {
        for slot in self
            .targets
            .iter_mut()
            .filter(|target| target.instance.as_str() == id)
        {
            *slot = target(id, state.clone(), reason);
        }
    }

    pub fn pass_time(&mut self, seconds: u64) {
        self.boot += Duration::from_secs(seconds);
        self.now = self
            .now
            .saturating_add(jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap()))
            .unwrap();
    }

    pub fn stamp(&self) -> Stamp {
        Stamp {
            wall: self.now,
            boot: self.boot,
        }
    }

    pub fn look(&self) -> Observation {
        let image_of = |instance: &Instance| {
            let metadata = ImageMetadata {
                image: instance.image.clone()?,
                state: self.image.clone()?,
                allowed: Some(true),
                owner: Some(ACCOUNT.into()),
            };
            Some((instance.id.clone(), metadata))
        };
        let group = GroupView {
            arn: "arn:aws:elasticloadbalancing:eu-west-2:111122223333:targetgroup/tis-prod/1".into(),
            name: "tis-prod".to_owned(),
            port: Some(8080),
            of_instances: true,
            targets: self.targets.clone(),
        };
        let has_gap = |part: &Part| self.gaps.iter().any(|gap| gap.part == *part);
        let groups = if has_gap(&Part::TargetGroup("tis-prod".to_owned())) {
            BTreeMap::new()
        } else {
            BTreeMap::from([("tis-prod".to_owned(), group)])
        };
        let listing = match &self.image {
            None | Some(ImageState::Available) => None,
            Some(ImageState::Disabled) => Some(ImageListing::Listed(ImageState::Disabled)),
            Some(_) => Some(ImageListing::Absent),
        };
        Observation {
            service: self.policy.service.clone(),
            policy_version: self.policy.version.clone(),
            begun: self.stamp(),
            ended: self.stamp(),
            caller: self.caller.clone(),
            region: REGION.into(),
            instances: self.instances.iter().map(|i| (i.id.clone(), i.clone())).collect(),
            statuses: if has_gap(&Part::Statuses) {
                BTreeMap::new()
            } else {
                self.statuses.clone()
            },
            image_metadata: self.instances.iter().filter_map(image_of).collect(),
            image_listings: self
                .instances
                .iter()
                .filter_map(|i| Some((i.image.clone()?, listing.clone()?)))
                .collect(),
            groups,
            scaling_groups: BTreeMap::new(),
            coverage: Coverage::from_gaps(self.gaps.clone()),
        }
    }

    pub fn readings(&self) -> PauseReading {
        PauseReading {
            begun: self.stamp(),
            service: self.policy.service.clone(),
            set: self.pauses.clone(),
            unreadable: self.unreadable.clone(),
        }
    }

    /// Looks and plans, without acting; time stands still.
    pub fn plan(&mut self) -> Plan {
        let look = self.look();
        let seen = Seen {
            policy: &self.policy,
            claims: &self.claims,
            look: &look,
            incarnation: &self.incarnation,
            interval: Duration::from_secs(60),
            resumed: self.resumed,
        };
        self.memory = fold(&self.memory, &seen);
        let readings = self.readings();
        let plan = decide(&Input {
            policy: &self.policy,
            claims: &self.claims,
            look: &look,
            memory: &self.memory,
            unsettled: &self.unsettled,
            unknown_intents: &self.unknown,
            pauses: &readings,
            delivered: &self.delivered,
            limits: FleetLimits {
                mutations_last_hour: self.used,
                mutations_per_hour: 60,
            },
            blueprints: &self.blueprints,
            unread: &self.unread,
            supply: self.supply.as_ref(),
            elsewhere: &self.elsewhere,
            can_announce: true,
            interval: Duration::from_secs(60),
            now: self.now,
        });
        self.memory = remember_findings(&self.memory, &plan, false);
        self.memory = remember_launches(&self.memory, &plan);
        self.delivered
            .extend(plan.notices.iter().map(|notice| notice.key.clone()));
        plan
    }

    pub fn intent(&mut self, step: Step) -> Intent {
        self.intents += 1;
        Intent {
            id: IntentId::new(format!("intent-{}", self.intents)),
            service: self.policy.service.clone(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            step,
            policy_version: self.policy.version.clone(),
            reason: String::new(),
            durable: self.stamp(),
        }
    }

    /// Plans, and has AWS answer each step with `outcome`.
    pub fn act(&mut self, outcome: &Outcome) -> Plan {
        let plan = self.plan();
        for planned in &plan.steps {
            let intent = self.intent(planned.step.clone());
            self.memory = fold_outcome(&self.memory, &self.policy, &intent, outcome, self.now);
            self.used += 1;
        }
        plan
    }

    /// [`Self::act`], with every start accepted.
    pub fn act_accepted(&mut self) -> Plan {
        self.act(&Outcome::Accepted {
            request_id: None,
            launched: None,
        })
    }
}

/// The instances that a plan starts.
pub fn started(plan: &Plan) -> Vec<&str> {
    plan.steps
        .iter()
        .flat_map(|planned| planned.step.instances())
        .map(InstanceId::as_str)
        .collect()
}
