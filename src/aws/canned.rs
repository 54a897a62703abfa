//! Tests only: a connector that answers from a closure, and remembers what was asked.
//!
//! It speaks just enough of AWS's XML for the shapes of requests and answers to be tested here; how AWS behaves is
//! the simulation's business.

use super::config::{Sdk, Seams};
use crate::env::{Env, VirtualClock};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub url: String,
    pub action: String,
    /// The form's fields; of a JSON request, the whole body under `body`.
    pub params: BTreeMap<String, String>,
    pub access_key: String,
}

impl Asked {
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// `Filter.N.Name` → `Filter.N.Value.*`
    pub fn filters(&self) -> BTreeMap<String, Vec<String>> {
        let name = |number: usize| self.params.get(&format!("Filter.{number}.Name")).cloned();
        let filters =
            (1..).map_while(|number| Some((name(number)?, self.list(&format!("Filter.{number}.Value")))));
        filters.collect()
    }

    /// `PREFIX.1`, `PREFIX.2`…
    pub fn list(&self, prefix: &str) -> Vec<String> {
        (1..)
            .map_while(|number| self.params.get(&format!("{prefix}.{number}")).cloned())
            .collect()
    }
}

/// What comes back.
pub enum Answer {
    Of(u16, String),
    /// An answer with headers.
    With(u16, Vec<(&'static str, String)>, String),
    Fails(Box<dyn FnOnce() -> ConnectorError + Send>),
    /// Nothing ever comes.
    Hangs,
}

pub fn ok(body: impl Into<String>) -> Answer {
    Answer::Of(200, body.into())
}

/// An error in EC2's shape, or in the other query services'.
pub fn error(status: u16, code: &str) -> Answer {
    Answer::Of(
        status,
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>canned</Message></Error></Errors>\
             <RequestID>r</RequestID></Response>"
        ),
    )
}

pub fn elb_error(status: u16, code: &str) -> Answer {
    let body =
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>canned</Message></Error></ErrorResponse>");
    Answer::Of(status, body)
}

type Answers = Box<dyn FnMut(&Asked) -> Answer + Send>;

/// The canned AWS; clones are the same one.
#[derive(Clone)]
pub struct Canned {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    pub clock: VirtualClock,
}

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canned")
    }
}

impl Canned {
    /// Must be made in a runtime whose time is paused.
    pub fn new(answers: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        Self {
            answers: Arc::new(Mutex::new(Box::new(answers))),
            asked: Arc::default(),
            clock: VirtualClock::starting_at("2026-11-11T04:00:00Z".parse().unwrap()),
        }
    }

    pub fn env(&self) -> Env {
        Env::simulated(self.clock.clone(), 1)
    }

    pub fn seams(&self) -> Seams {
        let connector = SharedHttpConnector::new(self.clone());
        let credentials = Credentials::new("AKIAOWN", "secret", None, None, "test");
        Seams {
            http_client: Some(http_client_fn(move |_, _| connector.clone())),
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            region: Some("eu-west-2".into()),
            seed: Some(1),
            ..Seams::default()
        }
    }

    pub fn sdk(&self) -> Sdk {
        Sdk::new(self.env(), self.seams())
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self, action: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| asked.action == action)
            .count()
    }

    /// How often each action was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for asked in self.asked() {
            *counts.entry(asked.action).or_default() += 1;
        }
        counts
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let canned = self.clone();
        HttpConnectorFuture::new(async move {
            let asked = read(&request);
            canned.asked.lock().unwrap().push(asked.clone());
            tokio::time::sleep(Duration::from_millis(1)).await;
            let answer = (canned.answers.lock().unwrap())(&asked);
            match answer {
                Answer::Of(status, body) => Ok(response(status, Vec::new(), rooted(&asked.action, &body))),
                Answer::With(status, headers, body) => Ok(response(status, headers, body)),
                Answer::Fails(error) => Err(error()),
                Answer::Hangs => std::future::pending().await,
            }
        })
    }
}

/// The root element's name is that of the action; tests write `R`.
fn rooted(action: &str, body: &str) -> String {
    body.replace("<R>", &format!("<{action}Response>"))
        .replace("</R>", &format!("</{action}Response>"))
        .replace("<R/>", &format!("<{action}Response/>"))
}

fn read(request: &HttpRequest) -> Asked {
    let body = request.body().bytes().unwrap_or_default();
    let target = request.headers().get("x-amz-target");
    let params: BTreeMap<String, String> = match target {
        Some(_) => BTreeMap::from([("body".to_owned(), String::from_utf8_lossy(body).into_owned())]),
        None => form_urlencoded::parse(body).into_owned().collect(),
    };
    let action = match target {
        Some(target) => target.rsplit('.').next().unwrap().to_owned(),
        None => params.get("Action").cloned().unwrap_or_default(),
    };
    let authorization = request.headers().get("authorization").unwrap_or_default();
    let access_key = authorization.split("Credential=").nth(1).unwrap_or_default();
    let access_key = access_key.split('/').next().unwrap_or_default().to_owned();
    Asked {
        url: request.uri().to_owned(),
        action,
        params,
        access_key,
    }
}

