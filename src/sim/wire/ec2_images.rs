//! EC2's images: requests and answers.

use super::ec2::route;
use super::ec2_launch_data::block_devices;
use super::ec2_xml::tag_set;
use super::query::Params;
use super::xml::{Xml, time};
use super::{Route, ec2_devices};
use crate::sim::world::api::{ApiError, DescribeImages, ImageOfInstance, Listing, Operation};
use crate::sim::world::images::{
    AllowedImages, Answer, Attribute, AttributeValue, BinLine, Change, CopyImage, CreateImage, Criterion, Op,
    RegisterImage, Shown, ShownImage,
};
use crate::sim::world::owner_alias;
use crate::sim::world::snapshots::Sharing;

pub(super) const ROUTES: &[Route] = &[
    route("DescribeImages", |p| {
        Ok(Operation::DescribeImages(DescribeImages {
            ids: p.list("ImageId"),
            owners: p.list("Owner"),
            executable_by: p.list("ExecutableBy"),
            filters: p.filters()?,
            include_disabled: p.flag("IncludeDisabled")?,
            include_deprecated: p.flag("IncludeDeprecated")?,
            page: p.page("MaxResults", "NextToken")?,
        }))
    }),
    route("RegisterImage", |p| {
        let asked = RegisterImage {
            name: p.required("Name")?,
            description: p.text("Description").unwrap_or_default(),
            location: p.text("ImageLocation"),
            architecture: p.text("Architecture"),
            root_device: p.text("RootDeviceName"),
            devices: block_devices(p)?,
            virtualization: p.text("VirtualizationType"),
            ena: p.flag("EnaSupport")?,
            sriov: p.text("SriovNetSupport"),
            boot_mode: p.text("BootMode"),
            tpm: p.text("TpmSupport"),
            imds: p.text("ImdsSupport"),
            tags: p.tag_specs()?,
        };
        Ok(Operation::Image(Op::RegisterImage(Box::new(asked))))
    }),
    route("CreateImage", |p| {
        Ok(Operation::Image(Op::CreateImage(CreateImage {
            instance: p.required("InstanceId")?,
            name: p.required("Name")?,
            description: p.text("Description").unwrap_or_default(),
            no_reboot: p.flag("NoReboot")?,
            devices: block_devices(p)?,
            tags: p.tag_specs()?,
        })))
    }),
    route("CopyImage", |p| {
        Ok(Operation::Image(Op::CopyImage(CopyImage {
            source: p.required("SourceImageId")?,
            source_region: p.required("SourceRegion")?,
            name: p.required("Name")?,
            description: p.text("Description"),
            encrypted: p.flag("Encrypted")?,
            key: p.text("KmsKeyId"),
            copy_tags: p.flag("CopyImageTags")?,
            tags: p.tag_specs()?,
            token: p.text("ClientToken"),
        })))
    }),
    route("DeregisterImage", |p| {
        Ok(Operation::Image(Op::DeregisterImage {
            id: p.required("ImageId")?,
            delete_snapshots: p.flag("DeleteAssociatedSnapshots")?,
        }))
    }),
    route("ModifyImageAttribute", |p| {
        let id = p.required("ImageId")?;
        let change = change(p)?;
        Ok(Operation::Image(Op::ModifyImageAttribute { id, change }))
    }),
    route("DescribeImageAttribute", |p| {
        let id = p.required("ImageId")?;
        let attribute = attribute(&p.required("Attribute")?)?;
        Ok(Operation::Image(Op::DescribeImageAttribute { id, attribute }))
    }),
    route("ResetImageAttribute", |p| {
        let attribute = p.required("Attribute")?;
        if attribute != "launchPermission" {
            return Err(ApiError::not_modelled(format!(
                "attribute {attribute:?} of ResetImageAttribute"
            )));
        }
        Ok(Operation::Image(Op::ResetImageAttribute {
            id: p.required("ImageId")?,
        }))
    }),
    route("DisableImage", |p| {
        Ok(Operation::Image(Op::DisableImage {
            id: p.required("ImageId")?,
        }))
    }),
    route("EnableImage", |p| {
        Ok(Operation::Image(Op::EnableImage {
            id: p.required("ImageId")?,
        }))
    }),
    route("EnableImageDeprecation", |p| {
        let id = p.required("ImageId")?;
        let at = p.number("DeprecateAt")?.ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                "The request must contain the parameter DeprecateAt",
            )
        })?;
        Ok(Operation::Image(Op::EnableImageDeprecation { id, at }))
    }),
    route("DisableImageDeprecation", |p| {
        Ok(Operation::Image(Op::DisableImageDeprecation {
            id: p.required("ImageId")?,
        }))
    }),
    route("ListImagesInRecycleBin", |p| {
        let ids = p.list("ImageId");
        Ok(Operation::Image(Op::ListImagesInRecycleBin {
            ids,
            page: p.page("MaxResults", "NextToken")?,
        }))
    }),
    route("RestoreImageFromRecycleBin", |p| {
        Ok(Operation::Image(Op::RestoreImageFromRecycleBin {
            id: p.required("ImageId")?,
        }))
    }),
    route("GetAllowedImagesSettings", |_| {
        Ok(Operation::Image(Op::GetAllowedImagesSettings))
    }),
    route("EnableAllowedImagesSettings", |p| {
        let state = p.required("AllowedImagesSettingsState")?;
        let audit = match state.as_str() {
            "audit-mode" => true,
            "enabled" => false,
            _ => {
                let text = format!("Value ({state}) for parameter AllowedImagesSettingsState is invalid.");
                return Err(ApiError::new("InvalidParameterValue", text));
            }
        };
        Ok(Operation::Image(Op::EnableAllowedImagesSettings { audit }))
    }),
    route("DisableAllowedImagesSettings", |_| {
        Ok(Operation::Image(Op::DisableAllowedImagesSettings))
    }),
    route("ReplaceImageCriteriaInAllowedImagesSettings", |p| {
        Ok(Operation::Image(
            Op::ReplaceImageCriteriaInAllowedImagesSettings {
                criteria: criteria(p)?,
            },
        ))
    }),
];

