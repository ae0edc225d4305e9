//! Files that never end, wait for a writer or claim more than they hold: every command ends at once and says which file it
//! was. The child may not take more memory than a bound that is far below what such a file would make it take; a pipe
//! that is opened to be read would make it wait for ever, and the test with it.

use crate::common::{Folder, bytes, repository};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = "data d {\n    train = csv(\"t.csv\")\n    x: [2]      = features\n    y: class(2) = label\n}\n\
    model Net(x: [2]) -> [2] { x |> dense(2) as fc }\n\
    train net {\n    data      = d\n    z         = Net(x)\n    objective = cross_entropy(z, y)\n    \
    optimizer = sgd(lr = 0.1)\n    batch     = 2\n    epochs    = 1\n}\n";

/// KiB of addresses that a command may have.
const MEMORY: u32 = 500_000;

/// What can stand where a file is wanted.
const KINDS: [&str; 8] =
    ["a pipe", "a device", "a folder", "a socket", "3 GiB of zeros", "noise", "a great claim", "its first half"];

/// What is wanted, under which name, and the commands that read it, with what they end; `@` is the folder.
const ROLES: [(&str, &str, &[&str]); 5] = [
    (
        "program",
        "net.nn",
        &[
            "run @/net.nn --out @/run",
            "check @/net.nn",
            "emit @/net.nn",
            "fmt @/net.nn",
            "eval @/net.nn --split train --weights @/w.safetensors",
            "predict @/net.nn --weights @/w.safetensors --inputs @/in.csv -o @/out.npz",
            "import @/net.nn --weights @/w.safetensors -o @/out.safetensors",
            "export @/net.nn --onnx -o @/out.onnx",
            "diff @/net.nn --of objective",
            "grad @/net.nn --inputs @/in.npz -o @/out.npz",
            "sweep @/net.nn --out @/sweep",
        ],
    ),
    (
        "weights",
        "w.safetensors",
        &[
            "eval @/net.nn --split train --weights @/w.safetensors",
            "predict @/net.nn --weights @/w.safetensors --inputs @/in.csv -o @/out.npz",
            "import @/net.nn --weights @/w.safetensors -o @/out.safetensors",
            "export @/net.nn --onnx --weights @/w.safetensors -o @/out.onnx",
        ],
    ),
    ("table", "t.csv", &["run @/net.nn --out @/run", "eval @/net.nn --split train --weights @/w.safetensors"]),
    ("inputs", "in.npy", &["predict @/net.nn --weights @/w.safetensors --inputs @/in.npy -o @/out.npz"]),
    ("log", "metrics.jsonl", &["plot @/metrics.jsonl -o @/curves"]),
];

/// What a run has written of one epoch.
const LOG: &str = "{\"epoch\":1,\"step\":1,\"train\":{\"loss\":0.5}}\n";

fn weights() -> Vec<u8> {
    let head = r#"{"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"fc.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]}}"#;
    [&(head.len() as u64).to_le_bytes(), head.as_bytes(), &[0; 24]].concat()
}

/// 64 KiB of a linear congruential generator: Knuth's multiplier.
fn noise() -> Vec<u8> {
    let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(1_u64), next).skip(1).take(1 << 16).map(|state| (state >> 56) as u8).collect()
}

/// A small file that says it holds much, or unpacks to it.
fn claim(name: &str) -> Vec<u8> {
    match name {
        "net.nn" => format!("fn f(x) = {}", "(".repeat(1 << 21)).into_bytes(),
        "w.safetensors" => {
            let head = r#"{"fc.weight":{"dtype":"F32","shape":[1073741824,2],"data_offsets":[0,8589934592]}}"#;
            [&(head.len() as u64).to_le_bytes(), head.as_bytes()].concat()
        }
        "t.csv" => {
            let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            std::io::copy(&mut std::io::repeat(b'1').take(1 << 30), &mut packed).expect("packed");
            packed.finish().expect("packed")
        }
        "in.npy" => npy("(1099511627776, 2)", &[0; 16]),
        _ => "1".repeat(300 << 20).into_bytes(),
    }
}

/// An NPY file of that shape, version 1.
fn npy(shape: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let head = format!("{head:117}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(head.len() as u16).to_le_bytes(), head.as_bytes(), data].concat()
}

/// A folder where all is well but for the file `name`, which is of that kind.
fn folder(name: &str, kind: &str) -> Folder {
    let folder = Folder::new("endless");
    folder.write("net.nn", PROGRAM);
    folder.write("t.csv", "a,b,c\n1,2,0\n3,4,1\n");
    folder.write("in.csv", "a,b\n1,2\n");
    folder.write("in.npy", npy("(2, 2)", &[0; 16]));
    folder.write("metrics.jsonl", LOG);
    folder.write("w.safetensors", weights());
    let path = folder.path(name);
    let whole = bytes(&path);
    std::fs::remove_file(&path).expect("removed");
    match kind {
        "a pipe" => assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success()),
        "a device" => std::os::unix::fs::symlink("/dev/zero", &path).expect("a link"),
        "a folder" => std::fs::create_dir(&path).expect("a folder"),
        "a socket" => drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket")),
        "3 GiB of zeros" => std::fs::File::create(&path).and_then(|f| f.set_len(3 << 30)).expect("a file with a hole"),
        "noise" => drop(folder.write(name, noise())),
        "a great claim" => drop(folder.write(name, claim(name))),
        _ => drop(folder.write(name, &whole[..whole.len() / 2])),
    }
    folder
}

