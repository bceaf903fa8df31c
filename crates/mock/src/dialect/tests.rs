use std::{collections::HashSet, hash::Hash};

use super::*;
use crate::{AliyunDialect, HuaweicloudDialect};

fn all_different<T: Eq + Hash>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

fn with<D: Dialect>(reading: &Reading<D>) -> D {
    let mut dialect = D::default();
    (reading.choose)(&mut dialect);
    dialect
}

fn questions_are_sound<D: Dialect>() {
    assert!(all_different(D::questions().iter().map(|question| question.name)));
    for question in D::questions() {
        let Question { name, question, sources, readings } = question;
        assert!(question.ends_with('?') && sources.ends_with('.'), "{name}");
        assert!(readings.len() > 1, "{name}");
        assert!(all_different(readings.iter().map(|reading| reading.name)), "{name}");
        for reading in *readings {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(reading.name.chars().all(plain), "{name}={}", reading.name);
        }
        assert_eq!(with(&readings[0]), D::default(), "{name}: the first reading is the default");
        let values: Vec<D> = readings.iter().map(with).collect();
        for (index, value) in values.iter().enumerate() {
            assert!(!values[..index].contains(value), "{name}: two readings are the same");
        }
    }
}

fn names_choose<D: Dialect>() {
    for (name, expected) in D::one_by_one() {
        let (question, reading) = name.split_once('=').unwrap();
        let mut dialect = D::default();
        dialect.choose(question, reading).unwrap();
        assert_eq!(dialect, expected, "{name}");
    }
    for (name, expected) in D::pairwise() {
        let mut dialect = D::default();
        let (_, choices) = name.split_once(' ').unwrap();
        for choice in choices.split(',').filter(|choice| *choice != "defaults") {
            let (question, reading) = choice.split_once('=').unwrap();
            dialect.choose(question, reading).unwrap();
        }
        assert_eq!(dialect, expected, "{name}");
    }
}

/// Every two readings, seen from the outside: some dialect follows both.
fn pairs_occur<D: Dialect>() {
    let dialects: Vec<D> = D::pairwise().into_iter().map(|(_, dialect)| dialect).collect();
    let follows = |dialect: &D, reading: &Reading<D>| {
        let mut chosen = dialect.clone();
        (reading.choose)(&mut chosen);
        chosen == *dialect
    };
    for (index, question) in D::questions().iter().enumerate() {
        for other in &D::questions()[..index] {
            for a in question.readings {
                for b in other.readings {
                    assert!(
                        dialects.iter().any(|dialect| follows(dialect, a) && follows(dialect, b)),
                        "{}={}, {}={}",
                        question.name,
                        a.name,
                        other.name,
                        b.name
                    );
                }
            }
        }
    }
    let mut counts: Vec<usize> = D::questions().iter().map(|question| question.readings.len()).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let (rows, least) = (dialects.len(), counts[0] * counts[1]);
    assert!((least..=least * 5 / 2).contains(&rows), "{rows} dialects of {}", D::VENDOR);
    assert_eq!(D::pairwise(), D::pairwise());
}

#[test]
fn questions_are_sound_for_both_vendors() {
    questions_are_sound::<AliyunDialect>();
    questions_are_sound::<HuaweicloudDialect>();
}

#[test]
fn the_names_of_dialects_choose_them() {
    names_choose::<AliyunDialect>();
    names_choose::<HuaweicloudDialect>();
}

#[test]
fn every_two_readings_occur_together() {
    pairs_occur::<AliyunDialect>();
    pairs_occur::<HuaweicloudDialect>();
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let mut dialect = AliyunDialect::default();
    let error = dialect.choose("throttle", "400").unwrap_err();
    assert!(error.known().contains(&"throttling"));
    assert!(error.to_string().starts_with("aliyun has no question `throttle`, only omitted_on_update, "));
    let error = dialect.choose("throttling", "418").unwrap_err();
    assert_eq!(error.to_string(), "throttling has no reading `418`, only 400, 429, 503");
    assert_eq!(dialect, AliyunDialect::default());
}
