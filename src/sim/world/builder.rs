//! Worlds to begin with. Everything in a new world has been running quietly for a day.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::balancing::of_new_group;
use super::identity::Key;
use super::instance::{App, CheckStatus, Instance, Probe, Scope, State, StateReason, TagValue};
use super::interfaces::NewInterface;
use super::launch::Settings;
use super::network::fixed_id;
use super::target::{Checks, DEREGISTRATION_DELAY, Health, Target, TargetGroup, Usage};
use super::versioned::Versioned;
use super::webhook::WebhookAnswer;
use super::{Attachment, AttachmentState, Group, Image, ImageState, Log, Pace, Role, Staleness, World};

/// The account and region that specifications mean unless they say otherwise.
pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-2";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Collects what a world begins with. [`build`](Self::build) makes it.
#[derive(Debug, Clone)]
pub struct WorldBuilder {
    seed: u64,
    start: Timestamp,
    pace: Pace,
    throttling: bool,
    accounts: BTreeSet<String>,
    roles: Vec<Role>,
    open_to: Option<String>,
    images: Vec<ImageSpec>,
    instances: Vec<InstanceSpec>,
    target_groups: Vec<TargetGroupSpec>,
    groups: Vec<GroupSpec>,
    webhooks: BTreeMap<String, WebhookAnswer>,
}

impl WorldBuilder {
    /// An empty world with one account, starting at 2026-11-22 03:00 UTC.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            start: Timestamp::UNIX_EPOCH + Duration::from_secs(1_795_316_400),
            pace: Pace::default(),
            throttling: true,
            accounts: BTreeSet::from([ACCOUNT.to_owned()]),
            roles: Vec::new(),
            open_to: None,
            images: Vec::new(),
            instances: Vec::new(),
            target_groups: Vec::new(),
            groups: Vec::new(),
            webhooks: BTreeMap::new(),
        }
    }

    pub fn start(mut self, at: Timestamp) -> Self {
        self.start = at;
        self
    }

    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// No request is ever throttled.
    pub fn without_throttling(mut self) -> Self {
        self.throttling = false;
        self
    }

    /// A further account, with an access key of its own.
    pub fn account(mut self, id: &str) -> Self {
        self.accounts.insert(id.to_owned());
        self
    }

    /// A role that can be assumed.
    pub fn role(mut self, arn: &str, external_id: Option<&str>) -> Self {
        self.roles.push(Role {
            arn: arn.to_owned(),
            external_id: external_id.map(str::to_owned),
        });
        self
    }

    /// Any access key is one of `account`'s, but for twelve digits, which are that account's; any role can be assumed.
    pub fn open_to(mut self, account: &str) -> Self {
        self.open_to = Some(account.to_owned());
        self
    }

    pub fn image(mut self, image: ImageSpec) -> Self {
        self.images.push(image);
        self
    }

    pub fn instance(mut self, instance: InstanceSpec) -> Self {
        self.instances.push(instance);
        self
    }

    pub fn target_group(mut self, group: TargetGroupSpec) -> Self {
        self.target_groups.push(group);
        self
    }

    pub fn group(mut self, group: GroupSpec) -> Self {
        self.groups.push(group);
        self
    }

    /// A host that receives webhooks and answers 200.
    pub fn webhook(mut self, host: &str) -> Self {
        self.webhooks.insert(host.to_owned(), WebhookAnswer::Ok);
        self
    }

    /// The moment the world begins at.
    pub fn starts_at(&self) -> Timestamp {
        self.start
    }

    pub fn build(self) -> World {
        let mut world = World {
            now: self.start,
            rng: fastrand::Rng::with_seed(self.seed),
            ids: fastrand::Rng::with_seed(self.seed ^ 0x6964_735f_6f66_6f62),
            pace: self.pace,
            throttling: self.throttling,
            staleness: Staleness::default(),
            keys: self
                .accounts
                .iter()
                .map(|a| (World::access_key(a), key_of(a)))
                .collect(),
            roles: self.roles.into_iter().map(|r| (r.arn.clone(), r)).collect(),
            open_to: self.open_to,
            instances: BTreeMap::new(),
            images: Default::default(),
            allowed_images: BTreeMap::new(),
            image_retention: BTreeMap::new(),
            subscriptions: Default::default(),
            stocked: BTreeSet::new(),
            volumes: Default::default(),
            snapshots: Default::default(),
            templates: Default::default(),
            disabled_keys: BTreeSet::new(),
            tokens: Default::default(),
            most_per_page: None,
            network: Default::default(),
            security: Default::default(),
            interfaces: Default::default(),
            key_pairs: Default::default(),
            quotas: BTreeMap::new(),
            launching: Default::default(),
            is_rehearsal: false,
            target_groups: BTreeMap::new(),
            balancing: Default::default(),
            groups: BTreeMap::new(),
            parameters: BTreeMap::new(),
            public_parameters: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            buckets: Default::default(),
            no_capacity: BTreeSet::new(),
            denied: BTreeSet::new(),
            hidden: BTreeMap::new(),
            own_writes: BTreeMap::new(),
            events: BTreeMap::new(),
            events_made: 0,
            log: Log::default(),
        };
        for (host, answer) in self.webhooks {
            world.set_webhook(&host, answer);
        }
        let since = self.start - DAY;
        for spec in self.images {
            let creation = since;
            world.add_image(Image { creation, ..spec.0 });
        }
        for spec in self.instances {
            world.add_instance(spec, since);
        }
        for GroupSpec(group) in self.groups {
            let key = (group.scope.clone(), group.name.clone());
            world.groups.insert(key, group);
        }
        for spec in self.target_groups {
            let group = spec.build(&mut world, since);
            world.target_groups.insert(group.arn.clone(), group);
        }
        world
    }
}

