//! Load balancing through the real client: what a script does that builds it, and what becomes of its targets.

mod balancers;
mod groups;
mod registrations;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, LoadBalancerAttribute, LoadBalancerTypeEnum, ProtocolEnum, TargetDescription,
    TargetGroupAttribute,
};

use super::*;
use crate::sim::world::{Health, InstanceSpec, Scope};

/// Two instances, in the zones `a` and `b`, and one in `c`.
fn three_zones() -> WorldBuilder {
    WorldBuilder::new(1)
        .instance(InstanceSpec::new(&id(1)).zone("eu-west-2a"))
        .instance(InstanceSpec::new(&id(2)).zone("eu-west-2b"))
        .instance(InstanceSpec::new(&id(3)).zone("eu-west-2c"))
}

fn client(cloud: &Cloud) -> Client {
    Client::new(&sdk(cloud))
}

fn scope() -> Scope {
    Scope::new(ACCOUNT, REGION)
}

async fn default_vpc(cloud: &Cloud) -> String {
    let ec2 = aws_sdk_ec2::Client::new(&sdk(cloud));
    let answer = ec2.describe_vpcs().send().await.unwrap();
    answer.vpcs()[0].vpc_id().unwrap().to_owned()
}

/// The default subnet of the zone with this letter.
async fn subnet(cloud: &Cloud, letter: char) -> String {
    let ec2 = aws_sdk_ec2::Client::new(&sdk(cloud));
    let answer = ec2.describe_subnets().send().await.unwrap();
    let mut subnets = answer.subnets().iter();
    let found = subnets.find(|s| s.availability_zone().unwrap().ends_with(letter));
    found.unwrap().subnet_id().unwrap().to_owned()
}

/// An HTTP group on port 8080, checked every 10 s: two failures are unhealthy, two successes healthy.
async fn http_group(cloud: &Cloud, name: &str) -> String {
    let asked = client(cloud)
        .create_target_group()
        .name(name)
        .protocol(ProtocolEnum::Http)
        .port(8080)
        .vpc_id(default_vpc(cloud).await)
        .health_check_interval_seconds(10)
        .healthy_threshold_count(2);
    let made = asked.send().await.unwrap();
    made.target_groups()[0].target_group_arn().unwrap().to_owned()
}

async fn tcp_group(cloud: &Cloud, name: &str) -> String {
    let asked = client(cloud)
        .create_target_group()
        .name(name)
        .protocol(ProtocolEnum::Tcp)
        .port(443)
        .vpc_id(default_vpc(cloud).await);
    let made = asked.send().await.unwrap();
    made.target_groups()[0].target_group_arn().unwrap().to_owned()
}

/// A load balancer in the zones with these letters.
async fn balancer(cloud: &Cloud, name: &str, kind: LoadBalancerTypeEnum, letters: &str) -> String {
    let mut subnets = Vec::new();
    for letter in letters.chars() {
        subnets.push(subnet(cloud, letter).await);
    }
    let asked = client(cloud)
        .create_load_balancer()
        .name(name)
        .r#type(kind)
        .set_subnets(Some(subnets));
    let made = asked.send().await.unwrap();
    made.load_balancers()[0].load_balancer_arn().unwrap().to_owned()
}

fn forward(group: &str) -> Action {
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .target_group_arn(group)
        .build()
}

/// A listener that forwards everything to a group.
async fn listener(cloud: &Cloud, balancer: &str, protocol: ProtocolEnum, port: i32, group: &str) -> String {
    let asked = client(cloud)
        .create_listener()
        .load_balancer_arn(balancer)
        .protocol(protocol)
        .port(port)
        .default_actions(forward(group));
    let made = asked.send().await.unwrap();
    made.listeners()[0].listener_arn().unwrap().to_owned()
}

fn target(n: usize) -> TargetDescription {
    TargetDescription::builder().id(id(n)).build()
}

fn target_on(n: usize, port: i32) -> TargetDescription {
    TargetDescription::builder().id(id(n)).port(port).build()
}

async fn register(cloud: &Cloud, group: &str, targets: &[TargetDescription]) {
    let asked = client(cloud)
        .register_targets()
        .target_group_arn(group)
        .set_targets(Some(targets.to_vec()));
    asked.send().await.unwrap();
}

async fn deregister(cloud: &Cloud, group: &str, targets: &[TargetDescription]) {
    let asked = client(cloud)
        .deregister_targets()
        .target_group_arn(group)
        .set_targets(Some(targets.to_vec()));
    asked.send().await.unwrap();
}

/// `id:port state reason` of each registered target.
async fn health(cloud: &Cloud, group: &str) -> Vec<String> {
    let asked = client(cloud).describe_target_health().target_group_arn(group);
    let answer = asked.send().await.unwrap();
    let line = |d: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
        let (target, health) = (d.target().unwrap(), d.target_health().unwrap());
        let digit = target.id().unwrap().chars().last().unwrap();
        let reason = health.reason().map_or("", |reason| reason.as_str());
        let port = target.port().map_or_else(String::new, |port| format!(":{port}"));
        let text = format!("{digit}{port} {} {reason}", health.state().unwrap().as_str());
        text.trim().to_owned()
    };
    answer.target_health_descriptions().iter().map(line).collect()
}

async fn set_group(cloud: &Cloud, group: &str, key: &str, value: &str) {
    let attribute = TargetGroupAttribute::builder().key(key).value(value).build();
    let asked = client(cloud)
        .modify_target_group_attributes()
        .target_group_arn(group)
        .attributes(attribute);
    asked.send().await.unwrap();
}

fn balancer_attribute(key: &str, value: &str) -> LoadBalancerAttribute {
    LoadBalancerAttribute::builder().key(key).value(value).build()
}

/// What the world says of a target, in truth.
fn truth(cloud: &Cloud, group: &str, n: usize, port: u16) -> Health {
    cloud.world(|w| w.target_group(group).unwrap().health_of(&id(n), port))
}
