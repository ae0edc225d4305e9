//! Trouble with files ends with status 3 and a message that names the file and the place in it; wrong usage with 2; a run
//! that diverges with 4. All through the command, as a user meets it.

mod common;

use common::{Folder, fail, run, succeed};
use runtime::arrays::{self, Array};

/// A program of four inputs and three classes whose data is `source`.
fn program(source: &str, x: &str, y: &str) -> String {
    format!(
        "data d {{\n    train = {source}\n    x: [4]      = {x}\n    y: class(3) = {y}\n}}\n\
         model Net(x: [4]) -> [3] {{ x |> dense(3) as fc }}\n\
         train net {{\n    data      = d\n    z         = Net(x)\n    objective = cross_entropy(z, y)\n    \
         optimizer = sgd(lr = 0.1)\n    batch     = 2\n    epochs    = 2\n}}\n"
    )
}

/// A folder with a program and its data.
struct Case(Folder);

impl Case {
    fn new(name: &str, source: &str, x: &str, y: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let folder = Folder::new(name);
        folder.write("net.nn", program(source, x, y));
        files.iter().for_each(|(name, contents)| drop(folder.write(name, contents)));
        Self(folder)
    }

    fn line(&self, flags: &str) -> String {
        let folder = self.0.0.display();
        format!("run {folder}/net.nn --out {folder}/run{flags}")
    }

    /// With one file changed the run ends with status 3 and a message in which all words occur, in their order.
    fn refuses(&self, file: &str, contents: &[u8], words: &[&str]) {
        let good = std::fs::read(self.0.path(file)).expect("a good file");
        self.0.write(file, contents);
        let said = fail(&self.line(""), 3);
        let mut rest = said.as_str();
        for word in [&[file], words].concat() {
            let at = rest.find(word).unwrap_or_else(|| panic!("`{word}` in its place of: {said}"));
            rest = &rest[at + word.len()..];
        }
        self.0.write(file, good);
    }

    fn accepts(&self) {
        succeed(&self.line(""));
    }
}

fn csv() -> Case {
    let table = b"a,b,c,d,kind\n1,2,3,4,0\n5,6,7,8,2\n1,0,1,0,1\n".to_vec();
    Case::new("csv", "csv(\"table.csv\")", "features", "label", &[("table.csv", table)])
}

#[test]
fn broken_tables_are_refused() {
    let case = csv();
    case.accepts();
    case.refuses("table.csv", b"a,b,c,d,kind\n1,2,3,4,0\n5,6,oops,8,2\n", &[":3:3", "oops"]);
    case.refuses("table.csv", b"a,b,c,d,kind\n1,2,3,4,0\n5,6,8,2\n", &[":3"]);
    case.refuses("table.csv", b"a,b,c,d,kind\n1,2,3,4,0\n5,6,7,8,3\n", &["sample 2", "holds 3"]);
    case.refuses("table.csv", b"a,b,c,d,kind\n1,2,3,4,0\n5,6,7,8,0.5\n", &["sample 2", "holds 0.5"]);
    case.refuses("table.csv", b"a,b,c,d,kind\n", &["no samples"]);
    case.refuses("table.csv", b"a,b,c,d,kind\n1,2,\xff,4,0\n", &[":2"]);
}

fn idx_file(shape: &[u32], elements: &[u8]) -> Vec<u8> {
    let sizes = shape.iter().flat_map(|d| d.to_be_bytes());
    [0, 0, 8, shape.len() as u8].into_iter().chain(sizes).chain(elements.iter().copied()).collect()
}

#[test]
fn broken_idx_files_are_refused() {
    let images = idx_file(&[4, 2, 2], &[7; 16]);
    let labels = idx_file(&[4], &[0, 1, 2, 1]);
    let files = [("images", images.clone()), ("labels", labels.clone())];
    let case = Case::new("idx", "idx(\"images\", \"labels\")", "image |> reshape", "label", &files);
    case.accepts();
    case.refuses("images", &images[..images.len() - 3], &["byte"]);
    case.refuses("images", &images[..2], &["byte"]);
    case.refuses("images", &[&images[..], &[0]].concat(), &["byte 32"]);
    case.refuses("images", &[&[1, 2, 3, 4], &images[4..]].concat(), &["byte 0", "[01, 02, 03, 04]"]);
    case.refuses("images", &[&images[..4], &[255; 12], &images[16..]].concat(), &["byte"]);
    case.refuses("labels", &idx_file(&[4], &[0, 1, 9, 1]), &["9"]);
    case.refuses("labels", &idx_file(&[3], &[0, 1, 2]), &["take both files"]);
}