/// The access key of an account's own user.
fn key_of(account: &str) -> Key {
    Key {
        account: account.to_owned(),
        arn: format!("arn:aws:iam::{account}:user/sim"),
        expiration: None,
    }
}

impl World {
    /// An instance of the beginning, with everything that belongs to it.
    fn add_instance(&mut self, spec: InstanceSpec, since: Timestamp) {
        let public_ip = spec.public_ip;
        let place = u64::from(self.rng.u8(..)) * 256 + u64::from(self.rng.u8(4..));
        let instance = spec.build(&mut self.rng, since);
        let id = instance.id.clone();
        self.add_root_volume(&instance);
        self.instances.insert(id.clone(), Versioned::new(since, instance));
        let start = std::mem::replace(&mut self.now, since);
        self.plug_in(&id, place, public_ip);
        self.now = start;
    }

    /// Give an instance of the beginning its primary interface, in the default subnet of its zone.
    fn plug_in(&mut self, id: &str, place: u64, auto_public_ip: bool) {
        let Some(instance) = self.instance(id).cloned() else {
            return;
        };
        let Some(subnet) = self.furnish_zone(&instance.scope, &instance.zone) else {
            return;
        };
        let groups = self
            .default_security_group(&subnet.vpc)
            .map(|group| group.id.clone());
        let new = NewInterface {
            hint: place,
            groups: groups.into_iter().collect(),
            auto_public_ip,
            ..NewInterface::default()
        };
        // A subnet that is full leaves its further instances without an interface: a fleet that big names its zones.
        let Ok(interface) = self.new_interface(&subnet, new) else {
            return;
        };
        self.attach_interface(&interface, id, 0, true);
        let ip = self.interface(&interface).map(|e| e.private_ip.to_string());
        self.edit(id, |i| {
            i.private_ip = ip.unwrap_or_default();
            i.subnet.clone_from(&subnet.id);
            i.vpc.clone_from(&subnet.vpc);
        });
        if instance.state == State::Running {
            self.assign_public_ip(id);
        }
    }
}

/// An image to begin with: available, private to its owner.
#[derive(Debug, Clone)]
pub struct ImageSpec(Image);

impl ImageSpec {
    pub fn new(id: &str) -> Self {
        let scope = Scope::new(ACCOUNT, REGION);
        Self(Image::plain(id, scope, Timestamp::UNIX_EPOCH))
    }

