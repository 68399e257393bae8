//! The lines of a log that `strace -f -xx -y -ttt -T` writes: strings and paths are in hexadecimal, descriptors carry
//! their path, and so neither can hold what separates the parts of a line.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use crate::workload::Moment;

const UNFINISHED: &str = " <unfinished ...>";

/// A call that ended.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    /// Between the brackets.
    arguments: String,
    /// The number that it gave back; meaningless when it failed.
    pub(super) result: u64,
    failed: bool,
    /// The lines at which it began and ended.
    pub(super) began: usize,
    pub(super) ended: usize,
    /// When it ended.
    pub(super) at: Moment,
}

/// The calls of a log, in the order in which they ended.
pub(super) struct Lines<'a> {
    lines: Box<dyn Iterator<Item = (usize, &'a [u8])> + 'a>,
    /// The call that each thread is in: its first line, and where and when it began.
    unfinished: HashMap<&'a str, (&'a str, usize, i64)>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(log: &'a [u8]) -> Self {
        let lines = Box::new(log.split(|byte| *byte == b'\n').enumerate());
        Self { lines, unfinished: HashMap::new() }
    }

    /// The call that ends in this line, if one does.
    fn line(&mut self, number: usize, line: &'a [u8]) -> Result<Option<Call<'a>>> {
        let line = std::str::from_utf8(line).context("the trace is not text")?;
        let (thread, rest) = line.split_once(' ').context("a line of the trace without a thread")?;
        let (time, rest) = rest.trim_start().split_once(' ').context("a line of the trace without a time")?;
        if rest.starts_with(['+', '-']) {
            return Ok(None);
        }
        let time = microseconds(time)?;
        if let Some(first) = rest.strip_suffix(UNFINISHED) {
            self.unfinished.insert(thread, (first, number, time));
            return Ok(None);
        }
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, tail) = resumed.split_once(" resumed>").context("a resumed call without a name")?;
            let (first, began, time) =
                self.unfinished.remove(thread).context("a call resumed that never began")?;
            return Call::parse(first, tail, (began, number), time);
        }
        Call::parse(rest, "", (number, number), time)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Call<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, line) = self.lines.next()?;
            if line.is_empty() {
                continue;
            }
            let call = self.line(number, line).with_context(|| format!("line {} of the trace", number + 1));
            if let Some(call) = call.transpose() {
                return Some(call);
            }
        }
    }
}

impl<'a> Call<'a> {
    /// From the two halves of a line; the second is empty when nothing interrupted the call.
    fn parse(
        first: &'a str,
        second: &str,
        (began, ended): (usize, usize),
        time: i64,
    ) -> Result<Option<Self>> {
        let (name, arguments) = first.split_once('(').context("a call without arguments")?;
        let whole = format!("{arguments}{second}");
        let (arguments, outcome) = whole
            .rsplit_once(") = ")
            .or_else(|| {
                // Columns are aligned when a line is short.
                let (arguments, outcome) = whole.rsplit_once(" = ")?;
                Some((arguments.trim_end().strip_suffix(')')?, outcome))
            })
            .context("a call without an outcome")?;
        let (outcome, spent) = outcome.rsplit_once(" <").unwrap_or((outcome, "0.0>"));
        let spent = microseconds(spent.trim_end_matches('>'))?;
        let number: String = outcome.chars().take_while(char::is_ascii_digit).collect();
        let result = number.parse();
        Ok(Some(Self {
            name,
            arguments: arguments.to_owned(),
            failed: result.is_err(),
            result: result.unwrap_or(0),
            began,
            ended,
            at: Moment(time + spent),
        }))
    }

    /// Whether it did anything.
    pub(super) fn succeeded(&self) -> bool {
        !self.failed
    }

