/// A file of `[section]`s with `name = value` lines, as SDKs keep credentials in; read as Python's `configparser` reads it.
///
/// Comments are lines that begin with `#` or `;`. `:` separates as `=` does. A line further in than the name above it
/// goes on with its value. What `[DEFAULT]` says holds in every section that does not say otherwise. A section or name
/// given again is a mistake, and so are lines that are none of these, and `"` in a section's name. Values are not
/// interpreted: see [`IniSection::ambiguity`].
#[derive(Debug)]
pub struct Ini {
    sections: Vec<IniSection>,
}

/// One section. `Debug` shows the names only: values may be secrets.
pub struct IniSection {
    /// What is in the brackets.
    pub name: String,
    /// The line it begins at, from 1.
    pub line: usize,
    values: Vec<Value>,
}

#[derive(Clone)]
struct Value {
    name: String,
    text: String,
    line: usize,
}

/// What holds in every section.
const DEFAULT: &str = "DEFAULT";

impl Ini {
    /// Reads `text`. An error is the line of a mistake and what was expected there.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut sections: Vec<IniSection> = Vec::new();
        // How far in the name is whose value may go on.
        let mut indent = None;
        for (line, whole) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let content = whole.trim();
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            let own_indent = whole.len() - whole.trim_start().len();
            if let Some(value) = sections.last_mut().and_then(|section| section.values.last_mut())
                && indent.is_some_and(|indent| own_indent > indent)
            {
                if !value.text.is_empty() {
                    value.text.push('\n');
                }
                value.text.push_str(content);
                continue;
            }
            if let Some(rest) = content.strip_prefix('[') {
                let name = rest.split_once(']').map(|(name, _)| name.trim().to_owned());
                let name = name.ok_or((line, "expected `]` at the end of the section's name".to_owned()))?;
                // Names are shown, and JSON may begin like one.
                if name.contains('"') {
                    return Err((line, "expected a section's name without `\"`".to_owned()));
                }
                if sections.iter().any(|section| section.name == name) {
                    return Err((line, "expected each section once".to_owned()));
                }
                sections.push(IniSection { name, line, values: Vec::new() });
                indent = None;
                continue;
            }
            let expected = || (line, "expected `[section]` or `name = value`".to_owned());
            let at = content.find(['=', ':']).filter(|at| *at > 0).ok_or_else(expected)?;
            let (name, text) = (content[..at].trim_end().to_lowercase(), content[at + 1..].trim());
            let section = sections.last_mut().ok_or((line, "expected a `[section]` first".to_owned()))?;
            if section.get(&name).is_some() {
                return Err((line, "expected each name once in a section".to_owned()));
            }
            section.values.push(Value { name, text: text.to_owned(), line });
            indent = Some(own_indent);
        }
        let defaults = sections.iter().find(|section| section.name == DEFAULT);
        let defaults = defaults.map(|section| section.values.clone()).unwrap_or_default();
        for section in &mut sections {
            let missing: Vec<_> =
                defaults.iter().filter(|value| section.get(&value.name).is_none()).cloned().collect();
            section.values.extend(missing);
        }
        Ok(Self { sections })
    }

    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&IniSection> {
        self.sections.iter().find(|section| section.name == name && name != DEFAULT)
    }

    /// The names of all sections.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|section| section.name.as_str()).filter(|name| *name != DEFAULT)
    }
}

impl IniSection {
    /// The value of `name`, which is lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.value(name).map(|value| value.text.as_str())
    }

    /// The line of a value that the vendors' tools read differently, and what of it.
    ///
    /// `read` is the value as it is to be taken. Some tools cut a pair of quotes, or what stands behind `#` or `;`, some
    /// replace what stands behind `%`, some join a line that ends with `\` with the next; others keep all of it. No key has
    /// such characters. A `free` text may have quotes, though none around it, and several lines.
    pub fn ambiguity(&self, name: &str, read: &str, free: bool) -> Option<(usize, &'static str)> {
        const QUOTES: [char; 3] = ['"', '\'', '`'];
        let what = match read {
            text if text.starts_with(QUOTES) || (!free && text.contains(QUOTES)) => "quotes",
            text if text.contains(['#', ';']) => "`#` or `;`",
            text if text.contains('%') => "`%`",
            text if text.ends_with('\\') => "a `\\` at its end",
            text if !free && text.contains('\n') => "more than one line",
            _ => return None,
        };
        self.value(name).map(|value| (value.line, what))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|value| value.name == name)
    }
}