    pub fn owner(mut self, account: &str) -> Self {
        self.0.scope.account = account.to_owned();
        self
    }

    pub fn region(mut self, region: &str) -> Self {
        self.0.scope.region = region.to_owned();
        self
    }

    pub fn shared_with(mut self, account: &str) -> Self {
        self.0.shared_with.insert(account.to_owned());
        self
    }

    pub fn public(mut self) -> Self {
        self.0.public = true;
        self
    }

    pub fn state(mut self, state: ImageState) -> Self {
        self.0.state = state;
        self
    }

    pub fn name(mut self, name: &str) -> Self {
        self.0.name = name.to_owned();
        self
    }

    /// A Marketplace product, which an account must have subscribed to.
    pub fn product_code(mut self, code: &str) -> Self {
        self.0.product_codes.push(code.to_owned());
        self
    }

    /// Its root device is an instance store.
    pub fn instance_store(mut self) -> Self {
        self.0.ebs_root = false;
        self.0.devices.clear();
        self.0.location = Some(format!("images/{}.manifest.xml", self.0.id));
        self
    }
}

/// An instance to begin with: running, checks passed, serving.
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    id: String,
    scope: Scope,
    zone: Option<String>,
    instance_type: String,
    image: String,
    state: State,
    reason: Option<StateReason>,
    tags: BTreeMap<String, String>,
    spot: bool,
    ebs_root: bool,
    group: Option<String>,
    app: App,
    public_ip: bool,
    settings: Settings,
}

impl InstanceSpec {
    /// `id` in EC2's form: `i-` and 8 or 17 hexadecimal digits.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            scope: Scope::new(ACCOUNT, REGION),
            zone: None,
            instance_type: "m5.large".to_owned(),
            image: incident::IMAGE.to_owned(),
            state: State::Running,
            reason: None,
            tags: BTreeMap::new(),
            spot: false,
            ebs_root: true,
            group: None,
            app: App::Serving,
            public_ip: false,
            settings: Settings::default(),
        }
    }

    pub fn name(self, name: &str) -> Self {
        self.tag("Name", name)
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn scope(mut self, account: &str, region: &str) -> Self {
        self.scope = Scope::new(account, region);
        self
    }

    /// Default: the region's zone `a`.
    pub fn zone(mut self, zone: &str) -> Self {
        self.zone = Some(zone.to_owned());
        self
    }

    pub fn instance_type(mut self, name: &str) -> Self {
        self.instance_type = name.to_owned();
        self
    }

    pub fn image(mut self, id: &str) -> Self {
        self.image = id.to_owned();
        self
    }

    /// Stopped a day ago, for `code`.
    pub fn stopped(mut self, code: &str) -> Self {
        self.state = State::Stopped;
        self.reason = Some(StateReason::of(code));
        self
    }

    pub fn spot(mut self) -> Self {
        self.spot = true;
        self
    }

    pub fn instance_store(mut self) -> Self {
        self.ebs_root = false;
        self
    }

    /// A member of an Auto Scaling group.
    pub fn group(mut self, name: &str) -> Self {
        self.group = Some(name.to_owned());
        self.tag("aws:autoscaling:groupName", name)
    }

    pub fn app(mut self, app: App) -> Self {
        self.app = app;
        self
    }

    /// With an automatically assigned public address, which it loses when it stops.
    pub fn public_ip(mut self) -> Self {
        self.public_ip = true;
        self
    }

    /// With these settings instead of the usual ones.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    fn build(self, rng: &mut fastrand::Rng, since: Timestamp) -> Instance {
        let running = self.state == State::Running;
        let check = if running {
            CheckStatus::Ok
        } else {
            CheckStatus::NotApplicable
        };
        let tags = self
            .tags
            .into_iter()
            .map(|(key, value)| (key, TagValue { value, since }));
        let transition_reason = self
            .reason
            .as_ref()
            .map(|r| r.message.clone())
            .unwrap_or_default();
        Instance {
            zone: self.zone.unwrap_or_else(|| format!("{}a", self.scope.region)),
            private_ip: String::new(),
            subnet: String::new(),
            vpc: String::new(),
            interfaces: BTreeMap::new(),
            architecture: "x86_64".to_owned(),
            windows: false,
            product_codes: Vec::new(),
            launch_index: 0,
            settings: self.settings,
            reservation: format!("r-0{:016x}", rng.u64(..)),
            root_device: "/dev/xvda".to_owned(),
            devices: root_device(rng, &self.id, self.ebs_root, since),
            id: self.id,
            scope: self.scope,
            instance_type: self.instance_type,
            image: self.image,
            state: self.state,
            state_since: since,
            stop_began: (!running).then_some(since),
            reason: self.reason,
            transition_reason,
            launch_time: since,
            tags: tags.collect(),
            spot: self.spot,
            ebs_root: self.ebs_root,
            group: self.group,
            system_check: check,
            instance_check: check,
            ebs_check: check,
            events: Vec::new(),
            app: self.app,
            app_up: running,
            host: rng.u64(..),
            failing_starts: 0,
            poison: None,
            generation: 0,
        }
    }
}

