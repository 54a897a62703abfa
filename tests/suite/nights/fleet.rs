//! What a night begins with: services, their slots, the servers behind them. Plain data, and the world made of it.
//!
//! Everything refers to everything by its place in a list, so that a night prints as Rust that can be pasted into a test.

use super::replacing::{Made, PARAMETER_OF_IMAGE, Replacing, image_name};
use keepgreen::sim::oracle::HEARTBEAT_HOST;
use keepgreen::sim::world::builder::{
    ACCOUNT, GroupSpec, ImageSpec, InstanceSpec, REGION, TargetGroupSpec, WorldBuilder,
};
use keepgreen::sim::world::launch::Settings;
use keepgreen::sim::world::{Scope, World};

pub const OTHER_ACCOUNT: &str = "444455556666";
pub const OTHER_REGION: &str = "eu-central-1";
/// What is assumed for the services in the other account.
pub const ROLE: &str = "arn:aws:iam::444455556666:role/keepgreen";
/// The one host that every channel posts to.
pub const HOOK: &str = "hooks.slack.test";
/// What every server was launched with, in base64: it must never be seen.
pub const USER_DATA: &str = "IyEvYmluL3NoCmV4cG9ydCBEQl9QQVNTV09SRD1odW50ZXIyCg==";
pub const ZONES: usize = 3;
/// Of where anything is replaced: every so many servers have a root volume that outlives them.
const KEPT_EVERY: usize = 3;
const SLOT_NAMES: [&str; 8] = ["blue", "green", "red", "grey", "black", "white", "gold", "pink"];

/// Everything that is there when the night begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    pub services: Vec<Service>,
    pub servers: Vec<Server>,
    pub groups: Vec<Group>,
}

/// One policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub place: Place,
    pub slots: Vec<Slot>,
    pub starts_stopped: bool,
    pub operator: Operator,
    pub operator_grace_s: u32,
    pub boot_s: u32,
    pub attempts: u32,
    pub attempts_per_day: u32,
    pub cooldown_s: u32,
    /// It has a channel.
    pub told: bool,
    /// The policy names its account and region, although it need not.
    pub says_where: bool,
    /// `heal.deregistered: register`, after so many seconds.
    pub registers_after_s: Option<u32>,
    /// `replace`, if it has one.
    pub replace: Option<Replacing>,
}

/// Account and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Home,
    OtherAccount,
    OtherRegion,
}

/// `heal.stopped_by_operator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Start,
    Respect,
    Alert,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Which servers it selects: those with this number. A swap of slots swaps it.
    pub of: usize,
    pub select: Select,
    pub count: u32,
    pub idle: bool,
    pub groups: Vec<Wanted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// By the tag `Name`.
    Name,
    /// By the tags `Service` and `Slot`.
    Tags,
    Ids,
    ScalingGroup,
}

/// A target group that a slot lists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    pub group: usize,
    pub port: Option<u16>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    pub service: usize,
    pub of: usize,
    pub zone: usize,
    pub kind: Kind,
    pub image: Made,
    /// It is stopped when the night begins.
    pub stopped: Option<StopBy>,
    /// It has the tags of this service and number as well.
    pub also: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    OnDemand,
    Spot,
    InstanceStore,
}

/// Why an instance stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopBy {
    Retirement,
    InternalError,
    NoCapacity,
    SpotShutdown,
    VolumeLimit,
    ClientError,
    Guest,
    Person,
    Hibernation,
}

impl StopBy {
    pub const ALL: [StopBy; 9] = [
        Self::Retirement,
        Self::InternalError,
        Self::NoCapacity,
        Self::SpotShutdown,
        Self::VolumeLimit,
        Self::ClientError,
        Self::Guest,
        Self::Person,
        Self::Hibernation,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::Retirement => "Server.ScheduledStop",
            Self::InternalError => "Server.InternalError",
            Self::NoCapacity => "Server.InsufficientInstanceCapacity",
            Self::SpotShutdown => "Server.SpotInstanceShutdown",
            Self::VolumeLimit => "Client.VolumeLimitExceeded",
            Self::ClientError => "Client.InternalError",
            Self::Guest => "Client.InstanceInitiatedShutdown",
            Self::Person => "Client.UserInitiatedShutdown",
            Self::Hibernation => "Client.UserInitiatedHibernate",
        }
    }

    pub fn is_person(self) -> bool {
        matches!(self, Self::Person | Self::Hibernation)
    }
}

/// A target group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    pub place: Place,
    pub port: u16,
    pub in_use: bool,
    /// What every slot that lists it says of it, if it says anything.
    pub min_healthy: Option<u32>,
}

impl Place {
    pub const ALL: [Place; 3] = [Self::Home, Self::OtherAccount, Self::OtherRegion];

    pub fn scope(self) -> Scope {
        match self {
            Self::Home => Scope::new(ACCOUNT, REGION),
            Self::OtherAccount => Scope::new(OTHER_ACCOUNT, REGION),
            Self::OtherRegion => Scope::new(ACCOUNT, OTHER_REGION),
        }
    }

    pub fn zone(self, number: usize) -> String {
        let letter = ["a", "b", "c"][number % ZONES];
        format!("{}{letter}", self.scope().region)
    }

    pub fn image(self, made: Made) -> String {
        format!("ami-000000000000000{}{}", made as usize, self as usize + 1)
    }
}

