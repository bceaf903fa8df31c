/// Begins the ids of keys Aliyun issues today; older ones are shorter than 20.
const OWN_PREFIX: &str = "LTAI";
const HUAWEICLOUD_LENGTH: usize = 20;

/// Whether an access key's id looks like one of Huawei Cloud: 20 upper-case letters and digits that do not begin with
/// `LTAI`.
///
/// A heuristic for messages, by keys seen in the vendors' documents; neither promises a format (UNVERIFIED).
pub fn looks_like_huaweicloud_key(access_key_id: &str) -> bool {
    access_key_id.len() == HUAWEICLOUD_LENGTH
        && access_key_id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !access_key_id.starts_with(OWN_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_twenty_capitals_and_digits_without_the_own_prefix_are_the_others() {
        for (id, expected) in [
            ("QTWAOYTTINDUT2QVKYUC", true),
            ("LTAI4FABCDEFGHIJKLMN", false),
            ("LTAI5tAbCdEfGhIjKlMnOpQr", false),
            ("STS.NUabcdefghijklmn", false),
            ("QTWAOYTTINDUT2QVKYU", false),
            ("qtwaoyttindut2qvkyuc", false),
            ("", false),
        ] {
            assert_eq!(looks_like_huaweicloud_key(id), expected, "{id}");
        }
    }
}
