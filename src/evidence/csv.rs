//! Comma-separated values (RFC 4180): one record at a time, quotes and newlines inside quotes included.

/// Reads one record at the start of `text`; returns its fields and the bytes taken. `None` where the record does not end
/// in `text` and more may follow (`last` is false).
pub(crate) fn record(text: &str, last: bool) -> Option<(Vec<String>, usize)> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut letters = text.char_indices().peekable();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' if quoted => {
                if letters.peek().is_some_and(|(_, next)| *next == '"') {
                    letters.next();
                    field.push('"');
                } else {
                    quoted = false;
                }
            }
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                if field.ends_with('\r') {
                    field.pop();
                }
                fields.push(field);
                return Some((fields, place + 1));
            }
            letter => field.push(letter),
        }
    }
    if !last {
        return None;
    }
    if field.ends_with('\r') {
        field.pop();
    }
    fields.push(field);
    Some((fields, text.len()))
}

/// Reads all records of a text.
pub(crate) fn records(mut text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    while !text.is_empty()
        && let Some((fields, length)) = record(text, true)
    {
        records.push(fields);
        text = text.get(length..).unwrap_or_default();
    }
    records
}
