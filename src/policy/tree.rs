//! YAML text → a tree in which every key and value knows its place.
//!
//! serde stops at the first error and forgets how a value was written. A person with five mistakes wants five
//! messages, and "an account id that was written as a number" can only be told from the text. So this builds its own
//! small tree from the parser's events; [`super::decode`] reads it.
//!
//! Guarantees: no input panics, recurses deeper than [`MAX_DEPTH`] or yields more than [`MAX_NODES`] nodes, aliases
//! included (a file of 300 bytes can otherwise ask for billions). YAML 1.2: `yes` and `on` are text. Duplicate keys
//! are refused, merge keys (`<<`) are honoured, tags other than `!!str` are refused, and there is one document.

use super::problem::{Problem, Problems, Source, Span};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use std::collections::{BTreeMap, BTreeSet};

/// Deepest nesting; the deepest key of a policy is at 7.
const MAX_DEPTH: usize = 32;

/// Most nodes of a file after aliases are resolved; a policy with every key has about 200.
const MAX_NODES: usize = 50_000;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub span: Span,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// `plain` is text without quotes, which YAML may read as a number, a truth value or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// Without duplicates, in the file's order; merged entries come last.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

/// The one document of a text; `None` if it has no value that can be read, which is then reported.
pub(super) fn read(problems: &mut Problems<'_>) -> Option<Node> {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let source = problems.source;
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(source.text, options),
        source,
        problems,
        anchors: BTreeMap::new(),
        open: BTreeSet::new(),
        nodes_left: MAX_NODES,
    };
    builder.document().ok()
}

/// The text cannot be read any further; the reason has been reported.
struct Stop;

struct Builder<'t, 'p> {
    events: Parser<'t, StrInput<'t>>,
    source: Source<'t>,
    problems: &'p mut Problems<'t>,
    anchors: BTreeMap<usize, Node>,
    /// Anchors whose node is still being read: an alias to one would contain itself.
    open: BTreeSet<usize>,
    nodes_left: usize,
}

