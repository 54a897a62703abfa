//! RunInstances: what is asked for becomes a plan, which is checked whole; then its instances are made.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Response};
use super::super::image::Image;
use super::super::instance::{App, CheckStatus, Instance, Scope, State, TagValue};
use super::super::interfaces::{NewInterface, parse_ip};
use super::super::life::Event;
use super::super::network::{Subnet, zones_of};
use super::super::tags::Tags;
use super::super::versioned::Versioned;
use super::super::volume::NewVolume;
use super::{
    Answer, ImageFault, InstanceType, InterfaceSpec, LaunchData, RunInstances, Settings, check, instance_type,
};

/// Everything that is known before the first instance is made.
pub(super) struct Plan {
    scope: Scope,
    image: Arc<Image>,
    kind: InstanceType,
    subnet: Arc<Subnet>,
    count: u32,
    settings: Settings,
    /// Device names and volumes, with whether each goes with its instance.
    volumes: Vec<(String, NewVolume, bool)>,
    interfaces: Vec<PlannedInterface>,
    tags: BTreeMap<String, Tags>,
}

/// An interface of each instance.
struct PlannedInterface {
    /// One that exists.
    existing: Option<String>,
    device_index: u32,
    private_ip: Option<Ipv4Addr>,
    groups: Vec<String>,
    description: String,
    public_ip: bool,
    delete_on_termination: bool,
}

impl World {
    pub(super) fn run_instances(&mut self, caller: &Caller, wanted: &RunInstances) -> Response {
        let request = format!(
            "{:?}",
            RunInstances {
                token: None,
                ..wanted.clone()
            }
        );
        let token = wanted.token.as_deref();
        let scope = self.token_scope(caller, wanted);
        let made = self.tokens.made(&scope, "RunInstances", token, &request)?;
        if let Some(made) = made {
            return self.launched_before(&made);
        }
        let plan = self.plan(caller, wanted)?;
        let (reservation, ids) = self.carry_out(&plan)?;
        self.tokens
            .keep(&scope, "RunInstances", token, request, &ids.join(","));
        self.reservation(reservation, &ids)
    }

    /// Where the request's token counts: in the zone that the request names, itself or by its subnet, so that the same token
    /// launches once more in another zone; without a zone, in the whole region.
    fn token_scope(&self, caller: &Caller, wanted: &RunInstances) -> Scope {
        let scope = caller.scope();
        let of_template = wanted
            .template
            .as_ref()
            .and_then(|(named, version)| self.resolve_template(&scope, named, version.as_deref()).ok());
        let data = wanted.data.clone().over(of_template.unwrap_or_default());
        let subnets = wanted
            .subnet
            .iter()
            .chain(data.interfaces.iter().filter_map(|e| e.subnet.as_ref()));
        let mut subnets = subnets.filter_map(|id| self.network.subnets.get(id));
        let of_subnet = subnets.next().map(|subnet| subnet.zone.clone());
        let zone = of_subnet.or(data.placement.zone).or(data.placement.zone_id);
        Scope {
            region: zone.unwrap_or(scope.region),
            ..scope
        }
    }

    /// The same token and the same request: the same instances, as they are now.
    fn launched_before(&self, made: &str) -> Response {
        let ids: Vec<String> = made.split(',').map(str::to_owned).collect();
        let living = ids.iter().filter_map(|id| self.instance(id));
        let mut living = living.filter(|i| !matches!(i.state, State::ShuttingDown | State::Terminated));
        match living.next() {
            Some(first) => self.reservation(first.reservation.clone(), &ids),
            None => {
                let text = "The client token refers to an instance that has been terminated.";
                Err(ApiError::new("IdempotentInstanceTerminated", text))
            }
        }
    }

    fn reservation(&self, id: String, ids: &[String]) -> Response {
        let instances = ids.iter().filter_map(|id| self.instance(id));
        let instances: Vec<_> = instances.map(|i| self.view_in_truth(i)).collect();
        let owner = instances
            .first()
            .map_or_else(String::new, |i| i.scope.account.clone());
        Ok(api::Answer::Launch(Answer::Reservation { id, owner, instances }))
    }

