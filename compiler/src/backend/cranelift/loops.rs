//! A counted loop, opened and closed around the instructions of its body.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

/// `while i + step <= to { body; i += step }`, whose body is being emitted.
pub struct Loop {
    header: Block,
    after: Block,
    step: i64,
    /// The counter.
    pub i: Value,
    /// What the body before this one passed on.
    pub values: Vec<Value>,
}

impl Loop {
    /// Starts the loop at `from` with the values carried from body to body; what is emitted next is its body.
    pub fn open(b: &mut FunctionBuilder, from: Value, to: Value, step: usize, carried: &[Value]) -> Self {
        let last = b.ins().iadd_imm_s(to, 1 - step as i64);
        Self::open_while(b, from, last, step as i64, carried)
    }

    /// As [`Self::open`] for `while i < to { body; i += step }`.
    pub fn open_while(b: &mut FunctionBuilder, from: Value, to: Value, step: i64, carried: &[Value]) -> Self {
        let [header, inside, after] = [(); 3].map(|()| b.create_block());
        let i = b.append_block_param(header, types::I64);
        let values: Vec<Value> = carried
            .iter()
            .map(|c| {
                let kind = b.func.dfg.value_type(*c);
                b.append_block_param(header, kind)
            })
            .collect();
        jump(b, header, from, carried);
        b.switch_to_block(header);
        let more = b.ins().icmp(IntCC::SignedLessThan, i, to);
        b.ins().brif(more, inside, &[], after, &[]);
        b.switch_to_block(inside);
        b.seal_block(inside);
        Self { header, after, step, i, values }
    }

    /// Ends the body, which passes `next` on; yields the counter and the values after the loop.
    pub fn close(self, b: &mut FunctionBuilder, next: &[Value]) -> (Value, Vec<Value>) {
        let i = b.ins().iadd_imm_s(self.i, self.step);
        jump(b, self.header, i, next);
        b.seal_block(self.header);
        b.switch_to_block(self.after);
        b.seal_block(self.after);
        (self.i, self.values)
    }
}

fn jump(b: &mut FunctionBuilder, to: Block, first: Value, rest: &[Value]) {
    let arguments: Vec<BlockArg> = std::iter::once(first).chain(rest.iter().copied()).map(BlockArg::Value).collect();
    b.ins().jump(to, &arguments);
}