/// Both of the call's forms: structures, and the older flat one with `Attribute`, `OperationType` and `UserId`.
fn change(p: &mut Params) -> Result<Change, ApiError> {
    let mut change = Change {
        description: p.text("Description.Value"),
        imds: p.text("ImdsSupport.Value"),
        ..Change::default()
    };
    for (list, users) in [
        ("LaunchPermission.Add", &mut change.sharing.add),
        ("LaunchPermission.Remove", &mut change.sharing.remove),
    ] {
        users.extend(permissions(p, list)?);
    }
    let value = p.text("Value");
    match p.text("Attribute").as_deref() {
        None | Some("launchPermission") if value.is_some() => {
            let text =
                "The parameter Value is for the attribute that the parameter Attribute names: description";
            return Err(ApiError::new("InvalidParameterCombination", text));
        }
        None | Some("launchPermission") => {}
        Some("description") => change.description = value.or(change.description.take()),
        Some(other) => {
            return Err(ApiError::not_modelled(format!(
                "attribute {other:?} of ModifyImageAttribute"
            )));
        }
    }
    flat_sharing(p, &mut change.sharing)?;
    Ok(change)
}

/// `OperationType` with `UserId.N` and `UserGroup.N`, as images and snapshots take it.
pub(super) fn flat_sharing(p: &mut Params, sharing: &mut Sharing) -> Result<(), ApiError> {
    let mut users = p.list("UserId");
    users.extend(p.list("UserGroup"));
    match p.text("OperationType").as_deref() {
        Some("add") => sharing.add.extend(users),
        Some("remove") => sharing.remove.extend(users),
        None if users.is_empty() => {}
        _ => {
            let text = "The request must contain the parameter OperationType: add or remove";
            return Err(ApiError::new("MissingParameter", text));
        }
    }
    Ok(())
}

