//! EC2's requests.

use super::query::Params;
use super::{Parse, Route, Service};
use crate::sim::world::api::{ApiError, Operation};
use crate::sim::world::tags;

pub(super) const fn route(
    action: &'static str,
    parse: fn(&mut Params) -> Result<Operation, ApiError>,
) -> Route {
    Route {
        service: Service::Ec2,
        action,
        parse: Parse::Query(parse),
    }
}

pub(super) const ROUTES: &[Route] = &[
    route("DescribeInstances", |p| {
        let (ids, filters) = (p.list("InstanceId"), p.filters()?);
        Ok(Operation::DescribeInstances {
            ids,
            filters,
            page: p.page("MaxResults", "NextToken")?,
        })
    }),
    route("DescribeInstanceStatus", |p| {
        let (ids, filters, all) = (p.list("InstanceId"), p.filters()?, p.flag("IncludeAllInstances")?);
        Ok(Operation::DescribeInstanceStatus {
            ids,
            filters,
            all,
            page: p.page("MaxResults", "NextToken")?,
        })
    }),
    route("DescribeInstanceImageMetadata", |p| {
        let (ids, filters) = (p.list("InstanceId"), p.filters()?);
        Ok(Operation::DescribeInstanceImageMetadata {
            ids,
            filters,
            page: p.page("MaxResults", "NextToken")?,
        })
    }),
    route("StartInstances", |p| {
        Ok(Operation::StartInstances {
            ids: p.list("InstanceId"),
            dry_run: p.flag("DryRun")?,
        })
    }),
    route("StopInstances", |p| {
        let (ids, force) = (p.list("InstanceId"), p.flag("Force")?);
        Ok(Operation::StopInstances {
            ids,
            force,
            dry_run: p.flag("DryRun")?,
        })
    }),
    route("TerminateInstances", |p| {
        Ok(Operation::TerminateInstances {
            ids: p.list("InstanceId"),
            dry_run: p.flag("DryRun")?,
        })
    }),
    route("CreateTags", |p| {
        Ok(Operation::CreateTags {
            ids: p.list("ResourceId"),
            tags: p.tags()?,
            dry_run: p.flag("DryRun")?,
        })
    }),
    route("DeleteTags", |p| {
        let mut tags = Vec::new();
        for mut tag in p.structures("Tag") {
            tags.push((tag.required("Key")?, tag.text("Value")));
            tag.finish("Tag")?;
        }
        Ok(Operation::DeleteTags {
            ids: p.list("ResourceId"),
            tags,
            dry_run: p.flag("DryRun")?,
        })
    }),
    route("DescribeTags", |p| {
        Ok(Operation::Tags(tags::Op::DescribeTags(p.asked("ResourceId")?)))
    }),
];
