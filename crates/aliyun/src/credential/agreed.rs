//! Variables of one meaning under several names.

use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::SourceContext;

/// The value of the first of `names` that is set, with its name.
///
/// The vendor's tools look at such variables in different orders, and not all at all of them.
///
/// # Errors
/// Fails if another of them says something else: whichever is taken, somebody meant another caller. Values are not
/// shown.
pub(super) fn agreed(
    context: &SourceContext,
    names: &[&'static str],
) -> Result<Option<(&'static str, String)>> {
    let mut set = names.iter().filter_map(|name| Some((*name, context.var(name)?)));
    let Some((first, value)) = set.next() else { return Ok(None) };
    match set.find(|(_, other)| *other != value) {
        None => Ok(Some((first, value))),
        Some((other, _)) => {
            let problem = format!(
                "{first} and {other} say different things, and the vendor's tools go by different ones: unset all but one"
            );
            Err(Error::new(ErrorKind::Unauthenticated, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record_callback_http::FixedEnv;

    use super::*;

    #[test]
    fn names_that_agree_are_one_and_others_are_refused_by_name() {
        let say = |variables: &[(&str, &str)]| {
            let env = Arc::new(variables.iter().copied().collect::<FixedEnv>());
            agreed(&SourceContext { env, ..SourceContext::default() }, &["A", "B", "C"])
        };
        assert_eq!(say(&[("A", " ")]).unwrap(), None);
        assert_eq!(say(&[("A", ""), ("C", "x ")]).unwrap(), Some(("C", "x".to_owned())));
        assert_eq!(say(&[("B", "x"), ("C", "x")]).unwrap(), Some(("B", "x".to_owned())));
        let error = say(&[("A", "x"), ("C", "s3cr3t")]).unwrap_err();
        assert!(error.message().starts_with("A and C say different things"), "{error}");
        assert!(!error.message().contains("s3cr3t"), "{error}");
    }
}
