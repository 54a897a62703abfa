//! Writing XML: elements and text, nothing else. Infallible, which a writer over `io::Write` is not.

use quick_xml::escape::escape;

use crate::sim::world::api::Listing;

/// An XML document under construction.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// A document with one root element.
    pub(super) fn document(root: &str, namespace: &str, inside: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned());
        xml.0.push_str(&format!("<{root} xmlns=\"{namespace}\">"));
        inside(&mut xml);
        xml.0.push_str(&format!("</{root}>"));
        xml.0
    }

    /// A document without namespace, as errors of EC2 are.
    pub(super) fn bare(root: &str, inside: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned());
        xml.element(root, inside);
        xml.0
    }

    pub(super) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Xml)) {
        self.push(&["<", name, ">"]);
        inside(self);
        self.push(&["</", name, ">"]);
    }

    pub(super) fn text(&mut self, name: &str, value: impl AsRef<str>) {
        self.push(&["<", name, ">", &escape(value.as_ref()), "</", name, ">"]);
    }

    /// Most of what a simulated night does is to write answers: without a string for every element.
    fn push(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.push_str(part);
        }
    }

    /// Nothing at all for `None`.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A list: `name` around one `item` element per entry (`item` on EC2, `member` elsewhere).
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        entries: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Xml, T),
    ) {
        self.element(name, |xml| {
            for entry in entries {
                xml.element(item, |xml| each(xml, entry));
            }
        });
    }

    /// EC2's list of one page, and the token of the next.
    pub(super) fn listing<T>(&mut self, name: &str, listing: &Listing<T>, each: impl FnMut(&mut Xml, &T)) {
        self.list(name, "item", &listing.items, each);
        self.maybe("nextToken", listing.next.as_deref());
    }
}

/// Milliseconds and `Z`, as all services with XML write times.
pub(super) fn time(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}
