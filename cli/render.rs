//! Diagnostics as a person or a program reads them: human, short, JSON.

use crate::args::MessageFormat;
use crate::say;
use codespan_reporting::diagnostic::{Diagnostic as Shown, Label, LabelStyle, Severity as Level};
use codespan_reporting::files::SimpleFiles;
use codespan_reporting::term::termcolor::Buffer;
use codespan_reporting::term::{self, Config, Styles, StylesWriter};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::{Sources, Span};
use serde_json::json;
use std::io::IsTerminal;

/// Writes the diagnostics to standard error (JSON: standard output), in the order of the source.
pub fn print(sources: &Sources, diagnostics: &[Diagnostic], format: MessageFormat) {
    for d in diagnostics {
        match format {
            MessageFormat::Human => eprint!("{}", human(sources, d, colour_wanted())),
            MessageFormat::Short => eprintln!("{}", short(sources, d)),
            MessageFormat::Json => say!("{}", json_line(sources, d)),
        }
    }
}

/// Colour on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
pub fn colour_wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb") && std::io::stderr().is_terminal()
}

/// With the source lines around every place.
pub fn human(sources: &Sources, d: &Diagnostic, colour: bool) -> String {
    let mut files = SimpleFiles::new();
    for source in &sources.list {
        files.add(&source.name, &source.text);
    }
    let label = |style, span: Span, text: &str| {
        let range = span.start as usize..span.end as usize;
        Label::new(style, span.source.0 as usize, range).with_message(text)
    };
    let mut labels = vec![label(LabelStyle::Primary, d.primary.span, &d.primary.text)];
    labels.extend(d.secondary.iter().map(|l| label(LabelStyle::Secondary, l.span, &l.text)));
    let notes = d.notes.iter().map(|n| format!("note: {n}")).chain(d.help.iter().map(|h| format!("help: {}", h.text)));
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

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn name(sources: &Sources, span: Span) -> &str {
    sources.list.get(span.source.0 as usize).map_or("", |s| &s.name)
}

/// `file:line:column: error[code]: message`.
pub fn short(sources: &Sources, d: &Diagnostic) -> String {
    let (line, column) = sources.line_column(d.primary.span);
    let file = name(sources, d.primary.span);
    format!("{file}:{line}:{column}: {}[{}]: {}", word(d.severity), d.code, d.message)
}

/// The error event of a command that writes JSON lines.
pub fn event(sources: &Sources, d: &Diagnostic) -> serde_json::Value {
    let (line, column) = sources.line_column(d.primary.span);
    json!({"event": "error", "code": d.code, "message": d.message, "file": name(sources, d.primary.span),
        "line": line, "column": column})
}

/// One JSON object, as the manual specifies it.
pub fn json_line(sources: &Sources, d: &Diagnostic) -> serde_json::Value {
    let label = |span: Span, text: &str| {
        let (start, end) = ends(sources, span);
        json!({"file": name(sources, span), "start": start, "end": end, "text": text})
    };
    let (start, end) = ends(sources, d.primary.span);
    let labels: Vec<_> = std::iter::once(&d.primary).chain(&d.secondary).map(|l| label(l.span, &l.text)).collect();
    let help: Vec<_> = d
        .help
        .iter()
        .map(|h| match &h.edit {
            None => json!({"text": h.text}),
            Some((span, replacement)) => {
                let (start, end) = ends(sources, *span);
                json!({"text": h.text, "edit": {"file": name(sources, *span), "start": start, "end": end, "replacement": replacement}})
            }
        })
        .collect();
    json!({
        "code": d.code, "severity": word(d.severity), "message": d.message, "file": name(sources, d.primary.span),
        "start": start, "end": end, "labels": labels, "notes": d.notes, "help": help,
    })
}

fn ends(sources: &Sources, span: Span) -> (serde_json::Value, serde_json::Value) {
    let place = |(line, column)| json!({"line": line, "column": column});
    let after = Span { start: span.end, ..span };
    (place(sources.line_column(span)), place(sources.line_column(after)))
}
