//! As much of Markdown as a README needs: fenced blocks and tables.

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
    /// The line of the opening fence, from 1.
    pub(crate) line: usize,
}

/// A table; cells without the white space around them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Fenced blocks in their order.
pub(crate) fn blocks(markdown: &str) -> Vec<Block> {
    split(markdown).0
}

/// Tables in their order; blocks have none.
pub(crate) fn tables(markdown: &str) -> Vec<Table> {
    let prose = split(markdown).1;
    let chunks = prose.chunk_by(|line, next| is_row(line) == is_row(next));
    chunks.filter(|chunk| is_row(chunk[0])).filter_map(table).collect()
}

/// Blocks, and the lines outside of them; each block leaves an empty one.
fn split(markdown: &str) -> (Vec<Block>, Vec<&str>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut lines = markdown.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some((fence, language)) = opening(line) else {
            prose.push(line);
            continue;
        };
        prose.push("");
        let indent = line.len() - line.trim_start().len();
        let mut text = String::new();
        loop {
            let Some((_, line)) = lines.next() else { panic!("the block of line {} has no end", index + 1) };
            if line.trim() == fence {
                break;
            }
            let unindented = line.char_indices().find(|(at, char)| *at == indent || *char != ' ');
            text.push_str(unindented.map_or("", |(at, _)| &line[at..]));
            text.push('\n');
        }
        blocks.push(Block { language, text, line: index + 1 });
    }
    (blocks, prose)
}

/// The fence that opens a block, and its language.
fn opening(line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let marker = ['`', '~'].into_iter().find(|marker| line.starts_with(&marker.to_string().repeat(3)))?;
    let language = line.trim_start_matches(marker);
    Some((&line[..line.len() - language.len()], language.trim().to_owned()))
}

fn is_row(line: &str) -> bool {
    line.trim().starts_with('|')
}

fn table(lines: &[&str]) -> Option<Table> {
    let cells = |line: &&str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let [header, _dashes, rows @ ..] = lines else { return None };
    Some(Table { header: cells(header), rows: rows.iter().map(cells).collect() })
}

#[test]
fn blocks_and_tables_are_found() {
    let markdown = "# Title\n\n```sh\necho '|'\n| not a row\n```\n\n| A | B |\n|---|:-:|\n| `1` | two words |\n\n\
        1. In a list:\n   ```json\n   { \"a\":\n     1 }\n   ```\n~~~\n```\n~~~\n";
    let expected =
        [("sh", "echo '|'\n| not a row\n", 3), ("json", "{ \"a\":\n  1 }\n", 13), ("", "```\n", 17)];
    let expected =
        expected.map(|(language, text, line)| Block { language: language.into(), text: text.into(), line });
    assert_eq!(blocks(markdown), expected);
    let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let table = Table { header: cells(["A", "B"]), rows: vec![cells(["`1`", "two words"])] };
    assert_eq!(tables(markdown), [table]);
}
