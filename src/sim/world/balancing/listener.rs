//! Listeners: a port of a load balancer, and what it does with requests.

use super::super::World;
use super::super::api::{ApiError, Caller, Listing, Page};
use super::super::instance::Scope;
use super::super::page::paginate;
use super::super::shelf::Tags;
use super::{Action, BalancerKind, LoadBalancer, invalid, tags};

/// What AWS gives a listener that names no policy.
const DEFAULT_POLICY: &str = "ELBSecurityPolicy-2016-08";

/// A listener. Its actions are those of its default rule.
#[derive(Debug, Clone)]
pub struct Listener {
    pub arn: String,
    pub scope: Scope,
    /// Its load balancer's ARN.
    pub balancer: String,
    pub created: jiff::Timestamp,
    pub protocol: String,
    pub port: u16,
    pub ssl_policy: Option<String>,
    /// Certificates' ARNs, unverified.
    pub certificates: Vec<String>,
    pub alpn: Vec<String>,
    pub actions: Vec<Action>,
    pub tags: Tags,
}

/// CreateListener's parameters.
#[derive(Debug, Clone)]
pub struct NewListener {
    pub balancer: String,
    pub protocol: Option<String>,
    pub port: Option<u16>,
    pub ssl_policy: Option<String>,
    pub certificates: Vec<String>,
    pub alpn: Vec<String>,
    pub actions: Vec<Action>,
    pub tags: Vec<(String, String)>,
}

/// ModifyListener's parameters: what is given changes.
#[derive(Debug, Clone, Default)]
pub struct ListenerChange {
    pub protocol: Option<String>,
    pub port: Option<u16>,
    pub ssl_policy: Option<String>,
    pub certificates: Vec<String>,
    pub alpn: Vec<String>,
    pub actions: Vec<Action>,
}

impl Listener {
    /// How its rules' ARNs begin: `…:listener-rule/app/NAME/ID/LISTENER/`.
    pub(super) fn rule_prefix(&self) -> String {
        self.arn.replacen(":listener/", ":listener-rule/", 1) + "/"
    }

    /// Its default rule's ARN, which follows from its own.
    pub fn default_rule(&self) -> String {
        let id = self.arn.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{}{id:016x}", self.rule_prefix())
    }
}

impl World {
    pub(super) fn listener_of(&self, caller: &Caller, arn: &str) -> Result<&Listener, ApiError> {
        let listener = self.balancing.listeners.get(arn);
        listener
            .filter(|l| l.scope == caller.scope())
            .ok_or_else(|| not_found(arn))
    }

    pub(super) fn create_listener(
        &mut self,
        caller: &Caller,
        new: &NewListener,
    ) -> Result<Listener, ApiError> {
        let balancer = self.balancer_of(caller, &new.balancer)?.clone();
        let Some(port) = new.port.filter(|port| *port > 0) else {
            return Err(invalid("A listener port must be specified, between 1 and 65535"));
        };
        let Some(protocol) = new.protocol.clone() else {
            return Err(invalid("A listener protocol must be specified"));
        };
        let ssl_policy = check_protocol(&balancer, &protocol, &new.certificates, new.ssl_policy.as_deref())?;
        check_alpn(&protocol, &new.alpn)?;
        self.check_actions(caller, &balancer, &protocol, &new.actions)?;
        let tags = tags::of_new(&new.tags)?;
        let siblings = || {
            self.balancing
                .listeners
                .values()
                .filter(|l| l.balancer == balancer.arn)
        };
        if let Some(twin) = siblings().find(|l| l.port == port) {
            let is_same = twin.protocol == protocol
                && twin.certificates == new.certificates
                && twin.ssl_policy == ssl_policy
                && twin.actions == new.actions;
            return if is_same {
                Ok(twin.clone())
            } else {
                Err(duplicate(port))
            };
        }
        let quota = format!("listeners-per-{}-load-balancer", balancer.kind.name());
        if siblings().count() >= self.balancing_quota(&balancer.scope, &quota) {
            let text = "You've reached the limit on the number of listeners per load balancer";
            return Err(ApiError::new("TooManyListeners", text));
        }
        let Scope { account, region } = &balancer.scope;
        let (path, id) = (balancer.path(), self.balancing_id());
        let listener = Listener {
            arn: format!("arn:aws:elasticloadbalancing:{region}:{account}:listener/{path}/{id}"),
            scope: balancer.scope.clone(),
            balancer: balancer.arn.clone(),
            created: self.now,
            protocol,
            port,
            ssl_policy,
            certificates: new.certificates.clone(),
            alpn: new.alpn.clone(),
            actions: new.actions.clone(),
            tags,
        };
        self.own_write(&listener.arn);
        self.note(&listener.arn, format!("listener on port {port} created"));
        self.balancing
            .listeners
            .insert(listener.arn.clone(), listener.clone());
        self.refresh_usage(&self.groups_behind(&balancer.arn));
        Ok(listener)
    }

    pub(super) fn describe_listeners(
        &self,
        caller: &Caller,
        balancer: Option<&str>,
        arns: &[String],
        page: &Page,
    ) -> Result<Listing<Listener>, ApiError> {
        let items: Vec<Listener> = match (balancer, arns) {
            (Some(_), [_, ..]) | (None, []) => {
                return Err(invalid(
                    "You must specify either listener ARNs or a load balancer ARN",
                ));
            }
            (Some(balancer), []) => {
                self.balancer_of(caller, balancer)?;
                let own = self
                    .balancing
                    .listeners
                    .values()
                    .filter(|l| l.balancer == balancer);
                own.filter(|l| l.created <= self.shown_until(&l.arn))
                    .cloned()
                    .collect()
            }
            (None, arns) => {
                let found = arns.iter().map(|arn| self.listener_of(caller, arn).cloned());
                found.collect::<Result<_, _>>()?
            }
        };
        let (items, next) = paginate(items, |l| l.arn.clone(), page, 1..=400, Some(400))?;
        Ok(Listing { items, next })
    }