impl<'t> Builder<'t, '_> {
    fn document(&mut self) -> Result<Node, Stop> {
        let root = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd, span) => {
                    let span = Span { length: 1, ..span };
                    self.refuse(span, "the file is empty", "at least one key");
                    return Err(Stop);
                }
                (event, span) => break self.node(event, span)?,
            }
        };
        if is_nothing(&root) {
            self.refuse(root.span, "the file has no content", "at least one key");
            return Err(Stop);
        }
        // What follows the document is read for its errors. A syntax error there stops nothing: the document is whole.
        while let Ok((event, span)) = self.next() {
            match event {
                Event::DocumentStart(..) => {
                    self.refuse(
                        span,
                        "a second document starts here",
                        "one document a file, without `---` below it",
                    );
                    break;
                }
                Event::StreamEnd => break,
                _ => {}
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, place(&span))),
            Some(Err(error)) => {
                let problem = syntax_problem(&self.source, &error);
                self.problems.push(problem);
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Span::START)),
        }
    }

    fn refuse(&mut self, span: Span, message: impl Into<String>, expected: &str) {
        let problem = self.problems.problem(span, message).expected(expected);
        self.problems.push(problem);
    }

    /// Counts nodes before they are made.
    fn spend(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        match self.nodes_left.checked_sub(nodes) {
            Some(left) => {
                self.nodes_left = left;
                Ok(())
            }
            None => {
                let message =
                    format!("the file has more than {MAX_NODES} values once its aliases are resolved");
                self.refuse(span, message, "a policy or config of ordinary size");
                Err(Stop)
            }
        }
    }

    /// Recursion is bounded by the parser's nesting limits.
    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, Stop> {
        self.spend(1, span)?;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted_by_tag = self.tag(tag.as_deref(), span);
                let plain = style == ScalarStyle::Plain && !quoted_by_tag;
                (
                    anchor,
                    Node {
                        span,
                        value: Value::Scalar {
                            text: text.into_owned(),
                            plain,
                        },
                    },
                )
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span);
                self.open.insert(anchor);
                let value = Value::List(self.list()?);
                self.open.remove(&anchor);
                (anchor, Node { span, value })
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), span);
                self.open.insert(anchor);
                let value = Value::Map(self.map()?);
                self.open.remove(&anchor);
                (anchor, Node { span, value })
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => {
                self.refuse(span, "this cannot be read as a value", "text, a list or a map");
                return Err(Stop);
            }
        };
        // 0 means "no anchor".
        if anchor != 0 {
            self.spend(size(&node), span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Stop> {
        if self.open.contains(&anchor) {
            self.refuse(
                span,
                "this alias stands inside the value that it names",
                "an alias to an earlier value",
            );
            return Err(Stop);
        }
        let Some(node) = self.anchors.remove(&anchor) else {
            self.refuse(span, "this alias names nothing", "an alias to an earlier value");
            return Err(Stop);
        };
        let spent = self.spend(size(&node), span);
        let copy = node.clone();
        self.anchors.insert(anchor, node);
        spent.map(|()| copy)
    }

    fn list(&mut self) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first_lines: BTreeMap<String, u32> = BTreeMap::new();
        let mut merges = Vec::new();
        loop {
            let (event, key_span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                other => other,
            };
            let key = self.node(event, key_span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            match key.value {
                Value::Scalar { text, plain: true } if text == "<<" => merges.push(value),
                Value::Scalar { text, .. } => match first_lines.get(&text) {
                    Some(line) => {
                        let message = format!(
                            "the key {} is given twice; the first one is on line {line}",
                            self.source.quote(&text)
                        );
                        self.refuse(key_span, message, "each key once");
                    }
                    None => {
                        first_lines.insert(text.clone(), key_span.line);
                        entries.push(Entry {
                            key: text,
                            key_span,
                            value,
                        });
                    }
                },
                _ => self.refuse(
                    key_span,
                    "a list or a map cannot be a key",
                    "text before the colon",
                ),
            }
        }
        let mut known: BTreeSet<String> = first_lines.into_keys().collect();
        for merge in merges {
            self.merge(merge, &mut entries, &mut known);
        }
        Ok(entries)
    }

    /// `<<: *base` or `<<: [*first, *second]`: what the map says itself wins, then the earlier base.
    fn merge(&mut self, base: Node, entries: &mut Vec<Entry>, known: &mut BTreeSet<String>) {
        match base.value {
            Value::Map(more) => {
                entries.extend(more.into_iter().filter(|entry| known.insert(entry.key.clone())));
            }
            Value::List(bases) if bases.iter().all(|base| matches!(base.value, Value::Map(_))) => {
                for base in bases {
                    self.merge(base, entries, known);
                }
            }
            _ => self.refuse(
                base.span,
                "only a map can be merged with `<<`",
                "an alias to an earlier map, or a list of them",
            ),
        }
    }

    /// Whether the tag makes a plain scalar text; other tags are reported.
    fn tag(&mut self, tag: Option<&Tag>, span: Span) -> bool {
        let Some(tag) = tag else { return false };
        let core = tag.handle() == "tag:yaml.org,2002:";
        match tag.suffix() {
            "str" if core => true,
            "seq" | "map" if core => false,
            suffix => {
                let message = format!("the tag {} has no meaning here", self.source.quote(suffix));
                self.refuse(span, message, "a value without a `!` tag");
                false
            }
        }
    }
}

/// Nodes of a tree, itself included.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.value)).sum(),
    }
}

/// Nothing at all: `~`, `null` or an empty place, unquoted.
pub(super) fn is_nothing(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
}

fn place(span: &granit_parser::Span) -> Span {
    let bounded = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let length = match span.end.line() == span.start.line() {
        true => span.end.col().saturating_sub(span.start.col()),
        false => 1,
    };
    Span {
        line: bounded(span.start.line()).max(1),
        column: bounded(span.start.col()).saturating_add(1),
        length: bounded(length).max(1),
    }
}

/// The parser's error in words for someone who does not know YAML's grammar.
fn syntax_problem(source: &Source<'_>, error: &ScanError) -> Problem {
    let marker = error.marker();
    let span = place(&granit_parser::Span::empty(*marker));
    let problem = source.problem(span, format!("this is not valid YAML: {}", error.info()));
    let problem = problem.expected("valid YAML; nothing below this place could be checked");
    match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            problem.suggest("YAML is indented with spaces: replace the tab by two spaces")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::SimpleKeyExpected | ErrorKind::InvalidIndentation => {
            problem.suggest(
                "look at the indentation of this line and the one above; quote a text that contains `: `",
            )
        }
        ErrorKind::UnclosedQuotedScalar => problem.suggest("a quote that was opened above is never closed"),
        ErrorKind::UnclosedFlowCollection { open } => {
            problem.suggest(format!("a `{open}` that was opened above is never closed"))
        }
        ErrorKind::UnknownAnchor => problem.suggest("quote a text that starts with `*`"),
        ErrorKind::UnexpectedCharacter { .. } => {
            problem.suggest("quote a text that starts with `@`, `` ` `` or `%`")
        }
        ErrorKind::RecursionLimitExceeded => {
            problem.suggest(format!("nesting is limited to {MAX_DEPTH} levels"))
        }
        _ => problem,
    }
}