impl std::fmt::Debug for IniSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.values.iter().map(|value| &value.name).collect();
        f.debug_struct("IniSection").field("name", &self.name).field("values", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_names_and_values_are_found() {
        let text = "\u{feff}; a comment\r\n[default]\r\nType = access_key\r\n# another\nkey: a=b:c # d\nempty =\n\n[ other ] ; x\nkey=1";
        let ini = Ini::parse(text).unwrap();
        assert_eq!(ini.names().collect::<Vec<_>>(), ["default", "other"]);
        let section = ini.section("default").unwrap();
        assert_eq!(section.line, 2);
        assert_eq!(section.get("type"), Some("access_key"));
        assert_eq!(section.get("key"), Some("a=b:c # d"));
        assert_eq!((section.get("empty"), section.get("none")), (Some(""), None));
        assert_eq!(ini.section("other").unwrap().get("key"), Some("1"));
        assert!(Ini::parse("").unwrap().section("default").is_none());
    }

    #[test]
    fn values_go_on_further_in_and_defaults_hold_everywhere() {
        let text = "[DEFAULT]\npolicy =\n  {\n    \"a\": 1\n  }\nregion = x\n\n[a]\n  key = 1\n  region = y\n[b]\nkey =\n\n 2\n# c\n 3\n";
        let ini = Ini::parse(text).unwrap();
        assert_eq!(ini.names().collect::<Vec<_>>(), ["a", "b"]);
        assert!(ini.section("DEFAULT").is_none());
        let value = |section: &str, name| ini.section(section).unwrap().get(name);
        assert_eq!(value("a", "policy"), Some("{\n\"a\": 1\n}"));
        assert_eq!((value("a", "key"), value("a", "region")), (Some("1"), Some("y")));
        assert_eq!((value("b", "key"), value("b", "region")), (Some("2\n3"), Some("x")));
    }

    #[test]
    fn a_mistake_is_named_by_line_and_without_what_stands_there() {
        for (text, line, expected) in [
            ("[default\nkey = 1", 1, "expected `]` at the end of the section's name"),
            (r#"[{"access_key_secret":"s3cr3t"}]"#, 1, "expected a section's name without `\"`"),
            ("[default]\n\ns3cr3t", 3, "expected `[section]` or `name = value`"),
            ("[default]\n= s3cr3t", 2, "expected `[section]` or `name = value`"),
            ("key = s3cr3t", 1, "expected a `[section]` first"),
            ("[a]\nkey = s3cr3t\nKEY = s3cr3t", 3, "expected each name once in a section"),
            ("[a]\n[b]\n[a]", 3, "expected each section once"),
        ] {
            assert_eq!(Ini::parse(text).unwrap_err(), (line, expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_the_vendors_tools_read_differently_is_found_by_line() {
        let text = "[DEFAULT]\nregion = 'x'\n[a]\nplain = Ab0+/==\nquoted = \"s3cr3t\"\ncomment = s3cr3t # mine\n\
            semicolon = s3cr3t;x\npercent = 10%\nslash = x\\\nlines = a\n b\npolicy = {\"a\": [\n  1]}\n";
        let ini = Ini::parse(text).unwrap();
        let section = ini.section("a").unwrap();
        let said = |name, free| section.ambiguity(name, section.get(name).unwrap_or_default(), free);
        for (name, expected) in [
            ("plain", None),
            ("absent", None),
            ("region", Some((2, "quotes"))),
            ("quoted", Some((5, "quotes"))),
            ("comment", Some((6, "`#` or `;`"))),
            ("semicolon", Some((7, "`#` or `;`"))),
            ("percent", Some((8, "`%`"))),
            ("slash", Some((9, "a `\\` at its end"))),
            ("lines", Some((10, "more than one line"))),
            ("policy", Some((12, "quotes"))),
        ] {
            assert_eq!(said(name, false), expected, "{name}");
        }
        assert_eq!((said("policy", true), said("quoted", true)), (None, Some((5, "quotes"))));
    }

    #[test]
    fn debug_shows_no_value() {
        let ini = Ini::parse("[default]\nkey = s3cr3t").unwrap();
        let shown = format!("{ini:?}");
        assert!(shown.contains("key") && !shown.contains("s3cr3t"), "{shown}");
    }
}