    pub(super) fn modify_listener(
        &mut self,
        caller: &Caller,
        arn: &str,
        change: &ListenerChange,
    ) -> Result<Listener, ApiError> {
        let mut listener = self.listener_of(caller, arn)?.clone();
        let balancer = self.balancer_of(caller, &listener.balancer)?.clone();
        listener.protocol = change.protocol.clone().unwrap_or(listener.protocol);
        listener.port = change.port.unwrap_or(listener.port);
        if !change.certificates.is_empty() {
            listener.certificates.clone_from(&change.certificates);
        }
        if !change.alpn.is_empty() {
            listener.alpn.clone_from(&change.alpn);
        }
        if !change.actions.is_empty() {
            listener.actions.clone_from(&change.actions);
        }
        if !is_secure(&listener.protocol) {
            // A listener that no longer speaks TLS loses what belongs to it.
            (listener.certificates, listener.ssl_policy) = (Vec::new(), None);
        }
        let policy = change.ssl_policy.as_deref().or(listener.ssl_policy.as_deref());
        listener.ssl_policy = check_protocol(&balancer, &listener.protocol, &listener.certificates, policy)?;
        check_alpn(&listener.protocol, &listener.alpn)?;
        self.check_actions(caller, &balancer, &listener.protocol, &listener.actions)?;
        let mut others = self.balancing.listeners.values().filter(|l| l.arn != arn);
        if others.any(|l| l.balancer == balancer.arn && l.port == listener.port) {
            return Err(duplicate(listener.port));
        }
        let mut touched = self.groups_behind(&balancer.arn);
        self.balancing.listeners.insert(arn.to_owned(), listener.clone());
        self.note(arn, "listener modified");
        touched.extend(self.groups_behind(&balancer.arn));
        self.refresh_usage(&touched);
        Ok(listener)
    }

    pub(super) fn delete_listener(&mut self, caller: &Caller, arn: &str) -> Result<(), ApiError> {
        let balancer = self.listener_of(caller, arn)?.balancer.clone();
        let touched = self.groups_behind(&balancer);
        self.balancing.rules.retain(|_, rule| rule.listener != arn);
        self.balancing.listeners.remove(arn);
        self.note(arn, "listener deleted");
        self.refresh_usage(&touched);
        Ok(())
    }
}

fn is_secure(protocol: &str) -> bool {
    matches!(protocol, "HTTPS" | "TLS")
}

/// The protocol is the load balancer's, and has what it needs. Returns the policy that results.
fn check_protocol(
    balancer: &LoadBalancer,
    protocol: &str,
    certificates: &[String],
    policy: Option<&str>,
) -> Result<Option<String>, ApiError> {
    if matches!(protocol, "GENEVE" | "QUIC" | "TCP_QUIC") {
        return Err(ApiError::not_modelled(format!(
            "listeners with protocol {protocol}"
        )));
    }
    let allowed: &[&str] = match balancer.kind {
        BalancerKind::Application => &["HTTP", "HTTPS"],
        BalancerKind::Network => &["TCP", "TLS", "UDP", "TCP_UDP"],
    };
    if !allowed.contains(&protocol) {
        return Err(invalid(format!(
            "Listener protocol '{protocol}' must be one of '{}'",
            allowed.join(", ")
        )));
    }
    match (is_secure(protocol), certificates) {
        (true, [_]) => {}
        (true, []) => {
            return Err(invalid(format!(
                "A certificate must be specified for {protocol} listeners"
            )));
        }
        (true, _) => return Err(invalid("Exactly one default certificate must be specified")),
        (false, []) => {}
        (false, _) => {
            return Err(invalid(format!(
                "A certificate cannot be specified for {protocol} listeners"
            )));
        }
    }
    match (is_secure(protocol), policy) {
        (true, None) => Ok(Some(DEFAULT_POLICY.to_owned())),
        (true, Some(name)) if name.starts_with("ELBSecurityPolicy-") => Ok(Some(name.to_owned())),
        (true, Some(name)) => Err(ApiError::new(
            "SSLPolicyNotFound",
            format!("SSL policy '{name}' not found"),
        )),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(invalid(format!(
            "An SSL policy cannot be specified for {protocol} listeners"
        ))),
    }
}

fn check_alpn(protocol: &str, alpn: &[String]) -> Result<(), ApiError> {
    const POLICIES: [&str; 5] = [
        "HTTP1Only",
        "HTTP2Only",
        "HTTP2Optional",
        "HTTP2Preferred",
        "None",
    ];
    match alpn {
        [] => Ok(()),
        [one] if protocol == "TLS" && POLICIES.contains(&one.as_str()) => Ok(()),
        [one] if protocol == "TLS" => Err(ApiError::new(
            "ALPNPolicyNotFound",
            format!("ALPN policy '{one}' is not supported"),
        )),
        _ => Err(invalid("One ALPN policy can be specified, for TLS listeners")),
    }
}

fn duplicate(port: u16) -> ApiError {
    let text = format!("A listener already exists on this port for this load balancer: {port}");
    ApiError::new("DuplicateListener", text)
}

pub(super) fn not_found(arn: &str) -> ApiError {
    ApiError::new(
        "ListenerNotFound",
        format!("One or more listeners not found: {arn}"),
    )
}
