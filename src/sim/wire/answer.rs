//! From an [`Answer`] to the writer of its service: one total match, so that a new answer cannot be forgotten.

use super::error::namespace;
use super::xml::Xml;
use super::{
    Service, autoscaling, ec2_images, ec2_instance, ec2_interfaces, ec2_keys, ec2_network, ec2_security,
    ec2_templates, ec2_volumes, ec2_xml, elb, ssm, sts,
};
use crate::sim::world::api::Answer;

/// The body of the answer to `action`.
pub(super) fn write(action: &str, answer: &Answer, request_id: &str) -> String {
    let ec2 = |inside: &dyn Fn(&mut Xml)| {
        Xml::document(&format!("{action}Response"), namespace(Service::Ec2), |xml| {
            xml.text("requestId", request_id);
            inside(xml);
        })
    };
    let wrapped = |service: Service, inside: &dyn Fn(&mut Xml)| {
        Xml::document(&format!("{action}Response"), namespace(service), |xml| {
            xml.element(&format!("{action}Result"), |xml| inside(xml));
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
        })
    };
    match answer {
        Answer::Instances { items, next } => ec2(&|xml| ec2_instance::instances(xml, items, next.as_deref())),
        Answer::Statuses { items, next } => ec2(&|xml| ec2_xml::statuses(xml, items, next.as_deref())),
        Answer::ImageMetadata { items, next } => {
            ec2(&|xml| ec2_xml::image_metadata(xml, items, next.as_deref()))
        }
        Answer::Images(listing) => ec2(&|xml| ec2_images::images(xml, listing)),
        Answer::Image(answer) => ec2(&|xml| ec2_images::write(xml, answer)),
        Answer::Volumes(answer) => ec2(&|xml| ec2_volumes::write_volumes(xml, answer)),
        Answer::Templates(answer) => ec2(&|xml| ec2_templates::write(xml, answer)),
        Answer::Snapshots(answer) => ec2(&|xml| ec2_volumes::write_snapshots(xml, answer)),
        Answer::StateChanges(changes) => ec2(&|xml| ec2_xml::state_changes(xml, changes)),
        Answer::Done => ec2(&|xml| xml.text("return", "true")),
        Answer::TargetGroups { items, next } => wrapped(Service::Elb, &|xml| {
            elb::target_groups(xml, items, next.as_deref());
        }),
        Answer::TargetHealth(lines) => wrapped(Service::Elb, &|xml| elb::target_health(xml, lines)),
        Answer::Groups { items, next } => wrapped(Service::AutoScaling, &|xml| {
            autoscaling::groups(xml, items, next.as_deref());
        }),
        Answer::Identity { account, arn } => wrapped(Service::Sts, &|xml| sts::identity(xml, account, arn)),
        Answer::Session {
            access_key,
            arn,
            expiration,
        } => wrapped(Service::Sts, &|xml| {
            sts::session(xml, access_key, arn, *expiration);
        }),
        Answer::Balancing(answer) => wrapped(Service::Elb, &|xml| elb::write(xml, answer)),
        Answer::Security(answer) => ec2(&|xml| ec2_security::write(xml, answer)),
        Answer::Interfaces(answer) => ec2(&|xml| ec2_interfaces::write(xml, answer)),
        Answer::Launch(answer) => ec2(&|xml| ec2_instance::launched(xml, answer)),
        Answer::Keys(answer) => ec2(&|xml| ec2_keys::write(xml, answer)),
        Answer::Network(answer) => ec2(&|xml| ec2_network::write(xml, answer)),
        Answer::Tags(answer) => ec2(&|xml| ec2_xml::tags_answer(xml, answer)),
        Answer::Parameter(parameter) => ssm::parameter(parameter),
        Answer::Parameters { found, invalid } => ssm::parameters(found, invalid),
        Answer::Ssm(answer) => ssm::write(answer),
        Answer::ParameterVersion(version) => ssm::version(*version),
        Answer::ParameterDeleted => "{}".to_owned(),
    }
}