pub fn service_name(service: usize) -> String {
    format!("s{service}")
}

pub fn slot_name(slot: usize) -> &'static str {
    SLOT_NAMES[slot]
}

pub fn group_name(group: usize) -> String {
    format!("tg{group}")
}

pub fn scaling_group(service: usize, of: usize) -> String {
    format!("asg-s{service}-{of}")
}

/// The tags that make an instance one of service `service`, number `of`, if it is selected like that.
pub fn tags_of(service: usize, of: usize, select: Select) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    match select {
        Select::Name => vec![pair("Name", format!("s{service}-{of}"))],
        Select::Tags => vec![
            pair("Service", service_name(service)),
            pair("Slot", of.to_string()),
        ],
        Select::Ids | Select::ScalingGroup => Vec::new(),
    }
}

impl Fleet {
    pub fn id(server: usize) -> String {
        format!("i-{:017x}", server + 1)
    }

    pub fn place(&self, server: usize) -> Place {
        self.services[self.servers[server].service].place
    }

    /// How the servers of this number are selected when the night begins.
    pub fn select_of(&self, service: usize, of: usize) -> Select {
        let slots = &self.services[service].slots;
        slots
            .iter()
            .find(|slot| slot.of == of)
            .map_or(Select::Name, |slot| slot.select)
    }

    /// The world on the evening before.
    pub fn world(&self, seed: u64) -> WorldBuilder {
        let mut world = WorldBuilder::new(seed)
            .account(OTHER_ACCOUNT)
            .role(ROLE, None)
            .webhook(HOOK)
            .webhook(HEARTBEAT_HOST);
        for place in Place::ALL {
            let Scope { account, region } = place.scope();
            for made in Made::ALL
                .into_iter()
                .filter(|made| *made == Made::Common || self.replaces())
            {
                let image = ImageSpec::new(&place.image(made)).name(&image_name(made));
                world = world.image(image.owner(&account).region(&region));
            }
        }
        for number in 0..self.servers.len() {
            world = world.instance(self.instance(number));
        }
        for (service, policy) in self.services.iter().enumerate() {
            for slot in policy.slots.iter().filter(|s| s.select == Select::ScalingGroup) {
                let size = slot.count.max(1);
                world = world.group(GroupSpec::new(&scaling_group(service, slot.of), 0, size, size));
            }
        }
        for number in 0..self.groups.len() {
            world = world.target_group(self.target_group(number));
        }
        world
    }

    /// Whether anything is ever launched.
    pub fn replaces(&self) -> bool {
        self.services.iter().any(|service| service.replace.is_some())
    }

    /// What people have written into the world besides.
    pub fn furnish(&self, world: &mut World) {
        if self.replaces() {
            for place in Place::ALL {
                world.set_parameter(&place.scope(), PARAMETER_OF_IMAGE, &place.image(Made::Good));
            }
            for number in (0..self.servers.len()).step_by(KEPT_EVERY) {
                let id = Self::id(number);
                let root = world.instance(&id).map(|i| i.root_device.clone());
                world.set_delete_on_termination(&id, &root.unwrap_or_default(), false);
            }
        }
    }

    fn instance(&self, number: usize) -> InstanceSpec {
        let server = &self.servers[number];
        let place = self.place(number);
        let Scope { account, region } = place.scope();
        let mut spec = InstanceSpec::new(&Self::id(number))
            .scope(&account, &region)
            .zone(&place.zone(server.zone))
            .image(&place.image(server.image))
            .settings(Settings {
                user_data: Some(USER_DATA.to_owned()),
                ..Settings::default()
            });
        let select = self.select_of(server.service, server.of);
        if select == Select::ScalingGroup {
            spec = spec.group(&scaling_group(server.service, server.of));
        }
        for (key, value) in self.tags(number) {
            spec = spec.tag(&key, &value);
        }
        spec = match server.kind {
            Kind::OnDemand => spec,
            Kind::Spot => spec.spot(),
            Kind::InstanceStore => spec.instance_store(),
        };
        match server.stopped {
            Some(by) => spec.stopped(by.code()),
            None => spec,
        }
    }

    /// The tags that a server has when the night begins.
    pub fn tags(&self, number: usize) -> Vec<(String, String)> {
        let server = &self.servers[number];
        let own = tags_of(
            server.service,
            server.of,
            self.select_of(server.service, server.of),
        );
        let also = server.also.map_or(Vec::new(), |(service, of)| {
            tags_of(service, of, self.select_of(service, of))
        });
        own.into_iter().chain(also).collect()
    }

    fn target_group(&self, number: usize) -> TargetGroupSpec {
        let group = &self.groups[number];
        let Scope { account, region } = group.place.scope();
        let mut spec = TargetGroupSpec::new(&group_name(number), group.port).scope(&account, &region);
        for (number_of_server, server) in self.servers.iter().enumerate() {
            let slots = &self.services[server.service].slots;
            let mine = slots.iter().filter(|slot| slot.of == server.of);
            for wanted in mine
                .flat_map(|slot| &slot.groups)
                .filter(|wanted| wanted.group == number)
            {
                let id = Self::id(number_of_server);
                spec = match wanted.port {
                    Some(port) => spec.target_on(&id, port),
                    None => spec.target(&id),
                };
            }
        }
        if group.in_use { spec } else { spec.not_in_use() }
    }
}
