use url::Url;

/// Whether text is an absolute `http` or `https` URL, the one rule both clouds document.
pub(crate) fn is_well_formed(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://"))
        // `Url` would quietly repair white space.
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && Url::parse(text).is_ok()
}
