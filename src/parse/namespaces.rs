//! Which element names belong to a report: namespaces as reporters declare them, or do not.

use quick_xml::events::BytesStart;

/// Prefixes declared on the root that are kept; no report needs more.
const PREFIXES: usize = 16;

/// Where the namespace of the root places the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RootNamespace {
    /// None, or one that says nothing.
    #[default]
    Silent,
    /// `http://dmarc.org/dmarc-xml/0.1`, of RFC 7489.
    Rfc7489,
    /// `urn:ietf:params:xml:ns:dmarc-2.0`, of RFC 9990.
    Rfc9990,
}

/// The namespaces of one document, as far as its root declares them.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    root_prefix: String,
    root_uri: Option<String>,
    /// Prefix, and whether it is bound to the report's own namespace.
    bound: Vec<(String, bool)>,
    pub(super) root: RootNamespace,
}

impl Namespaces {
    pub(super) fn clear(&mut self) {
        self.root_prefix.clear();
        self.root_uri = None;
        self.bound.clear();
        self.root = RootNamespace::Silent;
    }

    /// Takes the declarations of the root element.
    pub(super) fn read_root(&mut self, prefix: &str, tag: &BytesStart<'_>) {
        self.root_prefix.push_str(prefix);
        let declared = declarations(tag);
        self.root_uri = declared.iter().find(|(p, _)| p == prefix).map(|(_, uri)| uri.clone());
        self.root = match self.root_uri.as_deref().map(known) {
            Some(Some(namespace)) => namespace,
            _ => RootNamespace::Silent,
        };
        for (prefix, uri) in declared.into_iter().take(PREFIXES) {
            let ours = self.is_ours(&uri);
            self.bound.push((prefix, ours));
        }
    }

    /// Returns whether an element with this prefix belongs to the report. Its own declarations count first.
    ///
    /// An undeclared namespace is ours: most reporters declare none, and some only prefix the root.
    pub(super) fn has(&self, prefix: &str, tag: &BytesStart<'_>) -> bool {
        let attributes = tag.attributes_raw();
        if !attributes.is_empty()
            && memchr::memmem::find(attributes.as_bytes(), b"xmlns").is_some()
            && let Some((_, uri)) = declarations(tag).into_iter().find(|(p, _)| p == prefix)
        {
            return self.is_ours(&uri);
        }
        self.has_prefix(prefix)
    }

    /// Returns whether a prefix belongs to the report by what the root says.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        // Comparing two empty strings is dear: glibc reads behind their dangling pointers, and the processor traps it.
        if prefix.is_empty() && self.root_prefix.is_empty() {
            return true;
        }
        if prefix == self.root_prefix {
            return true;
        }
        match self.bound.iter().find(|(p, _)| p == prefix) {
            Some((_, ours)) => *ours,
            None => prefix.is_empty(),
        }
    }

    fn is_ours(&self, uri: &str) -> bool {
        uri.is_empty() || self.root_uri.as_deref() == Some(uri) || known(uri).is_some()
    }
}

fn known(uri: &str) -> Option<RootNamespace> {
    let starts = |with: &str| uri.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if starts("urn:ietf:params:xml:ns:dmarc") {
        Some(RootNamespace::Rfc9990)
    } else if starts("http://dmarc.org/dmarc-xml") || starts("https://dmarc.org/dmarc-xml") {
        Some(RootNamespace::Rfc7489)
    } else {
        None
    }
}

/// Returns the namespace declarations of a tag: prefix (empty for the default) and name.
fn declarations(tag: &BytesStart<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for attribute in tag.attributes().with_checks(false).flatten() {
        let name: &str = attribute.key.as_ref();
        let prefix = match name.split_once(':') {
            Some(("xmlns", prefix)) => prefix,
            None if name == "xmlns" => "",
            _ => continue,
        };
        if found.len() < 4 * PREFIXES {
            found.push((prefix.to_owned(), attribute.value.trim().to_owned()));
        }
    }
    found
}