    /// Check everything that EC2 checks, and change nothing.
    fn plan(&mut self, caller: &Caller, wanted: &RunInstances) -> Result<Plan, ApiError> {
        let scope = caller.scope();
        let data = match &wanted.template {
            Some((named, version)) => {
                let template = self.resolve_template(&scope, named, version.as_deref())?;
                wanted.data.clone().over(template)
            }
            None => wanted.data.clone(),
        };
        check::data(&data)?;
        check::counts(wanted.min, wanted.max)?;
        let Some(image) = &data.image else {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter ImageId",
            ));
        };
        let image = self.launchable_image(&scope, image)?;
        let kind = instance_type(data.instance_type.as_deref().unwrap_or("m1.small"))?;
        check::architecture(&kind, &image.architecture)?;
        check::for_type(&kind, &data)?;
        if let Some(name) = &data.key_name {
            self.key_named(&scope, name)?;
        }
        let subnet = self.subnet_for(caller, wanted, &data, &kind)?;
        let interfaces = self.plan_interfaces(caller, wanted, &data, &subnet)?;
        let volumes = self.plan_volumes(&scope, &image, &data)?;
        self.check_offered(&subnet.zone, &kind.name)?;
        let count = self.count_for(&scope, wanted, &data, &kind, &subnet)?;
        if count > 1
            && interfaces
                .iter()
                .any(|e| e.private_ip.is_some() || e.existing.is_some())
        {
            let text = "A private address or an existing network interface is for one instance alone.";
            return Err(ApiError::new("InvalidParameterCombination", text));
        }
        if !self.is_rehearsal && !self.has_capacity(&subnet.zone, &kind.name) {
            return Err(super::super::ec2_write::no_capacity(&kind.name, &subnet.zone));
        }
        let settings = self.settings_for(&scope, wanted, &data, &kind, &image)?;
        Ok(Plan {
            scope,
            image,
            kind,
            subnet,
            count,
            settings,
            volumes,
            interfaces,
            tags: self.with_template_tags(caller, wanted, data.tags)?,
        })
    }

    /// AWS tags instances with the template that they come from.
    fn with_template_tags(
        &self,
        caller: &Caller,
        wanted: &RunInstances,
        mut tags: BTreeMap<String, Tags>,
    ) -> Result<BTreeMap<String, Tags>, ApiError> {
        if let Some((named, version)) = &wanted.template {
            let template = self.template(&caller.scope(), named)?;
            let version = template.version(version.as_deref().unwrap_or("$Default"))?;
            let of_instance = tags.entry("instance".to_owned()).or_default();
            of_instance.insert("aws:ec2launchtemplate:id".to_owned(), template.id.clone());
            of_instance.insert(
                "aws:ec2launchtemplate:version".to_owned(),
                version.number.to_string(),
            );
        }
        Ok(tags)
    }

    /// The subnet that is named, else the default one of the zone that is named, else of the first with capacity.
    fn subnet_for(
        &self,
        caller: &Caller,
        wanted: &RunInstances,
        data: &LaunchData,
        kind: &InstanceType,
    ) -> Result<Arc<Subnet>, ApiError> {
        let placement = &data.placement;
        let zones = zones_of(&caller.region);
        let asked = placement.zone.as_ref().or(placement.zone_id.as_ref());
        let zone = match asked {
            None => None,
            Some(asked) => {
                let found = zones.iter().find(|zone| zone.name == *asked || zone.id == *asked);
                let text = format!("Invalid availability zone: [{asked}]");
                Some(found.ok_or_else(|| ApiError::new("InvalidParameterValue", text))?)
            }
        };
        let named = data
            .interfaces
            .iter()
            .find_map(|spec| self.subnet_of(caller, spec).transpose());
        let named = match (&wanted.subnet, named) {
            (Some(id), _) => Some(self.network.subnets.find(caller, id)?.clone()),
            (None, Some(found)) => Some(found?),
            (None, None) => None,
        };
        if let (Some(subnet), Some(zone)) = (&named, zone)
            && subnet.zone != zone.name
        {
            let text = format!(
                "The availability zone '{}' does not match subnet {}",
                zone.name, subnet.id
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        if let Some(subnet) = named {
            return Ok(subnet);
        }
        let names = zones.iter().map(|zone| zone.name.as_str());
        let offered = names.clone().filter(|zone| self.is_offered(zone, &kind.name));
        let with_capacity = offered.clone().find(|zone| self.has_capacity(zone, &kind.name));
        let zone = zone
            .map(|zone| zone.name.as_str())
            .or(with_capacity)
            .or_else(|| offered.chain(names).next());
        let subnet = zone.and_then(|zone| self.default_subnet(&caller.scope(), zone));
        let text = "No default subnet for the availability zone. Specify a subnet.";
        subnet.cloned().ok_or_else(|| ApiError::new("MissingInput", text))
    }

    fn subnet_of(&self, caller: &Caller, spec: &InterfaceSpec) -> Result<Option<Arc<Subnet>>, ApiError> {
        let id = match (&spec.id, &spec.subnet) {
            (Some(id), _) => self.interfaces.all.find(caller, id)?.subnet.clone(),
            (None, Some(subnet)) => subnet.clone(),
            (None, None) => return Ok(None),
        };
        self.network.subnets.find(caller, &id).cloned().map(Some)
    }

    fn plan_interfaces(
        &self,
        caller: &Caller,
        wanted: &RunInstances,
        data: &LaunchData,
        subnet: &Subnet,
    ) -> Result<Vec<PlannedInterface>, ApiError> {
        let refuse = |what: &str| {
            let text = format!(
                "Network interfaces and an instance-level {what} may not be specified on the same request"
            );
            Err(ApiError::new("InvalidParameterCombination", text))
        };
        if data.interfaces.is_empty() {
            return Ok(vec![PlannedInterface {
                existing: None,
                device_index: 0,
                private_ip: wanted.private_ip.as_deref().map(parse_ip).transpose()?,
                groups: self.groups_for(caller, &subnet.vpc, &data.group_ids, &data.group_names)?,
                description: String::new(),
                public_ip: subnet.map_public_ip,
                delete_on_termination: true,
            }]);
        }
        if wanted.subnet.is_some() {
            return refuse("subnet ID");
        }
        if !data.group_ids.is_empty() || !data.group_names.is_empty() {
            return refuse("security groups");
        }
        if wanted.private_ip.is_some() {
            return refuse("private address");
        }
        let mut planned = Vec::new();
        for (spec, place) in data.interfaces.iter().zip(0..) {
            if let Some(id) = &spec.id {
                let interface = self.interfaces.all.find(caller, id)?;
                if interface.attachment.is_some() {
                    let text = format!("Interface: [{id}] in use.");
                    return Err(ApiError::new("InvalidNetworkInterface.InUse", text));
                }
            }
            planned.push(PlannedInterface {
                existing: spec.id.clone(),
                device_index: spec.device_index.unwrap_or(place),
                private_ip: spec.private_ip.as_deref().map(parse_ip).transpose()?,
                groups: self.groups_for(caller, &subnet.vpc, &spec.group_ids, &[])?,
                description: spec.description.clone().unwrap_or_default(),
                public_ip: spec.associate_public_ip.unwrap_or(subnet.map_public_ip),
                delete_on_termination: spec.delete_on_termination.unwrap_or(spec.id.is_none()),
            });
        }
        if !planned.iter().any(|e| e.device_index == 0) {
            let text = "The primary network interface (device index 0) must be specified.";
            return Err(ApiError::new("InvalidParameterCombination", text));
        }
        Ok(planned)
    }

    fn plan_volumes(
        &self,
        scope: &Scope,
        image: &Image,
        data: &LaunchData,
    ) -> Result<Vec<(String, NewVolume, bool)>, ApiError> {
        let mut volumes = Vec::new();
        for device in super::super::device::merged(&image.devices, &data.block_devices) {
            if device.ebs.is_none() && device.virtual_name.is_none() {
                let text = "The request must contain the parameter size or snapshotId";
                return Err(ApiError::new("MissingParameter", text));
            }
            if let Some(ebs) = &device.ebs {
                // Who may launch the image may use its snapshots, though they are shared with nobody.
                let is_images = image.snapshots().any(|id| ebs.snapshot.as_deref() == Some(id));
                let user = if is_images { &image.scope } else { scope };
                let new = self.new_volume_from(scope, user, ebs)?;
                // A volume without any word on it goes with its instance.
                volumes.push((
                    device.device.clone(),
                    new,
                    ebs.delete_on_termination.unwrap_or(true),
                ));
            }
        }
        Ok(volumes)
    }

    /// As many as quota and subnet allow, up to the most that is wanted.
    fn count_for(
        &self,
        scope: &Scope,
        wanted: &RunInstances,
        data: &LaunchData,
        kind: &InstanceType,
        subnet: &Arc<Subnet>,
    ) -> Result<u32, ApiError> {
        let is_spot = data.market.is_some();
        let left = self.vcpus_left(scope, is_spot) / kind.vcpus.max(1);
        if left < wanted.min {
            return Err(match is_spot {
                true => ApiError::new("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded"),
                false => self.vcpu_limit(scope),
            });
        }
        let needs = u64::try_from(data.interfaces.iter().filter(|e| e.id.is_none()).count()).unwrap_or(1);
        let free = self.subnet_view(subnet).free / needs.max(1);
        let free = if data.interfaces.iter().all(|e| e.id.is_some()) && !data.interfaces.is_empty() {
            u32::MAX
        } else {
            u32::try_from(free).unwrap_or(u32::MAX)
        };
        if free < wanted.min {
            return Err(super::super::network::no_address(&subnet.id));
        }
        Ok(wanted.max.min(left).min(free))
    }

    /// Make the planned instances; their reservation and their ids.
    fn carry_out(&mut self, plan: &Plan) -> Result<(String, Vec<String>), ApiError> {
        let reservation = self.new_id("r-");
        let mut ids = Vec::new();
        for index in 0..plan.count {
            ids.push(self.make_instance(plan, &reservation, index)?);
        }
        Ok((reservation, ids))
    }

    fn make_instance(&mut self, plan: &Plan, reservation: &str, index: u32) -> Result<String, ApiError> {
        let id = self.new_id("i-");
        let instance = self.blank_instance(plan, &id, reservation, index);
        let tags = |kind: &str| plan.tags.get(kind).cloned().unwrap_or_default();
        self.instances
            .insert(id.clone(), Versioned::new(self.now, instance));
        self.note(
            &id,
            format!(
                "launched from {}, {} in {}",
                plan.image.id, plan.kind.name, plan.subnet.zone
            ),
        );
        for planned in &plan.interfaces {
            let interface = match &planned.existing {
                Some(interface) => interface.clone(),
                None => {
                    let new = NewInterface {
                        private_ip: planned.private_ip,
                        hint: self.ids.u64(..),
                        groups: planned.groups.clone(),
                        description: planned.description.clone(),
                        auto_public_ip: planned.public_ip,
                        tags: tags("network-interface"),
                    };
                    self.new_interface(&plan.subnet, new)?
                }
            };
            self.attach_interface(
                &interface,
                &id,
                planned.device_index,
                planned.delete_on_termination,
            );
            self.own_write(&interface);
        }
        let primary = self.interfaces_of(&id).first().map(|e| e.private_ip.to_string());
        self.edit(&id, |i| i.private_ip = primary.unwrap_or_default());
        for (device, new, delete) in &plan.volumes {
            let volume = self.make_volume(&plan.scope, &plan.subnet.zone, new.clone(), tags("volume"));
            self.attach(&volume, &id, device, *delete);
            self.own_write(&volume);
        }
        self.assign_public_ip(&id);
        self.own_write(&id);
        self.hide_new(&id);
        self.begin_boot(&id, &plan.image.id);
        Ok(id)
    }

    /// Some time later it runs, or its launch turns out to have failed.
    fn begin_boot(&mut self, id: &str, image: &str) {
        let fault = self.launching.image_faults.get(image).cloned();
        let boot = self.draw(&self.pace.boot_s.clone());
        let code = match &fault {
            Some(ImageFault::LaunchFails(code)) => Some(code.clone()),
            _ if self.lacks_a_key(id) => Some("Client.InternalError".to_owned()),
            _ => None,
        };
        let id = id.to_owned();
        match code {
            Some(code) => self.schedule(
                boot,
                Event::LaunchFailed {
                    id,
                    generation: 0,
                    code,
                },
            ),
            None => self.schedule(boot, Event::Running { id, generation: 0 }),
        }
    }

    /// A new instance may be absent from reads for a while.
    fn hide_new(&mut self, id: &str) {
        let longest = self.staleness.launches_hidden;
        if longest.is_zero() {
            return;
        }
        let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let after = std::time::Duration::from_millis(self.ids.u64(0..=longest_ms));
        self.hidden
            .insert(id.to_owned(), super::super::later(self.now, after));
    }

    fn blank_instance(&mut self, plan: &Plan, id: &str, reservation: &str, index: u32) -> Instance {
        let since = self.now;
        let tags = plan.tags.get("instance").cloned().unwrap_or_default();
        let tags = tags
            .into_iter()
            .map(|(key, value)| (key, TagValue { value, since }));
        let app = match self.launching.image_faults.get(&plan.image.id) {
            Some(ImageFault::NeverServes) => App::Broken,
            Some(ImageFault::NeverBoots) => App::BootsForever,
            Some(ImageFault::ShutsDownAfter(time)) => App::ShutsDownAfter(*time),
            Some(ImageFault::LaunchFails(_)) | None => App::Serving,
        };
        Instance {
            id: id.to_owned(),
            scope: plan.scope.clone(),
            zone: plan.subnet.zone.clone(),
            instance_type: plan.kind.name.clone(),
            image: plan.image.id.clone(),
            private_ip: String::new(),
            subnet: plan.subnet.id.clone(),
            vpc: plan.subnet.vpc.clone(),
            interfaces: BTreeMap::new(),
            architecture: plan.image.architecture.clone(),
            windows: plan.image.windows,
            product_codes: plan.image.product_codes.clone(),
            launch_index: index,
            settings: plan.settings.clone(),
            reservation: reservation.to_owned(),
            root_device: plan.image.root_device.clone(),
            devices: BTreeMap::new(),
            state: State::Pending,
            state_since: since,
            stop_began: None,
            reason: None,
            transition_reason: String::new(),
            launch_time: since,
            tags: tags.collect(),
            spot: plan.settings.spot.is_some(),
            ebs_root: plan.image.ebs_root,
            group: None,
            system_check: CheckStatus::NotApplicable,
            instance_check: CheckStatus::NotApplicable,
            ebs_check: CheckStatus::NotApplicable,
            events: Vec::new(),
            app,
            app_up: false,
            host: self.ids.u64(..),
            failing_starts: 0,
            poison: None,
            generation: 0,
        }
    }
}
