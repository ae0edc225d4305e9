//! The C header of an object: what its functions take, how large every buffer is, where every tensor lies.

use crate::c_names::Names;
use compiler::emit::object::{CONTROL, Export, Interface, Object, Run, Saved};
use compiler::typed::{self, Element as Holds, Supplied};
use nnc_core::number::Element;
use nnc_core::plan::Slot;
use std::fmt::Write;

/// A field of the data, as an argument.
pub struct Field {
    /// In the program.
    name: String,
    what: String,
}

impl Field {
    /// From the data block's.
    #[must_use]
    pub fn of(field: &typed::Field) -> Self {
        let what = match field.ty.element {
            Holds::Class(n) => format!("classes, each from 0 to {} (others are not noticed and read outside)", n - 1),
            Holds::Number => "numbers, after the transforms of the data block".to_string(),
            Holds::Bool => "0 or 1".to_string(),
            Holds::Sample => "numbers of samples".to_string(),
        };
        Self { name: field.name.clone(), what }
    }
}

/// All that a header says.
pub struct Header<'a> {
    /// The prefix of every name.
    pub name: &'a str,
    /// The train block.
    pub title: &'a str,
    /// Its file.
    pub source: &'a str,
    /// The machine.
    pub triple: &'a str,
    /// What its processor must have.
    pub requires: &'a str,
    /// The code.
    pub object: &'a Object,
    /// What is saved and loaded.
    pub saved: &'a Saved,
    /// Samples of a step and of a prediction.
    pub batches: [usize; 2],
    /// Its functions.
    pub exports: &'a [Export],
    /// The data that each function takes.
    pub fields: Vec<Vec<Field>>,
    /// Names of what each gives.
    pub results: Vec<Vec<String>>,
}

impl Header<'_> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { name, title, source, triple, requires, object, .. } = self;
        let upper = name.to_uppercase();
        let mut out = format!(
            "/* {title} of {source}, compiled by nnc {} for {triple}.\n \
             * Needs a processor with {requires}. Calls no other function, allocates nothing; all that it keeps of its own\n \
             * is which vectors the processor has, found out once and the same for every thread.\n \
             *\n \
             * All memory is the caller's arena: {upper}_ARENA_BYTES bytes, aligned to 64, one for each network that is\n \
             * trained. Its first {upper}_STATE_BYTES bytes are all that lives from step to step (the seed, the number of\n \
             * updates, then parameters, states and the optimiser's): a copy of them is a checkpoint. Arrays are row-major.\n \
             *\n \
             * Names are those of the program where C and C++ allow it. Else every other sign is `_`, or u and its number in\n \
             * Unicode (alpha is u3b1); `v_` stands before what these languages or this header use, and a number after what\n \
             * would be said twice, upper and lower case being the same. Each such name is told beside what it stands for.\n \
             */\n#ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n\n\
             #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
             #define {upper}_ARENA_BYTES {}\n#define {upper}_ARENA_ALIGNMENT 64\n#define {upper}_STATE_BYTES {}\n\
             #define {upper}_FLOAT {}\n",
            env!("CARGO_PKG_VERSION"),
            object.arena_bytes,
            object.state_bytes,
            c_type(self.float()),
            source = source.replace("*/", "* /")
        );
        for number in 0..self.exports.len() {
            self.export(&mut out, number);
        }
        self.saving(&mut out);
        self.table(&mut out);
        out.push_str("\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
        out
    }

    fn export(&self, out: &mut String, number: usize) {
        let (export, fields) = (&self.exports[number], &self.fields[number]);
        let (upper, results) = (self.name.to_uppercase(), &self.results[number]);
        let mut names = Names::of_arguments();
        let called: Vec<String> = fields.iter().map(|f| names.give(&f.name)).collect();
        let Interface { inputs, outputs } = &self.object.interfaces[number];
        let inputs: Vec<Slot> = inputs.iter().map(|slot| several(slot, export.minibatches)).collect();
        match export.run {
            Run::Init => {
                let _ = write!(
                    out,
                    "\n/* Gives everything its initial value; the seed says which. Call it first. */\nvoid {}(void *arena, \
                     uint64_t seed);\n",
                    export.symbol
                );
                return;
            }
            Run::Step => {
                let minibatches = match export.minibatches {
                    1 => "a minibatch".to_string(),
                    n => format!("{n} minibatches, one behind the other, whose gradients are averaged"),
                };
                let _ = writeln!(out, "\n/* One update on {minibatches}, as the train block says.");
            }
            Run::Predict => {
                let _ = writeln!(out, "\n/* What the network says; changes no parameter and no state.");
            }
        }
        let mut macros = String::new();
        let batch = self.batches[usize::from(export.run == Run::Predict)] * export.minibatches;
        let prefix = format!("{upper}{}", if export.run == Run::Predict { "_PREDICT" } else { "" });
        let _ = writeln!(macros, "#define {prefix}_BATCH {batch}");
        let mut arguments = vec!["void *arena".to_string()];
        for ((field, c), slot) in fields.iter().zip(&called).zip(&inputs) {
            let _ = writeln!(out, " *   {c}: {:?}, {}{}", slot.shape, field.what, stands_for(&field.name, c));
            let _ = writeln!(macros, "#define {prefix}_{}_ELEMENTS {}", c.to_uppercase(), slot.len);
            arguments.push(format!("const {} *{c}", c_type(slot.element)));
        }
        for supplied in export.numbers() {
            let (argument, what) = match supplied {
                Supplied::Step | Supplied::Share => continue,
                Supplied::Steps => ("steps".to_string(), "how many updates there will be"),
                Supplied::Epoch => ("epoch".to_string(), "the number of this pass over the data, from 0"),
                Supplied::Figure(n) => {
                    (format!("figure{n}"), "the figure of the last epoch that a schedule reads, at first infinite")
                }
            };
            let _ = writeln!(out, " *   {argument}: {what}");
            arguments.push(format!("double {argument}"));
        }
        let mut given: Vec<String> = vec![];
        if export.run == Run::Step {
            let _ = writeln!(out, " *   results: {}; means over the minibatch", results.join(", "));
            let _ = writeln!(macros, "#define {prefix}_RESULTS {}", results.len());
            arguments.push(format!("{} *results", c_type(self.float())));
        } else {
            for (result, slot) in results.iter().zip(outputs) {
                let c = names.give(result);
                let _ = writeln!(out, " *   {c}: {:?}, comes out{}", slot.shape, stands_for(result, &c));
                let _ = writeln!(macros, "#define {prefix}_{}_ELEMENTS {}", c.to_uppercase(), slot.len);
                arguments.push(format!("{} *{c}", c_type(slot.element)));
                given.push(c);
            }
        }
        let _ = write!(out, " */\n{macros}void {}({});\n", export.symbol, arguments.join(", "));
        let _ = write!(out, "{}", lists(&prefix, [(&called[..], &inputs[..]), (&given[..], &outputs[..])], export));
    }

    fn float(&self) -> Element {
        self.object.persistent.values().next().map_or(Element::F32, |s| s.element)
    }

    fn saving(&self, out: &mut String) {
        let Saved { save, load, .. } = self.saved;
        let upper = self.name.to_uppercase();
        let _ = write!(
            out,
            "\n/* Parameters and states as the bytes of a .safetensors file, which PyTorch and others read; `nnc run` keeps\n \
             * the same as weights.safetensors. {load} gives 0, or 1 and changes nothing if the bytes are not of this\n \
             * network. The buffer holds {upper}_SAVED_BYTES bytes. */\n#define {upper}_SAVED_BYTES {}\n\
             void {save}(const void *arena, void *buffer);\nint {load}(void *arena, const void *buffer);\n",
            self.object.saved_bytes
        );
    }

    /// Where everything lies that lives from step to step.
    fn table(&self, out: &mut String) {
        let upper = self.name.to_uppercase();
        let _ = write!(
            out,
            "\n/* The arena's beginning: seed and number of updates, both uint64_t ({CONTROL} bytes), then, in bytes: */\n\
             #define {upper}_OFFSET_SEED 0\n#define {upper}_OFFSET_UPDATES 8\n"
        );
        let mut rows: Vec<(&String, &Slot)> = self.object.persistent.iter().collect();
        rows.sort_by_key(|(_, slot)| slot.offset);
        let mut names = Names::of_offsets();
        for (path, slot) in rows {
            let c = names.give(path);
            let saved = self.saved.tensors.iter().find(|(p, _)| p == path);
            let what = saved.map_or("not saved".to_string(), |(_, name)| format!("saved as {name}"));
            let element = c_type(slot.element);
            let _ = writeln!(
                out,
                "#define {upper}_OFFSET_{c} {} /* {element} {:?}, {what}{} */",
                slot.offset,
                slot.shape,
                stands_for(path, &c)
            );
        }
    }
}

