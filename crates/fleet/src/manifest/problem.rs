use std::fmt;

use record_callback_core::InvalidConfig;
use record_callback_core::text::did_you_mean;

/// One thing wrong with a manifest, and where.
///
/// Contains no value of `[providers]` and nothing given in the place of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestProblem {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The value, like `callbacks[3].events[0]`; empty if the text is not TOML or JSON at all.
    pub path: String,
    /// What is wrong with it, and the rule.
    pub message: String,
}

impl fmt::Display for ManifestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything wrong with a manifest, in the order of the text; one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestProblems(Vec<ManifestProblem>);

impl ManifestProblems {
    /// The problems, in the order of the text; at least one.
    pub fn problems(&self) -> &[ManifestProblem] {
        &self.0
    }
}

impl fmt::Display for ManifestProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestProblems {}

/// The way to a value; rendered only if there is something to say about it.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(super) fn key<'s>(&'s self, key: &'s str) -> Path<'s> {
        Path::Key(self, key)
    }

    pub(super) fn index(&self, index: usize) -> Path<'_> {
        Path::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(parent, key) => {
                parent.fmt(f)?;
                if !matches!(parent, Self::Root) {
                    f.write_str(".")?;
                }
                let bare = |b: u8| b.is_ascii_alphanumeric() || b"_-$".contains(&b);
                if !key.is_empty() && key.bytes().all(bare) { f.write_str(key) } else { write!(f, "{key:?}") }
            }
        }
    }
}

/// Collects problems by their place in the text.
pub(super) struct Problems<'t> {
    text: &'t str,
    /// Where each line starts.
    lines: Vec<usize>,
    found: Vec<(usize, String, String)>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines, found: Vec::new() }
    }

    pub(super) fn add(&mut self, at: usize, path: impl fmt::Display, message: impl Into<String>) {
        self.found.push((at, path.to_string(), message.into()));
    }

    /// Adds `problem` with what a value must look like.
    pub(super) fn break_rule(&mut self, at: usize, path: impl fmt::Display, problem: &str, rule: &str) {
        self.add(at, path, format!("{problem} (rule: {rule})"));
    }

    pub(super) fn refuse(&mut self, at: usize, path: impl fmt::Display, refusal: &InvalidConfig) {
        self.break_rule(at, path, refusal.problem(), refusal.rule());
    }

    /// The line of `at`, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// The place of a line and column as JSON's parser counts: from 1, in bytes.
    pub(super) fn place(&self, line: usize, column: usize) -> usize {
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        (start + column.saturating_sub(1)).min(self.text.len())
    }

    /// All of them with line and column, in one pass over the text; `Ok` if there are none.
    pub(super) fn finish(mut self) -> Result<(), ManifestProblems> {
        self.found.sort_by_key(|(at, ..)| *at);
        let found = std::mem::take(&mut self.found);
        let (mut from, mut column) = (0, 1);
        let mut located = Vec::with_capacity(found.len());
        for (at, path, message) in found {
            let line = self.line(at);
            let start = self.lines.get(line - 1).copied().unwrap_or_default();
            if start > from || located.is_empty() {
                (from, column) = (start, 1);
            }
            let between = self.text.get(from..at).unwrap_or_default();
            (from, column) = (at, column + between.chars().count());
            located.push(ManifestProblem { line, column, path, message });
        }
        if located.is_empty() { Ok(()) } else { Err(ManifestProblems(located)) }
    }
}

/// Says that a key is none of `known`, with the nearest that is.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> String {
    format!(
        "is not known here{} (rule: one of {})",
        did_you_mean(key, known.iter().copied()),
        listed(known.iter().copied())
    )
}

/// Words as messages list them.
pub(super) fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters() {
        let mut problems = Problems::new("直播 = 1\r\nb = '录制' ; x");
        for at in [0, 3, 12, 27] {
            problems.add(at, Path::Root.key("a b").index(2), "is odd");
        }
        let problems = problems.finish().unwrap_err();
        let places: Vec<_> = problems.problems().iter().map(|p| (p.line, p.column)).collect();
        assert_eq!(places, [(1, 1), (1, 2), (2, 1), (2, 12)]);
        assert!(problems.to_string().starts_with("line 1, column 1: \"a b\"[2]: is odd\nline 1, column 2: "));
    }
}
