//! Keys of another cloud, by their looks.

/// Whether an access key's id looks like one of Aliyun: those of users begin with `LTAI`, temporary ones with `STS.` or
/// `TMP.`.
///
/// A guess for advice, never for a decision. Ids of Huawei Cloud are 20 upper-case letters and digits, which may happen
/// to begin with `LTAI`; ids of Aliyun are shorter or longer, or have lower-case letters (vendors' examples; neither
/// documents the form of its ids, UNVERIFIED).
pub fn looks_like_aliyun_key(id: &str) -> bool {
    let is_own = id.len() == 20 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    (id.starts_with("LTAI") && !is_own) || id.starts_with("STS.") || id.starts_with("TMP.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_aliyun_are_told_from_our_own() {
        for (id, expected) in [
            ("LTAI5tAbCdEfGhIjKlMnOpQr", true),
            ("LTAI4FAbCdEfGhIjKlMn", true),
            ("LTAIabcdefghijkl", true),
            ("STS.NUabcdefghijklmnopqrstuvw", true),
            ("TMP.3KabcdefghijklmnopqrstuvwABCD", true),
            ("LTAI0123456789ABCDEF", false),
            ("AKEXAMPLE0000000001", false),
            ("HSTABCDEFGHIJKLMNOPQ", false),
            ("STSABCDEFGHIJKLMNOPQ", false),
            ("", false),
        ] {
            assert_eq!(looks_like_aliyun_key(id), expected, "{id}");
        }
    }
}