/// The places of as many minibatches, one behind the other.
fn several(slot: &Slot, minibatches: usize) -> Slot {
    let mut slot = slot.clone();
    slot.len *= minibatches;
    slot.shape.iter_mut().take(1).for_each(|samples| *samples *= minibatches);
    slot
}

/// Lists for the preprocessor: `X(name, type, elements)` for every argument and result.
fn lists(prefix: &str, [ins, outs]: [(&[String], &[Slot]); 2], export: &Export) -> String {
    let items = |(names, slots): (&[String], &[Slot])| -> String {
        let item = |(name, slot): (&String, &Slot)| format!(" X({name}, {}, {})", c_type(slot.element), slot.len);
        names.iter().zip(slots).map(item).collect()
    };
    let (ins, outs) = (items(ins), items(outs));
    let read = |wanted: Supplied| export.numbers().contains(&wanted);
    let numbers: String = [(Supplied::Steps, " X(steps)"), (Supplied::Epoch, " X(epoch)")]
        .into_iter()
        .filter(|(s, _)| read(*s))
        .map(|(_, text)| text)
        .collect();
    let title = if export.run == Run::Step { "_RESULT_LIST" } else { "_OUTPUT_LIST" };
    format!(
        "#define {prefix}_INPUT_LIST(X){ins}\n#define {prefix}_NUMBER_LIST(X){numbers}\n#define {prefix}{title}(X){outs}\n"
    )
}

fn c_type(element: Element) -> &'static str {
    match element {
        Element::F32 => "float",
        Element::F64 => "double",
        Element::I32 => "int32_t",
    }
}

/// What a name stands for, if that cannot be seen.
fn stands_for(name: &str, c: &str) -> String {
    if name.replace('.', "_") == c { String::new() } else { format!("; `{name}` of the program") }
}
