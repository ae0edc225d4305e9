//! Headers of objects whose programs use names that C or C++ do not allow, or that would be two times the same.

use crate::common::{Folder, errors, succeed, text};
use std::path::Path;
use std::process::Command;

/// A train block whose fields have these names, the last a class; its network gives its result the name `output`.
fn program(train: &str, fields: &[&str], output: &str) -> String {
    let (class, numbers) = fields.split_last().expect("a class");
    let declared: String = numbers
        .iter()
        .enumerate()
        .map(|(k, f)| format!("    {f}: [3] = random_normal(8, [3], seed = {})\n", k + 1))
        .collect();
    let first = numbers[0];
    format!(
        "data d {{\n{declared}    {class}: class(2) = random_class(8, 2, seed = 9)\n}}\n\
         model Net(x: [3]) -> [2] {{ x |> dense(2) as fc }}\n\
         train {train} {{\n    data = d\n    {output} = Net({})\n    objective = cross_entropy({output}, {class})\n    \
         optimizer = sgd(lr = 0.1)\n    batch = 4\n    epochs = 1\n}}\n",
        if numbers.len() > 1 { format!("{first} + {}", numbers[1..].join(" + ")) } else { first.to_string() }
    )
}

fn compiles(header: &Path) {
    for (compiler, language, standard) in
        [("cc", "c", "-std=c11"), ("c++", "c++", "-std=c++17"), ("cc", "c", "-std=gnu17")]
    {
        let is_there = Command::new(compiler).arg("--version").output().is_ok_and(|o| o.status.success());
        if !is_there {
            println!("skipped: there is no {compiler}");
            continue;
        }
        let mut command = Command::new(compiler);
        command.args(["-x", language, standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]);
        let output = command.arg(header).output().expect("the compiler starts");
        assert!(output.status.success(), "{language}: {}\n{}", errors(&output), text(header));
    }
}

fn header(train: &str, fields: &[&str], output: &str) -> String {
    let place = Folder::new("names");
    let file = place.write("p.nn", program(train, fields, output));
    let object = place.path("net.o");
    succeed(&format!("emit {} --stage obj --standalone -o {}", file.display(), object.display()));
    let path = place.path("net.h");
    compiles(&path);
    text(&path)
}

/// Macros defined twice are warned of, which counts as an error here; so are arguments of one name.
#[test]
fn names_that_c_reserves_or_that_meet_are_changed_and_told() {
    let said = header("net", &["long", "x", "X", "class"], "logits");
    for line in [
        "v_long: [4, 3]",
        "`long` of the program",
        "`X` of the program",
        "const float *v_long",
        "const int32_t *v_class",
    ] {
        assert!(said.contains(line), "no {line} in\n{said}");
    }
    assert!(said.contains("NET_X_ELEMENTS") && said.contains("NET_X_2_ELEMENTS"), "{said}");
    // What needs no change has none.
    assert!(header("net", &["image", "label"], "logits").contains("const float *image, const int32_t *label"));
}

#[test]
fn letters_beyond_ascii_stay_different() {
    let said = header("netα", &["α", "β", "y"], "λ");
    for name in ["netu3b1_step(", "*u3b1", "*u3b2", "*u3bb", "`β` of the program"] {
        assert!(said.contains(name), "no {name} in\n{said}");
    }
}

/// The header's own words: its arguments, its macros, and beginnings that would make one macro of two.
#[test]
fn names_of_the_header_itself_are_left_to_it() {
    let said = header("net", &["arena", "predict_x", "x", "buffer"], "linux");
    for name in ["*v_arena", "*v_predict_x", "*v_buffer", "*v_linux"] {
        assert!(said.contains(name), "no {name} in\n{said}");
    }
    header("int", &["batch", "first", "count"], "i");
}
