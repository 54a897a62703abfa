//! The fields of a control request: read from its body or its query string, refused by name.

use super::Route;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// A year: nobody waits longer for anything, and the end of time stays far away.
pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Why a control request was not carried out; nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status: 400 what was asked makes no sense, 404 there is no such thing, 409 it is not in the state for it.
    pub status: u16,
    pub why: String,
}

impl Refused {
    pub fn new(status: u16, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
        }
    }
}

/// Fields that were sent, checked by name against the route's table.
pub struct Fields {
    route: &'static Route,
    values: Map<String, Value>,
    /// Those that somebody asked for.
    taken: RefCell<BTreeSet<String>>,
}

impl Fields {
    /// The fields of a request: of its query string for GET, else of its JSON body, which may be empty.
    pub fn read(route: &'static Route, query: &str, body: &[u8]) -> Result<Self, Refused> {
        let values = if route.method == "GET" {
            form_urlencoded::parse(query.as_bytes())
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect()
        } else if body.iter().all(u8::is_ascii_whitespace) {
            Map::new()
        } else {
            serde_json::from_slice(body)
                .map_err(|error| Refused::new(400, format!("the body has to be a JSON object: {error}")))?
        };
        let fields = Self {
            route,
            values,
            taken: RefCell::default(),
        };
        match fields.values.keys().find(|name| fields.expects(name).is_none()) {
            None => Ok(fields),
            Some(name) => {
                let known: Vec<&str> = route.fields.iter().map(|field| field.name).collect();
                let known = match known.is_empty() {
                    true => "no fields".to_owned(),
                    false => known.join(", "),
                };
                let why = format!("{} {} takes {known}, not {name:?}", route.method, route.path);
                Err(Refused::new(400, why))
            }
        }
    }

    fn expects(&self, name: &str) -> Option<&'static str> {
        let field = self.route.fields.iter().find(|field| field.name == name);
        field.map(|field| field.expects)
    }

    fn bad(&self, name: &str, value: &Value) -> Refused {
        let expects = self.expects(name).unwrap_or("something else");
        Refused::new(400, format!("{name} is {value}; expected: {expects}"))
    }

    /// Refuse the field's value, which has the right type and makes no sense.
    pub fn refuse(&self, name: &str, value: impl Into<Value>) -> Refused {
        self.bad(name, &value.into())
    }

    /// The field, if it was sent; `null` is as good as absent.
    fn value(&self, name: &str) -> Option<&Value> {
        self.taken.borrow_mut().insert(name.to_owned());
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Refuse what nobody asked for: it means nothing together with the others, and whoever sent it expects that it does.
    /// Routes call it before they act.
    pub fn finish(&self) -> Result<(), Refused> {
        let taken = self.taken.borrow();
        match self.values.keys().find(|name| !taken.contains(*name)) {
            None => Ok(()),
            Some(name) => {
                let expects = self.expects(name).unwrap_or("nothing");
                let why = format!("{name} means nothing here; it is: {expects}");
                Err(Refused::new(400, why))
            }
        }
    }

    /// The field, read by `read`, which knows its own kind.
    fn read_as<T>(&self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>, Refused> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.bad(name, value)),
        }
    }

    /// The field is needed.
    pub fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Refused> {
        let expects = self.expects(name).unwrap_or("something");
        value.ok_or_else(|| Refused::new(400, format!("{name} is missing; expected: {expects}")))
    }

    /// A text, which may be empty.
    pub fn any_text(&self, name: &str) -> Result<Option<String>, Refused> {
        self.read_as(name, |value| value.as_str().map(str::to_owned))
    }

    /// A text that is not empty.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refused> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        self.read_as(name, text)
    }

    /// A whole number that fits; as text too, as it comes in a query string.
    pub fn number<T: TryFrom<u64>>(&self, name: &str) -> Result<Option<T>, Refused> {
        self.read_as(name, |value| {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
            T::try_from(number).ok()
        })
    }

    /// A whole number from 1: how often, or which in a row.
    pub fn count(&self, name: &str) -> Result<Option<u32>, Refused> {
        match self.number(name)? {
            Some(0) => Err(self.refuse(name, 0)),
            other => Ok(other),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        self.read_as(name, Value::as_bool)
    }

    /// Seconds, fractions allowed, up to a year.
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>, Refused> {
        self.read_as(name, |value| {
            let duration = Duration::try_from_secs_f64(value.as_f64()?).ok()?;
            (duration <= LONGEST).then_some(duration)
        })
    }

    /// A moment, as RFC 3339 writes it.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, Refused> {
        self.read_as(name, |value| value.as_str()?.parse().ok())
    }

    /// One of these words, as what it stands for.
    pub fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Refused> {
        self.read_as(name, |value| {
            let found = words.iter().find(|(word, _)| value.as_str() == Some(*word));
            found.map(|(_, meaning)| *meaning)
        })
    }
}