/// `List.N.UserId` and `List.N.Group`.
pub(super) fn permissions(p: &mut Params, list: &str) -> Result<Vec<String>, ApiError> {
    let mut users = Vec::new();
    for mut entry in p.structures(list) {
        users.extend(entry.text("UserId"));
        users.extend(entry.text("Group"));
        entry.finish(list)?;
    }
    Ok(users)
}

fn attribute(name: &str) -> Result<Attribute, ApiError> {
    Ok(match name {
        "description" => Attribute::Description,
        "launchPermission" => Attribute::LaunchPermission,
        "productCodes" => Attribute::ProductCodes,
        "blockDeviceMapping" => Attribute::BlockDeviceMapping,
        "sriovNetSupport" => Attribute::SriovNetSupport,
        "bootMode" => Attribute::BootMode,
        "tpmSupport" => Attribute::TpmSupport,
        "imdsSupport" => Attribute::ImdsSupport,
        other => {
            return Err(ApiError::not_modelled(format!(
                "attribute {other:?} of DescribeImageAttribute"
            )));
        }
    })
}

fn criteria(p: &mut Params) -> Result<Vec<Criterion>, ApiError> {
    let mut criteria = Vec::new();
    for mut entry in p.structures("ImageCriterion") {
        criteria.push(Criterion {
            providers: entry.list("ImageProvider"),
            product_codes: entry.list("MarketplaceProductCode"),
            names: entry.list("ImageName"),
            max_days_deprecated: entry.number("DeprecationTimeCondition.MaximumDaysSinceDeprecated")?,
            max_days_created: entry.number("CreationDateCondition.MaximumDaysSinceCreated")?,
        });
        entry.finish("ImageCriterion")?;
    }
    Ok(criteria)
}

pub(super) fn write(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Made(id) => xml.text("imageId", id),
        Answer::Deregistered(results) => {
            xml.text("return", "true");
            if !results.is_empty() {
                xml.list(
                    "deleteSnapshotResultSet",
                    "item",
                    results,
                    |xml, (snapshot, code)| {
                        xml.text("snapshotId", snapshot);
                        xml.text("returnCode", code);
                    },
                );
            }
        }
        Answer::Attribute(value) => write_attribute(xml, value),
        Answer::InBin(listing) => xml.listing("imageSet", listing, write_in_bin),
        Answer::Settings(settings) => write_settings(xml, settings),
        Answer::SettingsState(state) => xml.text("allowedImagesSettingsState", state),
    }
}

fn write_attribute(xml: &mut Xml, AttributeValue { id, value }: &AttributeValue) {
    xml.text("imageId", id);
    match value {
        Shown::Text(name, text) => xml.element(name, |xml| xml.maybe("value", text.as_ref())),
        Shown::Launch { public, accounts } => xml.element("launchPermission", |xml| {
            if *public {
                xml.element("item", |xml| xml.text("group", "all"));
            }
            for account in accounts {
                xml.element("item", |xml| xml.text("userId", account));
            }
        }),
        Shown::ProductCodes(codes) => product_codes(xml, codes),
        Shown::Devices(devices) => ec2_devices::write(xml, "blockDeviceMapping", devices),
    }
}

pub(super) fn product_codes(xml: &mut Xml, codes: &[String]) {
    xml.list("productCodes", "item", codes, |xml, code| {
        xml.text("productCode", code);
        xml.text("type", "marketplace");
    });
}

fn write_in_bin(xml: &mut Xml, line: &BinLine) {
    xml.text("imageId", &line.id);
    xml.text("name", &line.name);
    xml.text("description", &line.description);
    xml.text("recycleBinEnterTime", time(line.since));
    xml.text("recycleBinExitTime", time(line.until));
}

