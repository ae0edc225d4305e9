//! Diagnostics as a person or a program reads them: human, short, JSON.

use crate::args::MessageFormat;
use crate::output::write_error;
use crate::say;
use grammar::diagnostic::Diagnostic;
use grammar::render::{human, short};
use grammar::span::{Sources, Span};
use serde_json::json;
use std::io::IsTerminal;

/// Diagnostics that a person is shown of one program; JSON has them all.
const SHOWN: usize = 100;

/// Writes the diagnostics to standard error (JSON: standard output), in the order of the source.
pub fn print(sources: &Sources, diagnostics: &[Diagnostic], format: MessageFormat) {
    let shown = if format == MessageFormat::Json { diagnostics.len() } else { diagnostics.len().min(SHOWN) };
    for d in &diagnostics[..shown] {
        match format {
            MessageFormat::Human => write_error(format_args!("{}", human(sources, d, colour_wanted()))),
            MessageFormat::Short => write_error(format_args!("{}\n", short(sources, d))),
            MessageFormat::Json => say!("{}", json_line(sources, d)),
        }
    }
    if shown < diagnostics.len() {
        let more = diagnostics.len() - shown;
        crate::complain!("and {more} more like these; `nnc check --message-format json` lists them all\n");
    }
}

/// Colour on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
pub fn colour_wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb") && std::io::stderr().is_terminal()
}

/// The error event of a command that writes JSON lines.
pub fn event(sources: &Sources, d: &Diagnostic) -> serde_json::Value {
    let (line, column) = sources.line_column(d.primary.span);
    json!({"event": "error", "code": d.code, "message": d.message, "file": sources.name(d.primary.span),
        "line": line, "column": column})
}

/// One JSON object, as the manual specifies it.
pub fn json_line(sources: &Sources, d: &Diagnostic) -> serde_json::Value {
    let label = |span: Span, text: &str| {
        let (start, end) = ends(sources, span);
        json!({"file": sources.name(span), "start": start, "end": end, "text": text})
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
                json!({"text": h.text, "edit": {"file": sources.name(*span), "start": start, "end": end, "replacement": replacement}})
            }
        })
        .collect();
    json!({
        "code": d.code, "severity": d.severity.word(), "message": d.message, "file": sources.name(d.primary.span),
        "start": start, "end": end, "labels": labels, "notes": d.notes, "help": help,
    })
}

fn ends(sources: &Sources, span: Span) -> (serde_json::Value, serde_json::Value) {
    let place = |(line, column)| json!({"line": line, "column": column});
    let after = Span { start: span.end, ..span };
    (place(sources.line_column(span)), place(sources.line_column(after)))
}