/// An NPY file of version 1.0.
fn npy_file(kind: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), elements].concat()
}

#[test]
fn broken_npy_files_are_refused() {
    let numbers: Vec<u8> = (0..12).flat_map(|k| (k as f32).to_le_bytes()).collect();
    let classes: Vec<u8> = [0i64, 2, 1].iter().flat_map(|k| k.to_le_bytes()).collect();
    let (x, y) = (npy_file("<f4", "3, 4", &numbers), npy_file("<i8", "3,", &classes));
    let case = Case::new("npy", "npy(\"x.npy\", \"y.npy\")", "x", "y", &[("x.npy", x.clone()), ("y.npy", y)]);
    case.accepts();
    case.refuses("x.npy", b"NUMPY is missing its first byte", &["byte 0"]);
    case.refuses("x.npy", &x[..x.len() - 2], &["byte"]);
    case.refuses("x.npy", &[&x[..], &[1, 2]].concat(), &["byte"]);
    case.refuses(
        "x.npy",
        &npy_file("<f4", "3, 4", &[&numbers[..44], &f32::NAN.to_le_bytes()].concat()),
        &["byte", "NaN"],
    );
    case.refuses("y.npy", &npy_file("<i8", "3,", &[&classes[..16], &3i64.to_le_bytes()].concat()), &["3"]);
}

#[test]
fn missing_files_are_named() {
    let case = csv();
    std::fs::remove_file(case.0.path("table.csv")).expect("the table");
    assert!(fail(&case.line(""), 3).contains("table.csv"));
    assert!(fail("run nowhere/at_all.nn", 3).contains("nowhere/at_all.nn"));
    let said = fail(&format!("run {}/net.nn --resume {}/empty", case.0.0.display(), case.0.0.display()), 3);
    assert!(said.contains("table.csv") || said.contains("checkpoint"), "{said}");
}

#[test]
fn broken_weights_and_checkpoints_are_refused() {
    let case = csv();
    case.accepts();
    let folder = case.0.0.display().to_string();
    let eval = format!("eval {folder}/net.nn --split train --weights {folder}/cut.safetensors");
    let weights = common::bytes(&case.0.path("run/weights.safetensors"));
    case.0.write("cut.safetensors", &weights);
    succeed(&eval);
    for end in [0, 5, 30, weights.len() / 2, weights.len() - 1] {
        case.0.write("cut.safetensors", &weights[..end]);
        assert!(fail(&eval, 3).contains("cut.safetensors"), "cut at {end}");
    }
    let state = case.0.path("run/checkpoint/state.safetensors");
    let mut bytes = common::bytes(&state);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&state, &bytes).expect("a checkpoint to damage");
    let said = fail(&format!("run {folder}/net.nn --resume {folder}/run"), 3);
    assert!(said.contains("state.safetensors") && said.contains("checksum"), "{said}");
}

#[test]
fn too_little_memory_names_the_largest_buffers() {
    let said = fail("run examples/digits.nn --memory 1M", 3);
    assert!(said.contains("1.0 MiB") && said.contains("conv2"), "{said}");
    // A size, its unit and a name on each line, the largest first.
    let sizes: Vec<f64> = said
        .lines()
        .filter_map(|l| {
            let words: Vec<&str> = l.split_whitespace().collect();
            let unit = ["B", "KiB", "MiB"].iter().position(|u| words.get(1) == Some(u))?;
            Some(words[0].parse::<f64>().ok()? * 1024f64.powi(unit as i32))
        })
        .collect();
    assert!(sizes.len() >= 3 && sizes.is_sorted_by(|a, b| a >= b), "{said}");
    succeed("run examples/digits.nn --memory 1G --dry-run");
}

#[test]
fn wrong_usage_is_told_apart() {
    let case = csv();
    for (flags, word) in [
        (" --nonsense", "--nonsense"),
        (" --set batch", "key=value"),
        (" --memory 1X", "1X"),
        (" --train other", "net"),
        (" --seed many", "many"),
        (" --seed -1", "-1"),
        (" --threads 0", "from 1 to"),
        (" --threads 100000", "from 1 to"),
        (" --workers 100000", "from 0 to"),
        (" --samples 0", "from 1 on"),
        (" --set batch=3;epochs=4", "one key=value"),
    ] {
        let said = fail(&case.line(flags), 2);
        assert!(said.contains(word), "{said}");
    }
    case.accepts();
    let folder = case.0.0.display();
    let said = fail(&format!("eval {folder}/net.nn --weights {folder}/run/weights.safetensors --split other"), 2);
    assert!(said.contains("train"), "{said}");
    fail("frobnicate", 2);
    for flags in ["--seconds nan", "--seconds 1e30", "--seconds -1", "--steps 0"] {
        fail(&format!("bench {folder}/net.nn {flags}"), 2);
    }
}

