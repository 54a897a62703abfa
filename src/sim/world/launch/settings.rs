//! What an instance was launched with, and much of which can be changed while it exists.

use super::MetadataSpec;

/// The settings of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub key_name: Option<String>,
    /// The instance profile's ARN.
    pub profile: Option<String>,
    /// Base64.
    pub user_data: Option<String>,
    /// Detailed monitoring.
    pub monitoring: bool,
    /// It was changed a moment ago.
    pub monitoring_changes: bool,
    pub ebs_optimized: bool,
    /// Termination protection.
    pub disable_api_termination: bool,
    /// Stop protection.
    pub disable_api_stop: bool,
    /// A shutdown inside it terminates it, instead of stopping it.
    pub shutdown_terminates: bool,
    pub metadata: Metadata,
    /// `standard` or `unlimited`; instances of burstable types have it, and keep it through a resize to another type.
    pub cpu_credits: Option<String>,
    /// Cores and threads a core; `None`: as the type has them.
    pub cpu: Option<(u32, u32)>,
    pub hibernation: bool,
    pub enclave: bool,
    pub tenancy: String,
    pub placement_group: Option<String>,
    pub partition: Option<u32>,
    pub affinity: Option<String>,
    pub host: Option<String>,
    /// `ip-name` or `resource-name`.
    pub hostname_kind: String,
    pub a_record: bool,
    pub aaaa_record: bool,
    /// `default` or `disabled`.
    pub auto_recovery: String,
    pub capacity_reservation_preference: String,
    pub client_token: Option<String>,
    /// What a Spot instance does when it is interrupted; `None`: On-Demand.
    pub spot: Option<Spot>,
}

impl Settings {
    /// What a shutdown inside does: `stop` or `terminate`.
    pub fn shutdown_behavior(&self) -> &'static str {
        if self.shutdown_terminates {
            "terminate"
        } else {
            "stop"
        }
    }
}

/// A Spot instance's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// `sir-…`.
    pub request: String,
    /// A persistent request, whose stopped instance may be started.
    pub persistent: bool,
    /// `stop`, `hibernate` or `terminate`.
    pub interruption: String,
}

/// An instance's metadata service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `optional` or `required`.
    pub tokens: String,
    pub hop_limit: u32,
    /// `enabled` or `disabled`; so are the next two.
    pub endpoint: String,
    pub ipv6: String,
    pub tags: String,
    /// Changed and not in force yet.
    pub pending: bool,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            tokens: "optional".to_owned(),
            hop_limit: 1,
            endpoint: "enabled".to_owned(),
            ipv6: "disabled".to_owned(),
            tags: "disabled".to_owned(),
            pending: false,
        }
    }
}

impl Metadata {
    /// What an instance has without a word on it: an image made for version 2 of the service asks for its tokens.
    pub fn of_image(imds_support: Option<&str>) -> Self {
        let usual = Self::default();
        match imds_support {
            Some("v2.0") => Self {
                tokens: "required".to_owned(),
                hop_limit: 2,
                ..usual
            },
            _ => usual,
        }
    }

    /// These options with what `wanted` says instead.
    #[must_use]
    pub fn with(self, wanted: &MetadataSpec) -> Self {
        let text = |wanted: &Option<String>, old: String| wanted.clone().unwrap_or(old);
        Self {
            tokens: text(&wanted.tokens, self.tokens),
            hop_limit: wanted.hop_limit.unwrap_or(self.hop_limit),
            endpoint: text(&wanted.endpoint, self.endpoint),
            ipv6: text(&wanted.ipv6, self.ipv6),
            tags: text(&wanted.tags, self.tags),
            pending: self.pending,
        }
    }

    /// EC2's word for how far the options are.
    pub fn state(&self) -> &'static str {
        if self.pending { "pending" } else { "applied" }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key_name: None,
            profile: None,
            user_data: None,
            monitoring: false,
            monitoring_changes: false,
            ebs_optimized: false,
            disable_api_termination: false,
            disable_api_stop: false,
            shutdown_terminates: false,
            metadata: Metadata::default(),
            cpu_credits: None,
            cpu: None,
            hibernation: false,
            enclave: false,
            tenancy: "default".to_owned(),
            placement_group: None,
            partition: None,
            affinity: None,
            host: None,
            hostname_kind: "ip-name".to_owned(),
            a_record: false,
            aaaa_record: false,
            auto_recovery: "default".to_owned(),
            capacity_reservation_preference: "open".to_owned(),
            client_token: None,
            spot: None,
        }
    }
}
