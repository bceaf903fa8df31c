/// The way in which names of domains are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainMatching {
    /// Letter by letter.
    Exact,
    /// Without regard to case.
    IgnoringCase,
}

impl DomainMatching {
    pub(crate) fn is_same(self, one: &str, other: &str) -> bool {
        self.folded(one) == self.folded(other)
    }

    /// The form in which names are compared.
    pub(crate) fn folded(self, name: &str) -> String {
        match self {
            Self::Exact => name.to_owned(),
            Self::IgnoringCase => name.to_lowercase(),
        }
    }

    /// Which of `known` is meant by `given`, if any.
    pub(crate) fn find<'a>(
        self,
        mut known: impl Iterator<Item = &'a String>,
        given: &str,
    ) -> Option<&'a str> {
        known.find(|name| self.is_same(name, given)).map(String::as_str)
    }
}