/// What a new instance has under its root device.
fn root_device(
    rng: &mut fastrand::Rng,
    instance: &str,
    ebs_root: bool,
    since: Timestamp,
) -> BTreeMap<String, Attachment> {
    // Drawn for an instance store as well, so that it leaves the world's course alone.
    let volume = format!("vol-0{:016x}", rng.u64(..));
    let device = "/dev/xvda".to_owned();
    let root = ebs_root.then(|| Attachment {
        volume,
        instance: instance.to_owned(),
        device: device.clone(),
        state: AttachmentState::Attached,
        since,
        delete_on_termination: true,
    });
    root.map(|root| (device, root)).into_iter().collect()
}

/// A target group to begin with, checked every 30 s: two failures are unhealthy, two successes healthy.
#[derive(Debug, Clone)]
pub struct TargetGroupSpec {
    group: TargetGroup,
    targets: Vec<(String, Option<u16>)>,
    drain_s: u64,
}

impl TargetGroupSpec {
    pub fn new(name: &str, port: u16) -> Self {
        let group = TargetGroup {
            arn: String::new(),
            name: name.to_owned(),
            scope: Scope::new(ACCOUNT, REGION),
            created: Timestamp::UNIX_EPOCH,
            protocol: Some("HTTP".to_owned()),
            protocol_version: Some("HTTP1".to_owned()),
            port,
            vpc: None,
            target_type: "instance".to_owned(),
            checks: Checks {
                path: Some("/health".to_owned()),
                healthy_threshold: 2,
                ..Checks::of_new_group("instance", Some("HTTP"), None)
            },
            attributes: BTreeMap::new(),
            tags: BTreeMap::new(),
            usage: Usage::Assumed(true),
            targets: BTreeMap::new(),
            registrations: 0,
            stuck: BTreeSet::new(),
        };
        Self {
            group,
            targets: Vec::new(),
            drain_s: 60,
        }
    }

    pub fn scope(mut self, account: &str, region: &str) -> Self {
        self.group.scope = Scope::new(account, region);
        self
    }

    /// Register an instance of the world, on the group's port.
    pub fn target(mut self, id: &str) -> Self {
        self.targets.push((id.to_owned(), None));
        self
    }

    pub fn target_on(mut self, id: &str, port: u16) -> Self {
        self.targets.push((id.to_owned(), Some(port)));
        self
    }

    pub fn checks(mut self, interval_s: u64, healthy_threshold: u32, unhealthy_threshold: u32) -> Self {
        self.group.checks.interval = Duration::from_secs(interval_s.max(1));
        self.group.checks.healthy_threshold = healthy_threshold;
        self.group.checks.unhealthy_threshold = unhealthy_threshold;
        self
    }

    /// Its deregistration delay; a minute, if nobody says otherwise.
    pub fn drains_in(mut self, seconds: u64) -> Self {
        self.drain_s = seconds;
        self
    }

    /// No listener forwards to it.
    pub fn not_in_use(mut self) -> Self {
        self.group.usage = Usage::Assumed(false);
        self
    }

