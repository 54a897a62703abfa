//! One look at all services that share a scope.
//!
//! Every part is read at most once and shared: a part is a future that whoever needs it awaits, and that runs as soon as
//! the first one does. So all parts run at the same time, and each service is ready when its own parts are: a hung target
//! group holds up the services that serve in it, and no other. Nothing is spawned.

use super::assign::{Asked, as_seen, is_of};
use super::directory::{Groups, TargetGroupDirectory, find, name_of};
use super::query::{Query, plan};
use super::witness;
use crate::aws::{Listing, Priority, Reader, StatusesOf, TargetGroup};
use crate::env::Clock;
use crate::model::{
    AccountId, AwsError, Coverage, ErrorClass, Gap, GroupView, ImageId, ImageListing, ImageMetadata,
    ImageState, Instance, InstanceId, InstanceState, Observation, Part, StatusChecks, Target,
};
use crate::policy::{Policy, Selector};
use futures_util::future::{BoxFuture, FutureExt as _, Shared, join_all};
use futures_util::stream::{FuturesUnordered, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Target groups that are asked about at once: enough to hide the latency, few enough to leave connections to others.
const MOST_GROUPS_AT_ONCE: usize = 8;

/// From where one looks.
#[derive(Clone, Copy, Debug)]
pub struct Lookout<'a> {
    pub reader: &'a Reader,
    pub directory: &'a TargetGroupDirectory,
    pub clock: &'a Clock,
    pub priority: Priority,
}

/// Looks at all services of a scope. Each comes as soon as everything about it was read, in no fixed order, and exactly once.
pub fn look<'a>(from: Lookout<'a>, asked: &'a [Asked<'a>]) -> impl Stream<Item = Observation> + 'a {
    let begun = from.clock.now();
    let parts = Arc::new(Parts::new(from, asked));
    let services = asked.iter().enumerate().map(|(index, asked)| {
        let parts = Arc::clone(&parts);
        async move {
            let seen = parts.of_service(index, asked).await;
            Observation {
                service: asked.policy.service.clone(),
                policy_version: asked.policy.version.clone(),
                begun,
                ended: from.clock.now(),
                caller: seen.caller,
                region: from.reader.region().clone(),
                instances: seen.instances,
                statuses: seen.statuses,
                image_metadata: seen.image_metadata,
                image_listings: seen.image_listings,
                groups: seen.groups,
                scaling_groups: seen.scaling_groups,
                coverage: Coverage::from_gaps(seen.gaps),
            }
        }
    });
    services.collect::<FuturesUnordered<_>>()
}

/// Something that is read once, by whoever awaits it first, for all who await it.
type Cell<'a, T> = Shared<BoxFuture<'a, T>>;

/// A part that came whole, or why it did not.
type Reading<T> = Result<Arc<T>, AwsError>;

fn cell<'a, T: Clone>(read: impl Future<Output = T> + Send + 'a) -> Cell<'a, T> {
    read.boxed().shared()
}

/// Every part of one look.
struct Parts<'a> {
    identity: Cell<'a, Result<AccountId, AwsError>>,
    listings: Vec<InstanceListing<'a>>,
    statuses: Cell<'a, Arc<Statuses>>,
    images: Cell<'a, Reading<BTreeMap<ImageId, ImageListing>>>,
    groups: Cell<'a, Result<Groups, AwsError>>,
    /// By the groups' names; `None`: there is no such group, or the list of groups did not come.
    health: BTreeMap<String, Cell<'a, Option<Reading<Vec<Target>>>>>,
    scaling_groups: Cell<'a, Reading<BTreeMap<String, Option<u32>>>>,
}

/// One listing of instances, and that of their images.
#[derive(Clone)]
struct InstanceListing<'a> {
    query: Arc<Query>,
    instances: Cell<'a, Arc<Listing<Instance>>>,
    metadata: Cell<'a, Reading<BTreeMap<InstanceId, ImageMetadata>>>,
}

impl<'a> InstanceListing<'a> {
    fn new(from: Lookout<'a>, query: Query) -> Self {
        let Lookout { reader, priority, .. } = from;
        let query = Arc::new(query);
        let (of_instances, of_images) = (Arc::clone(&query), Arc::clone(&query));
        Self {
            query,
            instances: cell(async move { Arc::new(reader.instances(&of_instances.filters, priority).await) }),
            metadata: cell(async move {
                reader
                    .image_metadata(&of_images.filters, priority)
                    .await
                    .map(Arc::new)
            }),
        }
    }
}

