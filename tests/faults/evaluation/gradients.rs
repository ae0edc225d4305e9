//! `nnc grad` of several objectives: the gradient by a parameter is that of the objective that moves it. The true values
//! are central differences of the losses that the command itself gives, in double precision.

use crate::common::{Folder, read_arrays, succeed};
use runtime::arrays::{self, Array};
use std::collections::BTreeMap;
use std::path::Path;

const PROGRAM: &str = "data d { x: [2] = random_normal(8, [2], seed = 3) }
model Maker(x: [2]) -> [2] { x |> dense(3) as fc1 |> tanh |> dense(2) as fc2 }
model Judge(x: [2]) -> [1] { x |> dense(3) as fc1 |> tanh |> dense(1) as fc2 }
model Other(x: [2]) -> [1] { x |> dense(1) as fc }
train gan {
 data = d
 made = Maker(x)
 objective judge = bce_with_logits(Judge(made), [0]) + bce_with_logits(Judge(x), [1]) over params(Judge)
 objective maker = bce_with_logits(Judge(made), [1]) over params(Maker)
 objective other = squared_error(Other(made), [1]) over params(Other)
 optimizer = adam(lr = 1e-3)
 batch = 8
 epochs = 1
 precision = f64
}
";

fn grad(folder: &Folder, program: &Path, params: Option<&BTreeMap<String, Array>>) -> BTreeMap<String, Array> {
    let out = folder.path("out.safetensors");
    let given = params.map_or(String::new(), |p| {
        let path = folder.path("params.safetensors");
        arrays::write(&path, p, true).unwrap_or_else(|e| panic!("{e}"));
        format!("--params {}", path.display())
    });
    let inputs = folder.path("inputs.safetensors");
    succeed(&format!("grad {} --inputs {} {given} -o {}", program.display(), inputs.display(), out.display()));
    read_arrays(&out)
}

#[test]
fn each_objective_has_the_gradients_of_its_own_parameters() {
    let folder = Folder::new("gradients");
    let program = folder.write("p.nn", PROGRAM);
    let values = (0..8).map(|n| f64::from(n * 37 % 11) / 5.0 - 1.0).collect();
    let inputs = BTreeMap::from([("x".to_string(), Array { shape: vec![4, 2], values })]);
    arrays::write(&folder.path("inputs.safetensors"), &inputs, true).unwrap_or_else(|e| panic!("{e}"));
    let found = grad(&folder, &program, None);
    let params: BTreeMap<String, Array> =
        found.iter().filter_map(|(k, v)| Some((k.strip_prefix("param.")?.to_string(), v.clone()))).collect();
    let mut compared = 0;
    for (name, model) in [("Judge", "judge"), ("Maker", "maker"), ("Other", "other")] {
        for (path, array) in params.iter().filter(|(path, _)| path.starts_with(name)) {
            let element = array.values.len() - 1;
            let loss = |by: f64| {
                let mut moved = params.clone();
                moved.get_mut(path).expect("the parameter").values[element] += by;
                grad(&folder, &program, Some(&moved))[&format!("loss.{model}")].values[0]
            };
            let step = 1e-5;
            let difference = (loss(step) - loss(-step)) / (2.0 * step);
            let said = found[&format!("grad.{path}")].values[element];
            assert!((said - difference).abs() < 1e-8, "{path}[{element}]: {said}, but differences give {difference}");
            compared += 1;
        }
    }
    assert_eq!(compared, 10);
}
