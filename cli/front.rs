//! From a file on disk to a checked program: reads the text, applies the settings given on the
//! command line, parses, checks, and prints what is wrong.

use crate::args::{self, MessageFormat};
use crate::fault::{Fault, FaultKind};
use crate::render;
use crate::say;
use compiler::check::{Checked, check, independent};
use compiler::library;
use compiler::modules;
use compiler::typed::Train;
use grammar::ast::{self, File, Item, TrainEntry};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::parser::parse;
use grammar::span::Sources;
use runtime::data::Position;
use runtime::file;
use std::path::{Path, PathBuf};

/// A program read and checked, errors and all.
pub struct Front {
    /// All texts, for messages.
    pub sources: Sources,
    /// The syntax tree, with the command line's settings in it.
    pub file: File,
    /// The library it was checked against.
    pub library: Vec<File>,
    /// What the checker made of it.
    pub checked: Checked,
    /// What is wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
}

impl Front {
    /// Whether any diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Reads, parses and checks; prints nothing.
pub fn examine(options: &args::Program) -> Result<Front, Fault> {
    let text = read(&options.file)?;
    let mut sources = Sources::default();
    let name = options.file.display().to_string();
    let places = Modules::new(&options.file, &options.module_path);
    let (mut file, mut diagnostics) = modules::gather(&mut sources, &name, &text, &mut |path| places.text_of(path));
    for (key, value) in settings(options)? {
        diagnostics.extend(override_setting(&mut sources, &mut file, options, &key, &value)?);
    }
    let texts = library_texts(options.library.as_deref())?;
    let (library, trouble) = library::parse(&mut sources, &texts);
    diagnostics.extend(trouble);
    let (checked, found) = check(&sources, &file, &library);
    let found = independent(&diagnostics, found, &file);
    diagnostics.extend(found);
    Ok(Front { sources, file, library, checked, diagnostics })
}

/// Reads, parses, checks and prints the diagnostics; errors end the command. A command whose output
/// is JSON gets an error event a line on standard output as well.
pub fn load(options: &args::Program, json: bool) -> Result<Front, Fault> {
    let front = examine(options)?;
    render::print(&front.sources, &front.diagnostics, MessageFormat::Human);
    let errors: Vec<&Diagnostic> = front.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    if json {
        errors.iter().for_each(|d| say!("{}", render::event(&front.sources, d)));
    }
    match errors.len() {
        0 => Ok(front),
        1 => Err(Fault::new(FaultKind::Program, "1 error")),
        n => Err(Fault::new(FaultKind::Program, format!("{n} errors"))),
    }
}

/// The program with its syntax tree changed by a command, against the same library; its errors end the command.
pub fn checked_anew(front: &Front, sources: Sources, file: File) -> Result<Front, Fault> {
    let (checked, diagnostics) = check(&sources, &file, &front.library);
    let front = Front { sources, file, library: front.library.clone(), checked, diagnostics };
    if front.has_errors() {
        let errors: Vec<_> = front.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect();
        render::print(&front.sources, &errors, MessageFormat::Human);
        return Err(Fault::new(FaultKind::Program, "with the settings tried here the train block has errors"));
    }
    Ok(front)
}

/// The train block asked for, or the only one, or the only one that no other starts from.
pub fn choose<'a>(front: &'a Front, options: &args::Program) -> Result<&'a Train, Fault> {
    let trains = &front.checked.trains;
    let names = || trains.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = &options.train {
        return trains.iter().find(|t| t.name == *name).ok_or_else(|| {
            Fault::usage(format!("{} has no train block named {name}; it has: {}", options.file.display(), names()))
        });
    }
    let used = |t: &Train| trains.iter().any(|o| o.start.as_ref().is_some_and(|s| s.train == t.name));
    let last: Vec<&Train> = trains.iter().filter(|t| !used(t)).collect();
    match last.as_slice() {
        [train] => Ok(train),
        [] => Err(Fault::usage(format!("{} has no train block, so nothing can be run", options.file.display()))),
        _ => Err(Fault::usage(format!("there are several train blocks; choose one with --train: {}", names()))),
    }
}

/// The train blocks to be run before this one, which begins with their weights, in the order of need.
pub fn needed<'a>(front: &'a Front, train: &Train) -> Vec<&'a Train> {
    let trains = &front.checked.trains;
    let before = |t: &Train| trains.iter().find(|o| t.start.as_ref().is_some_and(|s| s.train == o.name));
    let mut list: Vec<&Train> = std::iter::successors(before(train), |t| before(t)).collect();
    list.reverse();
    list
}

fn read(path: &Path) -> Result<String, Fault> {
    file::read_text(path, file::PROGRAM).map_err(Fault::data)
}

/// The folders that `use` may read from: the program's own, and those that `--module-path` names.
struct Modules {
    own: PathBuf,
    others: Vec<PathBuf>,
}