/// Statuses, and the instances whose statuses could not be read.
#[derive(Default)]
struct Statuses {
    checks: BTreeMap<InstanceId, StatusChecks>,
    failed: Vec<(BTreeSet<InstanceId>, AwsError)>,
}

impl<'a> Parts<'a> {
    fn new(from: Lookout<'a>, asked: &'a [Asked<'a>]) -> Self {
        let Lookout { reader, priority, .. } = from;
        let listings: Vec<_> = plan(asked)
            .into_iter()
            .map(|query| InstanceListing::new(from, query))
            .collect();
        let managed = {
            let listings = listings.clone();
            cell(async move { Arc::new(managed(&listings, asked).await) })
        };
        let statuses = {
            let managed = managed.clone();
            cell(async move { Arc::new(statuses(reader, &*managed.await, priority).await) })
        };
        let images = {
            let managed = managed.clone();
            let listings = listings.clone();
            cell(async move {
                images(reader, &listings, &*managed.await, priority)
                    .await
                    .map(Arc::new)
            })
        };
        let names = asked.iter().flat_map(|asked| group_names(asked.policy));
        let names: BTreeSet<String> = names.map(|name| name_of(name).to_owned()).collect();
        let groups = {
            let names = names.clone();
            cell(async move { from.directory.groups(&names, reader, from.clock, priority).await })
        };
        let turns = Arc::new(Semaphore::new(MOST_GROUPS_AT_ONCE));
        let urgent = {
            let managed = managed.clone();
            cell(async move { Arc::new(urgent_groups(asked, &*managed.await)) })
        };
        let health = names.into_iter().map(|name| {
            let (groups, turns, of) = (groups.clone(), Arc::clone(&turns), name.clone());
            let urgent = urgent.clone();
            (
                name,
                cell(async move {
                    let groups = groups.await.ok()?;
                    let urgent = urgent.await.contains(&of);
                    Some(health(from, groups.get(&of)?, &turns, urgent).await)
                }),
            )
        });
        let scaled: BTreeSet<String> = asked
            .iter()
            .flat_map(|asked| scaling_group_names(asked.policy))
            .collect();
        Self {
            identity: cell(reader.caller_account(priority)),
            listings,
            statuses,
            images,
            health: health.collect(),
            groups,
            scaling_groups: cell(async move { reader.scaling_groups(&scaled, priority).await.map(Arc::new) }),
        }
    }

    /// Takes one service's share of every part. All parts are awaited at once: a part runs only while it is awaited.
    async fn of_service(&self, index: usize, asked: &Asked<'_>) -> Seen {
        let policy = asked.policy;
        let listings: Vec<_> = self
            .listings
            .iter()
            .filter(|listing| listing.query.services.contains(&index))
            .collect();
        let names: Vec<&str> = group_names(policy).collect();
        let health = names.iter().filter_map(|name| {
            let cell = self.health.get(name_of(name))?.clone();
            Some(async move { (*name, cell.await) })
        });
        let (caller, instances, metadata, statuses, images, groups, health, scaling_groups) = tokio::join!(
            self.identity.clone(),
            join_all(listings.iter().map(|listing| listing.instances.clone())),
            join_all(listings.iter().map(|listing| listing.metadata.clone())),
            self.statuses.clone(),
            self.images.clone(),
            self.groups.clone(),
            join_all(health),
            self.scaling_groups.clone(),
        );
        let mut seen = Seen::default();
        match caller {
            Ok(account) => seen.caller = Some(account),
            Err(error) => seen.gap(Part::Identity, &error),
        }
        seen.take_instances(asked, &instances);
        seen.take_statuses(&statuses);
        seen.take_images(&metadata, &images);
        match groups {
            Ok(groups) => seen.take_groups(&groups, health),
            Err(error) => names
                .iter()
                .for_each(|name| seen.gap(Part::TargetGroup((*name).to_owned()), &error)),
        }
        let wanted: BTreeSet<String> = scaling_group_names(policy).collect();
        match scaling_groups {
            _ if wanted.is_empty() => {}
            Ok(all) => {
                let ours = all.iter().filter(|(name, _)| wanted.contains(*name));
                seen.scaling_groups = ours.map(cloned).collect();
            }
            Err(error) => seen.gap(Part::ScalingGroups, &error),
        }
        seen
    }
}

/// What one service gets of a look.
#[derive(Default)]
struct Seen {
    caller: Option<AccountId>,
    instances: BTreeMap<InstanceId, Instance>,
    statuses: BTreeMap<InstanceId, StatusChecks>,
    image_metadata: BTreeMap<InstanceId, ImageMetadata>,
    image_listings: BTreeMap<ImageId, ImageListing>,
    groups: BTreeMap<String, GroupView>,
    scaling_groups: BTreeMap<String, Option<u32>>,
    gaps: Vec<Gap>,
}

impl Seen {
    /// One gap a part says it: an outage usually fails all pages and listings the same way.
    fn gap(&mut self, part: Part, error: &AwsError) {
        if self.gaps.iter().all(|gap| gap.part != part) {
            self.gaps.push(Gap {
                part,
                why: error.to_string(),
            });
        }
    }

