use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_encode};

/// RFC 3986: letters, digits and `-_.~` stay, every other byte becomes `%XX`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes as both vendors' signatures want: unreserved runs and single `%XX`.
pub fn encode(text: &str) -> PercentEncode<'_> {
    percent_encode(text.as_bytes(), RESERVED)
}

/// Lower-case hex digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut digits = vec![0; bytes.len() * 2];
    // Twice as much room is exactly enough, and digits are text; `hex::encode` goes char by char.
    let encoded = hex::encode_to_slice(bytes, &mut digits).ok();
    encoded.and_then(|()| String::from_utf8(digits).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of Aliyun's signature documents.
    #[test]
    fn only_unreserved_characters_stay() {
        for (text, encoded) in [
            ("AZaz09-_.~", "AZaz09-_.~"),
            (" *+/", "%20%2A%2B%2F"),
            ("'()!:@,%", "%27%28%29%21%3A%40%2C%25"),
            ("é中😀", "%C3%A9%E4%B8%AD%F0%9F%98%80"),
        ] {
            assert_eq!(encode(text).to_string(), encoded);
        }
    }

    #[test]
    fn hex_is_lower_case_and_whole() {
        assert_eq!(hex([0x00, 0x0f, 0xab, 0xff]), "000fabff");
        assert_eq!(hex([]), "");
    }
}