impl Modules {
    fn new(program: &Path, others: &[PathBuf]) -> Self {
        let own = program.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { own: own.to_path_buf(), others: others.to_vec() }
    }

    /// The text of the file that a program uses, or why there is none: a file that lies elsewhere is not even opened, so
    /// that a program can show nothing of it.
    fn text_of(&self, path: &str) -> Result<String, String> {
        let beside = Path::new(path);
        // What is not beside the program may lie under the same name in one of the other folders.
        let name = beside.strip_prefix(&self.own).unwrap_or(beside);
        let elsewhere = self.others.iter().map(|folder| folder.join(name));
        let found = std::iter::once(beside.to_path_buf()).chain(elsewhere).find(|p| p.exists());
        let found = found.unwrap_or_else(|| beside.to_path_buf());
        let real = found.canonicalize().map_err(|e| e.to_string())?;
        let mut folders = std::iter::once(&self.own).chain(&self.others).filter_map(|f| f.canonicalize().ok());
        if !folders.any(|folder| real.starts_with(folder)) {
            return Err("it lies outside the program's folder; name its folder with --module-path".to_string());
        }
        file::read_text(&real, file::PROGRAM).map_err(|e| match e.position {
            Some(Position::Byte(at)) => format!("{} (byte {at})", e.message),
            _ => e.message,
        })
    }
}

/// The library's texts: built in, or from a folder.
fn library_texts(folder: Option<&Path>) -> Result<Vec<(String, String)>, Fault> {
    let Some(folder) = folder else {
        return Ok(library::TEXTS.iter().map(|(name, text)| ((*name).to_string(), (*text).to_string())).collect());
    };
    let entries =
        std::fs::read_dir(folder).map_err(|e| Fault::data(format!("cannot read {}: {e}", folder.display())))?;
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "nn"));
    paths.sort();
    paths.iter().map(|p| Ok((p.display().to_string(), read(p)?))).collect()
}

/// `--set`, `--seed`, `--epochs` and `--precision` as key and value.
pub fn settings(options: &args::Program) -> Result<Vec<(String, String)>, Fault> {
    let mut list = vec![];
    for pair in &options.set {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Fault::usage(format!("--set takes key=value, such as --set batch=128, not `{pair}`")))?;
        list.push((key.trim().to_string(), value.trim().to_string()));
    }
    list.extend(options.seed.map(|s| ("seed".to_string(), s.to_string())));
    list.extend(options.epochs.map(|e| ("epochs".to_string(), e.to_string())));
    list.extend(options.precision.map(|p| ("precision".to_string(), p.word().to_string())));
    Ok(list)
}

/// Replaces a setting of the train blocks, or the value of a parameter of theirs, by one parsed from the command line.
fn override_setting(
    sources: &mut Sources,
    file: &mut File,
    options: &args::Program,
    key: &str,
    value: &str,
) -> Result<Vec<Diagnostic>, Fault> {
    let text = format!("train settings {{\n{key} = {value}\n}}\n");
    let id = sources.add(format!("--set {key}={value}"), text.clone());
    let (parsed, diagnostics) = parse(id, &text);
    let Some(entry) = only_entry(parsed.items) else {
        if !diagnostics.is_empty() {
            return Ok(diagnostics);
        }
        return Err(Fault::usage(format!("--set takes one key=value, such as --set batch=128, not `{key}={value}`")));
    };
    let chosen = |train: &ast::Train| options.train.as_deref().is_none_or(|t| t == train.name.name);
    let takes = |train: &ast::Train| train.params.iter().any(|p| p.name.name == key);
    let parameter = file.items.iter().any(|item| matches!(item, Item::Train(t) if chosen(t) && takes(t)));
    for item in &mut file.items {
        let Item::Train(train) = item else { continue };
        if !chosen(train) {
            continue;
        }
        if !parameter {
            replace_setting(train, key, &entry.value);
        } else if let Some(param) = train.params.iter_mut().find(|p| p.name.name == key) {
            param.default = Some(entry.value.clone());
        }
    }
    Ok(diagnostics)
}

/// The entry of a train block that is the only item and has no other.
fn only_entry(items: Vec<Item>) -> Option<TrainEntry> {
    match <[Item; 1]>::try_from(items) {
        Ok([Item::Train(train)]) => <[TrainEntry; 1]>::try_from(train.entries).ok().map(|[entry]| entry),
        _ => None,
    }
}

/// Gives a setting of a train block another value.
pub fn replace_setting(train: &mut ast::Train, key: &str, value: &ast::Expr) {
    if let Some(existing) = train.entries.iter_mut().find(|e| e.lhs.name.name == key) {
        existing.value = value.clone();
        return;
    }
    let name = ast::Ident { name: key.to_string(), span: value.span };
    let lhs = ast::Lhs { name, indices: None, ty: None };
    train.entries.push(TrainEntry { lhs, label: None, value: value.clone(), span: value.span });
}
