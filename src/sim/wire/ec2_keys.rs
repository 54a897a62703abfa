//! EC2's key pairs: requests and answers.

use super::Route;
use super::ec2::route;
use super::ec2_xml::tag_set;
use super::xml::{Xml, time};
use crate::sim::world::api::{ApiError, Operation};
use crate::sim::world::keys::{Answer, KeyPair, Op};

pub(super) const ROUTES: &[Route] = &[
    route("DescribeKeyPairs", |p| {
        Ok(Operation::Keys(Op::DescribeKeyPairs {
            asked: p.asked("KeyPairId")?,
            names: p.list("KeyName"),
            include_public_key: p.flag("IncludePublicKey")?,
        }))
    }),
    route("CreateKeyPair", |p| {
        if let Some(format) = p.text("KeyFormat").filter(|format| format != "pem") {
            return Err(ApiError::not_modelled(format!("key format {format:?}")));
        }
        Ok(Operation::Keys(Op::CreateKeyPair {
            name: p.required("KeyName")?,
            kind: p.text("KeyType"),
            tags: p.tag_specs()?,
        }))
    }),
    route("ImportKeyPair", |p| {
        Ok(Operation::Keys(Op::ImportKeyPair {
            name: p.required("KeyName")?,
            public_key: p.required("PublicKeyMaterial")?,
            tags: p.tag_specs()?,
        }))
    }),
    route("DeleteKeyPair", |p| {
        Ok(Operation::Keys(Op::DeleteKeyPair {
            id: p.text("KeyPairId"),
            name: p.text("KeyName"),
        }))
    }),
];

pub(super) fn write(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Keys {
            items,
            with_public_key,
        } => xml.list("keySet", "item", items, |xml, key| {
            write_key(xml, key);
            xml.text("keyType", &key.kind);
            xml.text("createTime", time(key.created));
            xml.maybe("publicKey", key.public_key.as_ref().filter(|_| *with_public_key));
        }),
        Answer::Created { key, material } => {
            write_key(xml, key);
            xml.text("keyMaterial", material);
        }
        Answer::Imported(key) => write_key(xml, key),
        Answer::Deleted(id) => {
            xml.text("return", "true");
            xml.maybe("keyPairId", id.as_ref());
        }
    }
}

fn write_key(xml: &mut Xml, key: &KeyPair) {
    xml.text("keyPairId", &key.id);
    xml.text("keyName", &key.name);
    xml.text("keyFingerprint", &key.fingerprint);
    tag_set(xml, &key.tags);
}
