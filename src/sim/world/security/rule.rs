//! The rules of a security group.

use super::super::api::ApiError;
use super::super::instance::Scope;
use super::super::network::Cidr;
use super::super::shelf::Tags;

/// Whom a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// `0.0.0.0/0`, as EC2 writes it.
    Ipv4(String),
    Ipv6(String),
    /// A security group's id.
    Group(String),
    PrefixList(String),
}

/// What a request allows or revokes: a protocol, its ports, and one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number; `-1` is everything.
    pub protocol: String,
    /// `None` with all protocols.
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    pub peer: Peer,
    pub description: Option<String>,
}

/// One rule of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `sgr-…`.
    pub id: String,
    pub egress: bool,
    pub permission: Permission,
    pub tags: Tags,
}

/// A rule beside its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    pub group: String,
    pub scope: Scope,
    pub rule: Rule,
}

impl Permission {
    /// The same protocol, ports and peer: EC2 does not look at descriptions.
    pub fn is_like(&self, other: &Permission) -> bool {
        (&self.protocol, self.from_port, self.to_port, &self.peer)
            == (&other.protocol, other.from_port, other.to_port, &other.peer)
    }

    /// Everything from or to `peer`.
    pub fn all(peer: Peer) -> Self {
        Self {
            protocol: "-1".to_owned(),
            from_port: None,
            to_port: None,
            peer,
            description: None,
        }
    }

    /// The permission as EC2 keeps it: protocols by name, blocks by their first address, ports where they belong.
    ///
    /// # Errors
    /// What EC2 does not take.
    pub fn checked(mut self) -> Result<Self, ApiError> {
        let named = match self.protocol.to_lowercase().as_str() {
            "6" | "tcp" => "tcp",
            "17" | "udp" => "udp",
            "1" | "icmp" => "icmp",
            "58" | "icmpv6" => "icmpv6",
            "-1" | "all" => "-1",
            other if other.parse::<u8>().is_ok() => other,
            other => {
                let text = format!("Invalid value '{other}' for IP protocol. Unknown protocol.");
                return Err(ApiError::new("InvalidPermission.Malformed", text));
            }
        }
        .to_owned();
        self.protocol = named;
        if matches!(self.protocol.as_str(), "tcp" | "udp") {
            let (Some(from), Some(to)) = (self.from_port, self.to_port) else {
                let text = format!("The request must contain ports for protocol {}", self.protocol);
                return Err(ApiError::new("MissingParameter", text));
            };
            if !(0..=65_535).contains(&from) || !(from..=65_535).contains(&to) {
                let text = format!("Invalid TCP/UDP port range ({from}-{to})");
                return Err(ApiError::new("InvalidParameterValue", text));
            }
        } else if self.protocol == "-1" {
            (self.from_port, self.to_port) = (None, None);
        }
        if let Peer::Ipv4(cidr) = &self.peer {
            let parsed = cidr.parse::<Cidr>();
            let text = format!("CIDR block {cidr} is malformed");
            let parsed = parsed.map_err(|()| ApiError::new("InvalidParameterValue", text))?;
            self.peer = Peer::Ipv4(parsed.to_string());
        }
        Ok(self)
    }
}