#[test]
fn a_program_larger_than_the_machine_is_refused() {
    let folder = Folder::new("huge");
    let program = "data d { x: [8] = random_normal(8, [8], seed = 1) }\n\
        layer long(x: [8]) -> [8] {\n    hs = scan t in 10000000000 with h = x { tanh(h) }\n    hs[3]\n}\n\
        model Net(x: [8]) -> [1] { x |> long |> dense(1) }\n\
        train net { data = d; objective = squared_norm(Net(x)); optimizer = sgd(lr = 0.1); batch = 4; epochs = 1 }\n";
    let file = folder.write("huge.nn", program);
    let said = fail(&format!("run {} --out {}", file.display(), folder.path("run").display()), 3);
    assert!(said.contains("this machine has") && said.contains("largest buffers"), "{said}");
    assert!(!folder.path("run").exists());
}

#[test]
fn a_file_is_no_folder_of_a_run() {
    let case = csv();
    let folder = case.0.0.display();
    let said = fail(&format!("run {folder}/net.nn --out {folder}/table.csv"), 3);
    assert!(said.contains("is a file") && said.contains("--out"), "{said}");
}

#[test]
fn labels_of_a_given_batch_are_checked() {
    let case = csv();
    let array = |shape: &[usize], values: Vec<f64>| Array { shape: shape.to_vec(), values };
    for (label, words) in
        [(2.0, None), (3.0, Some("`y` holds 3")), (0.5, Some("`y` holds 0.5")), (f64::NAN, Some("NaN"))]
    {
        let batch = [("x", array(&[2, 4], vec![1.0; 8])), ("y", array(&[2], vec![0.0, label]))];
        let batch = batch.into_iter().map(|(n, a)| (n.to_string(), a)).collect();
        arrays::write(&case.0.path("batch.npz"), &batch, true).expect("written");
        let folder = case.0.0.display();
        let line = format!("grad {folder}/net.nn --inputs {folder}/batch.npz -o {folder}/out.npz");
        match words {
            None => drop(succeed(&line)),
            Some(words) => {
                let said = fail(&line, 3);
                assert!(said.contains(words), "{said}");
            }
        }
    }
}

#[test]
fn predictions_are_made_from_tables() {
    let case = csv();
    case.accepts();
    let folder = case.0.0.display();
    let line = format!("predict {folder}/net.nn --weights {folder}/run --inputs");
    case.0.write("unlabelled.csv", "a,b,c,d\n1,2,3,4\n5,6,7,8\n1,0,1,0\n");
    succeed(&format!("{line} {folder}/table.csv -o {folder}/labelled.npz"));
    succeed(&format!("{line} {folder}/unlabelled.csv -o {folder}/unlabelled.npz"));
    let z = |name: &str| arrays::read(&case.0.path(name)).expect("predictions")["z"].clone();
    assert_eq!(z("labelled.npz").shape, [3, 3]);
    assert_eq!(z("labelled.npz"), z("unlabelled.npz"));
    case.0.write("cut.npy", b"\x93NUMPY\x01\x00v\x00{");
    let said = fail(&format!("{line} {folder}/cut.npy -o {folder}/out.npz"), 3);
    assert!(said.contains("cut.npy"), "{said}");
}

#[test]
fn divergence_has_a_status_of_its_own() {
    let case = csv();
    case.0.write("table.csv", "a,b,c,d,kind\n1e20,2,3,4,0\n5,-6e20,7,8,2\n1,0,1e20,0,1\n");
    let said = fail(&case.line(" --set optimizer=sgd(lr=1e30) --epochs 50"), 4);
    assert!(said.contains("update"), "{said}");
    let output = run(&case.line(" --set optimizer=sgd(lr=1e30) --epochs 50 --json"));
    let last = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_string();
    assert!(last.contains("\"event\":\"error\"") && last.contains("\"code\":\"diverged\""), "{last}");
}
