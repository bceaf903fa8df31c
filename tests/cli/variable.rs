//! What differs from run to run, in what the program prints.

const LOOPBACK: &str = "127.0.0.1:";

/// A word with a part that is another one in every run.
struct Variable<'w> {
    before: &'w str,
    part: &'w str,
    after: &'w str,
    name: &'static str,
}

impl<'w> Variable<'w> {
    fn of(word: &'w str) -> Option<Self> {
        let all = |allowed: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || allowed.contains(c));
        let has_digit = word.contains(|c: char| c.is_ascii_digit());
        let whole = |name| Some(Self { before: "", part: word, after: "", name });
        if let Some(host) = word.find(LOOPBACK) {
            let (before, after) = word.split_at(host + LOOPBACK.len());
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (part, after) = after.split_at(end);
            Some(Self { before, part, after, name: "PORT" })
        } else if word.starts_with("20") && word.contains('T') && word.ends_with('Z') && all("-:.") {
            whole("TIME")
        } else if has_digit && word.len() == 5 && word.as_bytes()[2] == b'-' && all("-") {
            whole("DATE")
        } else if has_digit && word.len() == 8 && word.as_bytes()[2] == b':' && all(":") {
            whole("TIME")
        } else if has_digit && word.ends_with('…') {
            whole("CUT")
        } else if word.len() >= 16 && has_digit && all("-") {
            whole("ID")
        } else {
            None
        }
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "\"'`,;(){}[]<>".contains(c)
}

/// The words of `line`, with names in the place of what varies.
pub(crate) fn words(line: &str) -> String {
    let words = line.split(ends_word).filter(|word| !word.is_empty());
    let shown = words.map(|word| match Variable::of(word) {
        Some(Variable { before, name, after, .. }) => format!("{before}{name}{after}"),
        None => word.to_owned(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// `text` with a name as wide as it was in the place of what varies: everything stays in its column.
pub(crate) fn aligned(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_word) {
        let word = piece.trim_end_matches(ends_word);
        match Variable::of(word) {
            Some(Variable { before, part, after, name }) => {
                let filled = format!("{name:_<width$}", width = part.len());
                shown.extend([before, &filled, after]);
            }
            None => shown += word,
        }
        shown += &piece[word.len()..];
    }
    shown
}

#[test]
fn what_differs_from_run_to_run_is_named() {
    let printed = "start  http://127.0.0.1:41234/x   y\n\
        {\"id\":\"71dc4ba1c0ad4df194f0f384d41fed81\",\"created\":\"2026-11-21T23:47:32Z\"}\n\
        (not found, request id 3DF4B594-4FE6-4B11-BCEC-05E3EA2EB528)";
    let named = ["start http://127.0.0.1:PORT/x y", "id : ID created : TIME", "not found request id ID"];
    assert_eq!(printed.lines().map(words).collect::<Vec<_>>(), named);
    let in_columns = "start  http://127.0.0.1:PORT_/x   y\n\
        {\"id\":\"ID______________________________\",\"created\":\"TIME________________\"}\n\
        (not found, request id ID__________________________________)";
    assert_eq!(aligned(printed), in_columns);
    assert_eq!(aligned("live.example.com  hmac_sha256\n"), "live.example.com  hmac_sha256\n");
}