    pub fn target_type(mut self, kind: &str) -> Self {
        self.group.target_type = kind.to_owned();
        self
    }

    fn build(self, world: &mut World, since: Timestamp) -> TargetGroup {
        let mut group = self.group;
        group.arn = target_group_arn(&group.scope, &group.name);
        group.created = since;
        group.attributes = of_new_group(&group.target_type, group.protocol.as_deref());
        group
            .attributes
            .insert(DEREGISTRATION_DELAY.to_owned(), self.drain_s.to_string());
        world.furnish(&group.scope);
        group.vpc = world.default_vpc(&group.scope).map(|vpc| vpc.id.clone());
        for (id, port) in self.targets {
            let phase = world.draw_phase(group.checks.interval);
            let probe = world
                .instance(&id)
                .map_or(Probe::NotRunning(State::Terminated), |i| i.probe());
            let health = match probe {
                Probe::Pass => Health::Healthy,
                Probe::ErrorCode => Health::UnhealthyErrorCode,
                Probe::Timeout => Health::UnhealthyTimeout,
                Probe::NotRunning(state) => Health::NotRunning(state),
            };
            let target = Target {
                health,
                zone: world.instance(&id).map(|i| i.zone.clone()),
                phase,
                probe,
                forced: None,
                drained_at: None,
                generation: 0,
            };
            group
                .targets
                .insert((id, port.unwrap_or(group.port)), Versioned::new(since, target));
        }
        group
    }
}

/// The id of the default subnet of a zone: derived from its name, so that a test can write it down.
pub fn default_subnet(scope: &Scope, zone: &str) -> String {
    fixed_id("subnet-", scope, zone)
}

/// A target group's ARN: derived from its name, so that a test can write it down.
pub fn target_group_arn(scope: &Scope, name: &str) -> String {
    let suffix = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!(
        "arn:aws:elasticloadbalancing:{}:{}:targetgroup/{name}/{suffix:016x}",
        scope.region, scope.account
    )
}

/// An Auto Scaling group to begin with; its members are the instances that name it.
#[derive(Debug, Clone)]
pub struct GroupSpec(Group);

impl GroupSpec {
    pub fn new(name: &str, min: u32, desired: u32, max: u32) -> Self {
        Self(Group {
            name: name.to_owned(),
            scope: Scope::new(ACCOUNT, REGION),
            min,
            max,
            desired,
            zones: vec![format!("{REGION}a"), format!("{REGION}b")],
            target_groups: Vec::new(),
        })
    }

    pub fn scope(mut self, account: &str, region: &str) -> Self {
        self.0.scope = Scope::new(account, region);
        self.0.zones = vec![format!("{region}a"), format!("{region}b")];
        self
    }
}

/// The incident that keepgreen exists for: two servers behind one load balancer, upload served by green alone.
pub mod incident {
    use super::{ImageSpec, InstanceSpec, TargetGroupSpec, WorldBuilder};

    /// The image of both.
    pub const IMAGE: &str = "ami-0a11d00d5eed0c0de";
    pub const BLUE: &str = "i-0b1ee000000000001";
    pub const GREEN: &str = "i-09ee2000000000002";
    /// Both, on 8080.
    pub const TIS_PROD: &str = "tis-prod";
    /// Green alone, on 8443.
    pub const TIS_UPLOAD: &str = "tis-upload";

    /// The evening before: everything serves.
    pub fn world(seed: u64) -> WorldBuilder {
        WorldBuilder::new(seed)
            .image(ImageSpec::new(IMAGE))
            .instance(InstanceSpec::new(BLUE).name("tis-prod-blue").zone("eu-west-2a"))
            .instance(InstanceSpec::new(GREEN).name("tis-prod-green").zone("eu-west-2b"))
            .target_group(TargetGroupSpec::new(TIS_PROD, 8080).target(BLUE).target(GREEN))
            .target_group(TargetGroupSpec::new(TIS_UPLOAD, 8443).target(GREEN))
            .webhook("hooks.slack.test")
            .webhook("heartbeat.test")
    }
}
