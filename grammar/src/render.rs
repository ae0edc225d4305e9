//! Diagnostics as a person reads them: with the lines of the source they are about, or a line each.
//! Pure: text comes out, and the command line decides where it goes.

use crate::diagnostic::{Diagnostic, Severity};
use crate::span::{SourceId, Sources, Span};
use codespan_reporting::diagnostic::{Diagnostic as Shown, Label, LabelStyle, Severity as Level};
use codespan_reporting::files::SimpleFiles;
use codespan_reporting::term::termcolor::Buffer;
use codespan_reporting::term::{self, Config, Styles, StylesWriter};
use std::collections::BTreeMap;

/// Bytes of the longest line that is shown; of a longer one only the place is told.
const LONGEST_LINE: usize = 500;

/// The message with the source around every place that matters.
#[must_use]
pub fn human(sources: &Sources, d: &Diagnostic, colour: bool) -> String {
    let mut files = SimpleFiles::new();
    let numbers: BTreeMap<SourceId, usize> =
        sources.all().map(|(id, source)| (id, files.add(&source.name, &source.text))).collect();
    let label = |style, span: Span, text: &str| {
        let range = span.start as usize..span.end as usize;
        // Of a text that is not there nothing can be shown.
        let number = numbers.get(&span.source).copied().unwrap_or(numbers.len());
        Label::new(style, number, range).with_message(text)
    };
    let primary = std::iter::once((LabelStyle::Primary, &d.primary));
    let all = primary.chain(d.secondary.iter().map(|l| (LabelStyle::Secondary, l)));
    let (shown, hidden): (Vec<_>, Vec<_>) = all.partition(|(_, l)| sources.line_length(l.span) <= LONGEST_LINE);
    let labels: Vec<_> = shown.into_iter().map(|(style, l)| label(style, l.span, &l.text)).collect();
    let places = hidden.into_iter().map(|(_, l)| {
        let (line, column) = sources.line_column(l.span);
        let text = if l.text.is_empty() { String::new() } else { format!(": {}", l.text) };
        format!("at: {}:{line}:{column}{text}", sources.name(l.span))
    });
    let notes = places
        .chain(d.notes.iter().map(|n| format!("note: {n}")))
        .chain(d.help.iter().map(|h| format!("help: {}", h.text)));
    let shown = Shown::new(level(d.severity)).with_code(d.code).with_message(&d.message);
    let shown = shown.with_labels(labels).with_notes(notes.collect());
    let mut buffer = if colour { Buffer::ansi() } else { Buffer::no_color() };
    let styles = Styles::default();
    let mut writer = StylesWriter::new(&mut buffer, &styles);
    match term::emit_to_write_style(&mut writer, &Config::default(), &files, &shown) {
        Ok(()) => String::from_utf8_lossy(buffer.as_slice()).into_owned(),
        Err(_) => format!("{}\n", short(sources, d)),
    }
}

/// `file:line:column: error[code]: message`.
#[must_use]
pub fn short(sources: &Sources, d: &Diagnostic) -> String {
    let (line, column) = sources.line_column(d.primary.span);
    let file = sources.name(d.primary.span);
    format!("{file}:{line}:{column}: {}[{}]: {}", d.severity.word(), d.code, d.message)
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
    }
}
