//! From a file on disk to a checked program.
//!
//! In: a [`Request`]. Out: a [`Program`], beside what is wrong with it, or a fault if a file cannot be read. What must
//! hold: the program's own text is the first of the sources.

use crate::fault::Fault;
use crate::library::Library;
use compiler::check::{Checked, check, independent};
use compiler::modules;
use compiler::typed::Train;
use grammar::ast::{self, File, Item, TrainEntry};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::parser::parse;
use grammar::span::Sources;
use runtime::data::Position;
use runtime::file;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which program, and what of it is not to be as it is written.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file.
    pub file: PathBuf,
    /// The train block that is meant, and that the settings are for; all of them if none is named.
    pub train: Option<String>,
    /// Settings, or values of parameters, of train blocks that are replaced: name and value, as written.
    pub settings: Vec<(String, String)>,
    /// Folders beside the program's own that it may use files of.
    pub module_path: Vec<PathBuf>,
    /// A folder with another library than the built-in one.
    pub library: Option<PathBuf>,
}

/// A program read and checked, errors and all.
pub struct Program {
    /// All texts, for messages.
    pub sources: Sources,
    /// The syntax tree, with the settings of the request in it.
    pub file: File,
    /// The library it was checked against.
    pub library: Arc<[File]>,
    /// What the checker made of it.
    pub checked: Checked,
    /// What is wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
}

impl Program {
    /// Whether any diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The diagnostics that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error)
    }

    /// The program with another syntax tree, against the same library.
    #[must_use]
    pub fn changed(&self, sources: Sources, file: File) -> Self {
        let (checked, diagnostics) = check(&sources, &file, &self.library);
        Self { sources, file, library: self.library.clone(), checked, diagnostics }
    }

    /// The train block of a name, or the only one, or the only one that no other starts from.
    ///
    /// # Errors
    /// When there is none, or none of that name, or several of which one must be named.
    pub fn choose(&self, train: Option<&str>) -> Result<&Train, Fault> {
        let trains = &self.checked.trains;
        let names = || trains.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
        let own = self.sources.list.first().map_or("the program", |own| own.name.as_str());
        if let Some(name) = train {
            return trains
                .iter()
                .find(|t| t.name == *name)
                .ok_or_else(|| Fault::usage(format!("{own} has no train block named {name}; it has: {}", names())));
        }
        let used = |t: &Train| trains.iter().any(|o| o.start.as_ref().is_some_and(|s| s.train == t.name));
        let last: Vec<&Train> = trains.iter().filter(|t| !used(t)).collect();
        match last.as_slice() {
            [train] => Ok(train),
            [] => Err(Fault::usage(format!("{own} has no train block, so nothing can be run"))),
            _ => Err(Fault::usage(format!("there are several train blocks; choose one with --train: {}", names()))),
        }
    }

    /// The train blocks to be run before this one, which begins with their weights, in the order of need.
    #[must_use]
    pub fn needed(&self, train: &Train) -> Vec<&Train> {
        let trains = &self.checked.trains;
        let before = |t: &Train| trains.iter().find(|o| t.start.as_ref().is_some_and(|s| s.train == o.name));
        let mut list: Vec<&Train> = std::iter::successors(before(train), |t| before(t)).collect();
        list.reverse();
        list
    }
}

/// Reads, parses and checks.
///
/// # Errors
/// When a file cannot be read, or a setting is none; what is wrong with the program is in the result.
pub fn load(request: &Request) -> Result<Program, Fault> {
    let text = read(&request.file)?;
    let mut sources = Sources::default();
    let name = request.file.display().to_string();
    let places = Modules::new(&request.file, &request.module_path);
    let (mut file, mut diagnostics) = modules::gather(&mut sources, &name, &text, &mut |path| places.text_of(path));
    for (key, value) in &request.settings {
        diagnostics.extend(override_setting(&mut sources, &mut file, request.train.as_deref(), key, value)?);
    }
    let other = request.library.as_deref().map(Library::of_folder).transpose()?;
    let Library { texts, files: library, diagnostics: trouble } = other.as_ref().unwrap_or_else(|| Library::built_in());
    sources.shared = Arc::clone(texts);
    diagnostics.extend_from_slice(trouble);
    let (checked, found) = check(&sources, &file, library);
    let found = independent(&diagnostics, found, &file);
    diagnostics.extend(found);
    Ok(Program { sources, file, library: Arc::clone(library), checked, diagnostics })
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

/// Replaces a setting of the train blocks, or the value of a parameter of theirs, by one parsed from a text.
fn override_setting(
    sources: &mut Sources,
    file: &mut File,
    train: Option<&str>,
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
    let chosen = |block: &ast::Train| train.is_none_or(|t| t == block.name.name);
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