    /// The descriptor that is the first argument and its path; none when that was removed or is no file.
    pub(super) fn descriptor(&self) -> Result<Option<(String, String)>> {
        let first = self.argument(0)?;
        let Some((number, path)) = first.split_once('<') else { return Ok(None) };
        if path.ends_with("(deleted)") {
            return Ok(None);
        }
        Ok(Some((number.to_owned(), text(path.trim_end_matches('>'))?)))
    }

    /// The absolute paths that are given as strings.
    pub(super) fn paths(&self) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        let mut directory = String::new();
        for argument in self.arguments.split(", ") {
            if let Some(path) = argument.strip_prefix('"') {
                let path = text(path.trim_end_matches('"'))?;
                let absolute = path.starts_with('/');
                ensure!(
                    absolute || !directory.is_empty(),
                    "the path {path} is relative to what is not known"
                );
                paths.push(if absolute { path } else { format!("{directory}/{path}") });
            } else if let Some((_, path)) = argument.split_once('<') {
                directory = text(path.trim_end_matches('>')).unwrap_or_default();
            }
        }
        Ok(paths)
    }

    /// Whether the path, in hexadecimal, stands anywhere in the arguments.
    pub(super) fn names(&self, path: &str) -> bool {
        self.arguments.contains(&escaped(path))
    }

    /// Whether this word stands in the arguments.
    pub(super) fn says(&self, word: &str) -> bool {
        self.arguments.contains(word)
    }

    /// The flags of an opening.
    pub(super) fn flags(&self) -> &str {
        self.arguments.split(", ").find(|argument| argument.starts_with("O_")).unwrap_or("O_CREAT|O_TRUNC")
    }

    /// The bytes that were written: as many as the call gave back.
    pub(super) fn written(&self) -> Result<Vec<u8>> {
        let length = usize::try_from(self.result)?;
        let mut data = Vec::with_capacity(length);
        for string in self.arguments.split('"').skip(1).step_by(2) {
            unescape(string, &mut data)?;
        }
        ensure!(data.len() >= length, "the trace has {} of {length} bytes written", data.len());
        data.truncate(length);
        Ok(data)
    }

    /// An argument that stands before anything that holds a comma.
    pub(super) fn argument(&self, place: usize) -> Result<&str> {
        self.arguments.split(", ").nth(place).context("a call with too few arguments")
    }

    pub(super) fn number(&self, place: usize) -> Result<u64> {
        let argument = self.argument(place)?;
        argument.parse().with_context(|| format!("{argument} is not a number"))
    }

    /// A number counted from the last argument, which is 0.
    pub(super) fn number_from_end(&self, place: usize) -> Result<u64> {
        let argument = self.arguments.rsplit(", ").nth(place).context("a call with too few arguments")?;
        argument.parse().with_context(|| format!("{argument} is not a number"))
    }
}

fn microseconds(seconds: &str) -> Result<i64> {
    let (whole, fraction) = seconds.split_once('.').with_context(|| format!("{seconds} is no time"))?;
    let fraction = format!("{fraction:0<6}");
    Ok(whole.parse::<i64>()? * 1_000_000 + fraction[..6].parse::<i64>()?)
}

fn text(escaped: &str) -> Result<String> {
    let mut bytes = Vec::new();
    unescape(escaped, &mut bytes)?;
    String::from_utf8(bytes).context("a path that is not UTF-8")
}

/// As `strace` writes a string.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 4);
    for byte in text.bytes() {
        // Writing to a string cannot fail.
        let _ = write!(escaped, "\\x{byte:02x}");
    }
    escaped
}

/// Each byte is `\xhh`.
fn unescape(escaped: &str, out: &mut Vec<u8>) -> Result<()> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (quads, rest) = escaped.as_bytes().as_chunks::<4>();
    ensure!(rest.is_empty(), "a string that is cut, or not in hexadecimal");
    for quad in quads {
        let (high, low) = (digit(quad[2]), digit(quad[3]));
        let (high, low) = high.zip(low).context("a string that is not in hexadecimal")?;
        out.push(high << 4 | low);
    }
    Ok(())
}