    fn take_instances(&mut self, asked: &Asked<'_>, listings: &[Arc<Listing<Instance>>]) {
        for listing in listings {
            let ours = listing.items.iter().filter(|instance| asked.wants(instance));
            self.instances
                .extend(ours.map(|instance| (instance.id.clone(), as_seen(instance.clone()))));
            if let Some(error) = &listing.failed {
                self.gap(Part::Instances, error);
            }
        }
    }

    fn take_statuses(&mut self, statuses: &Statuses) {
        let ours = statuses
            .checks
            .iter()
            .filter(|(id, _)| self.instances.contains_key(*id));
        self.statuses = ours.map(cloned).collect();
        for (ids, error) in &statuses.failed {
            if ids.iter().any(|id| self.instances.contains_key(id)) {
                self.gap(Part::Statuses, error);
            }
        }
    }

    fn take_images(
        &mut self,
        metadata: &[Reading<BTreeMap<InstanceId, ImageMetadata>>],
        images: &Reading<BTreeMap<ImageId, ImageListing>>,
    ) {
        for reading in metadata {
            match reading {
                Ok(all) => {
                    let ours = all.iter().filter(|(id, _)| self.instances.contains_key(*id));
                    self.image_metadata.extend(ours.map(cloned));
                }
                Err(error) => self.gap(Part::ImageMetadata, error),
            }
        }
        let ours = self.image_metadata.iter();
        let doubtful = ours.filter(|(id, image)| is_doubtful(image, self.instances.get(*id)));
        let doubtful: BTreeSet<&ImageId> = doubtful.map(|(_, image)| &image.image).collect();
        match images {
            _ if doubtful.is_empty() => {}
            Ok(all) => {
                self.image_listings = all
                    .iter()
                    .filter(|(id, _)| doubtful.contains(id))
                    .map(cloned)
                    .collect();
            }
            Err(error) => self.gap(Part::ImageListings, error),
        }
    }

