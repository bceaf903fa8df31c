//! The YAML file in which the vendor's SDKs look for endpoints.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use record_callback_core::{Error, ErrorKind, InvalidConfig, Result};
use record_callback_http::SourceContext;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// Names the file.
const VARIABLE: &str = "HUAWEICLOUD_SDK_REGIONS_FILE";
/// Where it is without the variable, in the home directory.
const FILE: &str = ".huaweicloud/regions.yaml";
/// How the file calls the service; case does not matter.
const SERVICE: &str = "LIVE";
const RULE: &str =
    "`LIVE:` with a list of regions, each with an `id` and an `endpoint` or a list of `endpoints`";
/// Nobody has that many regions: 1 MiB.
const LONGEST: u64 = 1024 * 1024;

/// The regions of Live in the file; those of other services may be anything.
#[derive(Default)]
struct Regions(Vec<Entry>);

#[derive(Deserialize)]
struct Entry {
    id: Option<String>,
    endpoints: Option<Vec<String>>,
    endpoint: Option<String>,
}

/// The file with regions, there or not.
pub(crate) struct RegionsFile {
    path: PathBuf,
    /// Whether the variable names it. Then it has to be there.
    is_named: bool,
}

impl RegionsFile {
    /// The one that is named, else the one at home.
    pub(crate) fn of(context: &SourceContext) -> Option<Self> {
        match context.var(VARIABLE) {
            Some(path) => Some(Self { path: path.into(), is_named: true }),
            None => Some(Self { path: context.in_home(FILE)?, is_named: false }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The first endpoint the file has for `region`, if it has one.
    pub(crate) fn endpoint(&self, region: &str) -> Result<Option<String>> {
        let field = if self.is_named { VARIABLE } else { "regions.yaml" };
        let shown = self.path.display();
        let text = match record_callback_durable::read_text(&self.path, LONGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.is_named => return Ok(None),
            Err(error) => {
                let message = format!("{field}: {shown} cannot be read");
                return Err(Error::new(ErrorKind::InvalidConfig, message).with_source(error));
            }
        };
        // The library's own words repeat what is in the file.
        let parsed: Option<Regions> = serde_saphyr::from_str(&text).map_err(|error| {
            let line =
                error.location().map(|location| format!(" line {}", location.line())).unwrap_or_default();
            InvalidConfig::new(field, format!("{shown}{line} is not as expected"), RULE)
        })?;
        let endpoint = |entry: Entry| entry.endpoints.into_iter().flatten().chain(entry.endpoint).next();
        let found =
            parsed.unwrap_or_default().0.into_iter().filter(|entry| entry.id.as_deref() == Some(region));
        // What comes last in the file counts.
        Ok(found.rev().find_map(endpoint))
    }
}

impl<'de> Deserialize<'de> for Regions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Services;

        impl<'de> Visitor<'de> for Services {
            type Value = Regions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("services with lists of regions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut services: A) -> Result<Regions, A::Error> {
                let mut regions = Regions::default();
                while let Some(service) = services.next_key::<String>()? {
                    if service.to_uppercase() == SERVICE {
                        regions.0.extend(services.next_value::<Option<Vec<_>>>()?.into_iter().flatten());
                    } else {
                        services.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(regions)
            }
        }

        deserializer.deserialize_map(Services)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(text: impl AsRef<[u8]>) -> Result<Option<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("regions.yaml");
        std::fs::write(&path, text).unwrap();
        RegionsFile { path, is_named: false }.endpoint("mars-1").map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_endpoint_of_the_last_entry_counts() {
        for (text, expected) in [
            ("", None),
            ("# nothing\n", None),
            ("LIVE:\n", None),
            ("LIVE: []\n", None),
            ("ECS: [{id: mars-1, endpoint: a}]\n", None),
            ("LIVE: [{id: mars-2, endpoint: a}]\n", None),
            ("LIVE: [{endpoint: a}, {id: mars-1}, {id: mars-1, endpoints: []}]\n", None),
            ("LIVE: [{id: mars-1, endpoint: a}]\n", Some("a")),
            ("LIVE:\n- id: mars-1\n  endpoint: a\n  zone: 1\n", Some("a")),
            ("Live:\n  - id: mars-1\n    endpoint: a\n    endpoints:\n      - b\n      - c\n", Some("b")),
            ("LIVE: [{id: mars-1, endpoint: a}, {id: mars-1, endpoint: b}, {id: mars-1}]\n", Some("b")),
            ("LIVE: [{id: mars-1, endpoint: a}]\nlive: [{id: mars-1, endpoint: b}]\n", Some("b")),
            ("ECS: {any: thing}\nVPC: 1\nLIVE: [{id: mars-1, endpoint: a}]\n", Some("a")),
            ("\u{feff}LIVE: [{id: mars-1, endpoint: a}]\n", Some("a")),
            ("---\nLIVE:\n- &one {id: mars-1, endpoint: a}\nECS: [*one]\n", Some("a")),
        ] {
            assert_eq!(in_file(text).unwrap().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_broken_file_is_told_by_line_without_what_is_in_it() {
        for (text, line) in [
            ("LIVE: [\n", ""),
            ("LIVE:\n  - s3cr3t\n", " line 2"),
            ("LIVE:\n  mars-1: s3cr3t\n", " line 2"),
            ("LIVE:\n  - id: mars-1\n    endpoint: [s3cr3t]\n", " line 3"),
            ("- LIVE\n", " line 1"),
            ("s3cr3t\n", " line 1"),
            ("LIVE:\n  - id: a\n   id: s3cr3t\n", " line 3"),
        ] {
            let error = in_file(text).unwrap_err();
            assert!(error.contains(&format!("regions.yaml{line}")), "{text}{error}");
            assert!(error.contains("is not as expected (rule: `LIVE:` with a list of regions"), "{error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(in_file(b"\xff\xfe").unwrap_err().contains("cannot be read"));
        let huge = "#".repeat(1024 * 1024 + 1);
        assert!(in_file(huge).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn a_file_has_to_be_there_only_if_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let missing = |is_named| RegionsFile { path: directory.path().join("regions.yaml"), is_named };
        assert_eq!(missing(false).endpoint("mars-1").unwrap(), None);
        let error = missing(true).endpoint("mars-1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        let expected = format!("HUAWEICLOUD_SDK_REGIONS_FILE: {}", missing(true).path().display());
        assert!(error.message().starts_with(&expected), "{error}");
    }

    /// The test would wait for ever if it were opened.
    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let mut others = vec![directory.path().to_owned()];
        if cfg!(unix) {
            others.push(directory.path().join("pipe"));
            assert!(std::process::Command::new("mkfifo").arg(&others[1]).status().unwrap().success());
        }
        for path in others {
            let error = RegionsFile { path, is_named: false }.endpoint("mars-1").unwrap_err();
            assert!(error.message().contains("cannot be read"), "{error}");
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.ends_with("not a regular file"), "{source}");
        }
    }
}