/// Runs a line in bounded memory.
fn bounded(line: &str, folder: &Path) -> Output {
    let line = line.replace('@', &folder.display().to_string());
    let script = format!("ulimit -v {MEMORY}; exec {} {line}", env!("CARGO_BIN_EXE_nnc"));
    Command::new("sh").args(["-c", &script]).current_dir(folder).output().expect("a shell")
}

/// The first line of what a command says, without the folder.
fn sentence(output: &Output, folder: &Path) -> String {
    let said = String::from_utf8_lossy(&output.stderr).replace(&format!("{}/", folder.display()), "");
    let diagnostic = said.lines().find(|l| l.starts_with("error["));
    let at =
        |l: &'_ str| ["┌─ ", "= at: "].iter().find_map(|mark| l.trim_start().strip_prefix(mark)).map(str::to_string);
    let place = said.lines().find_map(at).unwrap_or_default();
    diagnostic.map_or_else(
        || said.lines().find_map(|l| l.strip_prefix("error: ")).unwrap_or(&said).to_string(),
        |line| format!("{place}: {}", line.split_once(": ").map_or(line, |(_, message)| message)),
    )
}

#[test]
fn no_file_holds_a_command_up() {
    let mut table = String::from("| in place of | stands | status | the commands say |\n|---|---|---|---|\n");
    for (role, name, lines) in ROLES {
        for kind in KINDS {
            if (role, kind) == ("log", "a folder") {
                // That is the folder of a run.
                continue;
            }
            let mut said: BTreeMap<(Option<i32>, String), Vec<&str>> = BTreeMap::new();
            for line in lines {
                let folder = folder(name, kind);
                let output = bounded(line, &folder.0);
                let key = (output.status.code(), sentence(&output, &folder.0));
                said.entry(key).or_default().push(line);
            }
            let outcomes: Vec<_> = said.keys().collect();
            let [(status, sentence)] = outcomes[..] else { panic!("{role}, {kind}: {said:#?}") };
            // Text that is no program is the program's fault, everything else that of its file.
            let wanted = if sentence.starts_with("net.nn:") && sentence[7..].starts_with(|c: char| c.is_ascii_digit()) {
                1
            } else {
                3
            };
            assert_eq!(*status, Some(wanted), "{role}, {kind}: {sentence}");
            assert!(sentence.contains(name), "{role}, {kind}: {sentence}");
            table.push_str(&format!("| {role} | {kind} | {wanted} | {sentence} |\n"));
        }
    }
    let page = repository("docs/limits.md");
    let text = String::from_utf8(bytes(&page)).expect("UTF-8");
    let start = text.find("| in place of").expect("a table on the page");
    let new = format!("{}{table}", &text[..start]);
    if std::env::var_os("NNC_BLESS").is_some() {
        std::fs::write(&page, new).expect("written");
    } else {
        assert_eq!(text, new, "docs/limits.md is recorded with NNC_BLESS=1");
    }
}

#[test]
fn use_stays_in_its_folders() {
    let folder = Folder::new("modules");
    std::fs::create_dir_all(folder.path("work/parts")).expect("a folder");
    std::fs::create_dir_all(folder.path("other")).expect("a folder");
    folder.write("other/secret.nn", "top secret\n");
    folder.write("other/more.nn", "fn twice(x) = 2 * x\n");
    folder.write("work/parts/a.nn", "use \"../b.nn\"\nfn f(x) = x\n");
    folder.write("work/b.nn", "fn g(x) = x\n");
    std::os::unix::fs::symlink("../other/secret.nn", folder.path("work/link.nn")).expect("a link");
    let check = |used: &str, flags: &str| {
        folder.write("work/main.nn", format!("use \"{used}\"\nfn h(x) = x\n"));
        let output = bounded(&format!("check @/work/main.nn {flags}"), &folder.0);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check("parts/a.nn", "").0, Some(0));
    for used in ["../other/secret.nn", "link.nn", "../../../../../../../../etc/passwd", "/etc/passwd"] {
        let (status, said) = check(used, "");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("--module-path") && !said.contains("top secret") && !said.contains("root:"), "{said}");
    }
    assert_eq!(check("../other/more.nn", "--module-path @/other").0, Some(0));
    assert_eq!(check("more.nn", "--module-path @/other").0, Some(0));
    assert_eq!(check("more.nn", "").0, Some(1));
    assert!(Command::new("mkfifo").arg(folder.path("work/pipe.nn")).status().expect("mkfifo").success());
    let (status, said) = check("pipe.nn", "");
    assert_eq!(status, Some(1));
    assert!(said.contains("this is a pipe, not a file"), "{said}");
}
