//! EC2's key pairs: names that launches can give. The keys themselves open nothing here.

use std::sync::Arc;

use jiff::Timestamp;

use super::World;
use super::api::{self, ApiError, Asked, Caller, Family, Response};
use super::instance::Scope;
use super::shelf::{Field, Resource, Shelf, Tags, parts};
use super::tags::{TagSpecs, tags_for};

/// A key pair.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// `key-…`.
    pub id: String,
    pub scope: Scope,
    /// Unique in its account and region.
    pub name: String,
    /// `rsa` or `ed25519`.
    pub kind: String,
    pub fingerprint: String,
    /// As imported; one that EC2 made has none to show.
    pub public_key: Option<String>,
    pub created: Timestamp,
    pub tags: Tags,
}

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    DescribeKeyPairs {
        asked: Asked,
        names: Vec<String>,
        include_public_key: bool,
    },
    CreateKeyPair {
        name: String,
        kind: Option<String>,
        tags: TagSpecs,
    },
    ImportKeyPair {
        name: String,
        /// Base64, as sent.
        public_key: String,
        tags: TagSpecs,
    },
    DeleteKeyPair {
        id: Option<String>,
        name: Option<String>,
    },
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Keys {
        items: Vec<Arc<KeyPair>>,
        with_public_key: bool,
    },
    /// A new key pair, and what EC2 shows only once.
    Created {
        key: Arc<KeyPair>,
        material: String,
    },
    Imported(Arc<KeyPair>),
    /// The id, if there was such a key pair: deleting one that does not exist succeeds.
    Deleted(Option<String>),
}

impl Answer {
    pub(super) fn clear(&mut self) {
        if let Answer::Keys { items, .. } = self {
            items.clear();
        }
    }
}

impl Resource for KeyPair {
    const KIND: &'static str = "key-pair";
    const PREFIX: &'static str = "key-";
    const NOUN: &'static str = "key pair ID";
    const NOT_FOUND: &'static str = "InvalidKeyPair.NotFound";
    const MALFORMED: &'static str = "InvalidKeyPair.NotFound";
    const FILTERS: &'static [Field<Self>] = &[
        ("key-name", |k| vec![k.name.clone()]),
        ("key-pair-id", |k| vec![k.id.clone()]),
        ("fingerprint", |k| vec![k.fingerprint.clone()]),
    ];

    parts!();
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::DescribeKeyPairs { .. } => "DescribeKeyPairs",
            Op::CreateKeyPair { .. } => "CreateKeyPair",
            Op::ImportKeyPair { .. } => "ImportKeyPair",
            Op::DeleteKeyPair { .. } => "DeleteKeyPair",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::DescribeKeyPairs { asked, names, .. } => {
                asked.ids.iter().chain(names).map(String::as_str).collect()
            }
            Op::CreateKeyPair { name, .. } | Op::ImportKeyPair { name, .. } => vec![name],
            Op::DeleteKeyPair { id, name } => id.iter().chain(name).map(String::as_str).collect(),
        }
    }

    fn is_mutation(&self) -> bool {
        false
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::DescribeKeyPairs {
                asked,
                names,
                include_public_key,
            } => world.describe_keys(caller, asked, names, *include_public_key)?,
            Op::CreateKeyPair { name, kind, tags } => {
                let kind = kind.as_deref().unwrap_or("rsa");
                let key = world.new_key(caller, name, kind, None, tags)?;
                let material = format!(
                    "-----BEGIN PRIVATE KEY-----\n{:032x}\n-----END PRIVATE KEY-----",
                    world.ids.u128(..)
                );
                Answer::Created { key, material }
            }
            Op::ImportKeyPair {
                name,
                public_key,
                tags,
            } => {
                let kind = kind_of(public_key);
                Answer::Imported(world.new_key(caller, name, kind, Some(public_key.clone()), tags)?)
            }
            Op::DeleteKeyPair { id, name } => world.delete_key(caller, id.as_deref(), name.as_deref()),
        };
        Ok(api::Answer::Keys(answer))
    }
}

impl World {
    /// The key pair of this name.
    pub(super) fn key_named(&self, scope: &Scope, name: &str) -> Result<&Arc<KeyPair>, ApiError> {
        let found = self
            .keypairs()
            .iter()
            .find(|key| key.scope == *scope && key.name == name);
        found.ok_or_else(|| {
            let text = format!("The key pair '{name}' does not exist");
            ApiError::new("InvalidKeyPair.NotFound", text)
        })
    }

    fn keypairs(&self) -> &Shelf<KeyPair> {
        &self.key_pairs
    }

    fn describe_keys(
        &self,
        caller: &Caller,
        asked: &Asked,
        names: &[String],
        with_public_key: bool,
    ) -> Result<Answer, ApiError> {
        for name in names {
            self.key_named(&caller.scope(), name)?;
        }
        let is_named = |key: &KeyPair| names.is_empty() || names.contains(&key.name);
        let items = self.keypairs().listed_where(self, caller, asked, is_named)?.items;
        Ok(Answer::Keys {
            items,
            with_public_key,
        })
    }

    fn new_key(
        &mut self,
        caller: &Caller,
        name: &str,
        kind: &str,
        public_key: Option<String>,
        tags: &TagSpecs,
    ) -> Result<Arc<KeyPair>, ApiError> {
        if !matches!(kind, "rsa" | "ed25519") {
            let text = format!("Value ({kind}) for parameter keyType is invalid.");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let tags = tags_for(tags, "key-pair")?;
        if self.key_named(&caller.scope(), name).is_ok() {
            let text = format!("The keypair '{name}' already exists.");
            return Err(ApiError::new("InvalidKeyPair.Duplicate", text));
        }
        let fingerprint = self.ids.u128(..).to_be_bytes().map(|byte| format!("{byte:02x}"));
        let key = KeyPair {
            id: self.new_id("key-"),
            scope: caller.scope(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            fingerprint: fingerprint.join(":"),
            public_key,
            created: self.now,
            tags,
        };
        self.own_write(&key.id);
        Ok(self.key_pairs.put(self.now, key))
    }

    fn delete_key(&mut self, caller: &Caller, id: Option<&str>, name: Option<&str>) -> Answer {
        let scope = caller.scope();
        let is_meant = |key: &Arc<KeyPair>| {
            key.scope == scope && id.is_none_or(|id| key.id == id) && name.is_none_or(|name| key.name == name)
        };
        let id = self
            .keypairs()
            .iter()
            .find(|key| is_meant(key))
            .map(|key| key.id.clone());
        if let Some(id) = &id {
            self.key_pairs.delete(self.now, id);
            self.own_write(id);
        }
        Answer::Deleted(id)
    }
}

/// The type of an imported key, which is sent as base64 of the line that `ssh-keygen` writes.
fn kind_of(public_key: &str) -> &'static str {
    // Base64 of "ssh-ed25519 ".
    match public_key.trim_start().starts_with("c3NoLWVkMjU1MTkg") {
        true => "ed25519",
        false => "rsa",
    }
}