fn write_settings(xml: &mut Xml, settings: &AllowedImages) {
    xml.text("state", settings.state.name());
    xml.list(
        "imageCriterionSet",
        "item",
        &settings.criteria,
        |xml, criterion| {
            for (list, values) in [
                ("imageProviderSet", &criterion.providers),
                ("marketplaceProductCodeSet", &criterion.product_codes),
                ("imageNameSet", &criterion.names),
            ] {
                if !values.is_empty() {
                    xml.element(list, |xml| {
                        values.iter().for_each(|value| xml.text("item", value))
                    });
                }
            }
            if let Some(days) = criterion.max_days_deprecated {
                xml.element("deprecationTimeCondition", |xml| {
                    xml.text("maximumDaysSinceDeprecated", days.to_string());
                });
            }
            if let Some(days) = criterion.max_days_created {
                xml.element("creationDateCondition", |xml| {
                    xml.text("maximumDaysSinceCreated", days.to_string());
                });
            }
        },
    );
    xml.text("managedBy", "account");
}

pub(super) fn images(xml: &mut Xml, listing: &Listing<ShownImage>) {
    xml.listing("imagesSet", listing, write_image);
}

fn write_image(xml: &mut Xml, ShownImage { image, allowed }: &ShownImage) {
    xml.text("imageId", &image.id);
    xml.text("imageLocation", image.location());
    xml.text("imageState", image.state.name());
    if let Some(reason) = &image.reason {
        xml.element("stateReason", |xml| {
            xml.text("code", &reason.code);
            xml.text("message", &reason.message);
        });
    }
    xml.text("imageOwnerId", &image.scope.account);
    xml.maybe("imageOwnerAlias", owner_alias(&image.scope.account));
    xml.text("creationDate", time(image.creation));
    xml.text("isPublic", image.public.to_string());
    if !image.product_codes.is_empty() {
        product_codes(xml, &image.product_codes);
    }
    xml.text("architecture", &image.architecture);
    xml.text("imageType", "machine");
    xml.maybe("platform", image.windows.then_some("windows"));
    let (details, usage) = image.platform();
    xml.text("platformDetails", details);
    xml.text("usageOperation", usage);
    xml.text("name", &image.name);
    if !image.description.is_empty() {
        xml.text("description", &image.description);
    }
    xml.text("rootDeviceType", image.root_device_type());
    xml.text("rootDeviceName", &image.root_device);
    ec2_devices::write(xml, "blockDeviceMapping", &image.devices);
    xml.text("virtualizationType", &image.virtualization);
    xml.text("hypervisor", "xen");
    xml.text("enaSupport", image.ena.to_string());
    xml.maybe("sriovNetSupport", image.sriov.as_ref());
    xml.maybe("bootMode", image.boot_mode.as_ref());
    xml.maybe("tpmSupport", image.tpm.as_ref());
    xml.maybe("imdsSupport", image.imds.as_ref());
    xml.maybe("deprecationTime", image.deprecation.map(time));
    xml.maybe("sourceInstanceId", image.source_instance.as_ref());
    xml.maybe("sourceImageId", image.source_image.as_ref().map(|(id, _)| id));
    xml.maybe(
        "sourceImageRegion",
        image.source_image.as_ref().map(|(_, region)| region),
    );
    xml.maybe("publicSsmParameterName", image.ssm_name.as_ref());
    xml.maybe("imageAllowed", allowed.map(|allowed| allowed.to_string()));
    xml.text("deregistrationProtection", "disabled");
    tag_set(xml, &image.tags);
}

/// `imageMetadata` of one instance, without the element around it.
pub(super) fn metadata_of(xml: &mut Xml, of: &ImageOfInstance) {
    xml.text("imageId", &of.instance.image);
    let Some(image) = &of.image else { return };
    xml.text("name", &image.name);
    xml.text("imageOwnerId", &image.scope.account);
    xml.text("imageState", image.state.name());
    xml.maybe("imageOwnerAlias", owner_alias(&image.scope.account));
    xml.text("creationDate", time(image.creation));
    xml.maybe("deprecationTime", image.deprecation.map(time));
    xml.text("imageAllowed", of.allowed.to_string());
    xml.text("isPublic", image.public.to_string());
}