fn response(status: u16, headers: Vec<(&'static str, String)>, body: String) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A fleet that answers all reads the way AWS does, as far as the tests here look.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    pub instances: Vec<FleetInstance>,
    /// By name: the ids that are registered.
    pub groups: BTreeMap<String, Vec<String>>,
    /// By image: its state in the instances' metadata; all others are available.
    pub images: BTreeMap<String, &'static str>,
    /// Instances on one page.
    pub page: usize,
}

#[derive(Clone, Debug)]
pub struct FleetInstance {
    pub id: String,
    pub tags: BTreeMap<String, String>,
    pub state: &'static str,
    pub image: String,
}

impl FleetInstance {
    pub fn running(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            tags: BTreeMap::from([("Name".to_owned(), name.to_owned())]),
            state: "running",
            image: "ami-1".to_owned(),
        }
    }

    fn passes(&self, filters: &BTreeMap<String, Vec<String>>) -> bool {
        filters
            .iter()
            .all(|(name, values)| match name.strip_prefix("tag:") {
                Some(key) => self.tags.get(key).is_some_and(|value| values.contains(value)),
                None => values.contains(&self.id),
            })
    }

    fn xml(&self) -> String {
        let tag =
            |(key, value): (&String, &String)| format!("<item><key>{key}</key><value>{value}</value></item>");
        let tags: String = self.tags.iter().map(tag).collect();
        format!(
            "<item><ownerId>111122223333</ownerId><instancesSet><item><instanceId>{}</instanceId>\
             <imageId>{}</imageId><instanceState><name>{}</name></instanceState>\
             <rootDeviceType>ebs</rootDeviceType><tagSet>{tags}</tagSet></item></instancesSet></item>",
            self.id, self.image, self.state
        )
    }
}

pub fn group_arn(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-2:111122223333:targetgroup/{name}/0123456789abcdef")
}

impl Fleet {
    pub fn answer(&self, asked: &Asked) -> Answer {
        match asked.action.as_str() {
            "GetCallerIdentity" => ok("<GetCallerIdentityResponse><GetCallerIdentityResult>\
                <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"),
            "DescribeInstances" => {
                let (instances, next) = self.page(asked);
                let items: String = instances.iter().map(|instance| instance.xml()).collect();
                ok(format!(
                    "<DescribeInstancesResponse><reservationSet>{items}</reservationSet>{next}</DescribeInstancesResponse>"
                ))
            }
            "DescribeInstanceImageMetadata" => {
                let (instances, next) = self.page(asked);
                let item = |instance: &&FleetInstance| {
                    let state = self.images.get(&instance.image).unwrap_or(&"available");
                    format!(
                        "<item><instanceId>{}</instanceId><imageMetadata><imageId>{}</imageId>\
                         <imageState>{state}</imageState><imageAllowed>true</imageAllowed></imageMetadata></item>",
                        instance.id, instance.image
                    )
                };
                let items: String = instances.iter().map(item).collect();
                ok(format!(
                    "<R><instanceImageMetadataSet>{items}</instanceImageMetadataSet>{next}</R>"
                ))
            }
            "DescribeInstanceStatus" => self.statuses(asked),
            "DescribeImages" => ok("<R><imagesSet></imagesSet></R>"),
            "DescribeTargetGroups" => {
                let item = |name: &String| {
                    format!(
                        "<member><TargetGroupArn>{}</TargetGroupArn><TargetGroupName>{name}</TargetGroupName>\
                         <Port>80</Port><TargetType>instance</TargetType></member>",
                        group_arn(name)
                    )
                };
                let items: String = self.groups.keys().map(item).collect();
                ok(format!(
                    "<R><DescribeTargetGroupsResult><TargetGroups>{items}</TargetGroups></DescribeTargetGroupsResult></R>"
                ))
            }
            "DescribeTargetHealth" => self.health(asked.param("TargetGroupArn")),
            _ => error(400, "InvalidAction"),
        }
    }

    fn page(&self, asked: &Asked) -> (Vec<&FleetInstance>, String) {
        let filters = asked.filters();
        let page = if self.page == 0 { 1_000 } else { self.page };
        let from: usize = asked
            .params
            .get("NextToken")
            .map_or(0, |token| token.parse().unwrap());
        let passing: Vec<_> = self
            .instances
            .iter()
            .filter(|instance| instance.passes(&filters))
            .collect();
        let more = passing.len() > from + page;
        let next = if more {
            format!("<nextToken>{}</nextToken>", from + page)
        } else {
            String::new()
        };
        (passing.into_iter().skip(from).take(page).collect(), next)
    }

    fn statuses(&self, asked: &Asked) -> Answer {
        let ids = asked.list("InstanceId");
        let running = self
            .instances
            .iter()
            .filter(|instance| instance.state == "running");
        let item = |instance: &FleetInstance| {
            format!(
                "<item><instanceId>{}</instanceId><systemStatus><status>ok</status></systemStatus>\
                 <instanceStatus><status>ok</status></instanceStatus></item>",
                instance.id
            )
        };
        let asked_for = running.filter(|instance| ids.is_empty() || ids.contains(&instance.id));
        let items: String = asked_for.map(item).collect();
        ok(format!("<R><instanceStatusSet>{items}</instanceStatusSet></R>"))
    }

    fn health(&self, arn: &str) -> Answer {
        let Some((_, targets)) = self.groups.iter().find(|(name, _)| group_arn(name) == arn) else {
            return elb_error(400, "TargetGroupNotFound");
        };
        let item = |id: &String| {
            format!(
                "<member><Target><Id>{id}</Id><Port>80</Port></Target><TargetHealth><State>healthy</State>\
                 </TargetHealth></member>"
            )
        };
        let items: String = targets.iter().map(item).collect();
        ok(format!(
            "<R><DescribeTargetHealthResult><TargetHealthDescriptions>{items}</TargetHealthDescriptions>\
             </DescribeTargetHealthResult></R>"
        ))
    }
}
