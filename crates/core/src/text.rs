//! Texts for people: one escaping for whatever comes from elsewhere, and what was probably meant.

use std::borrow::Cow;

/// Longer words get no suggestion: comparing them costs more than it helps.
const MAX_COMPARED: usize = 40;

/// Returns `text` on one line, with everything spelled out (`\n`, `\u{202e}`) that [`needs_escaping`].
///
/// Names, URLs and messages of clouds, senders and files go through it before a person sees them, on a terminal or in a
/// file: nothing in them can move a cursor, begin a line, or make other text look different.
///
/// ```
/// use record_callback_core::text::one_line;
///
/// assert_eq!(one_line("match-7\n\u{1b}[2J"), r"match-7\n\u{1b}[2J");
/// assert_eq!(one_line("比赛 №7"), "比赛 №7");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(needs_escaping) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs_escaping(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Tells if a terminal would obey `c`, begin a line at it, order other text by it, or show nothing for it: control
/// characters (C0, DEL, C1), separators of lines and paragraphs, marks and overrides of the writing direction, and what
/// Unicode calls default ignorable, except variation selectors.
pub fn needs_escaping(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns `; did you mean …?` if one of `known` is only a slip or two away from `word`, whatever its case; else nothing.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|known| known.len().max(word.len()) <= MAX_COMPARED)
        .map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known))
        .filter(|(slips, _)| *slips <= allowed)
        .min()
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

/// Returns a URL as messages show it: its query may hold a secret.
pub fn without_query(url: &str) -> String {
    match url.split_once('?') {
        Some((before, _)) => format!("{before}?…"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deceives_is_spelled_out() {
        for (text, shown) in [
            ("a\tb\r\nc", r"a\tb\r\nc"),
            ("\u{1b}]0;x\u{7}\u{7f}\u{9b}2J", r"\u{1b}]0;x\u{7}\u{7f}\u{9b}2J"),
            ("\u{202e}gpj.\u{2066}x\u{2069}", r"\u{202e}gpj.\u{2066}x\u{2069}"),
            ("\u{200e}\u{200f}\u{61c}", r"\u{200e}\u{200f}\u{61c}"),
            ("a\u{2028}b\u{2029}", r"a\u{2028}b\u{2029}"),
            ("\u{feff}a\u{200b}b\u{ad}\u{e0041}", r"\u{feff}a\u{200b}b\u{ad}\u{e0041}"),
        ] {
            assert_eq!(one_line(text), shown);
            assert_eq!(one_line(shown), shown, "what is escaped stays as it is");
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["", "live.example.com", "直播 مباراة ❤\u{fe0f} Ünïcode", r"C:\new\table", "`*` → \"x\""]
        {
            assert!(matches!(one_line(text), Cow::Borrowed(shown) if shown == text), "{text}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let suggested = |word| did_you_mean(word, ["ali", "hw", "notify_url", "file_completed"]);
        for (word, expected) in [
            ("al", "; did you mean `ali`?"),
            ("lai", "; did you mean `ali`?"),
            ("notifyurl", "; did you mean `notify_url`?"),
            ("FileCompleted", "; did you mean `file_completed`?"),
            ("url", ""),
            ("", ""),
        ] {
            assert_eq!(suggested(word), expected, "{word}");
        }
        assert_eq!(suggested(&"ali".repeat(100)), "");
    }
}
