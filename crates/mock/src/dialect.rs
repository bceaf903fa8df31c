//! Dialects: one answer for every question the vendors' documents leave open.

use std::{error::Error, fmt};

mod pairwise;

/// A question the vendor's documents leave open, and the answers the mock can take.
#[derive(Debug)]
pub struct Question<D: 'static> {
    /// The name of the dialect's field.
    pub name: &'static str,
    /// The question.
    pub question: &'static str,
    /// What speaks for which reading.
    pub sources: &'static str,
    /// The possible answers; the first is the default.
    pub readings: &'static [Reading<D>],
}

/// One answer to a [`Question`].
#[derive(Debug)]
pub struct Reading<D> {
    /// What the reading is called, in lower case.
    pub name: &'static str,
    /// Makes a dialect follow this reading.
    pub choose: fn(&mut D),
}

/// A set of readings, one for each open question about a vendor.
///
/// ```
/// use record_callback_mock::{AliyunDialect, AliyunOmitted, Dialect};
///
/// let mut dialect = AliyunDialect::default();
/// dialect.choose("omitted_on_update", "kept")?;
/// assert_eq!(dialect.omitted_on_update, AliyunOmitted::Kept);
///
/// // A client that works with each of these does not depend on a guess.
/// for (name, dialect) in AliyunDialect::one_by_one() {
///     assert_ne!(dialect, AliyunDialect::default(), "{name}");
/// }
/// # Ok::<(), record_callback_mock::UnknownReading>(())
/// ```
pub trait Dialect: Clone + Default + PartialEq + fmt::Debug + 'static {
    /// The vendor's name, such as `aliyun`.
    const VENDOR: &'static str;

    /// Every open question.
    fn questions() -> &'static [Question<Self>];

    /// Chooses a reading by the names of question and reading.
    fn choose(&mut self, question: &str, reading: &str) -> Result<(), UnknownReading> {
        let asked = find(Self::questions(), question, |question| question.name)
            .map_err(|known| UnknownReading::new(Self::VENDOR, "question", question, known))?;
        let chosen = find(asked.readings, reading, |reading| reading.name)
            .map_err(|known| UnknownReading::new(asked.name, "reading", reading, known))?;
        (chosen.choose)(self);
        Ok(())
    }

    /// A dialect for each reading that is not a default, with every other question at its default. The names are like
    /// `omitted_on_update=kept`.
    fn one_by_one() -> Vec<(String, Self)> {
        let alternatives = Self::questions().iter().flat_map(|question| {
            question.readings.iter().skip(1).map(move |reading| (question.name, reading))
        });
        alternatives
            .map(|(question, reading)| {
                let mut dialect = Self::default();
                (reading.choose)(&mut dialect);
                (format!("{question}={}", reading.name), dialect)
            })
            .collect()
    }

    /// Dialects in which every two readings of different questions occur together, always the same ones. The names
    /// are like `#3 denial=401,request_ids=opaque`; what they do not mention is at its default.
    fn pairwise() -> Vec<(String, Self)> {
        let questions = Self::questions();
        let counts: Vec<usize> = questions.iter().map(|question| question.readings.len()).collect();
        let dialect = |(row, choices): (usize, Vec<usize>)| {
            let mut dialect = Self::default();
            let mut names = Vec::new();
            for (question, choice) in questions.iter().zip(choices) {
                let reading = &question.readings[choice];
                (reading.choose)(&mut dialect);
                if choice > 0 {
                    names.push(format!("{}={}", question.name, reading.name));
                }
            }
            let readings = if names.is_empty() { "defaults".to_owned() } else { names.join(",") };
            (format!("#{} {readings}", row + 1), dialect)
        };
        pairwise::rows(&counts).into_iter().enumerate().map(dialect).collect()
    }
}

/// The item of that name, or the names there are.
fn find<'a, T>(
    items: &'a [T],
    name: &str,
    name_of: fn(&T) -> &'static str,
) -> Result<&'a T, Vec<&'static str>> {
    items.iter().find(|item| name_of(item) == name).ok_or_else(|| items.iter().map(name_of).collect())
}

/// A name [`Dialect::choose`] does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownReading {
    of: &'static str,
    what: &'static str,
    name: String,
    known: Vec<&'static str>,
}

impl UnknownReading {
    fn new(of: &'static str, what: &'static str, name: &str, known: Vec<&'static str>) -> Self {
        Self { of, what, name: name.to_owned(), known }
    }

    /// The names that would have been understood.
    pub fn known(&self) -> &[&'static str] {
        &self.known
    }
}

impl fmt::Display for UnknownReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, what, name, known } = self;
        write!(f, "{of} has no {what} `{name}`, only {}", known.join(", "))
    }
}

impl Error for UnknownReading {}

/// Implements [`Dialect`] by a table of the struct's fields: the question, its sources, and for each reading a name and
/// the value of the field. A field without a question does not compile.
macro_rules! dialect {
    (
        $dialect:ident, $vendor:literal;
        $($field:ident: $question:literal, $sources:literal, { $($reading:literal => $value:expr),+ $(,)? })+
    ) => {
        impl $crate::dialect::Dialect for $dialect {
            const VENDOR: &'static str = $vendor;

            fn questions() -> &'static [$crate::dialect::Question<Self>] {
                const QUESTIONS: &[$crate::dialect::Question<$dialect>] = &[$($crate::dialect::Question {
                    name: stringify!($field),
                    question: $question,
                    sources: $sources,
                    readings: &[$($crate::dialect::Reading {
                        name: $reading,
                        choose: |dialect| dialect.$field = $value,
                    }),+],
                }),+];
                QUESTIONS
            }
        }

        const _: fn($dialect) = |dialect| {
            let $dialect { $($field: _),+ } = dialect;
        };
    };
}
pub(crate) use dialect;

#[cfg(test)]
mod tests;