    fn take_groups(&mut self, groups: &Groups, health: Vec<(&str, Option<Reading<Vec<Target>>>)>) {
        for (name, health) in health {
            // A group that a complete list does not have is not there: no gap, and no entry.
            let (Some(group), Some(health)) = (find(groups, name), health) else {
                continue;
            };
            match health {
                Ok(targets) => {
                    self.groups.insert(name.to_owned(), view(group, &targets));
                }
                Err(error) => self.gap(Part::TargetGroup(name.to_owned()), &error),
            }
        }
    }
}

/// The instances that any service asks for, as far as the listings came.
async fn managed(listings: &[InstanceListing<'_>], asked: &[Asked<'_>]) -> BTreeMap<InstanceId, Instance> {
    let listings = join_all(listings.iter().map(|listing| listing.instances.clone())).await;
    let listed = listings.iter().flat_map(|listing| &listing.items);
    let ours = listed.filter(|instance| asked.iter().any(|asked| asked.wants(instance)));
    ours.map(|instance| (instance.id.clone(), instance.clone()))
        .collect()
}

/// One request while the running instances fit into it. Beyond that one for each 1,000 of the account; should that
/// fail, as it does in a zone's outage, one for each 100 of ours.
async fn statuses(reader: &Reader, managed: &BTreeMap<InstanceId, Instance>, priority: Priority) -> Statuses {
    let running = managed
        .values()
        .filter(|instance| instance.state == InstanceState::Running);
    let running: Vec<InstanceId> = running.map(|instance| instance.id.clone()).collect();
    let mut statuses = Statuses::default();
    if running.len() > StatusesOf::MOST_IDS {
        match reader.statuses(&StatusesOf::AllRunning, priority).await {
            Ok(checks) => return Statuses { checks, ..statuses },
            Err(error) if error.class == ErrorClass::Transient => {}
            Err(error) => {
                return Statuses {
                    failed: vec![(running.into_iter().collect(), error)],
                    ..statuses
                };
            }
        }
    }
    for ids in running.chunks(StatusesOf::MOST_IDS) {
        let ids: BTreeSet<InstanceId> = ids.iter().cloned().collect();
        match reader.statuses(&StatusesOf::These(ids.clone()), priority).await {
            Ok(checks) => statuses.checks.extend(checks),
            Err(error) => statuses.failed.push((ids, error)),
        }
    }
    statuses
}

/// Asks DescribeImages about the images that are not plainly there; usually there is none, and nothing is asked.
async fn images(
    reader: &Reader,
    listings: &[InstanceListing<'_>],
    managed: &BTreeMap<InstanceId, Instance>,
    priority: Priority,
) -> Result<BTreeMap<ImageId, ImageListing>, AwsError> {
    let metadata = join_all(listings.iter().map(|listing| listing.metadata.clone())).await;
    let told = witness::told(managed, metadata.iter().flatten().flat_map(|all| all.iter()));
    let doubtful = told
        .iter()
        .filter(|(instance, image)| is_doubtful(image, Some(instance)));
    let doubtful: BTreeSet<ImageId> = doubtful.map(|(_, image)| image.image.clone()).collect();
    let mut listings = reader.image_listings(&doubtful, priority).await?;
    witness::confirm(reader, &told, &mut listings, priority).await;
    Ok(listings)
}

/// Whether the metadata alone does not tell that the image can be launched: another account's can be made private, and the
/// metadata goes on calling it available.
fn is_doubtful(image: &ImageMetadata, instance: Option<&Instance>) -> bool {
    let is_foreign = instance.is_some_and(|instance| is_foreign(image, instance));
    image.state != ImageState::Available || image.allowed == Some(false) || is_foreign
}

/// Whether another account owns the image than the instance.
pub(super) fn is_foreign(image: &ImageMetadata, instance: &Instance) -> bool {
    image
        .owner
        .as_ref()
        .is_some_and(|owner| *owner != instance.account)
}

/// The target groups of services in which something is down: a start waits for what is read of them. What has ended is started
/// by nobody, and its replacement waits for its turn.
fn urgent_groups(asked: &[Asked<'_>], managed: &BTreeMap<InstanceId, Instance>) -> BTreeSet<String> {
    let is_down = |instance: &Instance| {
        use InstanceState::{Running, ShuttingDown, Terminated};
        !matches!(instance.state, Running | ShuttingDown | Terminated) && !instance.is_retired()
    };
    let has_one_down = |policy: &&Policy| managed.values().any(|i| is_down(i) && is_of(policy, i));
    let urgent = asked
        .iter()
        .map(|asked| asked.policy)
        .filter(has_one_down)
        .flat_map(group_names);
    urgent.map(|name| name_of(name).to_owned()).collect()
}

async fn health(
    from: Lookout<'_>,
    group: &TargetGroup,
    turns: &Semaphore,
    urgent: bool,
) -> Reading<Vec<Target>> {
    // Targets that are not instances are not keepgreen's: there is nothing to know about them.
    if !group.of_instances {
        return Ok(Arc::default());
    }
    // A look that is to admit something else than a start keeps no start waiting.
    let urgent = urgent && from.priority == Priority::Quiet;
    let priority = if urgent { Priority::Start } else { from.priority };
    // What is urgent takes no turn: those who have one may be waiting for the budget. The semaphore is never closed; if it
    // were, going without a turn would do no harm.
    let _turn = if urgent { None } else { turns.acquire().await.ok() };
    let reading = from.reader.target_health(&group.arn, priority).await;
    if reading
        .as_ref()
        .is_err_and(|error| error.class == ErrorClass::NotFound)
    {
        from.directory.forget();
    }
    reading.map(Arc::new)
}

fn view(group: &TargetGroup, targets: &[Target]) -> GroupView {
    GroupView {
        arn: group.arn.clone(),
        name: group.name.clone(),
        port: group.port,
        of_instances: group.of_instances,
        targets: targets.to_vec(),
    }
}

/// The target groups that a policy names, each once.
pub(super) fn group_names(policy: &Policy) -> impl Iterator<Item = &str> {
    let groups = policy.slots.values().flat_map(|slot| &slot.target_groups);
    let names: BTreeSet<&str> = groups.map(|group| group.name.as_str()).collect();
    names.into_iter()
}

fn scaling_group_names(policy: &Policy) -> impl Iterator<Item = String> {
    policy.slots.values().filter_map(|slot| match &slot.select {
        Selector::AutoScalingGroup(name) => Some(name.clone()),
        _ => None,
    })
}

fn cloned<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
